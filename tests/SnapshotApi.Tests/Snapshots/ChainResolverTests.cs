using System.Buffers.Binary;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Snapshots;

public sealed class ChainResolverTests : IDisposable
{
    private static readonly NodeCapabilities Node = new("QEMU", new Version(9, 0, 0), new Version(7, 2, 0));

    private readonly ScratchDirectory _directory = new();

    private string Top => _directory.File("top");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_relative_name_is_resolved_as_the_kernel_does_through_links_and_dots()
    {
        // real/deep/top with ../base: by its link /link/top the kernel finds real/base, words alone find base.
        Directory.CreateDirectory(_directory.File("real/deep"));
        Directory.CreateSymbolicLink(_directory.File("link"), _directory.File("real/deep"));
        await CreateAsync(_directory.File("real/base"));
        await CreateAsync(_directory.File("base"));
        await CreateAsync(_directory.File("real/deep/top"), "../base", "qcow2");

        DiskDescription disk = Complete(_directory.File("link/top"));

        Assert.Null(disk.Obstacle);
        Assert.Equal(_directory.File("link/../base"), disk.Layers[1].Path);
        Assert.Equal(SnapshotApi.Linux.FileIdentity.Find(_directory.File("real/base")), SnapshotApi.Linux.FileIdentity.Find(disk.Layers[1].Path!));
    }

    [Fact]
    public async Task A_chain_goes_on_until_a_raw_layer_or_a_header_without_a_name()
    {
        File.WriteAllText(_directory.File("raw"), "QFI\u00fb, says the guest");
        await CreateAsync(_directory.File("mid"), "raw", "raw");
        await CreateAsync(Top, _directory.File("mid"), "qcow2");

        DiskDescription disk = Complete(Top);

        Assert.Equal(
            [new DiskLayer("file", Top, "qcow2"), new DiskLayer("file", _directory.File("mid"), "qcow2"), new DiskLayer("file", _directory.File("raw"), "raw")],
            disk.Layers);
    }

    [Fact]
    public async Task A_chain_that_the_definition_ends_ends_there()
    {
        await CreateAsync(_directory.File("base"));
        await CreateAsync(_directory.File("mid"), "base", "qcow2");
        await CreateAsync(Top, "mid", "qcow2");
        DiskLayer mid = new("file", _directory.File("mid"), "qcow2");

        Assert.Single(Complete(Disk(Top) with { IsChainEnded = true }).Layers);
        Assert.Equal(2, Complete(Disk(Top) with { IsChainEnded = true, Layers = [new DiskLayer("file", Top, "qcow2"), mid] }).Layers.Count);
        Assert.Equal(3, Complete(Disk(Top) with { Layers = [new DiskLayer("file", Top, "qcow2"), mid] }).Layers.Count);
        Assert.Equal(3, Complete(Top).Layers.Count);
    }

