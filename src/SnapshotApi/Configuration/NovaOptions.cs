using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>
/// Section <c>Nova</c>: the face under <c>/v2.1</c>, by which the clients of OpenStack's Nova take snapshots here. There is one when a
/// Keystone is named: nothing of it is served to those whom Keystone does not know.
/// </summary>
internal sealed class NovaOptions : IValidatableObject
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Nova";

    /// <summary>Stands in <see cref="Projects"/> for every server that no other entry, and no metadata of Nova's, gives to a project.</summary>
    public const string EveryServer = "*";

    private static readonly Dictionary<string, AccessRole> UsualRoles = new(StringComparer.Ordinal)
    {
        ["admin"] = AccessRole.Admin,
        ["member"] = AccessRole.Operator,
        ["reader"] = AccessRole.Reader,
    };

    /// <summary>Section <c>Nova:Keystone</c>: by whom tokens of callers are looked at; a user who may do that.</summary>
    [Required]
    [ValidateObjectMembers]
    public KeystoneOptions Keystone { get; set; } = new("Nova:Keystone");

    /// <summary>Where clients reach Keystone, for those who come without a good token.</summary>
    /// <value>Default empty: where we reach it.</value>
    public string PublicKeystoneUrl { get; set; } = string.Empty;

    /// <summary>Where clients reach this service, for links in answers; without the <c>/v2.1</c>.</summary>
    /// <value>Default empty: the address that they asked.</value>
    public string PublicUrl { get; set; } = string.Empty;

    /// <summary>How long what Keystone said of a token is believed when somebody only looks. Before a snapshot it is always asked.</summary>
    /// <value>0 (ask each time) to 600 seconds; default 60. A token that is revoked is refused after that time at the latest.</value>
    [Range(0, 600)]
    public int TokenCacheSeconds { get; set; } = 60;

    /// <summary>What a role of Keystone's may do here: <c>Nova:Roles:member=operator</c>.</summary>
    /// <value>Default empty: <c>admin</c> is an admin, <c>member</c> an operator, <c>reader</c> a reader. Others may do nothing.</value>
    public Dictionary<string, AccessRole> Roles { get; } = [];

    /// <summary>
    /// Which servers belong to a project, by its id, where Nova's metadata in their definition does not say so: names, UUIDs, or
    /// <see cref="EveryServer"/> for the rest.
    /// </summary>
    public Dictionary<string, string[]> Projects { get; } = [];

    /// <summary>There is such a face.</summary>
    public bool IsConfigured() => Keystone.IsConfigured();

    /// <summary>The role here of one who has roles there; null when none of them is known.</summary>
    public AccessRole? RoleOf(IEnumerable<string> roles)
    {
        Dictionary<string, AccessRole> map = Roles.Count > 0 ? Roles : UsualRoles;
        AccessRole[] held = [.. roles.Where(map.ContainsKey).Select(r => map[r])];
        return held.Length == 0 ? null : held.Max();
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => Problems().Select(p => new ValidationResult(p));

    private IEnumerable<string> Problems()
    {
        if (!IsConfigured() && (Roles.Count > 0 || Projects.Count > 0 || PublicUrl.Length > 0 || PublicKeystoneUrl.Length > 0))
        {
            yield return "Nova:Keystone:Url must be set where another key of Nova is.";
        }

        if (PublicKeystoneUrl.Length > 0 && !WebAddress.IsOne(PublicKeystoneUrl))
        {
            yield return "Nova:PublicKeystoneUrl must be an http or https address without user, query and fragment.";
        }

        if (PublicUrl.Length > 0 && !WebAddress.IsOne(PublicUrl))
        {
            yield return "Nova:PublicUrl must be an http or https address without user, query and fragment.";
        }

        foreach (IGrouping<string, string> server in Projects.SelectMany(p => p.Value.Select(s => (Project: p.Key, Server: s)))
            .GroupBy(e => e.Server, e => e.Project, StringComparer.OrdinalIgnoreCase)
            .Where(g => g.Distinct(StringComparer.Ordinal).Count() > 1))
        {
            yield return $"Nova:Projects gives '{server.Key}' to more than one project: {string.Join(", ", server)}.";
        }
    }
}

/// <summary>Checks <see cref="NovaOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class NovaOptionsValidator : IValidateOptions<NovaOptions>;
