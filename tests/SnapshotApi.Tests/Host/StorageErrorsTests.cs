using System.ComponentModel;
using SnapshotApi.Errors;
using SnapshotApi.Host;

namespace SnapshotApi.Tests.Host;

public sealed class StorageErrorsTests
{
    [Theory]
    [InlineData(28, "NoSpace", "the store is full")]
    [InlineData(122, "NoSpace", "the store is full: its quota is used up")]
    [InlineData(27, "StoreFailed", "it can't be written: no file may be so large there")]
    [InlineData(30, "StoreFailed", "it can't be written: its file system is read-only")]
    [InlineData(13, "StoreFailed", "it can't be written: permission denied")]
    [InlineData(5, "StoreFailed", "it can't be written: input/output error")]
    [InlineData(9999, "StoreFailed", "it can't be written")]
    public void An_error_number_becomes_an_error_with_its_place(int errno, string code, string message)
    {
        Exception[] forms =
        [
            new IOException("x", errno), new IOException("x", new Win32Exception(errno)),
            new UnauthorizedAccessException("x", new IOException("x", errno)),
        ];

        foreach (Exception form in forms)
        {
            SnapshotException e = StorageErrors.Translate(
                form, "the store", "it can't be written", SnapshotErrorCode.StoreFailed);

            Assert.Equal((code, message), (e.Code.ToString(), e.Message));
        }
    }

    [Fact]
    public void A_mistake_of_ours_is_none()
    {
        Assert.False(StorageErrors.IsOne(new InvalidOperationException()));
        Assert.False(StorageErrors.IsOne(new ArgumentOutOfRangeException("count")));
    }
}
