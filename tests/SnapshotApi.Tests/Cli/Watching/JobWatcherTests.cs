using Microsoft.AspNetCore.Http;
using SnapshotApi.Cli;

namespace SnapshotApi.Tests.Cli.Watching;

public sealed class JobWatcherTests
{
    private const string Get = $"GET /jobs/{Samples.JobId}";

    [Fact]
    public async Task A_service_that_restarts_is_waited_for()
    {
        await using FakeService service = await FakeService.StartAsync();
        int call = 0;
        service.On(Get, async context =>
        {
            switch (++call)
            {
                case 1:
                    await context.Response.WriteAsync(Samples.Job());
                    break;
                case 2:
                    context.Abort();
                    break;
                case 3:
                    context.Response.StatusCode = 503;
                    break;
                default:
                    await context.Response.WriteAsync(Samples.Job("succeeded", "finished", 100));
                    break;
            }
        });

        CliRun run = await CliRun.OfAsync(service, "job", Samples.JobId, "--wait");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Single(run.Error.Split('\n'), line => line.StartsWith("waiting for the service", StringComparison.Ordinal));
        Assert.Contains("succeeded: 100%", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Patience_ends_with_the_time_out()
    {
        await using FakeService service = await FakeService.StartAsync();
        service.On(Get, "{}", status: 503);

        CliRun run = await CliRun.OfAsync(service, "--timeout", "5", "job", Samples.JobId, "--wait");

        Assert.Equal(ExitCode.Unavailable, run.ExitCode);
        Assert.InRange(service.Requests.Count, 2, 7);
    }

    [Fact]
    public async Task A_job_that_is_gone_is_not_waited_for()
    {
        await using FakeService service = await FakeService.StartAsync();

        CliRun run = await CliRun.OfAsync(service, "job", Samples.JobId, "--wait");

        Assert.Equal(ExitCode.NotFound, run.ExitCode);
        Assert.Single(service.Requests);
    }
}
