using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;
using SnapshotApi.Linux;

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
                logger.Enrich.With<ConsoleNoiseEnricher>();
                _ = JournalFormatter.IsForThis(builder.Configuration["JOURNAL_STREAM"])
                    ? logger.WriteTo.Console(new JournalFormatter())
                    : logger.WriteTo.Console(outputTemplate: Template, formatProvider: CultureInfo.InvariantCulture);
            }
        });
    }
}

/// <summary>
/// Lines for systemd's journal, which adds the time itself: each begins with its level.
/// https://www.freedesktop.org/software/systemd/man/252/sd-daemon.html
/// </summary>
internal sealed class JournalFormatter : ITextFormatter
{
    private static readonly MessageTemplateTextFormatter Line = new(
        "{Level:u3} {Message:lj} {Properties:j} {TraceId}{NewLine}{Exception}", CultureInfo.InvariantCulture);

    /// <summary>Standard output is the stream that systemd names in JOURNAL_STREAM: device and inode of a socket.</summary>
    public static bool IsForThis(string? stream) =>
        stream?.Split(':') is [_, var inode]
        && ulong.TryParse(inode, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
        && FileIdentity.Find("/proc/self/fd/1") is { IsRegularFile: false, IsBlockDevice: false } output
        && output.Inode == number;

    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        Line.Format(logEvent, text);
        foreach (string line in text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            output.Write($"<{LevelOf(logEvent.Level)}>{line.TrimEnd()}\n");
        }
    }

    // Of syslog(3).
    private static int LevelOf(LogEventLevel level) => level switch
    {
        LogEventLevel.Fatal => 2,
        LogEventLevel.Error => 3,
        LogEventLevel.Warning => 4,
        LogEventLevel.Information => 6,
        _ => 7,
    };
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
