using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

[Description(
    "The compute API under `/v2.1` for the clients of OpenStack's Nova. It is served when `Nova__Keystone__Url` is "
    + "set, which also needs `Stores__Glance__Endpoint`, and accepts tokens of that Keystone only. See "
    + "[OpenStack](openstack.md#the-compute-api).")]
internal sealed class NovaOptions : IValidatableObject
{
    public const string Section = "Nova";

    /// <summary>In <see cref="Projects"/>: each server without a project by another entry or Nova's metadata.</summary>
    public const string EveryServer = "*";

    private static readonly Dictionary<string, AccessRole> UsualRoles = new(StringComparer.Ordinal)
    {
        ["admin"] = AccessRole.Admin,
        ["member"] = AccessRole.Operator,
        ["reader"] = AccessRole.Reader,
    };

    [Required]
    [ValidateObjectMembers]
    public KeystoneOptions Keystone { get; set; } = new("Nova:Keystone");

    [Description("Where clients reach Keystone.")]
    [DefaultText("`Nova__Keystone__Url`")]
    public string PublicKeystoneUrl { get; set; } = string.Empty;

    [Description("Where clients reach this service, for links; without `/v2.1`.")]
    [DefaultText("the address that the client asked")]
    public string PublicUrl { get; set; } = string.Empty;

    [Description(
        "How long, in seconds, Keystone's answer for a token is cached for calls that only read. Before a snapshot "
        + "Keystone is always asked. A revoked token is refused after that time at the latest.")]
    [Range(0, 600)]
    public int TokenCacheSeconds { get; set; } = 60;

    [Description(
        "What a role of Keystone's may do here. Without any entry `admin` is admin, `member` is operator, `reader` "
        + "is reader; other roles may do nothing.")]
    public Dictionary<string, AccessRole> Roles { get; } = [];

    [Description(
        "A server of the project with that id: name, UUID, or `*` for those of no other project. What Nova wrote "
        + "into a definition comes first.")]
    public Dictionary<string, string[]> Projects { get; } = [];

    public bool IsConfigured() => Keystone.IsConfigured();

    /// <summary>The highest role of a caller with these roles in Keystone; null when none is known.</summary>
    public AccessRole? RoleOf(IEnumerable<string> roles)
    {
        Dictionary<string, AccessRole> map = Roles.Count > 0 ? Roles : UsualRoles;
        return roles.Where(map.ContainsKey).Select(r => (AccessRole?)map[r]).Max();
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Problems().Select(p => new ValidationResult(p));

    private IEnumerable<string> Problems()
    {
        if (!IsConfigured()
            && (Roles.Count > 0 || Projects.Count > 0 || PublicUrl.Length > 0 || PublicKeystoneUrl.Length > 0))
        {
            yield return "Nova:Keystone:Url must be set where another key of Nova is.";
        }

        if (PublicKeystoneUrl.Length > 0 && !WebAddress.IsOne(PublicKeystoneUrl))
        {
            yield return $"Nova:PublicKeystoneUrl {WebAddress.Rule}";
        }

        if (PublicUrl.Length > 0 && !WebAddress.IsOne(PublicUrl))
        {
            yield return $"Nova:PublicUrl {WebAddress.Rule}";
        }

        foreach (IGrouping<string, string> server in Projects
            .SelectMany(p => p.Value.Select(s => (Project: p.Key, Server: s)))
            .GroupBy(e => e.Server, e => e.Project, StringComparer.OrdinalIgnoreCase)
            .Where(g => g.Distinct(StringComparer.Ordinal).Count() > 1))
        {
            yield return $"Nova:Projects gives '{server.Key}' to more than one project: {string.Join(", ", server)}.";
        }
    }
}

[OptionsValidator]
internal sealed partial class NovaOptionsValidator : IValidateOptions<NovaOptions>;
