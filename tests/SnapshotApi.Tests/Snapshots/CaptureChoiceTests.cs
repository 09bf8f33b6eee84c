using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Snapshots;

/// <summary>What canaries have shown decides which capture is taken.</summary>
public sealed class CaptureChoiceTests
{
    private const string Reason = "QEMU of a test guest ended in it: Assertion failed";

    private static readonly NodeCapabilities Modern = new("QEMU", new Version(9, 0, 0), new Version(7, 2, 0));

    [Fact]
    public void A_disabled_capture_is_replaced_under_auto_and_refused_by_name()
    {
        NodeCheck check = Check((CaptureKind.Backup, GuestShape.IoThread));
        ServerDescription server = Server(d => d with { HasIoThread = true });

        (CaptureKind capture, string reason) = Choose(server, check, SnapshotMode.Auto);
        SnapshotException e = Refused(server, check, SnapshotMode.Backup);

        Assert.Equal(CaptureKind.Mirror, capture);
        Assert.Contains("backup is disabled for guests with an I/O thread on this node, because " + Reason, reason, StringComparison.Ordinal);
        Assert.Equal(SnapshotErrorCode.UnsupportedRequest, e.Code);
        Assert.Contains(Reason, e.Message, StringComparison.Ordinal);
        Assert.EndsWith("; do that", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_capture_is_disabled_for_guests_of_that_shape_only()
    {
        NodeCheck check = Check((CaptureKind.Backup, GuestShape.IoThread), (CaptureKind.Mirror, GuestShape.TwoDisks));

        Assert.Equal(CaptureKind.Backup, Choose(Server(d => d), check, SnapshotMode.Auto).Capture);
        Assert.Equal(CaptureKind.Backup, Choose(Server(d => d with { Bus = "scsi" }), check, SnapshotMode.Backup).Capture);
        Assert.Equal(CaptureKind.Mirror, Choose(Server(d => d with { HasIoThread = true }), check, SnapshotMode.Mirror).Capture);
    }

    [Fact]
    public void A_guest_of_several_shapes_is_allowed_what_each_allows()
    {
        NodeCheck check = Check((CaptureKind.Backup, GuestShape.IoThread), (CaptureKind.Mirror, GuestShape.TwoDisks));
        ServerDescription server = Server(d => d with { HasIoThread = true }, d => d);

        (CaptureKind capture, string reason) = Choose(server, check, SnapshotMode.Auto);

        Assert.Equal(CaptureKind.Cold, capture);
        Assert.Contains("guests with an I/O thread", reason, StringComparison.Ordinal);
        Assert.Contains("guests with several disks in one snapshot", reason, StringComparison.Ordinal);
        Assert.Contains("I/O thread", Refused(server, check, SnapshotMode.Live).Message, StringComparison.Ordinal);
        Assert.Contains("several disks", Refused(server, check, SnapshotMode.Mirror).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_fails_on_a_plain_canary_is_disabled_for_all_that_run()
    {
        NodeCheck check = Check(
            (CaptureKind.Backup, GuestShape.Plain), (CaptureKind.Mirror, GuestShape.Plain), (CaptureKind.Cold, GuestShape.Plain));
        ServerDescription server = Server(d => d);

        foreach (SnapshotMode mode in Enum.GetValues<SnapshotMode>())
        {
            Assert.Contains("disabled for all guests", Refused(server, check, mode).Message, StringComparison.Ordinal);
        }

        Assert.Equal(CaptureKind.Cold, Choose(server with { PowerState = ServerPowerState.ShutOff }, check, SnapshotMode.Auto).Capture);
    }

    [Fact]
    public void A_canary_that_lived_allows_the_backup_of_a_disk_with_an_io_thread()
    {
        ServerDescription server = Server(d => d with { HasIoThread = true });

        Assert.Equal(CaptureKind.Backup, Choose(server, Check(), SnapshotMode.Auto).Capture);
        Assert.Equal(CaptureKind.Mirror, Choose(server, null, SnapshotMode.Auto).Capture);
        Assert.Equal(
            CaptureKind.Mirror,
            Choose(Server(d => d with { HasIoThread = true, Bus = "scsi" }), Without(GuestShape.ScsiIoThread), SnapshotMode.Backup).Capture);
    }

    [Fact]
    public void What_could_not_be_checked_is_as_before()
    {
        NodeCheck check = Check() with
        {
            Proofs = [.. Check().Proofs.Select(p => p with { Outcome = ProofOutcome.Unknown, Reason = "r", Cure = "c" })],
        };

        Assert.Equal(CaptureKind.Backup, Choose(Server(d => d), check, SnapshotMode.Auto).Capture);
        Assert.Equal(CaptureKind.Mirror, Choose(Server(d => d with { HasIoThread = true }), check, SnapshotMode.Auto).Capture);
    }

    [Fact]
    public void A_node_is_sound_while_guests_of_every_shape_have_a_live_capture()
    {
        Assert.True(Check().IsSound);
        Assert.True(Check((CaptureKind.Backup, GuestShape.IoThread)).IsSound);
        Assert.False(Check((CaptureKind.Backup, GuestShape.Plain)).IsSound);
        Assert.False(Check((CaptureKind.Backup, GuestShape.Scsi), (CaptureKind.Mirror, GuestShape.Scsi)).IsSound);
    }

    private static NodeCheck Without(GuestShape shape) => Check() with { Proofs = [.. Check().Proofs.Where(p => p.Shape != shape)] };

    private static NodeCheck Check(params (CaptureKind Capture, GuestShape Shape)[] failed) => new(
        DateTimeOffset.UnixEpoch,
        DateTimeOffset.UnixEpoch,
        [
            .. from capture in Enum.GetValues<CaptureKind>()
               from shape in GuestShapes.All
               select failed.Contains((capture, shape))
                   ? new CaptureProof(capture, shape, ProofOutcome.Failed, Reason, "do that")
                   : new CaptureProof(capture, shape, ProofOutcome.Proved),
        ]);

    private static (CaptureKind Capture, string Reason) Choose(ServerDescription server, NodeCheck? check, SnapshotMode mode) =>
        CaptureChoice.Choose(server, server.Disks, Modern, check, new SnapshotRequest("s") { Mode = mode });

    private static SnapshotException Refused(ServerDescription server, NodeCheck check, SnapshotMode mode) =>
        Assert.Throws<SnapshotException>(() => Choose(server, check, mode));

    private static ServerDescription Server(params Func<DiskDescription, DiskDescription>[] disks)
    {
        ServerDescription server = FakeHypervisor.Describe("web-1");
        return server with { Disks = [.. disks.Select((d, i) => d(server.Disks[0] with { Target = $"vd{(char)('a' + i)}" }))] };
    }
}
