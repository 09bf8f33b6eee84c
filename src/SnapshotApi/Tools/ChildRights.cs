using SnapshotApi.Linux;

namespace SnapshotApi.Tools;

/// <summary>
/// As whom a child process runs. QEMU's tools parse what guests have written, so they run as a user who owns next to
/// nothing, without a capability if that user's own permissions are enough.
/// </summary>
/// <remarks>
/// Changing the user takes CAP_SETUID and CAP_SETGID, ending the child CAP_KILL, giving it a directory and going on
/// using that CAP_CHOWN and CAP_DAC_OVERRIDE: without one of them a child keeps the rights of the service.
/// </remarks>
internal sealed record ChildRights
{
    // Owns no file on any host; the kernel's overflow user.
    private const uint Nobody = 65534;

    // What is below is made of it, in the order of the text.
    private static readonly LinuxCapability[] Needed =
    [
        LinuxCapability.SetUid, LinuxCapability.SetGid, LinuxCapability.Kill, LinuxCapability.Chown,
        LinuxCapability.DacOverride,
    ];

    /// <summary>The service may give up its rights for a child, and may still end that child.</summary>
    public static bool CanChange { get; } = Needed.All(LinuxProcess.Has);

    /// <summary>Those of the service: for what asks as others itself.</summary>
    public static readonly ChildRights Service = new();

    /// <summary>Reads every file, changes none.</summary>
    public static readonly ChildRights ReadsAll = Of((Nobody, Nobody)).ReadingAll();

    /// <summary>Writes into files that are there; what it makes belongs to nobody.</summary>
    public static readonly ChildRights WritesAll = Of((Nobody, Nobody)).With(LinuxCapability.DacOverride);

    private ChildRights()
    {
    }

    /// <summary>User and group; null: those of the service.</summary>
    public (uint User, uint Group)? User { get; private init; }

    /// <summary>What it may do beyond the permissions of its user.</summary>
    public LinuxCapability? Capability { get; private init; }

    /// <summary>The one who reads the disks of a guest for us: QEMU's user, or nobody where that is root.</summary>
    /// <returns>Null: the service itself reads them.</returns>
    public static (uint User, uint Group)? ReaderFor((uint User, uint Group)? qemu) =>
        !CanChange ? null
        : qemu is { User: not 0 } known ? (known.User, known.Group == 0 ? Nobody : known.Group)
        : (Nobody, Nobody);

    /// <summary>A user with nothing but its own permissions; null: the service.</summary>
    public static ChildRights Of((uint User, uint Group)? user) =>
        CanChange && user is not null ? new ChildRights { User = user } : Service;

    /// <summary>The same user, who may also read what belongs to others.</summary>
    public ChildRights ReadingAll() => With(
        LinuxProcess.Has(LinuxCapability.DacReadSearch) ? LinuxCapability.DacReadSearch : LinuxCapability.DacOverride);

    /// <summary>The arguments of setpriv(1).</summary>
    public IEnumerable<string> Arguments()
    {
        if (User is not { } user)
        {
            return [];
        }

        string capabilities = Capability is { } one ? $"-all,+{SetprivName(one)}" : "-all";
        return
        [
            string.Create(CultureInfo.InvariantCulture, $"--reuid={user.User}"),
            string.Create(CultureInfo.InvariantCulture, $"--regid={user.Group}"),
            "--clear-groups", "--no-new-privs", $"--inh-caps={capabilities}", $"--ambient-caps={capabilities}",
        ];
    }

    private ChildRights With(LinuxCapability capability) => User is null || !LinuxProcess.Has(capability)
        ? Service
        : this with { Capability = capability };

    private static string SetprivName(LinuxCapability capability) =>
        capability == LinuxCapability.DacReadSearch ? "dac_read_search" : "dac_override";
}
