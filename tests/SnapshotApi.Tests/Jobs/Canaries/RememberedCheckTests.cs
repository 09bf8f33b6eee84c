using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Jobs;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Jobs.Canaries;

public sealed class RememberedCheckTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("snapshotapi-check-").FullName;

    private string File => Path.Combine(_directory, "check.json");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task What_is_remembered_is_read_again_and_compared_by_value()
    {
        CheckedHost host = await HostAsync();
        RememberedCheck saved = Of(host, new CaptureProof(CaptureKind.Backup, GuestShape.IoThread, ProofOutcome.Failed, "r", "c") { IsLasting = true });

        saved.Save(File);
        RememberedCheck found = Assert.IsType<RememberedCheck>(RememberedCheck.Find(File));

        Assert.Equal(await HostAsync(), found.Host);
        Assert.Equal(saved.Check.Proofs, found.Check.Proofs);
        Assert.True(found.Lasts);
        Assert.Equal(["check.json"], Directory.GetFiles(_directory).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Another_libvirt_is_another_host()
    {
        var hypervisor = new FakeHypervisor();
        CheckedHost before = await CheckedHost.ReadAsync(hypervisor, hypervisor.Capabilities, TestContext.Current.CancellationToken);

        CheckedHost after = await CheckedHost.ReadAsync(
            hypervisor, hypervisor.Capabilities with { LibvirtVersion = new Version(11, 3) }, TestContext.Current.CancellationToken);

        Assert.NotEqual(before, after);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"host\":{},\"check\":null}")]
    [InlineData("{\"host\":{},\"check\":{\"proofs\":[{\"capture\":\"by_magic\"}]}}")]
    public void A_file_that_is_none_of_ours_is_not_believed(string text)
    {
        System.IO.File.WriteAllText(File, text);

        Assert.Null(RememberedCheck.Find(File));
        Assert.Null(RememberedCheck.Find(File + ".missing"));
    }

    [Fact]
    public async Task What_may_have_been_mended_from_outside_does_not_last()
    {
        CheckedHost host = await HostAsync();

        Assert.True(Of(host, new CaptureProof(CaptureKind.Backup, GuestShape.Plain, ProofOutcome.Proved)).Lasts);
        Assert.False(Of(host, new CaptureProof(CaptureKind.Backup, GuestShape.Plain, ProofOutcome.Failed, "r", "c")).Lasts);
        Assert.False(Of(host, new CaptureProof(CaptureKind.Backup, GuestShape.Plain, ProofOutcome.Unknown, "r", "c")).Lasts);
    }

    [Fact]
    public void Words_name_the_cause_and_its_cure()
    {
        CaptureProof dead = ProofWords.OfDeath(CaptureKind.Backup, GuestShape.IoThread, "Assertion failed");
        CaptureProof toolless = ProofWords.OfFailure(
            CaptureKind.Mirror, GuestShape.Plain, new SnapshotException(SnapshotErrorCode.ToolFailed, "qemu-nbd could not be started"), TimeSpan.Zero);
        CaptureProof full = ProofWords.OfFailure(
            CaptureKind.Mirror, GuestShape.Plain, new SnapshotException(SnapshotErrorCode.NoSpace, "no space"), TimeSpan.Zero);
        (string reason, string cure) = ProofWords.OfSetUp(
            new SnapshotException(SnapshotErrorCode.HypervisorError, "virDomainCreate failed: cannot set up guest memory 'pc.ram': Cannot allocate memory"),
            TimeSpan.FromMinutes(15));
        (string slow, _) = ProofWords.OfSetUp(new OperationCanceledException(), TimeSpan.FromMinutes(15));

        Assert.Equal((ProofOutcome.Failed, true), (dead.Outcome, dead.IsLasting));
        Assert.Contains("Assertion failed", dead.Describe(), StringComparison.Ordinal);
        Assert.Equal((ProofOutcome.Failed, false), (toolless.Outcome, toolless.IsLasting));
        Assert.Contains("install qemu-utils", toolless.Describe(), StringComparison.Ordinal);
        Assert.Equal(ProofOutcome.Unknown, full.Outcome);
        Assert.Contains("Cannot allocate memory", reason, StringComparison.Ordinal);
        Assert.StartsWith("free 100 MiB of memory", cure, StringComparison.Ordinal);
        Assert.Equal("the check did not end within 15 minutes", slow);
    }

    [Fact]
    public async Task The_disk_of_a_canary_is_a_good_qcow2_that_differs_from_its_neighbour()
    {
        using var directory = new ScratchDirectory();
        string[] paths = [directory.File("0"), directory.File("1")];
        CanaryDisk.Write(paths[0], 0);
        CanaryDisk.Write(paths[1], 1);

        foreach (string path in paths)
        {
            await QemuTool.ImgAsync("check", "-f", "qcow2", path);
            await using NbdServer server = await NbdServer.QemuNbdAsync(path, "qcow2");
            var view = new SnapshotApi.Tools.NbdEndpoint(server.SocketPath, "");
            int number = Array.IndexOf(paths, path);

            Assert.True(await CanaryDisk.IsSameAsync(view, number, TestContext.Current.CancellationToken));
            Assert.False(await CanaryDisk.IsSameAsync(view, 1 - number, TestContext.Current.CancellationToken));
        }
    }

    private static RememberedCheck Of(CheckedHost host, params CaptureProof[] proofs) =>
        new(host, new NodeCheck(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, proofs));

    private static Task<CheckedHost> HostAsync()
    {
        var hypervisor = new FakeHypervisor();
        return CheckedHost.ReadAsync(hypervisor, hypervisor.Capabilities, TestContext.Current.CancellationToken);
    }
}
