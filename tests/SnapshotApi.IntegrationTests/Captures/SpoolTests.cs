using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Journal;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>Images that are made in the node's work directory, or after a scan, because their store wants them in order.</summary>
public sealed class SpoolTests
{
    private static readonly ImageSpec[] Prepared =
    [
        new(ImageFormat.Qcow2, Compression.Zstd),
        new(ImageFormat.Qcow2, Sparsify: Sparsify.Always),
        new(ImageFormat.Vmdk),
        new(ImageFormat.Vdi),
        new(ImageFormat.Vhdx),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Timeout = 180_000)]
    public async Task Every_format_reaches_a_store_that_takes_images_in_order()
    {
        await using LabGuest guest = await OffAsync();
        await using NodeUnderTest node = Node();

        foreach (ImageSpec spec in Prepared)
        {
            RecordingObserver seen = await node.SnapshotAsync(guest.Id, Request(spec), Token);

            StoredImage image = Assert.Single(seen.Images);
            await using FileStream file = File.OpenRead(node.ImagePath(image));
            Assert.Equal(image.Digest.Value, Convert.ToHexStringLower(await SHA256.HashDataAsync(file, Token)));
            await Shell.RunAsync(
                "qemu-img", "compare", "-f", ImageFormatNames.NameOf(spec.Format), "-F", "qcow2", node.ImagePath(image), await guest.DiskPathAsync());
            Assert.Contains(SnapshotStep.Preparing, seen.Steps);
            double[] shares = [.. seen.Told.Select(p => p.Share)];
            Assert.Equal(shares.Order(), shares);
            Assert.Equal(1, shares[^1]);
            Assert.Equal(seen.Told.Last().BytesTotal, seen.Told.Last().BytesDone);
            node.AssertNoLeftovers();
        }
    }

    [Theory(Timeout = 180_000)]
    [InlineData("qcow2")]
    [InlineData("vdi")]
    public async Task A_work_directory_that_fills_up_fails_the_job_and_is_left_empty(string format)
    {
        string mount = Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), $"t{Guid.NewGuid():N}"[..8])).FullName;
        await Shell.RunAsync("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", mount);
        try
        {
            await using LabGuest guest = await OffAsync();
            await using NodeUnderTest node = Node(mount);
            string ballast = Path.Combine(mount, "ballast");
            var observer = new RecordingObserver();
            observer.OnAdvanced = _ => Fill(ballast, observer.Steps.Last());

            var e = await Assert.ThrowsAsync<SnapshotException>(
                () => node.SnapshotAsync(guest.Id, Request(SpecOf(format)) with { BandwidthBytesPerSecond = 8 << 20 }, Token, observer));

            Assert.Equal((SnapshotErrorCode.NoSpace, "the node's work directory has no space left for the image"), (e.Code, e.Message));
            Assert.True(File.Exists(ballast));
            node.AssertNoLeftovers();
            Assert.False(Directory.Exists(node.StoreDirectory) && Directory.EnumerateFiles(node.StoreDirectory).Any());
        }
        finally
        {
            await Shell.RunAsync("umount", mount);
            Directory.Delete(mount);
        }
    }

    [Fact(Timeout = 180_000)]
    public async Task A_work_directory_without_room_is_told_before_anything_is_read()
    {
        await using LabGuest guest = await OffAsync();
        NodeOptions? options = null;
        await using NodeUnderTest node = Node(configure: o => options = o);

        // The capture has its own look at the space before.
        var observer = new RecordingObserver
        {
            OnStep = step => options!.ReservedBytes = step == SnapshotStep.Measuring ? 1L << 40 : options.ReservedBytes,
        };

        var e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(guest.Id, Request(Prepared[0]), Token, observer));

        Assert.Equal(SnapshotErrorCode.NoSpace, e.Code);
        Assert.StartsWith("the image needs ", e.Message, StringComparison.Ordinal);
        node.AssertNoLeftovers();
    }

    [Theory(Timeout = 180_000)]
    [InlineData("qcow2", true)]
    [InlineData("qcow2", false)]
    [InlineData("vmdk", true)]
    [InlineData("vmdk", false)]
    public async Task Cancelling_in_the_middle_leaves_nothing(string format, bool isSpooled)
    {
        await using LabGuest guest = await OffAsync();
        await using NodeUnderTest node = isSpooled ? Node() : new NodeUnderTest();
        using var cancel = new CancellationTokenSource();
        var observer = new RecordingObserver();
        observer.OnAdvanced = _ => CancelDuring(isSpooled ? SnapshotStep.Preparing : SnapshotStep.Uploading);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => node.SnapshotAsync(guest.Id, Request(SpecOf(format)) with { BandwidthBytesPerSecond = 8 << 20 }, cancel.Token, observer));

        Assert.True(cancel.IsCancellationRequested);
        Assert.DoesNotContain(SnapshotStep.Publishing, observer.Steps);
        node.AssertNoLeftovers();
        Assert.False(Directory.Exists(node.StoreDirectory) && Directory.EnumerateFiles(node.StoreDirectory).Any());

        void CancelDuring(SnapshotStep step)
        {
            if (observer.Steps.Last() == step)
            {
                cancel.Cancel();
            }
        }
    }

    [Fact(Timeout = 180_000)]
    public async Task A_backup_that_could_not_be_ended_when_its_spool_was_full_is_ended_beside_the_upload()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--data", "24M");
        await using NodeUnderTest node = Node(replace: services => services.Replace(
            ServiceDescriptor.Singleton<IUndoExecutor>(p => new FailingOnce(ActivatorUtilities.CreateInstance<UndoExecutor>(p)))));
        var jobs = new List<string>();
        var observer = new RecordingObserver();
        observer.OnStep = step =>
        {
            for (int i = 0; i < 60 && step == SnapshotStep.Uploading && (jobs.Count == 0 || jobs[^1].Contains("Backup", StringComparison.Ordinal)); i++)
            {
                jobs.Add(guest.VirshAsync("domjobinfo").GetAwaiter().GetResult());
                Token.WaitHandle.WaitOne(500);
            }
        };

        RecordingObserver seen = await node.SnapshotAsync(
            guest.Id, Request(Prepared[0]) with { Mode = SnapshotMode.Backup }, Token, observer);

        Assert.Contains("Backup", jobs[0], StringComparison.Ordinal);
        Assert.Contains("None", jobs[^1], StringComparison.Ordinal);
        Assert.Single(seen.Images);
        Assert.DoesNotContain(seen.Warnings, w => w.Contains("could not be done", StringComparison.Ordinal));
        node.AssertNoLeftovers();
        await guest.AssertCleanAsync();
    }

    private static Task<LabGuest> OffAsync() => LabGuest.StartAsync("--disk-size", "256M", "--data", "24M", "--off");

    private static NodeUnderTest Node(
        string? workDirectory = null, Action<NodeOptions>? configure = null, Action<IServiceCollection>? replace = null) => new(
        workDirectory,
        options =>
        {
            options.ReservedBytes = 8 << 20;
            configure?.Invoke(options);
        },
        replace: services =>
        {
            services.Replace(ServiceDescriptor.Singleton<IImageStore>(
                provider => new OrderedStore(provider.GetRequiredService<DirectoryStore>())));
            replace?.Invoke(services);
        });

    private static ImageSpec SpecOf(string format) =>
        format == "qcow2" ? Prepared[0] : new ImageSpec(ImageFormatNames.Find(format)!.Value);

    private static SnapshotRequest Request(ImageSpec spec) => new("spooled")
    {
        Format = spec.Format,
        Compression = spec.Compression,
        Sparsify = spec.Sparsify,
    };

    /// <summary>A libvirt that does not end the backup when it is asked for the first time.</summary>
    private sealed class FailingOnce(UndoExecutor inner) : IUndoExecutor
    {
        private bool _hasFailed;

        public Task UndoAsync(UndoAction action, CancellationToken cancellationToken)
        {
            if (action is EndBackup && !_hasFailed)
            {
                _hasFailed = true;
                throw new SnapshotException(SnapshotErrorCode.HypervisorUnavailable, "libvirt does not answer");
            }

            return inner.UndoAsync(action, cancellationToken);
        }
    }

    private static void Fill(string path, SnapshotStep step)
    {
        if (step == SnapshotStep.Preparing && !File.Exists(path))
        {
            long free = new DriveInfo(Path.GetDirectoryName(path)!).AvailableFreeSpace;
            File.WriteAllBytes(path, new byte[Math.Max(free - (6 << 20), 0)]);
        }
    }
}
