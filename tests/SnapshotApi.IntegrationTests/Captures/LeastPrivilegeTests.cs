using System.Globalization;
using SnapshotApi.Images;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.Snapshots;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>What parses a guest's disk for us has as few rights as that disk allows, and reads it truly.</summary>
public sealed class LeastPrivilegeTests
{
    private const string QemuUser = "64055";
    private const string Nobody = "65534";
    private const string ReadsAll = "0000000000000004";
    private const string None = "0000000000000000";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Whoever owns the disks of a guest that is off, at most reading is added to nobody's rights.</summary>
    [Theory(Timeout = 180_000)]
    [InlineData("root", "0600", ReadsAll)]
    [InlineData("libvirt-qemu", "0600", ReadsAll)]
    [InlineData("root", "0644", None)]
    public async Task The_disk_of_a_guest_that_is_off(string owner, string mode, string capabilities)
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        await DefinedGuest.CreateImageAsync(guest.File("base"), pattern: 7);
        await DefinedGuest.CreateImageAsync(guest.File("top"), guest.File("base"), "qcow2");
        foreach (string file in new[] { "base", "top" })
        {
            await Shell.RunAsync("chown", owner, guest.File(file));
            await Shell.RunAsync("chmod", mode, guest.File(file));
        }

        await guest.DefineFileAsync(guest.File("top"));

        Child child = await CaptureAsync(guest.Id, SnapshotMode.Cold, pattern: 7);

        Assert.Equal((Nobody, capabilities, "LANG PATH"), (child.User, child.Capabilities, child.Environment));
    }

    [Fact(Timeout = 180_000)]
    public async Task A_block_device()
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        string device = await guest.LoopAsync("base", mebibytes: 1);
        await Shell.RunAsync("qemu-io", "-f", "raw", "-c", "write -P 7 0 64k", device);
        await DefinedGuest.CreateImageAsync(guest.File("top"), device, "raw");
        await guest.DefineFileAsync(guest.File("top"));

        Child child = await CaptureAsync(guest.Id, SnapshotMode.Cold, pattern: 7);

        Assert.Equal((Nobody, ReadsAll, "LANG PATH"), (child.User, child.Capabilities, child.Environment));
    }

    /// <summary>QEMU's own user reads what QEMU reads, without any capability.</summary>
    [Theory(Timeout = 180_000)]
    [InlineData(nameof(SnapshotMode.Cold))]
    [InlineData(nameof(SnapshotMode.Mirror))]
    public async Task The_disk_of_a_running_guest(string mode)
    {
        await using DefinedGuest guest = DefinedGuest.Create();
        await DefinedGuest.CreateImageAsync(guest.File("base"), pattern: 7);
        await DefinedGuest.CreateImageAsync(guest.File("top"), guest.File("base"), "qcow2");
        await guest.DefineFileAsync(guest.File("top"));
        await Shell.RunAsync("virsh", "-c", "qemu:///system", "start", guest.Name);

        Child child = await CaptureAsync(guest.Id, Enum.Parse<SnapshotMode>(mode), pattern: 7);

        Assert.Equal((QemuUser, None, "LANG PATH"), (child.User, child.Capabilities, child.Environment));
    }

    // Looks at the qemu-nbd that serves the disk while its image is written.
    private static async Task<Child> CaptureAsync(Guid serverId, SnapshotMode mode, int pattern)
    {
        await using var node = new NodeUnderTest();
        Child? child = null;
        var observer = new RecordingObserver();
        observer.OnStep = step => child ??= step == SnapshotStep.Uploading ? Find(node.WorkDirectory) : null;

        await node.SnapshotAsync(
            serverId, new SnapshotRequest("least") { Mode = mode, Format = ImageFormat.Qcow2 }, Token, observer);

        string image = node.ImagePath(Assert.Single(observer.Images));
        string read = await Shell.RunAsync("qemu-io", "-f", "qcow2", "-r", "-c", $"read -P {pattern} 0 64k", image);
        Assert.DoesNotContain("failed", read, StringComparison.Ordinal);
        node.AssertNoLeftovers();
        return Assert.IsType<Child>(child);
    }

    private static Child? Find(string workDirectory)
    {
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out _))
            {
                continue;
            }

            try
            {
                string[] arguments = File.ReadAllText($"{directory}/cmdline").Split('\0');
                if (arguments[0] != "qemu-nbd"
                    || !arguments.Any(a => a.StartsWith($"--socket={workDirectory}/", StringComparison.Ordinal)))
                {
                    continue;
                }

                string[] status = File.ReadAllLines($"{directory}/status");
                string Of(string name) => status.Single(l => l.StartsWith(name, StringComparison.Ordinal)).Split('\t')[1];
                return new Child(
                    Of("Uid:"), Of("CapEff:"),
                    string.Join(' ', File.ReadAllText($"{directory}/environ")
                        .Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=')[0]).Order()));
            }
            catch (IOException)
            {
                // It ended while we looked.
            }
        }

        return null;
    }

    private sealed record Child(string User, string Capabilities, string Environment);
}
