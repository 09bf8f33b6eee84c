using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Api;

/// <summary>The real service in role api, in memory, without a database: nothing listens at its port.</summary>
/// <param name="settings">Further keys of its configuration.</param>
internal sealed class ApiFactory(params (string Key, string Value)[] settings) : WebApplicationFactory<ServiceOptions>
{
    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("Role", "api");
        builder.UseSetting("ConnectionStrings:Snapshots", "Host=127.0.0.1;Port=1;Username=nobody;Timeout=1");
        builder.UseSetting("Database:MigrateAtStart", "false");
        builder.UseSetting("Stores:Directory:Path", "/nonexistent/secret-directory");
        builder.UseSetting("Socket:Path", "");
        builder.UseSetting("Auth:AdminKeyFile", "");

        // Means nothing where a test configures keys.
        builder.UseSetting("Auth:AllowAnonymousNetwork", "true");
        builder.UseSetting("Serilog:MinimumLevel:Default", "Fatal");
        foreach ((string key, string value) in settings)
        {
            builder.UseSetting(key, value);
        }
    }
}
