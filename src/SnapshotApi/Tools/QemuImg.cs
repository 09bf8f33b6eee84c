using System.Globalization;
using System.Text.Json.Nodes;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Tools;

/// <summary>The few things that qemu-img does for us. Formats are always named; nothing is probed.</summary>
internal sealed partial class QemuImg(ChildProcess children)
{
    /// <summary>Makes an empty qcow2 file on top of a backing layer, or standalone, without opening the backing file.</summary>
    /// <param name="path">File to be made; its directory is private to the job.</param>
    /// <param name="sizeBytes">Virtual size, in bytes.</param>
    /// <param name="backing">Layer below; null for none.</param>
    /// <param name="cancellationToken">Kills the tool.</param>
    public Task CreateOverlayAsync(string path, long sizeBytes, DiskLayer? backing, CancellationToken cancellationToken)
    {
        List<string> arguments = ["create", "-q", "-f", "qcow2"];
        if (backing is not null)
        {
            arguments.AddRange(["-u", "-b", backing.Path!, "-F", backing.Format!]);
        }

        arguments.AddRange(["--", path, sizeBytes.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        return children.RunAsync("qemu-img", arguments, ChildLimits.Metadata, cancellationToken);
    }

    /// <summary>Takes an internal snapshot in a qcow2 file that no guest has open.</summary>
    public Task CreateInternalSnapshotAsync(DiskLayer layer, string name, CancellationToken cancellationToken) =>
        SnapshotAsync("-c", layer, name, cancellationToken);

    /// <summary>Deletes an internal snapshot of a qcow2 file that no guest has open.</summary>
    public Task DeleteInternalSnapshotAsync(DiskLayer layer, string name, CancellationToken cancellationToken) =>
        SnapshotAsync("-d", layer, name, cancellationToken);

    /// <summary>Names of the internal snapshots of a qcow2 file that no guest has open.</summary>
    public async Task<IReadOnlyList<string>> ListInternalSnapshotsAsync(DiskLayer layer, CancellationToken cancellationToken)
    {
        string json = await children.ReadAsync(
            "qemu-img", ["info", "--output=json", BlockNode.ToFileName([layer])], ChildLimits.Metadata, cancellationToken)
            .ConfigureAwait(false);
        JsonNode? snapshots = JsonNode.Parse(json)?["snapshots"];
        return [.. snapshots?.AsArray().Select(s => (string?)s?["name"] ?? "") ?? []];
    }

    // No json: name here: 'snapshot' needs to write. The format is named; the backing file is not opened.
    private Task SnapshotAsync(string verb, DiskLayer layer, string name, CancellationToken cancellationToken) => children.RunAsync(
        "qemu-img",
        ["snapshot", "-q", verb, name, "--image-opts", $"driver=qcow2,file.driver={BlockNode.FileDriver(layer)},file.filename={Escape(layer.Path!)}"],
        ChildLimits.Metadata,
        cancellationToken);

    /// <summary>
    /// Reads a disk over NBD and writes it into a file, in the named format. The file's mode and owner stay: qemu-img only empties it. Zeros are
    /// always left out: with <c>-S 0</c> it allocates the whole disk, holes included.
    /// </summary>
    /// <param name="source">The disk; raw bytes, nothing is probed.</param>
    /// <param name="conversion">What to make.</param>
    /// <param name="advanced">Told the percentage of the disk done, at most once per percent.</param>
    /// <param name="cancellationToken">Kills the tool.</param>
    /// <exception cref="SnapshotException">tool_failed.</exception>
    public Task ConvertAsync(NbdEndpoint source, Conversion conversion, Action<double> advanced, CancellationToken cancellationToken)
    {
        List<string> arguments = ["convert", "-p", "-O", conversion.Format];
        if (conversion.BytesPerSecond is { } rate)
        {
            arguments.AddRange(["-r", rate.ToString(CultureInfo.InvariantCulture)]);
        }

        arguments.AddRange(["--image-opts", NbdNode(source), conversion.Path]);
        return children.RunAsync(
            "qemu-img",
            arguments,
            ChildLimits.Conversion(conversion.DiskBytes, conversion.DataBytes),
            line => Report(line, advanced),
            cancellationToken);
    }

    /// <summary>Looks at an image, also one that somebody writes to; its format is named.</summary>
    /// <exception cref="SnapshotException">tool_failed: it is none of that format.</exception>
    public async Task<QemuImageInfo> InspectAsync(string path, string format, CancellationToken cancellationToken)
    {
        string json = await children.ReadAsync(
            "qemu-img", ["info", "--output=json", "-U", "-f", format, path], ChildLimits.Metadata, cancellationToken).ConfigureAwait(false);
        JsonNode? image = JsonNode.Parse(json);
        return new QemuImageInfo((long?)image?["virtual-size"] ?? -1, image?["backing-filename"] is not null);
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
        if (slash > 1
            && text[0] == '('
            && double.TryParse(text[1..slash], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent))
        {
            advanced(percent);
        }
    }
}

/// <summary>What qemu-img is to make of a disk.</summary>
/// <param name="Path">The file, empty, in a private directory.</param>
/// <param name="Format">QEMU's name of the format.</param>
/// <param name="DiskBytes">Size of the disk.</param>
/// <param name="DataBytes">How much of it is data.</param>
/// <param name="BytesPerSecond">Limit; null: none.</param>
internal sealed record Conversion(string Path, string Format, long DiskBytes, long DataBytes, long? BytesPerSecond);

/// <summary>What qemu-img says of an image.</summary>
/// <param name="VirtualSizeBytes">Size of the disk in it.</param>
/// <param name="HasBackingFile">It refers to another file for what it does not hold.</param>
internal sealed record QemuImageInfo(long VirtualSizeBytes, bool HasBackingFile);
