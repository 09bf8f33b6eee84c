using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests;

public sealed class StartupTests
{
    /// <summary>Otherwise systemd does not restart the service, and nobody undoes what a journal holds.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_part_that_fails_fails_the_process(bool isStarting) =>
        Assert.Equal(1, await RunAsync(isStarting, _ => throw new IOException("the disk is gone")));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_process_that_is_told_to_end_has_not_failed(bool isStarting) =>
        Assert.Equal(0, await RunAsync(isStarting, lifetime => lifetime.StopApplication()));

    private static async Task<int> RunAsync(bool isStarting, Action<IHostApplicationLifetime> work)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(work).AddHostedService<Part>();
        if (isStarting)
        {
            builder.Services.AddSingleton<SlowPart>().AddHostedService(
                provider => provider.GetRequiredService<SlowPart>());
        }

        return await Startup.RunAsync(builder.Build(), ServiceRole.Api);
    }

    /// <summary>Does its work once the process has started, or is held up in that.</summary>
    private sealed class Part(
        Action<IHostApplicationLifetime> work, IHostApplicationLifetime lifetime, IServiceProvider services)
        : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            CancellationToken moment = services.GetService<SlowPart>()?.Reached ?? lifetime.ApplicationStarted;
            await Task.Delay(Timeout.Infinite, moment).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            work(lifetime);
        }
    }

    /// <summary>Holds up the start of what comes after it, until that is given up.</summary>
    private sealed class SlowPart : IHostedService, IDisposable
    {
        private readonly CancellationTokenSource _reached = new();

        public CancellationToken Reached => _reached.Token;

        public async Task StartAsync(CancellationToken cancellationToken)
        {
            await _reached.CancelAsync();
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose() => _reached.Dispose();
    }
}
