using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.Journal;
using SnapshotApi.Stores;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Stores;

/// <summary>A store that shares its file system with the scratch files of running backups.</summary>
public sealed class DirectoryStoreTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory().FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task On_the_work_directorys_file_system_an_image_leaves_the_reserve()
    {
        DirectoryStore store = Store(_root, 1L << 50);
        using JobJournal journal = Journal();

        foreach (ImageFormat format in Enum.GetValues<ImageFormat>())
        {
            var e = await Assert.ThrowsAsync<SnapshotException>(() => store.BeginAsync(Image(format), journal, Token));

            Assert.Equal(SnapshotErrorCode.NoSpace, e.Code);
            Assert.StartsWith("the image needs ", e.Message, StringComparison.Ordinal);
            Assert.Contains(" in the directory store, ", e.Message, StringComparison.Ordinal);
        }

        Assert.Equal(SnapshotErrorCode.NoSpace, (await Assert.ThrowsAsync<SnapshotException>(() => store.PrepareAsync(Token))).Code);
        Assert.False(journal.HasPending);
    }

    [Fact]
    public async Task On_the_work_directorys_file_system_an_upload_is_watched()
    {
        using JobJournal journal = Journal();

        await using IImageUpload upload = await Store(_root, 1 << 20).BeginAsync(Image(ImageFormat.Raw), journal, Token);

        Assert.Equal((1 << 20) + (1 << 19), upload.Space?.KeptBytes);
    }

    [Fact]
    public async Task On_a_file_system_of_its_own_there_is_no_reserve()
    {
        string other = Directory.CreateDirectory(Path.Combine("/dev/shm", Path.GetRandomFileName())).FullName;
        try
        {
            using JobJournal journal = Journal();

            await using IImageUpload upload = await Store(other, 1L << 50).BeginAsync(Image(ImageFormat.Qcow2), journal, Token);

            Assert.Null(upload.Space);
        }
        finally
        {
            Directory.Delete(other, recursive: true);
        }
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private DirectoryStore Store(string workDirectory, long reservedBytes) => new(
        Options.Create(new StoresOptions { Directory = { Path = Path.Combine(_root, "images") } }),
        Options.Create(new NodeOptions { WorkDirectory = workDirectory, ReservedBytes = reservedBytes }));

    private JobJournal Journal() => JobJournal.Create(
        Path.Combine(_root, "journal"), new JournalHeader(Guid.NewGuid(), Guid.NewGuid(), 1, 1), new FakeUndoExecutor(), TimeProvider.System, NullLogger.Instance);

    private static ImageDescription Image(ImageFormat format) =>
        new(Guid.NewGuid(), "web", format, 1 << 20, 1 << 20, new Dictionary<string, string>());
}
