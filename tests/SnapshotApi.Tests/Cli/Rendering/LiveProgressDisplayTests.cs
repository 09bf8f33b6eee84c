using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Tests.Cli.Rendering;

public sealed class LiveProgressDisplayTests
{
    [Fact]
    public async Task Each_disk_has_a_bar_with_percent_bytes_rate_and_time_left()
    {
        using var error = new StringWriter();
        var display = new LiveProgressDisplay(Consoles.Of(error, 120, color: false));

        int result = await display.RunAsync(show =>
        {
            show(new ProgressFrame("snap [1] of web-1: running, uploading", "p",
            [
                new ProgressRow("total", 3 << 20, 4 << 20, 75, 1 << 20, TimeSpan.FromSeconds(61)),
                new ProgressRow("vda", 1 << 20, 2 << 20, 50, null, null),
                new ProgressRow("v\u001bb", null, null, null, null, null),
            ]));
            return Task.FromResult(7);
        });

        string text = error.ToString();
        Assert.Equal(7, result);
        Assert.Contains("snap [1] of web-1: running, uploading", text, StringComparison.Ordinal);
        Assert.Matches("total +━{18}─{6} +75% +3\\.0 MiB / 4\\.0 MiB +1\\.0 MiB/s +1:01 left", text);
        Assert.Matches("vda +━{12}─{12} +50%", text);
        Assert.Contains("v\\x1bb", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failure_of_the_work_comes_through_and_the_cursor_is_shown_again()
    {
        using var error = new StringWriter();
        var display = new LiveProgressDisplay(Consoles.Of(error, 80, color: true));

        await Assert.ThrowsAsync<InvalidOperationException>(
            () => display.RunAsync<int>(_ => throw new InvalidOperationException("work failed")));

        Assert.EndsWith("\u001b[?25h", error.ToString().TrimEnd(), StringComparison.Ordinal);
    }
}
