using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Snapshots;

/// <summary>What real libvirt does only once in a long while; the rest of the clean-up is tested on real guests.</summary>
public sealed class UndoExecutorTests : IDisposable
{
    private const string Socket = "/run/snapshotapi/backup.sock";

    private readonly ChildProcess _children = new(NullLogger<ChildProcess>.Instance);
    private readonly FakeHypervisor _hypervisor = new() { BackupXml = Backup(Socket) };
    private readonly UndoExecutor _executor;
    private int _aborts;

    public UndoExecutorTests()
    {
        IOptions<NodeOptions> node = Options.Create(new NodeOptions());
        _executor = new UndoExecutor(
            _hypervisor, new OwnFiles(node, Options.Create(new StoresOptions())), new QemuImg(_children), [], node, new HastyTimeProvider(), NullLogger<UndoExecutor>.Instance);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _children.Dispose();

    [Fact]
    public async Task A_backup_is_aborted_again_until_it_ends()
    {
        _hypervisor.OnAbort = () => _hypervisor.BackupXml = ++_aborts < 3 ? Backup(Socket) : null;

        await EndAsync();

        Assert.Equal(3, _aborts);
    }

    [Fact]
    public async Task A_backup_that_never_ends_is_told()
    {
        _hypervisor.OnAbort = () => _aborts++;

        var e = await Assert.ThrowsAsync<SnapshotException>(EndAsync);

        Assert.Equal(SnapshotErrorCode.HypervisorError, e.Code);
        Assert.InRange(_aborts, 10, 40);
    }

    [Fact]
    public async Task A_backup_that_ends_by_itself_before_it_is_aborted_has_ended()
    {
        _hypervisor.OnAbort = () =>
        {
            _aborts++;
            _hypervisor.BackupXml = null;
            throw new SnapshotException(SnapshotErrorCode.HypervisorError, "no job is active on the domain");
        };

        await EndAsync();

        Assert.Equal(1, _aborts);
    }

    [Fact]
    public async Task An_abort_that_fails_while_the_backup_goes_on_is_told()
    {
        _hypervisor.OnAbort = () => throw new SnapshotException(SnapshotErrorCode.HypervisorError, "cannot acquire state change lock");

        var e = await Assert.ThrowsAsync<SnapshotException>(EndAsync);

        Assert.Equal("cannot acquire state change lock", e.Message);
    }

    [Fact]
    public async Task A_backup_of_somebody_else_is_left_alone()
    {
        _hypervisor.BackupXml = Backup("/run/other.sock");
        _hypervisor.OnAbort = () => _aborts++;

        await EndAsync();

        Assert.Equal(0, _aborts);
    }

    private static string Backup(string socket) => $"<domainbackup mode='pull'><server transport='unix' socket='{socket}'/></domainbackup>";

    private Task EndAsync() => _executor.UndoAsync(new EndBackup(Guid.NewGuid(), Socket), Token);
}
