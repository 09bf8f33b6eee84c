using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using SnapshotApi.Errors;
using SnapshotApi.Tests.Nbd;
using SnapshotApi.Tools;

namespace SnapshotApi.Tests.Tools;

public sealed class ChildProcessTests : IDisposable
{
    private static readonly ChildLimits Limits = new(1L << 30, 10, MayWriteFiles: true, FileSizeBytes: 4096);

    private readonly ScratchDirectory _directory = new();
    private readonly ChildProcess _children = new(NullLogger<ChildProcess>.Instance);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _children.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task The_kernel_kills_a_child_when_what_started_it_is_gone()
    {
        await using RunningChild child = await SleepAsync();
        int processId = await ReadProcessIdAsync();
        using Process process = Process.GetProcessById(processId);

        _children.Dispose();

        await process.WaitForExitAsync(Token);
        Assert.True(child.HasExited || await EndsAsync(child));
    }

    [Fact]
    public async Task A_child_outlives_the_thread_that_asked_for_it()
    {
        RunningChild? started = null;
        var thread = new Thread(() => started = SleepAsync().GetAwaiter().GetResult());
        thread.Start();
        thread.Join();
        await using RunningChild child = started!;
        await ReadProcessIdAsync();

        // Were the signal to come, it would have come before the next child has run.
        await _children.RunAsync("true", [], Limits, Token);

        Assert.False(child.HasExited);
    }

    [Fact]
    public async Task A_child_has_a_session_of_its_own_and_limits()
    {
        string stat = await _children.ReadAsync("cat", ["/proc/self/stat", "/proc/self/limits"], Limits, Token);

        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        Assert.Equal(stat.Split(' ')[0], fields[3]);
        Assert.Matches(@"Max file size +4096 +4096", stat);
        Assert.Matches(@"Max address space +1073741824 +1073741824", stat);
        Assert.Matches(@"Max cpu time +10 +10", stat);
    }

    [Fact]
    public async Task A_tool_that_is_not_there_has_failed()
    {
        var e = await Assert.ThrowsAsync<SnapshotException>(
            () => _children.RunAsync("no-such-tool", [], Limits, Token));

        Assert.Equal(SnapshotErrorCode.ToolFailed, e.Code);
    }

    [Theory]
    [InlineData("error while writing at byte 0: No space left on device", true)]
    [InlineData("error while writing at byte 0: Input/output error", false)]
    public async Task A_tool_that_finds_no_space_says_so(string said, bool isNoSpace)
    {
        var e = await Assert.ThrowsAsync<SnapshotException>(
            () => _children.RunAsync("sh", ["-c", "echo \"qemu-img: $0\" >&2; exit 1", said], Limits, Token));

        Assert.Equal(isNoSpace ? SnapshotErrorCode.NoSpace : SnapshotErrorCode.ToolFailed, e.Code);
    }

    private static async Task<bool> EndsAsync(RunningChild child)
    {
        var e = await Assert.ThrowsAsync<SnapshotException>(child.WaitAsync);
        return e.Code == SnapshotErrorCode.ToolFailed;
    }

    private Task<RunningChild> SleepAsync() => _children.StartAsync(
        "sh",
        [
            "-c", $"echo $$ >{_directory.FullPath}/new; mv {_directory.FullPath}/new {_directory.FullPath}/pid; exec "
                + "sleep 300",
        ],
        Limits,
        CancellationToken.None);

    private async Task<int> ReadProcessIdAsync()
    {
        string path = Path.Combine(_directory.FullPath, "pid");
        while (!File.Exists(path))
        {
            await Task.Delay(5, Token);
        }

        return int.Parse(await File.ReadAllTextAsync(path, Token), CultureInfo.InvariantCulture);
    }
}
