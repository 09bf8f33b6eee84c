using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Tests.Snapshots;

public sealed class SnapshotPlannerTests
{
    private static readonly NodeCapabilities Modern = new("QEMU", new Version(9, 0, 0), new Version(7, 2, 0));
    private static readonly NodeCapabilities BeforeBackup = new("QEMU", new Version(5, 10, 0), new Version(4, 1, 0));
    private static readonly NodeCapabilities BeforeBlockJobs = new("QEMU", new Version(0, 9, 13), new Version(1, 2, 0));

    [Fact]
    public void Auto_chooses_backup_for_a_running_server_and_says_why()
    {
        SnapshotPlan plan = Plan(Server(), Modern, new SnapshotRequest("s"));

        Assert.Equal(CaptureKind.Backup, plan.Capture);
        Assert.Contains("backup job", plan.CaptureReason, StringComparison.Ordinal);
    }

    [Fact]
    public void Auto_falls_back_to_mirror_and_then_to_cold()
    {
        Assert.Equal(CaptureKind.Mirror, Plan(Server(), BeforeBackup, new SnapshotRequest("s")).Capture);
        Assert.Equal(CaptureKind.Cold, Plan(Server(), BeforeBlockJobs, new SnapshotRequest("s")).Capture);
    }

    [Fact]
    public void Live_is_refused_where_nothing_live_exists()
    {
        SnapshotException e = Refused(Server(), BeforeBlockJobs, new SnapshotRequest("s") { Mode = SnapshotMode.Live });

        Assert.Equal(SnapshotErrorCode.UnsupportedRequest, e.Code);
    }

    [Theory]
    [InlineData("Auto")]
    [InlineData("Live")]
    [InlineData("Mirror")]
    [InlineData("Backup")]
    [InlineData("Cold")]
    public void A_stopped_server_is_always_cold(string mode)
    {
        foreach (ServerPowerState state in new[] { ServerPowerState.ShutOff, ServerPowerState.Saved })
        {
            SnapshotPlan plan = Plan(
                Server() with { PowerState = state }, Modern, new SnapshotRequest("s") { Mode = Enum.Parse<SnapshotMode>(mode) });

            Assert.Equal(CaptureKind.Cold, plan.Capture);
        }
    }

    [Fact]
    public void The_gates_of_blockRebase_are_Novas()
    {
        Assert.True(new NodeCapabilities("QEMU", new Version(1, 0, 0), new Version(1, 3, 0)).CanBlockRebase);
        Assert.False(new NodeCapabilities("QEMU", new Version(0, 10, 9), new Version(1, 3, 0)).CanBlockRebase);
        Assert.False(new NodeCapabilities("QEMU", new Version(1, 0, 0), new Version(1, 2, 9)).CanBlockRebase);
        Assert.False(new NodeCapabilities("LXC", new Version(9, 0, 0), new Version(9, 0, 0)).CanBlockRebase);
    }

    [Fact]
    public void Asking_for_blockRebase_chooses_the_mirror()
    {
        SnapshotPlan plan = Plan(Server(), Modern, new SnapshotRequest("s") { BlockRebase = true });

        Assert.Equal(CaptureKind.Mirror, plan.Capture);
    }

