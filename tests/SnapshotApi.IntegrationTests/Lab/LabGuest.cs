using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace SnapshotApi.IntegrationTests.Lab;

/// <summary>A real QEMU guest of the lab; disposing removes it and all its files.</summary>
internal sealed partial class LabGuest : IAsyncDisposable
{
    private LabGuest(string name, Guid id, string logPath) => (Name, Id, LogPath) = (name, id, logPath);

    public string Name { get; }

    public Guid Id { get; }

    public string LogPath { get; }

    /// <summary>Everything that the guest has written to its serial line.</summary>
    public string Log => File.Exists(LogPath) ? ReadShared(LogPath) : "";

    /// <summary>The heartbeat's counter; lives in the guest's memory only.</summary>
    public long Heartbeat => Heartbeats() is [.., var last] ? last : 0;

    /// <summary>Makes a guest under a name of its own and waits for <c>DISK OK</c> and its agent (not for one that is off).</summary>
    /// <param name="arguments">Arguments of <c>scripts/lab guest</c>.</param>
    public static async Task<LabGuest> StartAsync(params string[] arguments)
    {
        Requires.LabDirectory();
        string name = $"t{Guid.NewGuid():N}"[..12];
        try
        {
            await LabAsync([name, "--data", "24M", .. arguments]);
        }
        catch
        {
            await Shell.TryAsync(Path.Combine(Shell.Repository, "scripts/lab"), "guest", name, "--remove");
            throw;
        }

        string id = await Shell.RunAsync("virsh", "-c", "qemu:///system", "domuuid", name);
        string log = await LabAsync(name, "--log");
        return new LabGuest(name, Guid.Parse(id.Trim()), log.Trim());
    }

    /// <summary>Boots images as a new guest and returns its verdict: <c>DISK OK</c>, or what is wrong.</summary>
    public static async Task<string> BootAsync(string format, params string[] images)
    {
        string name = $"b{Guid.NewGuid():N}"[..12];
        string lab = Path.Combine(Shell.Repository, "scripts/lab");
        try
        {
            string[] files = [.. images.SelectMany(i => new[] { "--boot-image", i, "--boot-format", format })];
            (_, string output, string error) = await Shell.TryAsync(lab, ["guest", name, .. files]);
            return output.Contains("DISK", StringComparison.Ordinal) ? output.Trim() : $"{output}{error}";
        }
        finally
        {
            await Shell.TryAsync(lab, "guest", name, "--remove");
        }
    }

    /// <summary>Runs virsh on the guest: <c>virsh VERB NAME ARGUMENTS</c>.</summary>
    public Task<string> VirshAsync(string verb, params string[] arguments) =>
        Shell.RunAsync("virsh", ["-c", "qemu:///system", verb, Name, .. arguments]);

    /// <summary>Power state as virsh says it: <c>running</c>, <c>paused</c>, <c>shut off</c>.</summary>
    public async Task<string> StateAsync() => (await VirshAsync("domstate")).Trim();

    /// <summary>
    /// Waits, a minute at most, until libvirt's word for its state is the given one. A guest that shuts down in a backup job is
    /// "in shutdown" for 30 s after its QEMU has ended.
    /// </summary>
    public async Task WaitForStateAsync(string state)
    {
        long began = Stopwatch.GetTimestamp();
        string now;
        while ((now = await StateAsync()) != state)
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(1), $"it is {now}, not {state}");
            await Task.Delay(200, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The definition, with its secrets, as it would survive the guest's process.</summary>
    public Task<string> DefinitionAsync() => VirshAsync("dumpxml", "--inactive", "--security-info");

    /// <summary>Path of a disk's top layer.</summary>
    public async Task<string> DiskPathAsync(string target = "vda")
    {
        XElement source = XElement.Parse(await VirshAsync("dumpxml")).Descendants("disk")
            .First(d => (string?)d.Element("target")?.Attribute("dev") == target).Element("source")!;
        return (string?)source.Attribute("file") ?? (string)source.Attribute("dev")!;
    }

    /// <summary>Asserts that nothing of a snapshot is left on the guest: no block job, no backup job, and it is persistent.</summary>
    public async Task AssertCleanAsync()
    {
        string xml = await VirshAsync("dumpxml");
        Assert.DoesNotContain("<mirror", xml, StringComparison.Ordinal);
        Assert.Contains("yes", (await VirshAsync("dominfo")).Split('\n').First(l => l.StartsWith("Persistent", StringComparison.Ordinal)), StringComparison.Ordinal);
        if (await StateAsync() is "running" or "paused")
        {
            (int code, string backup, string error) = await Shell.TryAsync("virsh", "-c", "qemu:///system", "backup-dumpxml", Name);
            Assert.True(code != 0, $"a backup job is left: {backup}");
            Assert.Contains("no domain backup job", error, StringComparison.Ordinal);
            Assert.Contains("None", await VirshAsync("domjobinfo"), StringComparison.Ordinal);
        }
    }

    /// <summary>Waits until the heartbeat goes on.</summary>
    public async Task AssertBeatingAsync()
    {
        long before = Heartbeat;
        for (int i = 0; i < 200 && Heartbeat <= before; i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        Assert.True(Heartbeat > before, $"the guest does not beat: stuck at {before}");
    }

    /// <summary>All counters, oldest first.</summary>
    public IReadOnlyList<long> Heartbeats() =>
        [.. HeartbeatLine().Matches(Log).Select(m => long.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture))];

    public async ValueTask DisposeAsync() => await LabAsync(Name, "--remove");

    private static Task<string> LabAsync(params string[] arguments) =>
        Shell.RunAsync(Path.Combine(Shell.Repository, "scripts/lab"), ["guest", .. arguments]);

    private static string ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"^HB (\d+) [\d.]+\r?$", RegexOptions.Multiline)]
    private static partial Regex HeartbeatLine();
}
