using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using SnapshotApi.Configuration;
using SnapshotApi.Hypervisor;
using SnapshotApi.Journal;
using SnapshotApi.Snapshots;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Api;

/// <summary>
/// The whole service in role all behind a real Kestrel, with a real PostgreSQL; only libvirt and what a run does to it are fakes.
/// </summary>
internal sealed class RunningService : WebApplicationFactory<ServiceOptions>
{
    private readonly string _connectionString;
    private readonly Dictionary<string, string> _settings;

    public RunningService(string connectionString, string directory, Dictionary<string, string>? settings = null)
    {
        (_connectionString, StoreDirectory, _settings) = (connectionString, Path.Combine(directory, "images"), settings ?? []);
        WorkDirectory = Path.Combine(directory, "work");
        UseKestrel(0);
    }

    public string StoreDirectory { get; }

    public string WorkDirectory { get; }

    public FakeHypervisor Hypervisor { get; } = new();

    public FakePipeline Pipeline { get; } = new();

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("ConnectionStrings:Snapshots", _connectionString);
        builder.UseSetting("Node:Name", "kvm1");

        // Nobody is asked here who they are; the process of its own has a socket and a key.
        builder.UseSetting("Socket:Path", "");
        builder.UseSetting("Auth:AdminKeyFile", "");
        builder.UseSetting("Auth:AllowAnonymousNetwork", "true");
        builder.UseSetting("Node:WorkDirectory", WorkDirectory);
        builder.UseSetting("Stores:Directory:Path", StoreDirectory);
        builder.UseSetting("Jobs:HeartbeatInterval", "00:00:00.5");
        builder.UseSetting("Jobs:RefreshTimeout", "00:00:05");
        builder.UseSetting("Serilog:MinimumLevel:Default", "Error");

        // Whole crowds of clients come from one address here.
        builder.UseSetting("RateLimit:SnapshotsPerMinute", "0");
        foreach ((string key, string value) in _settings)
        {
            builder.UseSetting(key, value);
        }

        builder.ConfigureTestServices(services =>
        {
            services.RemoveAll<IHypervisor>();
            services.AddSingleton<IHypervisor>(Hypervisor);
            services.AddSingleton<ISnapshotPipeline>(Pipeline);
            services.AddSingleton<IUndoExecutor>(new FakeUndoExecutor());
        });
    }
}
