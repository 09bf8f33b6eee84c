using Hangfire.States;
using SnapshotApi.Jobs;

namespace SnapshotApi.Tests.Jobs;

public sealed class HangfireQueueTests
{
    [Theory]
    [InlineData("kvm1", "node_kvm1")]
    [InlineData("kvm-1_a", "node_kvm-1_a")]
    public void A_legal_name_is_kept(string node, string queue)
    {
        Assert.Equal(queue, HangfireQueue.NameOf(node));
    }

    [Theory]
    [InlineData("kvm1.example.org")]
    [InlineData("KVM1")]
    [InlineData("kvm 1")]
    [InlineData("k\u00fcche")]
    public void A_name_that_is_not_legal_becomes_so(string node)
    {
        var state = new EnqueuedState(HangfireQueue.NameOf(node));

        Assert.StartsWith("node_", state.Queue, StringComparison.Ordinal);
    }

    [Fact]
    public void Different_nodes_have_different_queues()
    {
        string[] nodes = ["a.b", "a_b", "a-b", "A.b", "a.B", "a b"];

        Assert.Equal(nodes.Length, nodes.Select(HangfireQueue.NameOf).Distinct().Count());
    }
}
