using SnapshotApi.Nbd;

namespace SnapshotApi.Tests.Nbd;

public sealed class NbdBufferTests
{
    private const int PageBytes = 4096;

    [Theory]
    [InlineData(1)]
    [InlineData(PageBytes)]
    [InlineData((1 << 20) + 1)]
    public unsafe void Buffer_begins_at_a_page_and_can_be_written_to_its_end(int lengthBytes)
    {
        using IDisposable owner = Make(lengthBytes, out NbdBuffer buffer);

        buffer.GetSpan().Fill(0xA5);

        Assert.Equal(lengthBytes, buffer.GetSpan().Length);
        Assert.Equal(lengthBytes, buffer.GetSpan().Count((byte)0xA5));
        using System.Buffers.MemoryHandle handle = buffer.Pin();
        Assert.Equal(0, (nint)handle.Pointer % PageBytes);
    }

    [Fact]
    public void Disposed_buffer_refuses_and_may_be_disposed_again()
    {
        IDisposable owner = Make(PageBytes, out NbdBuffer buffer);

        owner.Dispose();
        owner.Dispose();

        Assert.Throws<ObjectDisposedException>(() => buffer.GetSpan().Length);
    }

    private static NbdBuffer Make(int lengthBytes, out NbdBuffer buffer) => buffer = new NbdBuffer(lengthBytes);
}
