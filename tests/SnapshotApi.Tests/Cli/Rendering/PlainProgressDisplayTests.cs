using Microsoft.Extensions.Time.Testing;
using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Tests.Cli.Rendering;

public sealed class PlainProgressDisplayTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly StringWriter _error = new();

    public void Dispose() => _error.Dispose();

    [Fact]
    public async Task Lines_come_at_most_once_in_five_seconds_and_only_when_the_percentage_moved()
    {
        await new PlainProgressDisplay(_error, _time).RunAsync(show =>
        {
            show(Frame("uploading", 1));
            for (int second = 1; second <= 20; second++)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                show(Frame("uploading", second < 12 ? second : 12));
            }

            return Task.FromResult(true);
        });

        Assert.Equal(["uploading: 1%", "uploading: 5%", "uploading: 10%", "uploading: 12%"], Lines());
    }

    [Fact]
    public async Task A_new_phase_and_the_end_have_a_line_each()
    {
        await new PlainProgressDisplay(_error, _time).RunAsync(show =>
        {
            show(Frame("planning", 0));
            show(Frame("uploading", 0));
            show(Frame("uploading", 99));
            return Task.FromResult(true);
        });

        Assert.Equal(["planning: 0%", "uploading: 0%", "uploading: 99%"], Lines());
    }

    [Fact]
    public async Task A_line_holds_bytes_rate_and_time_left_and_no_control_characters()
    {
        var row = new ProgressRow("total", 1 << 20, 4 << 20, 25, 1 << 20, TimeSpan.FromSeconds(3));

        await new PlainProgressDisplay(_error, _time).RunAsync(show =>
        {
            show(new ProgressFrame("copy of \u001b[2Jweb", "uploading", [row]));
            return Task.FromResult(true);
        });

        Assert.Equal(["copy of \\x1b[2Jweb: 25%, 1.0 MiB / 4.0 MiB, 1.0 MiB/s, 0:03 left"], Lines());
    }

    private static ProgressFrame Frame(string phase, double percent) =>
        new(phase, phase, [new ProgressRow("total", null, null, percent, null, null)]);

    private string[] Lines() => _error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