    [Theory]
    [InlineData(null, "qemu-img rebase -u -F FORMAT")]
    [InlineData("json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"/b\"}}", "'json:'")]
    [InlineData("nbd:unix:/sock", "'nbd:'")]
    [InlineData("file:base", "'file:'")]
    [InlineData("missing", "not a file or device of this host")]
    [InlineData("/dev/null", "neither a file nor a block device")]
    public async Task A_backing_file_that_cannot_be_followed_is_told_at_the_request(string? name, string words)
    {
        await CreateAsync(_directory.File("base"));
        await CreateAsync(Top, name ?? "base", name is null ? null : "qcow2");

        DiskDescription disk = Complete(Top);
        var published = RowJson.Read<ServerDescription>(RowJson.Write((Server(ServerPowerState.ShutOff) with { Disks = [disk] }).WithoutPaths()));
        SnapshotException e = Assert.Throws<SnapshotException>(() => SnapshotPlanner.Plan(published, Node, null, new SnapshotRequest("s"), "directory"));

        Assert.Equal(SnapshotErrorCode.UnsupportedDisk, e.Code);
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.StartsWith("disk vda of server ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_directory.FullPath, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_external_data_file_is_told_at_the_request_and_unknown_features_are()
    {
        await QemuTool.ImgAsync("create", "-q", "-f", "qcow2", "-o", $"data_file={_directory.File("data")}", Top, "1M");
        Assert.Contains("external data file", Complete(Top).Obstacle, StringComparison.Ordinal);
        Assert.Contains("external data file", Complete(Disk(Top), ServerPowerState.Running).Obstacle, StringComparison.Ordinal);

        File.Delete(Top);
        await CreateAsync(Top);
        byte[] header = File.ReadAllBytes(Top);
        BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(72), 1UL << 40);
        File.WriteAllBytes(Top, header);
        Assert.Contains("not known", Complete(Top).Obstacle, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_headers_of_a_server_that_runs_add_nothing_and_may_be_gone()
    {
        await CreateAsync(_directory.File("base"));
        await CreateAsync(Top, "base", null);

        DiskDescription there = Complete(Disk(Top), ServerPowerState.Running);
        File.Delete(Top);
        DiskDescription gone = Complete(Disk(Top), ServerPowerState.Running);

        Assert.Null(there.Obstacle);
        Assert.Single(there.Layers);
        Assert.Equal(Disk(Top).Layers, gone.Layers);
        Assert.Null(gone.Obstacle);
    }

    [Fact]
    public async Task A_chain_without_an_end_is_an_obstacle()
    {
        await CreateAsync(Top, "top", "qcow2");

        Assert.Contains("more than 200", Complete(Top).Obstacle, StringComparison.Ordinal);
    }

    [Fact]
    public void A_top_layer_that_is_away_is_for_the_job_to_tell() => Assert.Null(Complete(Top).Obstacle);

    [Fact]
    public void A_row_of_an_older_node_has_no_obstacle()
    {
        string row = RowJson.Write(Server(ServerPowerState.ShutOff) with { Disks = [Disk(Top)] });
        string older = row.Replace(",\"isChainEnded\":false", "", StringComparison.Ordinal);

        Assert.NotEqual(row, older);
        Assert.DoesNotContain("obstacle", older, StringComparison.OrdinalIgnoreCase);
        Assert.Null(RowJson.Read<ServerDescription>(older).Disks[0].Obstacle);
    }

    [Fact]
    public void A_volume_without_a_path_is_refused_with_the_reason_of_its_pool_unless_the_backup_reads_it()
    {
        DiskDescription disk = Disk(Top) with
        {
            Layers = [new DiskLayer("volume", null, "qcow2") { Volume = new PoolVolume("fast", "v", false), PathObstacle = "lies in storage pool 'fast', which is not active" }],
        };
        ServerDescription off = (Server(ServerPowerState.ShutOff) with { Disks = [disk] }).WithoutPaths();

        SnapshotException e = Assert.Throws<SnapshotException>(() => SnapshotPlanner.Plan(off, Node, null, new SnapshotRequest("s"), "directory"));

        Assert.Contains("lies in storage pool 'fast', which is not active", e.Message, StringComparison.Ordinal);
        Assert.Equal(
            CaptureKind.Backup,
            SnapshotPlanner.Plan(off with { PowerState = ServerPowerState.Running }, Node, null, new SnapshotRequest("s"), "directory").Capture);
    }

    [Fact]
    public void A_disk_that_only_a_QEMU_can_read_needs_one_that_runs()
    {
        ServerDescription off = Server(ServerPowerState.ShutOff) with { Disks = [Disk(Top) with { Layers = [new DiskLayer("network", null, "raw")] }] };

        SnapshotException e = Assert.Throws<SnapshotException>(() => SnapshotPlanner.Plan(off, Node, null, new SnapshotRequest("s"), "directory"));

        Assert.Contains("only while the server runs", e.Message, StringComparison.Ordinal);
    }

    private static async Task CreateAsync(string path, string? backing = null, string? format = null)
    {
        string[] arguments = backing is null ? [] : ["-u", "-b", backing, "-F", format ?? "qcow2"];
        await QemuTool.ImgAsync(["create", "-q", "-f", "qcow2", "-o", "compat=1.1", .. arguments, path, "1M"]);
        if (backing is not null && format is null)
        {
            // qemu-img always records the format since 6.1: the extension becomes one that nobody knows.
            byte[] image = File.ReadAllBytes(path);
            int extension = image.AsSpan().IndexOf(new byte[] { 0xE2, 0x79, 0x2A, 0xCA });
            BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(extension), 0x12345678);
            File.WriteAllBytes(path, image);
        }
    }

    private static DiskDescription Complete(string top) => Complete(Disk(top));

    private static DiskDescription Complete(DiskDescription disk, ServerPowerState state = ServerPowerState.ShutOff) =>
        ChainResolver.Complete(Server(state) with { Disks = [disk] }).Disks[0];

    private static ServerDescription Server(ServerPowerState state) => FakeHypervisor.Describe("web-1") with { PowerState = state };

    private static DiskDescription Disk(string top) => new(
        "vda", "disk", "file", "qcow2", [new DiskLayer("file", top, "qcow2")], false, false, false, false, null, null, false);
}