    [Theory]
    [InlineData("Auto")]
    [InlineData("Live")]
    [InlineData("Backup")]
    public void A_disk_with_an_io_thread_is_mirrored_and_the_plan_says_why(string mode)
    {
        SnapshotPlan plan = Plan(
            Server(Disk("vda"), Disk("vdb") with { HasIoThread = true }),
            Modern,
            new SnapshotRequest("s") { Mode = Enum.Parse<SnapshotMode>(mode), Disks = ["vdb"] });

        Assert.Equal(CaptureKind.Mirror, plan.Capture);
        Assert.Contains("disk vdb has an I/O thread", plan.CaptureReason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_beside_one_with_an_io_thread_is_backed_up()
    {
        SnapshotPlan plan = Plan(Server(Disk("vda"), Disk("vdb") with { HasIoThread = true }), Modern, new SnapshotRequest("s") { Disks = ["vda"] });

        Assert.Equal(CaptureKind.Backup, plan.Capture);
    }

    [Fact]
    public void A_network_disk_with_an_io_thread_is_refused_before_its_guest_is_touched()
    {
        ServerDescription server = Server(Disk("vda") with { HasIoThread = true, SourceType = "network", Layers = [new DiskLayer("network", null, "raw")] });

        foreach (SnapshotMode mode in new[] { SnapshotMode.Auto, SnapshotMode.Live, SnapshotMode.Backup })
        {
            SnapshotException e = Refused(server, Modern, new SnapshotRequest("s") { Mode = mode });
            Assert.Contains("vda", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Root_is_the_disk_that_boots_first()
    {
        ServerDescription server = Server(Disk("vda"), Disk("vdb") with { BootOrder = 1 });

        Assert.Equal("vdb", Assert.Single(Plan(server, Modern, new SnapshotRequest("s")).Disks).Target);
        Assert.Equal("vda", Assert.Single(Plan(Server(Disk("vda"), Disk("vdb")), Modern, new SnapshotRequest("s")).Disks).Target);
    }

    [Fact]
    public void All_leaves_out_drives_that_are_no_hard_disks_and_notes_them()
    {
        ServerDescription server = Server(Disk("vda"), Disk("sda") with { Device = "cdrom" }, Disk("vdb"));

        SnapshotPlan plan = Plan(server, Modern, new SnapshotRequest("s") { Disks = ["all"] });

        Assert.Equal(["vda", "vdb"], plan.Disks.Select(d => d.Target));
        Assert.Contains("sda", Assert.Single(plan.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_that_is_not_there_is_named()
    {
        SnapshotException e = Refused(Server(), Modern, new SnapshotRequest("s") { Disks = ["vdz"] });

        Assert.Equal(SnapshotErrorCode.UnsupportedDisk, e.Code);
        Assert.Contains("vdz", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_block_device_is_raw_unless_a_format_is_asked_for()
    {
        ServerDescription server = Server(Disk("vda") with { SourceType = "block", Layers = [new DiskLayer("block", "/dev/loop0", "raw")] });

        Assert.Equal(ImageFormat.Raw, FormatOf(server, Modern, new SnapshotRequest("s")));
        Assert.Equal(ImageFormat.Qcow2, FormatOf(server, Modern, new SnapshotRequest("s") { Format = ImageFormat.Qcow2 }));
        Assert.Equal(ImageFormat.Qcow2, FormatOf(Server(), Modern, new SnapshotRequest("s")));
    }

    [Fact]
    public void The_request_names_the_format_before_compression_implies_it_before_the_node_has_a_default()
    {
        ServerDescription block = Server(Disk("vda") with { SourceType = "block", Layers = [new DiskLayer("block", "/dev/loop0", "raw")] });
        NodeCapabilities node = Modern with { SnapshotImageFormat = "vmdk" };

        Assert.Equal(ImageFormat.Vmdk, FormatOf(block, node, new SnapshotRequest("s")));
        Assert.Equal(ImageFormat.Vmdk, FormatOf(Server(), node, new SnapshotRequest("s")));
        Assert.Equal(ImageFormat.Raw, FormatOf(Server(), node, new SnapshotRequest("s") { Format = ImageFormat.Raw }));
        Assert.Equal(ImageFormat.Qcow2, FormatOf(block, node, new SnapshotRequest("s") { Compression = Compression.Zstd }));
    }

    [Fact]
    public void Compression_level_and_zeros_are_part_of_the_plan_and_other_formats_have_no_compression()
    {
        var request = new SnapshotRequest("s") { Compression = Compression.Zlib, CompressionLevel = 9, Sparsify = Sparsify.Always };

        Assert.Equal(
            new ImageSpec(ImageFormat.Qcow2, Compression.Zlib, 9, Sparsify.Always), Plan(Server(), Modern, request).Disks[0].Image);
        SnapshotException e = Refused(Server(), Modern, request with { Format = ImageFormat.Vdi });
        Assert.Equal(
            (SnapshotErrorCode.UnsupportedRequest, "compression zlib needs format qcow2, not vdi"), (e.Code, e.Message));
    }

    public static TheoryData<string, string, string> Unsupported => new()
    {
        { "shareable", "Backup", "shareable" },
        { "transient", "Backup", "transient" },
        { "encrypted", "Backup", "encrypted" },
        { "format", "Backup", "format" },
        { "network", "Mirror", "network" },
        { "network", "Cold", "network" },
        { "vmdk", "Cold", "vmdk" },
        { "raw-internal", "Cold", "internal snapshot" },
    };

    [Theory]
    [MemberData(nameof(Unsupported))]
    public void A_disk_that_cannot_be_captured_is_refused_with_its_name_and_the_reason(string what, string mode, string reason)
    {
        DiskDescription disk = what switch
        {
            "shareable" => Disk("vda") with { IsShareable = true },
            "transient" => Disk("vda") with { IsTransient = true },
            "encrypted" => Disk("vda") with { IsEncrypted = true },
            "format" => Disk("vda") with { Layers = [new DiskLayer("file", "/a", null)] },
            "network" => Disk("vda") with { Layers = [new DiskLayer("network", null, "raw")] },
            "vmdk" => Disk("vda") with { Layers = [new DiskLayer("file", "/a", "vmdk")] },
            _ => Disk("vda") with { Layers = [new DiskLayer("file", "/a", "raw")] },
        };
        var request = new SnapshotRequest("s") { Mode = Enum.Parse<SnapshotMode>(mode), InternalSnapshot = what == "raw-internal" };

        SnapshotException e = Refused(Server(disk), Modern, request);

        Assert.Equal(SnapshotErrorCode.UnsupportedDisk, e.Code);
        Assert.Contains("vda", e.Message, StringComparison.Ordinal);
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_network_disk_is_captured_by_the_backup_job()
    {
        ServerDescription server = Server(Disk("vda") with { SourceType = "network", Layers = [new DiskLayer("network", null, "raw")] });

        Assert.Equal(CaptureKind.Backup, Plan(server, Modern, new SnapshotRequest("s")).Capture);
    }

    [Fact]
    public void Somebody_elses_jobs_make_the_server_busy()
    {
        Assert.Equal(SnapshotErrorCode.ServerBusy, Refused(Server() with { ActiveJob = "backup" }, Modern, new SnapshotRequest("s")).Code);
        Assert.Equal(
            SnapshotErrorCode.ServerBusy, Refused(Server(Disk("vda") with { MirrorPath = "/elsewhere" }), Modern, new SnapshotRequest("s")).Code);
    }

    [Fact]
    public void Cold_of_a_running_transient_server_is_refused()
    {
        SnapshotException e = Refused(
            Server() with { IsPersistent = false }, Modern, new SnapshotRequest("s") { Mode = SnapshotMode.Cold });

        Assert.Equal(SnapshotErrorCode.UnsupportedRequest, e.Code);
    }

    [Fact]
    public void Required_quiesce_without_an_agent_channel_is_refused_for_live_captures_only()
    {
        var request = new SnapshotRequest("s") { Quiesce = QuiesceMode.Required };

        Assert.Equal(SnapshotErrorCode.UnsupportedRequest, Refused(Server() with { HasAgentChannel = false }, Modern, request).Code);
        Assert.Equal(
            CaptureKind.Cold, Plan(Server() with { HasAgentChannel = false }, Modern, request with { Mode = SnapshotMode.Cold }).Capture);
    }

    [Fact]
    public void Containers_crashed_servers_and_unknown_stores_are_refused()
    {
        ServerDescription container = Server() with { DomainType = "lxc", Disks = [Server().Disks[0] with { Target = "root" }] };
        Assert.Equal(SnapshotErrorCode.UnsupportedRequest, Refused(container, Modern, new SnapshotRequest("s")).Code);
        SnapshotPlan off = Plan(container with { PowerState = ServerPowerState.ShutOff }, Modern, new SnapshotRequest("s"));
        Assert.Equal((CaptureKind.Cold, "root"), (off.Capture, Assert.Single(off.Disks).Target));
        SnapshotException rootless = Refused(container with { PowerState = ServerPowerState.ShutOff, Disks = [] }, Modern, new SnapshotRequest("s"));
        Assert.Equal(SnapshotErrorCode.UnsupportedDisk, rootless.Code);
        Assert.Contains("no root file system in an image", rootless.Message, StringComparison.Ordinal);
        Assert.Equal(
            SnapshotErrorCode.StateConflict, Refused(Server() with { PowerState = ServerPowerState.Other }, Modern, new SnapshotRequest("s")).Code);
        Assert.Equal(
            SnapshotErrorCode.UnsupportedRequest, Refused(Server(), Modern, new SnapshotRequest("s") { Store = "attic" }).Code);
    }

    private static ImageFormat FormatOf(ServerDescription server, NodeCapabilities node, SnapshotRequest request) =>
        Plan(server, node, request).Disks[0].Image.Format;

    private static SnapshotPlan Plan(ServerDescription server, NodeCapabilities node, SnapshotRequest request) =>
        Plan(server, node, null, request);

    private static SnapshotPlan Plan(ServerDescription server, NodeCapabilities node, NodeCheck? check, SnapshotRequest request) =>
        SnapshotPlanner.Plan(server, node, check, request, "directory");

    private static SnapshotException Refused(ServerDescription server, NodeCapabilities node, SnapshotRequest request) =>
        Assert.Throws<SnapshotException>(() => Plan(server, node, request));

    private static ServerDescription Server(params DiskDescription[] disks) => new(
        Guid.Parse("dbf1414a-4229-4cd8-8d07-70002191d4de"),
        "fed18",
        ServerPowerState.Running,
        true,
        "kvm",
        "x86_64",
        "hvm",
        true,
        true,
        null,
        "+64055:+64055",
        disks.Length > 0 ? disks : [Disk("vda")]);

    private static DiskDescription Disk(string target) => new(
        target, "disk", "file", "qcow2", [new DiskLayer("file", $"/images/{target}", "qcow2")], false, false, false, false, null, null, false);
}
