using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Stores;

/// <summary>One guest and one Glance for a class of tests.</summary>
public sealed class GlanceFixture : IAsyncLifetime
{
    internal LabGuest Guest { get; private set; } = null!;

    internal LabGlance Glance { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Glance = LabGlance.Shared();
        Guest = await LabGuest.StartAsync("--disk-size", "256M", "--disk-format", "raw", "--writer", "1M");
    }

    public async ValueTask DisposeAsync()
    {
        if (Guest is not null)
        {
            await Guest.DisposeAsync();
        }
    }
}
