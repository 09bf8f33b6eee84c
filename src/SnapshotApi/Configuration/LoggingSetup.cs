using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace SnapshotApi.Configuration;

/// <summary>Serilog as the provider behind <see cref="Microsoft.Extensions.Logging.ILogger"/>.</summary>
internal static class LoggingSetup
{
    // Scopes (JobId, ServerId, Node; TraceId of a request) are in the properties; the message comes first for the eye.
    private const string Template =
        "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffZ} {Level:u3} {Message:lj} {Properties:j} {TraceId}{NewLine}{Exception}";

    /// <summary>Logs one readable line an event to the console, unless section <c>Serilog</c> names a sink.</summary>
    public static void AddServiceLogging(this WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        builder.Services.AddSerilog(logger =>
        {
            logger.MinimumLevel.Information()
                .MinimumLevel.Override("Microsoft.AspNetCore", LogEventLevel.Warning)
                .MinimumLevel.Override("Hangfire", LogEventLevel.Warning)

                // A probe comes every few seconds, and the answer of /health/ready says what the checks found.
                .MinimumLevel.Override("Microsoft.Extensions.Diagnostics.HealthChecks", LogEventLevel.Fatal)
                .Enrich.FromLogContext()
                .ReadFrom.Configuration(builder.Configuration);
            if (!builder.Configuration.GetSection("Serilog:WriteTo").Exists())
            {
                logger.Enrich.With<ConsoleNoiseEnricher>()
                    .WriteTo.Console(outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture);
            }
        });
    }
}

/// <summary>Removes what nobody reads on a console: ids of events and connections, what the request log says.</summary>
internal sealed class ConsoleNoiseEnricher : ILogEventEnricher
{
    private static readonly string[] Noise =
        ["EventId", "SourceContext", "ConnectionId", "RequestId", "RequestPath", "Scope"];

    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        foreach (string name in Noise)
        {
            logEvent.RemovePropertyIfPresent(name);
        }
    }
}
