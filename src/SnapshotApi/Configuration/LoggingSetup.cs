using System.Globalization;
using Serilog;
using Serilog.Events;

namespace SnapshotApi.Configuration;

/// <summary>Serilog as the provider behind <see cref="Microsoft.Extensions.Logging.ILogger"/>; nothing else knows of it.</summary>
internal static class LoggingSetup
{
    // Scopes (JobId, ServerId, Node; TraceId of a request) are in the properties; the message comes first for the eye.
    private const string Template =
        "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffZ} {Level:u3} {Message:lj} {Properties:j} {TraceId}{NewLine}{Exception}";

    /// <summary>Logs to the console: one readable line an event, unless the section <c>Serilog</c> names another sink.</summary>
    public static void AddServiceLogging(this WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        builder.Services.AddSerilog(logger =>
        {
            logger.MinimumLevel.Information()
                .MinimumLevel.Override("Microsoft.AspNetCore", LogEventLevel.Warning)
                .MinimumLevel.Override("Hangfire", LogEventLevel.Warning)
                .Enrich.FromLogContext()
                .ReadFrom.Configuration(builder.Configuration);
            if (!builder.Configuration.GetSection("Serilog:WriteTo").Exists())
            {
                logger.Enrich.With<ConsoleNoiseEnricher>().WriteTo.Console(outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture);
            }
        });
    }
}
