using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Libvirt;

namespace SnapshotApi.IntegrationTests.Libvirt;

/// <summary>One guest for all tests of a class, which leave it as they found it.</summary>
public sealed class QemuGuest : IAsyncLifetime
{
    private LabGuest? _guest;
    private LibvirtConnection? _connection;

    internal LabGuest Guest => _guest!;

    internal LibvirtConnection Connection => _connection!;

    internal LibvirtDomain Domain() => Connection.LookupByUuid(Guest.Id);

    public async ValueTask InitializeAsync()
    {
        _guest = await LabGuest.StartAsync();
        _connection = LibvirtConnection.Open("qemu:///system");
    }

    public async ValueTask DisposeAsync()
    {
        _connection?.Dispose();
        if (_guest is not null)
        {
            await _guest.DisposeAsync();
        }
    }

    /// <summary>
    /// Waits until a condition that libvirt or the guest makes true holds; fails the test after thirty seconds.
    /// </summary>
    internal static async Task UntilAsync(Func<bool> condition)
    {
        for (int i = 0; i < 600 && !condition(); i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        Assert.True(condition(), "the condition did not become true");
    }
}
