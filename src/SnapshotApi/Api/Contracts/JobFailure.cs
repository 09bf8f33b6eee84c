using SnapshotApi.Errors;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Api.Contracts;

/// <summary>Why a job failed.</summary>
/// <param name="Code">Stable code from the closed list.</param>
/// <param name="Message">What happened, in words.</param>
/// <param name="Step">Step in which it happened.</param>
internal sealed record JobFailure(SnapshotErrorCode Code, string Message, SnapshotStep Step);
