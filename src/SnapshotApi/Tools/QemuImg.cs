using System.Text.Json.Nodes;
using SnapshotApi.Hypervisor;
using SnapshotApi.Linux;

namespace SnapshotApi.Tools;

/// <summary>What qemu-img does for us. Formats are always named; nothing is probed.</summary>
internal sealed partial class QemuImg(ChildProcess children)
{
    /// <summary>Makes an empty qcow2 file, without opening its backing file.</summary>
    /// <param name="path">In a directory that is private to the job.</param>
    /// <param name="backing">Layer below; null for none.</param>
    public Task CreateOverlayAsync(string path, long sizeBytes, DiskLayer? backing, CancellationToken cancellationToken)
    {
        // Made here: it is to be ours, whoever writes into it.
        LinuxFile.CreateNew(path).Dispose();
        List<string> arguments = ["create", "-q", "-f", "qcow2"];
        if (backing is not null)
        {
            arguments.AddRange(["-u", "-b", backing.Path!, "-F", backing.Format!]);
        }

        arguments.AddRange(["--", path, sizeBytes.ToString(CultureInfo.InvariantCulture)]);
        return WithRightsForAsync(path, ChildRights.WritesAll, rights => children.RunAsync(
            "qemu-img", arguments, ChildLimits.Metadata with { Rights = rights }, cancellationToken));
    }

    /// <summary>Takes an internal snapshot of a qcow2 file that no guest has open.</summary>
    public Task CreateInternalSnapshotAsync(DiskLayer layer, string name, CancellationToken cancellationToken) =>
        SnapshotAsync("-c", layer, name, cancellationToken);

    /// <summary>Deletes an internal snapshot of a qcow2 file that no guest has open.</summary>
    public Task DeleteInternalSnapshotAsync(DiskLayer layer, string name, CancellationToken cancellationToken) =>
        SnapshotAsync("-d", layer, name, cancellationToken);

    /// <summary>Names of the internal snapshots of a qcow2 file that no guest has open.</summary>
    public async Task<IReadOnlyList<string>> ListInternalSnapshotsAsync(
        DiskLayer layer, CancellationToken cancellationToken)
    {
        JsonNode? image = await ReadInfoAsync(layer.Path!, [BlockNode.ToFileName([layer])], cancellationToken)
            .ConfigureAwait(false);
        JsonNode? snapshots = image?["snapshots"];
        return [.. snapshots?.AsArray().Select(s => (string?)s?["name"] ?? "") ?? []];
    }

    // No json: name here: 'snapshot' needs to write. The format is named; the backing file is not opened.
    private Task SnapshotAsync(string verb, DiskLayer layer, string name, CancellationToken cancellationToken)
    {
        string node = $"driver=qcow2,file.driver={BlockNode.FileDriver(layer)},file.filename={Escape(layer.Path!)}";
        return WithRightsForAsync(layer.Path!, ChildRights.WritesAll, rights => children.RunAsync(
            "qemu-img",
            ["snapshot", "-q", verb, name, "--image-opts", node],
            ChildLimits.Metadata with { Rights = rights },
            cancellationToken));
    }

    /// <summary>Writes a disk, read over NBD, into a file, whose mode and owner stay. Zeros are left out.</summary>
    /// <param name="source">The disk; raw bytes, nothing is probed.</param>
    /// <param name="advanced">Gets the percentage of the disk done, at most once per percent.</param>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public Task ConvertAsync(
        NbdEndpoint source, Conversion conversion, Action<double> advanced, CancellationToken cancellationToken)
    {
        List<string> arguments = ["convert", "-p", "-O", conversion.Format];
        if (conversion.BytesPerSecond is { } rate)
        {
            arguments.AddRange(["-r", rate.ToString(CultureInfo.InvariantCulture)]);
        }

        arguments.AddRange(["--image-opts", NbdNode(source), conversion.Path]);
        var limits = ChildLimits.Conversion(conversion.DiskBytes, conversion.DataBytes);
        return WithRightsForAsync(conversion.Path, ChildRights.WritesAll, rights => children.RunAsync(
            "qemu-img",
            arguments,
            limits with { Rights = rights },
            line => Report(line, advanced),
            cancellationToken));
    }

    /// <summary>Looks at an image of that format, also while somebody writes to it.</summary>
    /// <exception cref="SnapshotException">tool_failed: it has another format.</exception>
    public async Task<QemuImageInfo> InspectAsync(string path, string format, CancellationToken cancellationToken)
    {
        JsonNode? image = await ReadInfoAsync(path, ["-U", "-f", format, path], cancellationToken)
            .ConfigureAwait(false);
        return new QemuImageInfo((long?)image?["virtual-size"] ?? -1, image?["backing-filename"] is not null);
    }

    private async Task<JsonNode?> ReadInfoAsync(
        string path, string[] arguments, CancellationToken cancellationToken)
    {
        string text = string.Empty;
        await WithRightsForAsync(path, ChildRights.ReadsAll, async rights => text = await children.ReadAsync(
            "qemu-img",
            ["info", "--output=json", .. arguments],
            ChildLimits.Metadata with { Rights = rights },
            cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        return JsonNode.Parse(text);
    }

    // A file server knows users, and no capabilities: there the service's own rights may be what it takes.
    private static async Task WithRightsForAsync(string path, ChildRights rights, Func<ChildRights, Task> run)
    {
        try
        {
            await run(rights).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (rights.User is not null && RunningChild.WasDenied(e, path))
        {
            await run(ChildRights.Service).ConfigureAwait(false);
        }
    }

    private static string NbdNode(NbdEndpoint source) =>
        $"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={Escape(source.SocketPath)}"
        + (source.ExportName.Length == 0 ? "" : $",file.export={Escape(source.ExportName)}");

    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    // "    (12.34/100%)", each behind a carriage return.
    private static void Report(string line, Action<double> advanced)
    {
        ReadOnlySpan<char> text = line.AsSpan().Trim();
        int slash = text.IndexOf('/');
        const NumberStyles Style = NumberStyles.AllowDecimalPoint;
        if (slash > 1 && text[0] == '('
            && double.TryParse(text[1..slash], Style, CultureInfo.InvariantCulture, out double percent))
        {
            advanced(percent);
        }
    }
}

/// <summary>What qemu-img is to make of a disk.</summary>
/// <param name="Path">The file, empty, in a private directory.</param>
/// <param name="Format">QEMU's name of the format.</param>
/// <param name="BytesPerSecond">Limit; null: none.</param>
internal sealed record Conversion(string Path, string Format, long DiskBytes, long DataBytes, long? BytesPerSecond);

/// <summary>What qemu-img says of an image.</summary>
internal sealed record QemuImageInfo(long VirtualSizeBytes, bool HasBackingFile);
