using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using SnapshotApi.Cli;

namespace SnapshotApi.Tests.Cli;

public sealed class ProgramTests
{
    [Fact]
    public async Task SIGTERM_has_its_own_exit_status_and_leaves_the_job_alone()
    {
        await using FakeService service = await FakeService.StartAsync();
        var polled = new TaskCompletionSource();
        service.On($"GET /jobs/{Samples.JobId}", async context =>
        {
            if (context.Request.QueryString.HasValue)
            {
                polled.TrySetResult();
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            }

            (context.Response.ContentType, context.Response.Headers.ETag) = ("application/json", "\"2\"");
            await context.Response.WriteAsync(Samples.Job());
        });
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "snapshotctl"))
        {
            ArgumentList = { "--url", service.Url, "job", Samples.JobId, "--wait" },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        using Process process = Process.Start(start)!;
        await polled.Task.WaitAsync(TestContext.Current.CancellationToken);
        using Process kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        string error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Terminated, process.ExitCode);
        Assert.Contains("goes on", error, StringComparison.Ordinal);
        Assert.All(service.Requests, r => Assert.StartsWith("GET ", r.Call, StringComparison.Ordinal));
    }
}
