using SnapshotApi.Errors;
using SnapshotApi.Jobs;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Tests.Jobs;

public sealed class RunEndTests
{
    public static TheoryData<Exception, string, string, string> Ends => new()
    {
        { new OperationCanceledException(), nameof(StopReason.User), "cancelled", "cancelled" },
        { Failure(SnapshotErrorCode.HypervisorError, "aborted"), nameof(StopReason.User), "cancelled", "cancelled" },
        { new OperationCanceledException(), nameof(StopReason.Deadline), "failed", "timed_out" },
        { new OperationCanceledException(), nameof(StopReason.Shutdown), "queued", "abandoned" },
        { Failure(SnapshotErrorCode.NoSpace, "full"), nameof(StopReason.None), "failed", "no_space" },
        { new OperationCanceledException(), nameof(StopReason.None), "failed", "internal_error" },
        { new IOException("path"), nameof(StopReason.None), "failed", "internal_error" },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void Who_stopped_the_run_decides(Exception exception, string reason, string status, string code)
    {
        RunEnd end = RunEnd.Of(exception, Enum.Parse<StopReason>(reason), SnapshotStep.Mirroring);

        Assert.Equal((status, code), (end.Status.ToSnakeCase(), end.Error.Code.ToSnakeCase()));
        Assert.Equal(SnapshotStep.Mirroring, end.Error.Step);
        Assert.DoesNotContain("path", end.Error.Message, StringComparison.Ordinal);
    }

    private static SnapshotException Failure(SnapshotErrorCode code, string message) => new(code, message);
}
