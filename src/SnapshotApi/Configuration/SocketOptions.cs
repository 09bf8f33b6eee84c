using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text;
using SnapshotApi.Linux;

namespace SnapshotApi.Configuration;

[Description(
    "The unix socket. Who may connect to it is admin without a key: root, the service's own user and the members of "
    + "one group. See [access](access.md#the-socket).")]
internal sealed class SocketOptions : IValidatableObject
{
    public const string Section = "Socket";

    /// <summary>The group that need not be there.</summary>
    public const string DefaultGroup = "snapshotapi";

    private const string ApiPath = "/run/snapshotapi/api.sock";
    private const string NodePath = "/run/snapshotapi/node.sock";

    [Description(
        "Where the socket is. Its directory is made when it is missing. Empty: the service has no socket.")]
    [DefaultText("`" + ApiPath + "`, and `" + NodePath + "` for `--role node`", Example = ApiPath)]
    public string? Path { get; set; }

    [Description(
        "The group whose members may use the socket. Where there is no group `" + DefaultGroup + "`, and none is "
        + "named here, only root and the service's own user may.")]
    [Required]
    public string Group { get; set; } = DefaultGroup;

    /// <summary>The path for a role; empty: no socket. A node beside an API has one of its own.</summary>
    public string PathFor(ServiceRole role) => Path ?? (role == ServiceRole.Node ? NodePath : ApiPath);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        // A colon ends the path in Kestrel's address.
        if (Path is { Length: > 0 }
            && (!System.IO.Path.IsPathFullyQualified(Path)
                || Path.Contains(':')
                || Encoding.UTF8.GetByteCount(Path) > UnixListener.LongestPathBytes))
        {
            yield return new ValidationResult(
                $"{Section}:Path must be an absolute path without a colon, of at most {UnixListener.LongestPathBytes} "
                + "bytes, or empty.");
        }

        if (Group != DefaultGroup && Group.Length > 0 && LinuxAccounts.FindGroup(Group) is null)
        {
            yield return new ValidationResult(
                $"{Section}:Group is '{Group}', but this host has no such group: groupadd --system {Group} makes it.");
        }
    }
}

[OptionsValidator]
internal sealed partial class SocketOptionsValidator : IValidateOptions<SocketOptions>;
