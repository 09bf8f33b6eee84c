using System.Security.Cryptography;
using SnapshotApi.Images;

namespace SnapshotApi.Tests.Images;

public sealed class DigestingSinkTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("sha256")]
    [InlineData("sha512")]
    public async Task Digest_is_that_of_the_bytes_that_went_through(string algorithm)
    {
        var inner = new MemorySink();
        using var sink = new DigestingSink(inner, algorithm);

        await sink.WriteAsync(new byte[] { 1, 2, 3 }, Token);
        await sink.WriteZerosAsync(40 * 1024 * 1024, Token);
        await sink.WriteAsync(new byte[] { 4, 5 }, Token);
        Digest digest = sink.Finish();

        byte[] expected = algorithm == "sha256" ? SHA256.HashData(inner.Bytes) : SHA512.HashData(inner.Bytes);
        Assert.Equal((40 * 1024 * 1024) + 5, inner.Bytes.Length);
        Assert.Equal(40 * 1024 * 1024, inner.ZerosBytes);
        Assert.Equal(new Digest(algorithm, Convert.ToHexStringLower(expected)), digest);
    }

    [Fact]
    public void Digest_of_nothing_is_known()
    {
        using var sink = new DigestingSink(new MemorySink(), "sha256");

        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", sink.Finish().Value);
    }

    [Fact]
    public void Unknown_algorithm_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new DigestingSink(new MemorySink(), "md5"));

    [Fact]
    public async Task Failure_of_the_inner_sink_comes_through()
    {
        var failure = new IOException("no space left on device");
        using var sink = new DigestingSink(new ScriptedSink((_, _) => ValueTask.FromException(failure)), "sha256");

        IOException error = await Assert.ThrowsAsync<IOException>(async () => await sink.WriteAsync(new byte[1], Token));

        Assert.Same(failure, error);
    }
}
