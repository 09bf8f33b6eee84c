using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;
using Serilog.Formatting.Json;
using Serilog.Parsing;
using SnapshotApi.Libvirt;
using SnapshotApi.Linux;

namespace SnapshotApi.Configuration;

/// <summary>Serilog as the provider behind <see cref="Microsoft.Extensions.Logging.ILogger"/>.</summary>
internal static class LoggingSetup
{
    private const string Template = "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffZ} " + JournalFormatter.Template;

    /// <summary>Logs one readable line an event to the console, unless section <c>Serilog</c> names a sink.</summary>
    /// <param name="isDatabaseAway">An exception means no more than that the database is away.</param>
    public static void AddServiceLogging(this WebApplicationBuilder builder, Predicate<Exception> isDatabaseAway)
    {
        string? level = builder.Configuration["Serilog:MinimumLevel"]
            ?? builder.Configuration["Serilog:MinimumLevel:Default"];
        bool isVerbose = level is nameof(LogEventLevel.Debug) or nameof(LogEventLevel.Verbose);
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
                logger.Enrich.With<ConsoleNoiseEnricher>().Enrich.With(new FailureEnricher(isDatabaseAway, isVerbose))
                    .Enrich.With<ContextEnricher>();
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
    /// <summary>A line: the message comes first for the eye, then why, then what else is known.</summary>
    public const string Template = "{Level:u3} {Message:l}{Reason}{Context}{NewLine}{Trace}";

    private const int StandardOutput = 1;

    private static readonly MessageTemplateTextFormatter Line = new(Template, CultureInfo.InvariantCulture);

    /// <summary>A stream of this process is the one that JOURNAL_STREAM names: device and inode of a socket.</summary>
    /// <param name="descriptor">1: standard output; 2: standard error.</param>
    public static bool IsForThis(string? stream, int descriptor = StandardOutput) =>
        stream?.Split(':') is [_, var inode]
        && ulong.TryParse(inode, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
        && FileIdentity.Find($"/proc/self/fd/{descriptor}") is { IsRegularFile: false, IsBlockDevice: false } output
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

/// <summary>
/// Collects what the message does not show - scopes such as JobId, the trace of a request - as JSON, if there is any.
/// </summary>
internal sealed class ContextEnricher : ILogEventEnricher
{
    private static readonly JsonValueFormatter Json = new(typeTagName: null);

    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        HashSet<string> shown =
        [
            FailureEnricher.Reason,
            FailureEnricher.Trace,
            .. logEvent.MessageTemplate.Tokens.OfType<PropertyToken>().Select(t => t.PropertyName),
        ];
        List<LogEventProperty> rest =
        [
            .. logEvent.Properties.Where(p => !shown.Contains(p.Key))
                .Select(p => new LogEventProperty(p.Key, p.Value)),
        ];
        if (logEvent.TraceId is { } trace)
        {
            rest.Add(new LogEventProperty("TraceId", new ScalarValue(trace.ToHexString())));
        }

        if (rest.Count > 0)
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            Json.Format(new StructureValue(rest), text);
            logEvent.AddPropertyIfAbsent(propertyFactory.CreateProperty("Context", $" {text}"));
        }
    }
}

/// <summary>
/// Says an expected failure in the line of its message: a stack trace of a database that is away tells nothing. Of a
/// defect, and where <c>Debug</c> is logged, the trace follows.
/// </summary>
/// <param name="isDatabaseAway">An exception means no more than that the database is away.</param>
/// <param name="isVerbose">Everything has its trace.</param>
internal sealed class FailureEnricher(Predicate<Exception> isDatabaseAway, bool isVerbose) : ILogEventEnricher
{
    public const string Reason = "Reason";
    public const string Trace = "Trace";

    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        if (logEvent.Exception is not { } failure)
        {
            return;
        }

        LogEventProperty property = isVerbose || !IsExpected(failure)
            ? propertyFactory.CreateProperty(Trace, failure + Environment.NewLine)
            : propertyFactory.CreateProperty(Reason, $": {InOneLine(failure)}");
        logEvent.AddPropertyIfAbsent(property);
    }

    /// <summary>The messages of an exception and its causes, each once.</summary>
    internal static string InOneLine(Exception failure)
    {
        var said = new List<string>();
        for (Exception? e = failure; e is not null; e = e.InnerException)
        {
            string message = string.Join(' ', e.Message.Split(
                (char[]?)null, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
            if (!said.Exists(earlier => earlier.Contains(message, StringComparison.Ordinal)))
            {
                said.Add(message);
            }
        }

        return string.Join(": ", said);
    }

    private bool IsExpected(Exception failure) =>
        failure is SnapshotException { Code: not SnapshotErrorCode.InternalError } or SetupException
            or LibvirtException or HttpRequestException
        || isDatabaseAway(failure);
}
