using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Libvirt;

/// <summary>
/// libvirt's own simulated hypervisor, inside this process. Its domains live as long as one connection to it is open,
/// so tests of it do not run beside others.
/// </summary>
[CollectionDefinition(Collection, DisableParallelization = true)]
public sealed class TestDriver
{
    public const string Collection = "libvirt test driver";

    public const string Uri = "test:///default";

    /// <summary>The domain that is always there.</summary>
    public static readonly Guid DefaultDomain = Guid.Parse("6695eb01-f6a4-8304-79aa-97f2502e193f");

    public static LibvirtConnection Open() => LibvirtConnection.Open(Uri);

    public static string DomainXml(string name, Guid uuid) =>
        $"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>65536</memory><os><type>hvm</type></os></domain>";

    /// <summary>
    /// Waits until a condition that another thread makes true holds; fails the test after ten seconds.
    /// </summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        for (int i = 0; i < 1000 && !condition(); i++)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        Assert.True(condition(), "the condition did not become true");
    }
}
