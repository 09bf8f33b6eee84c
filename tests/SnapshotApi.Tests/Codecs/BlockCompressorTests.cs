using System.IO.Compression;
using System.Security.Cryptography;
using SnapshotApi.Codecs;

namespace SnapshotApi.Tests.Codecs;

public sealed class BlockCompressorTests
{
    private const int BlockBytes = 64 * 1024;

    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(9)]
    public void Deflated_blocks_inflate_again_each_for_itself(int level)
    {
        using var compressor = new RawDeflateCompressor(level);
        byte[] output = new byte[BlockBytes];

        foreach (int seed in new[] { 1, 2, 3 })
        {
            byte[] block = Text(seed);
            Assert.True(compressor.TryCompress(block, output, out int length));
            Assert.InRange(length, 1, BlockBytes / 2);
            Assert.Equal(block, Inflate(output.AsSpan(0, length).ToArray()));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(19)]
    public void Zstd_frames_carry_magic_and_size(int level)
    {
        using var compressor = new ZstdCompressor(level);
        byte[] output = new byte[BlockBytes];

        Assert.True(compressor.TryCompress(Text(1), output, out int length));

        Assert.InRange(length, 1, BlockBytes / 2);
        Assert.Equal([0x28, 0xb5, 0x2f, 0xfd], output[..4]);
        // Frame header descriptor: single segment, 2 bytes of content size (RFC 8878, 3.1.1.1), counted from 256.
        Assert.Equal(0x60, output[4]);
        Assert.Equal(BlockBytes - 256, BitConverter.ToUInt16(output, 5));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_does_not_fit_is_told_and_spoils_nothing_that_follows(bool isZstd)
    {
        using BlockCompressor compressor = isZstd ? new ZstdCompressor(3) : new RawDeflateCompressor(6);
        byte[] random = RandomNumberGenerator.GetBytes(BlockBytes);
        byte[] before = new byte[BlockBytes];
        byte[] after = new byte[BlockBytes];
        Assert.True(compressor.TryCompress(Text(1), before, out int lengthBefore));

        Assert.False(compressor.TryCompress(random, new byte[BlockBytes - 1], out int lengthOfRandom));
        Assert.False(compressor.TryCompress(Text(1), new byte[10], out int lengthOfTooLong));
        Assert.Equal((0, 0), (lengthOfRandom, lengthOfTooLong));

        Assert.True(compressor.TryCompress(Text(1), after, out int lengthAfter));
        Assert.Equal(before.AsSpan(0, lengthBefore), after.AsSpan(0, lengthAfter));
    }

    [Fact]
    public void Levels_out_of_range_and_use_after_disposal_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new ZstdCompressor(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ZstdCompressor(20));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RawDeflateCompressor(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RawDeflateCompressor(10));
        var zstd = new ZstdCompressor(1);
        var deflate = new RawDeflateCompressor(1);
        zstd.Dispose();
        deflate.Dispose();

        Assert.Throws<ObjectDisposedException>(() => zstd.TryCompress([1], new byte[100], out _));
        Assert.Throws<ObjectDisposedException>(() => deflate.TryCompress([1], new byte[100], out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ZstdCompressor(1).TryCompress([], new byte[100], out _));
    }

    private static byte[] Text(int seed)
    {
        string[] words = ["disk", "image", "cluster", "guest", "node", "journal"];
        var random = new Random(seed);
        string text = string.Join(' ', Enumerable.Range(0, BlockBytes).Select(_ => words[random.Next(words.Length)]));
        return System.Text.Encoding.ASCII.GetBytes(text[..BlockBytes]);
    }

    private static byte[] Inflate(byte[] deflated)
    {
        using var stream = new DeflateStream(new MemoryStream(deflated), CompressionMode.Decompress);
        using var inflated = new MemoryStream();
        stream.CopyTo(inflated);
        return inflated.ToArray();
    }
}
