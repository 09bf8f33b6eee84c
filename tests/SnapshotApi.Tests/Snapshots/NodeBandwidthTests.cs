using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Configuration;
using SnapshotApi.Snapshots;

namespace SnapshotApi.Tests.Snapshots;

public class NodeBandwidthTests
{
    [Fact]
    public void Jobs_that_mirror_and_images_that_are_streamed_together_have_the_rate_of_the_node()
    {
        NodeBandwidth node = Node(12 << 20);

        using (node.EnterMirroring())
        using (node.EnterMirroring())
        {
            Assert.Equal(6 << 20, node.MirrorShare);
            using IDisposable first = node.EnterStreaming();
            using IDisposable second = node.EnterStreaming();
            Assert.Equal(3 << 20, node.MirrorShare);
            Assert.Equal(6 << 20, node.Streams.BytesPerSecond);
            first.Dispose();
            first.Dispose();
            Assert.Equal(4 << 20, node.MirrorShare);
            Assert.Equal(4 << 20, node.Streams.BytesPerSecond);
        }

        Assert.Equal((12 << 20, 12 << 20), (node.MirrorShare, node.Streams.BytesPerSecond));
    }

    [Fact]
    public void Tools_that_read_for_several_jobs_have_a_share_each()
    {
        NodeBandwidth node = Node(12 << 20);
        using IDisposable first = node.EnterStreaming();
        using IDisposable second = node.EnterStreaming();
        using IDisposable third = node.EnterStreaming();

        Assert.Equal((4 << 20, 12 << 20), (node.MirrorShare, node.Streams.BytesPerSecond));
    }

    [Fact]
    public void Without_a_limit_there_is_none()
    {
        NodeBandwidth node = Node(null);
        using IDisposable mirroring = node.EnterMirroring();

        Assert.Null(node.MirrorShare);
        Assert.Null(node.Streams.BytesPerSecond);
    }

    private static NodeBandwidth Node(long? rate) =>
        new(Options.Create(new NodeOptions { BandwidthBytesPerSecond = rate }), new FakeTimeProvider());
}
