using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Jobs;

/// <summary>What the outcome of a check depends on. A check holds for as long as all of it is the same.</summary>
/// <param name="ServiceVersion">Version of this service.</param>
/// <param name="Programs">QEMU's executables, by size and time: a distribution patches, and keeps a number.</param>
/// <param name="Kernel">Release of the kernel.</param>
/// <param name="Confinement">Which of AppArmor and SELinux rules.</param>
/// <param name="Emulator">Path of the QEMU that libvirt takes by default; null: it has none.</param>
/// <param name="Architecture">Of its guests, for example <c>x86_64</c>.</param>
internal sealed record CheckedHost(
    string ServiceVersion, string LibvirtVersion, string HypervisorVersion, string Programs, string Kernel,
    string Confinement, string? Emulator, string? Architecture)
{
    private static readonly string[] Tools = ["qemu-img", "qemu-nbd"];
    private static readonly string[] ToolDirectories = ["/usr/local/bin", "/usr/bin", "/bin"];

    /// <summary>Looks at the host as it is now.</summary>
    /// <exception cref="SnapshotException">libvirt does not answer.</exception>
    public static async Task<CheckedHost> ReadAsync(
        IHypervisor hypervisor, NodeCapabilities node, CancellationToken cancellationToken)
    {
        HypervisorHost? host = await FindHostAsync(hypervisor, cancellationToken).ConfigureAwait(false);
        return new CheckedHost(
            Configuration.ServiceVersion.Text,
            node.LibvirtVersion.ToString(),
            node.HypervisorVersion.ToString(),
            string.Join("; ", Tools.Select(FindOnPath).Prepend(host?.Emulator).Select(Identify)),
            Environment.OSVersion.VersionString,
            $"apparmor {Read("/sys/module/apparmor/parameters/enabled")}, selinux {Read("/sys/fs/selinux/enforce")}",
            host?.Emulator,
            host?.Architecture);
    }

    // libvirt without a QEMU: the check itself says so.
    private static async Task<HypervisorHost?> FindHostAsync(
        IHypervisor hypervisor, CancellationToken cancellationToken)
    {
        try
        {
            return await hypervisor.DescribeHostAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.HypervisorError)
        {
            return null;
        }
    }

    // A link tells nothing of the program.
    private static string Identify(string? path) => path is not null
        && (new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true) ?? new FileInfo(path)) is FileInfo
        {
            Exists: true,
        } file
        ? string.Create(CultureInfo.InvariantCulture, $"{path} {file.Length} {file.LastWriteTimeUtc:O}")
        : "none";

    private static string? FindOnPath(string tool) => ToolDirectories
        .Select(directory => Path.Combine(directory, tool)).FirstOrDefault(File.Exists);

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A kernel without it.
            return "none";
        }
    }
}

/// <summary>A check that is remembered across starts, in the work directory.</summary>
internal sealed record RememberedCheck(CheckedHost Host, NodeCheck Check)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>
    /// Nothing of it can have changed without <see cref="Host"/>: an error from outside, a directory that QEMU may not
    /// enter, may have been mended.
    /// </summary>
    public bool Lasts => Check.Proofs.All(p => p.Outcome == ProofOutcome.Proved || p.IsLasting);

    /// <summary>Reads it; null: there is none, or none of this version.</summary>
    public static RememberedCheck? Find(string path)
    {
        try
        {
            RememberedCheck? found = JsonSerializer.Deserialize<RememberedCheck>(File.ReadAllBytes(path), Json);
            return found is { Host: not null, Check.Proofs: not null } ? found : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            // Then the node is checked anew.
            return null;
        }
    }

    /// <summary>Writes it, whole or not at all.</summary>
    /// <exception cref="IOException">It can't be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public void Save(string path)
    {
        string unfinished = path + ".new";
        File.WriteAllBytes(unfinished, JsonSerializer.SerializeToUtf8Bytes(this, Json));
        File.Move(unfinished, path, overwrite: true);
    }
}
