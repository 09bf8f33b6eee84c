using System.Globalization;
using SnapshotApi.Captures;
using SnapshotApi.Errors;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>All disks of a job have one instant; what is no hard disk is left out.</summary>
public sealed class OneInstantTests
{
    // For whoever wants to be surer: SNAPSHOTAPI_TEST_ROUNDS=20.
    private static readonly int Rounds =
        int.Parse(Environment.GetEnvironmentVariable("SNAPSHOTAPI_TEST_ROUNDS") ?? "3", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Numbers_that_a_guest_writes_to_two_disks_in_turn_differ_by_one_at_most_in_the_images()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--disks", "2", "--pair");
        await using var node = new NodeUnderTest();
        long before = 0;
        foreach (SnapshotMode mode in new[] { SnapshotMode.Backup, SnapshotMode.Mirror, SnapshotMode.Cold })
        {
            for (int round = 0; round < Rounds; round++)
            {
                await WaitForPairAsync(guest, before + 1);
                RecordingObserver seen = await node.SnapshotAsync(
                    guest.Id,
                    new SnapshotRequest("pair") { Mode = mode, Disks = ["all"], Quiesce = round % 3 == 2 ? QuiesceMode.Required : QuiesceMode.Never },
                    TestContext.Current.CancellationToken);

                Assert.Equal(mode.ToString(), seen.Plan!.Capture.ToString());
                long[] numbers = [.. seen.Images.Select(i => NumberIn(node.ImagePath(i)))];
                TestContext.Current.TestOutputHelper?.WriteLine($"{mode} {round}: {numbers[0]} {numbers[1]}");
                Assert.InRange(numbers[0] - numbers[1], 0, 1);
                Assert.True(numbers[1] > before, $"{mode} {round}: {numbers[1]} after {before}");
                before = numbers[0];
                seen.Images.ForEach(i => File.Delete(node.ImagePath(i)));
            }
        }

        Assert.DoesNotContain("WRITE ERROR", guest.Log, StringComparison.Ordinal);
        await guest.AssertCleanAsync();
        node.AssertNoLeftovers();
    }

    [Fact(Timeout = 240_000)]
    public async Task Drives_that_are_no_hard_disks_are_left_out_with_a_note_and_refused_by_name()
    {
        await using LabGuest guest = await LabGuest.StartAsync("--disk-size", "256M", "--off");
        string iso = Path.Combine(Path.GetDirectoryName(await guest.DiskPathAsync())!, "media.iso");
        await File.WriteAllBytesAsync(iso, new byte[1 << 20], TestContext.Current.CancellationToken);
        await guest.VirshAsync("attach-disk", iso, "sda", "--type", "cdrom", "--targetbus", "sata", "--config");
        await guest.VirshAsync("attach-disk", "", "sdb", "--type", "cdrom", "--targetbus", "sata", "--config");
        await guest.VirshAsync("start");
        for (int i = 0; i < 1200 && guest.Heartbeat == 0; i++)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        await using var node = new NodeUnderTest();
        foreach (SnapshotMode mode in new[] { SnapshotMode.Backup, SnapshotMode.Mirror, SnapshotMode.Cold })
        {
            RecordingObserver seen = await node.SnapshotAsync(
                guest.Id, new SnapshotRequest("all") { Mode = mode, Disks = ["all"] }, TestContext.Current.CancellationToken);

            Assert.Equal("vda", Assert.Single(seen.Plan!.Disks).Target);
            Assert.Equal(
                ["sda (cdrom) left out: not a hard disk with a source", "sdb (cdrom) left out: not a hard disk with a source"], seen.Plan.Notes);
            Assert.Single(seen.Images);
        }

        SnapshotException e = await Assert.ThrowsAsync<SnapshotException>(() => node.SnapshotAsync(
            guest.Id, new SnapshotRequest("x") { Disks = ["sda"] }, TestContext.Current.CancellationToken));
        Assert.Equal((SnapshotErrorCode.UnsupportedDisk, "disk sda is a cdrom or has no source"), (e.Code, e.Message));
        await guest.AssertCleanAsync();
        node.AssertNoLeftovers();
    }

    private static async Task WaitForPairAsync(LabGuest guest, long number)
    {
        for (int i = 0; i < 1200; i++)
        {
            string? last = guest.Log.Split('\n').LastOrDefault(l => l.StartsWith("PAIR ", StringComparison.Ordinal) && l.EndsWith('\r'));
            if (last is not null && long.Parse(last[5..].Trim(), CultureInfo.InvariantCulture) > number)
            {
                return;
            }

            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        Assert.Fail($"the guest has not written number {number} within two minutes");
    }

    // The guest overwrites its number in place: an image has it once.
    private static long NumberIn(string path)
    {
        ReadOnlySpan<byte> image = File.ReadAllBytes(path);
        ReadOnlySpan<byte> mark = "LAB-PAIR-"u8;
        int at = image.IndexOf(mark);
        Assert.True(at >= 0, "the image has no number");
        ReadOnlySpan<byte> rest = image[(at + mark.Length)..];
        Assert.True(rest.IndexOf(mark) < 0, "the image has two numbers");
        return long.Parse(rest[..12], CultureInfo.InvariantCulture);
    }
}
