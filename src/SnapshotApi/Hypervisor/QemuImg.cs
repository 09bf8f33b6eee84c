using System.Text.Json.Nodes;

namespace SnapshotApi.Hypervisor;

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
}
