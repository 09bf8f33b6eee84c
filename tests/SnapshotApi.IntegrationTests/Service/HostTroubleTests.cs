using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.IntegrationTests.Persistence;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>What is wrong with the host is told where an operator looks, in one sentence with the cure.</summary>
public sealed class HostTroubleTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private readonly List<string> _mounts = [];
    private string _root = "";
    private string? _loop;

    public ValueTask InitializeAsync()
    {
        _root = StartedService.MakeRoot();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (string mount in _mounts)
        {
            await Shell.RunAsync("umount", mount);
        }

        if (_loop is not null)
        {
            await Shell.RunAsync("losetup", "-d", _loop);
        }

        if (Directory.Exists(_root))
        {
            Directory.Delete(_root, recursive: true);
        }
    }

    [Theory(Timeout = 120_000)]
    [InlineData("read-only", "the directory store can't be written to: its file system is read-only; mount it for writing")]
    [InlineData("full", "the directory store is full; make room there")]
    [InlineData("over quota", "the directory store is full: its quota is used up; raise the quota, or make room")]
    [InlineData("file", "the directory store can't be written to; what Stores__Directory__Path names is no directory")]
    public async Task A_store_that_takes_no_image_is_told(string state, string sentence)
    {
        string store = Path.Combine(_root, "store");
        await BreakAsync(store, state);
        await using StartedService service = Start("node");

        (int status, string message) = await service.WaitForPartAsync("stores", m => m.Length > 0);

        Assert.Equal(503, status);
        Assert.StartsWith(sentence, message, StringComparison.Ordinal);
        Assert.DoesNotContain(_root, message, StringComparison.Ordinal);
        service.AssertNoTrace();
        await service.StopAsync();
        await UnmountAsync();
    }

    [Theory(Timeout = 120_000)]
    [InlineData("read-only", "the node's work directory can't be written to: its file system is read-only; mount it")]
    [InlineData("file", "the node's work directory can't be written to; what Node__WorkDirectory names is no directory")]
    public async Task A_work_directory_that_can_not_be_used_ends_the_service_with_its_sentence(
        string state, string sentence)
    {
        await BreakAsync(Path.Combine(_root, "work"), state);
        await using StartedService service = Start("node");

        Assert.Equal(2, await service.WaitForEndAsync());
        Assert.Contains($"snapshotapi: {sentence}", service.Log, StringComparison.Ordinal);
        service.AssertNoTrace();
        await UnmountAsync();
    }

    /// <summary>What a former process left on guests is undone all the same.</summary>
    [Fact(Timeout = 120_000)]
    public async Task A_work_directory_that_is_full_keeps_no_service_from_starting_and_is_told()
    {
        await BreakAsync(Path.Combine(_root, "work"), "full");
        await using StartedService service = Start("node");

        (int status, string message) = await service.WaitForPartAsync(
            "node_queue", m => m.StartsWith("the node's", StringComparison.Ordinal));

        Assert.Equal((503, "the node's work directory is full; make room there"), (status, message));
        service.AssertNoTrace();
        await service.StopAsync();
        await UnmountAsync();
    }

    [Fact(Timeout = 120_000)]
    public async Task A_user_who_may_not_use_libvirt_is_told_so()
    {
        await Shell.RunAsync("chown", "65534:65534", _root);
        await using StartedService service = Start(
            "node", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups");

        (int status, string message) = await service.WaitForPartAsync(
            "hypervisor", m => m.Contains("libvirt says", StringComparison.Ordinal));

        Assert.Equal(503, status);

        // By the mode of the socket, or by polkit.
        Assert.Contains(
            "root, or put its user into the group libvirt; libvirt says: ", message, StringComparison.Ordinal);
        service.AssertNoTrace();
    }

    [Theory(Timeout = 120_000)]
    [InlineData("qemu:///session", "is a libvirt of one user")]
    [InlineData("qemu+ssh://root@kvm2/system", "leads to another host")]
    public async Task A_libvirt_that_can_never_do_ends_the_service(string uri, string sentence)
    {
        await using StartedService service = StartedService.Start(
            "all", new Dictionary<string, string> { ["Node__LibvirtUri"] = uri }, _root);

        Assert.Equal(2, await service.WaitForEndAsync());
        Assert.Contains($"Node:LibvirtUri {sentence}", service.Log, StringComparison.Ordinal);
    }

    private StartedService Start(string role, params string[] asWhom) => StartedService.Start(
        role, new Dictionary<string, string> { ["ConnectionStrings__Snapshots"] = database.ConnectionString }, _root,
        asWhom);

    private async Task BreakAsync(string path, string state)
    {
        if (state == "file")
        {
            await File.WriteAllTextAsync(path, "", TestContext.Current.CancellationToken);
            return;
        }

        Directory.CreateDirectory(path);
        if (state == "over quota")
        {
            await MountWithQuotaAsync(path);
            return;
        }

        await MountAsync("-t", "tmpfs", "-o", state == "full" ? "size=64k" : "size=1m,ro", "tmpfs", path);
        if (state == "full")
        {
            (int code, _, _) = await Shell.TryAsync("dd", "if=/dev/zero", $"of={path}/filler", "bs=4k");
            Assert.NotEqual(0, code);
        }
    }

    // The one file system with quotas that any kernel of a laboratory has, and whose quotas hold for root as well.
    private async Task MountWithQuotaAsync(string path)
    {
        string file = Path.Combine(_root, "btrfs");
        await Shell.RunAsync("truncate", "-s", "200M", file);
        await Shell.RunAsync("mkfs.btrfs", "-q", file);
        _loop = (await Shell.RunAsync("losetup", "-f", "--show", file)).Trim();
        await MountAsync(_loop, path);
        await Shell.RunAsync("btrfs", "quota", "enable", path);
        await Shell.RunAsync("btrfs", "qgroup", "limit", "2M", path);
        (int code, _, string error) = await Shell.TryAsync("dd", "if=/dev/zero", $"of={path}/filler", "bs=64k", "conv=fsync");
        Assert.NotEqual(0, code);
        Assert.Contains("Disk quota exceeded", error, StringComparison.Ordinal);
    }

    private async Task MountAsync(params string[] arguments)
    {
        await Shell.RunAsync("mount", arguments);
        _mounts.Add(arguments[^1]);
    }

    // Before the service's directory is deleted.
    private async Task UnmountAsync()
    {
        foreach (string mount in _mounts.ToArray())
        {
            await Shell.RunAsync("umount", mount);
            _mounts.Remove(mount);
        }
    }
}
