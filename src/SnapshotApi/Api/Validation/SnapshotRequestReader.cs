using System.Security.Cryptography;
using System.Text.RegularExpressions;
using SnapshotApi.Captures;
using SnapshotApi.Contracts;
using SnapshotApi.Images;
using SnapshotApi.Jobs;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.Api.Validation;

/// <summary>Reads the body of a snapshot request, which <see cref="SnapshotBody"/> describes.</summary>
internal static partial class SnapshotRequestReader
{
    private const int MaxTextLength = 255;
    private const int MaxDisks = 64;
    private const int MaxDeadlineSeconds = 7 * 24 * 3600;

    /// <summary>Smallest bandwidth limit, in bytes a second: a job must not look as if it stood still.</summary>
    public const long MinBandwidth = 64L << 10;

    public const long MaxBandwidth = 1L << 40;

    /// <param name="body">UTF-8 JSON.</param>
    /// <exception cref="SnapshotException">invalid_request, with every wrong member.</exception>
    public static SnapshotRequest Read(ReadOnlyMemory<byte> body)
    {
        var fields = JsonFields.Of<SnapshotBody>(body, "it must be a JSON object with at least the member name");
        var request = new SnapshotRequest(fields.Text("name", MaxTextLength, required: true) ?? string.Empty)
        {
            Mode = fields.Choice<SnapshotMode>("mode") ?? SnapshotMode.Auto,
            Format = fields.Choice<ImageFormat>("format"),
            Compression = fields.Choice<Compression>("compression") ?? Compression.None,
            CompressionLevel = (int?)fields.Number(
                "compressionLevel", ClusterCompressors.MinLevel, ClusterCompressors.MaxLevel(Compression.Zstd)),
            Disks = ReadDisks(fields),
            Quiesce = fields.Choice<QuiesceMode>("quiesce") ?? QuiesceMode.Auto,
            Store = ReadStore(fields),
            Metadata = MetadataReader.Read(fields),
            Sparsify = fields.Choice<Sparsify>("sparsify") ?? Sparsify.Auto,
            InternalSnapshot = fields.Flag("internalSnapshot"),
            BlockRebase = fields.Flag("blockRebase"),
            BandwidthBytesPerSecond = fields.Number("bandwidthBytesPerSecond", MinBandwidth, MaxBandwidth),
            DeadlineSeconds = (int?)fields.Number("deadlineSeconds", 1, MaxDeadlineSeconds),
        };
        CheckConflicts(request, fields.Errors);
        fields.Errors.ThrowIfAny();
        return request;
    }

    private static List<string> ReadDisks(JsonFields fields)
    {
        switch (fields.Find("disks"))
        {
            case null:
                return ["root"];
            case { ValueKind: JsonValueKind.String } word when JsonFields.TextOf(word) is "root" or "all":
                return [word.GetString()!];
            case { ValueKind: JsonValueKind.Array } list:
                return ReadTargets(list, fields.Errors);
            default:
                fields.Errors.Add("disks", "must be \"root\", \"all\" or an array of disk names such as [\"vda\"]");
                return [];
        }
    }

    private static List<string> ReadTargets(JsonElement list, FieldErrors errors)
    {
        var targets = new List<string>();
        if (list.GetArrayLength() is 0 or > MaxDisks)
        {
            errors.Add("disks", $"must name 1 to {MaxDisks} disks");
            return targets;
        }

        foreach (JsonElement element in list.EnumerateArray())
        {
            string? target = element.ValueKind == JsonValueKind.String ? JsonFields.TextOf(element) : null;
            if (target is null || target is "root" or "all" || !TargetPattern().IsMatch(target))
            {
                errors.Add(
                    "disks",
                    "must hold names of disks such as vda: a letter, then at most 31 letters, digits, '_' and '-'");
            }
            else if (targets.Contains(target))
            {
                errors.Add("disks", $"names {target} more than once");
            }
            else
            {
                targets.Add(target);
            }
        }

        return targets;
    }

    private static string? ReadStore(JsonFields fields)
    {
        string? store = fields.Text("store", MaxTextLength);
        if (store is not null && !StoreNames.All.Contains(store))
        {
            fields.Errors.Add("store", $"must be one of {string.Join(", ", StoreNames.All)}");
        }

        return store;
    }

    private static void CheckConflicts(SnapshotRequest request, FieldErrors errors)
    {
        if (request.Compression != Compression.None && request.Format is not (null or ImageFormat.Qcow2))
        {
            errors.Add("compression", "needs format qcow2");
        }

        int maxLevel = ClusterCompressors.MaxLevel(request.Compression);
        if (request.CompressionLevel is not null && request.Compression == Compression.None)
        {
            errors.Add("compressionLevel", "needs compression zstd or zlib");
        }
        else if (request.CompressionLevel > maxLevel)
        {
            errors.Add(
                "compressionLevel", $"must be from {ClusterCompressors.MinLevel} to {maxLevel} with this compression");
        }

        if (request.InternalSnapshot && request.Mode != SnapshotMode.Cold)
        {
            errors.Add("internalSnapshot", "needs mode cold");
        }

        if (request.BlockRebase && request.Mode is not (SnapshotMode.Mirror or SnapshotMode.Live or SnapshotMode.Auto))
        {
            errors.Add("blockRebase", "needs mode mirror, live or auto");
        }
    }

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_-]{0,31}\\z")]
    private static partial Regex TargetPattern();
}

/// <summary>Reads the body of a change to a job, which <see cref="JobPatch"/> describes.</summary>
internal static class JobPatchReader
{
    private const string Bandwidth = "bandwidthBytesPerSecond";

    /// <param name="body">UTF-8 JSON.</param>
    /// <exception cref="SnapshotException">invalid_request, with every wrong member.</exception>
    public static JobChange Read(ReadOnlyMemory<byte> body)
    {
        var fields = JsonFields.Of<JobPatch>(body, "it must be a JSON object");
        long? limit = fields.Number(Bandwidth, SnapshotRequestReader.MinBandwidth, SnapshotRequestReader.MaxBandwidth);
        fields.Errors.ThrowIfAny();
        return new JobChange(fields.Has(Bandwidth), limit);
    }
}

/// <summary>A change to a job.</summary>
/// <param name="ChangesBandwidth">The limit is to change.</param>
/// <param name="BandwidthBytesPerSecond">What to; null lifts it.</param>
internal sealed record JobChange(bool ChangesBandwidth, long? BandwidthBytesPerSecond);

/// <summary>Reads the header Idempotency-Key.</summary>
internal static class IdempotencyKeyReader
{
    public const string Header = "Idempotency-Key";

    private const int MaxLength = 255;

    /// <summary>The key with the digest of what it stands for; null when the request has none.</summary>
    /// <exception cref="SnapshotException">invalid_request: the key is not 1 to 255 visible characters.</exception>
    public static IdempotencyKey? Read(string? header, ReadOnlyMemory<byte> body)
    {
        if (header is null)
        {
            return null;
        }

        if (header.Length is 0 or > MaxLength || header.Any(c => c is < '!' or > '~'))
        {
            var errors = new FieldErrors();
            errors.Add(Header, $"must have 1 to {MaxLength} visible ASCII characters");
            throw errors.ToException();
        }

        return new IdempotencyKey(header, SHA256.HashData(body.Span));
    }
}
