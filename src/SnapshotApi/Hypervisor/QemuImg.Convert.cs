using System.Globalization;
using System.Text.Json.Nodes;
using SnapshotApi.Errors;

namespace SnapshotApi.Hypervisor;

/// <summary>Making images in formats that only QEMU writes.</summary>
internal sealed partial class QemuImg
{
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
