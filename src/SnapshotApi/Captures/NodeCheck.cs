using System.Text.Json.Serialization;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.Captures;

/// <summary>What canaries, throw-away guests of the node, have shown of its captures.</summary>
/// <param name="StartedAt">When the check began.</param>
/// <param name="EndedAt">When it ended; null while it is at work.</param>
/// <param name="Proofs">One for each capture and shape; those of the check before while one is at work.</param>
internal sealed record NodeCheck(
    DateTimeOffset StartedAt, DateTimeOffset? EndedAt, IReadOnlyList<CaptureProof> Proofs)
{
    /// <summary>Why a capture is not to be taken of such disks; null: nothing speaks against it.</summary>
    public CaptureProof? FindObstacle(CaptureKind capture, IReadOnlyList<DiskDescription> disks) =>
        GuestShapes.Of(disks).Select(shape => Find(capture, shape))
            .FirstOrDefault(proof => proof?.Outcome == ProofOutcome.Failed);

    /// <summary>Canaries of every shape of such disks have lived through that capture.</summary>
    public bool HasProved(CaptureKind capture, IReadOnlyList<DiskDescription> disks) =>
        GuestShapes.Of(disks).All(shape => Find(capture, shape)?.Outcome == ProofOutcome.Proved);

    /// <summary>
    /// Everything could be checked, every capture is safe for plain guests, and guests of every shape have a live one.
    /// </summary>
    [JsonIgnore]
    public bool IsSound =>
        Proofs.All(p => p.Outcome != ProofOutcome.Unknown
            && (p.Outcome == ProofOutcome.Proved || p.Shape != GuestShape.Plain))
        && Proofs.GroupBy(p => p.Shape)
            .All(s => s.Any(p => p.Outcome == ProofOutcome.Proved && p.Capture != CaptureKind.Cold));

    /// <summary>One sentence for each capture that is disabled or could not be proved, without repetition.</summary>
    public IReadOnlyList<string> Describe(ProofOutcome outcome) =>
        [.. Proofs.Where(p => p.Outcome == outcome).Select(p => p.Describe()).Distinct()];

    private CaptureProof? Find(CaptureKind capture, GuestShape shape) =>
        Proofs.FirstOrDefault(p => p.Capture == capture && p.Shape == shape);
}

/// <summary>What a canary of one shape has shown of one capture.</summary>
/// <param name="Reason">Why it is not proved, as a clause; null when it is.</param>
/// <param name="Cure">What to do, as a clause; null when it is proved.</param>
internal sealed record CaptureProof(
    CaptureKind Capture, GuestShape Shape, ProofOutcome Outcome, string? Reason = null, string? Cure = null)
{
    /// <summary>It is so until QEMU, libvirt or the host change: it killed its canary, or read other bytes.</summary>
    public bool IsLasting { get; init; }

    /// <summary>What is wrong and its cure, in one sentence; for one that is not proved.</summary>
    public string Describe() => Outcome == ProofOutcome.Failed
        ? $"{Capture.ToSnakeCase()} is disabled for {Shape.Describe()} on this node, because {Reason}; {Cure}"
        : $"whether captures are safe on this node could not be checked, because {Reason}; {Cure}";
}

/// <summary>How a proof ended.</summary>
[JsonConverter(typeof(SnakeCaseEnumConverter<ProofOutcome>))]
internal enum ProofOutcome
{
    /// <summary>The canary lives, and what was read is what its disk holds.</summary>
    Proved,
    /// <summary>The capture is disabled for such guests.</summary>
    Failed,
    /// <summary>No canary could be made, or nothing could be said of the capture.</summary>
    Unknown,
}
