using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests;

public sealed class StartupTests
{
    /// <summary>Otherwise systemd takes it for an end that was wanted, and nobody undoes what a journal holds.</summary>
    [Fact]
    public async Task A_part_that_fails_fails_the_process() => Assert.Equal(1, await RunAsync(_ => throw new IOException("the disk is gone")));

    [Fact]
    public async Task A_process_that_is_told_to_end_has_not_failed() => Assert.Equal(0, await RunAsync(lifetime => lifetime.StopApplication()));

    private static async Task<int> RunAsync(Action<IHostApplicationLifetime> work)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(work).AddHostedService<Part>();
        return await Startup.RunAsync(builder.Build(), ServiceRole.Api);
    }

    private sealed class Part(Action<IHostApplicationLifetime> work, IHostApplicationLifetime lifetime) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await Task.Yield();
            work(lifetime);
        }
    }
}
