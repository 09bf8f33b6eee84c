using Npgsql;
using Serilog.Core;
using Serilog.Events;
using Serilog.Parsing;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Libvirt;
using SnapshotApi.Persistence;

namespace SnapshotApi.Tests.Configuration;

public sealed class FailureEnricherTests
{
    private static readonly PostgresException Refusal =
        new("password authentication failed\n\nfor user", "FATAL", "FATAL", "28P01");

    public static TheoryData<Exception> Expected =>
    [
        DatabaseFault.Translate(Refusal),
        Refusal,
        new NpgsqlException("reading failed", new IOException("closed")),
        new InvalidOperationException("Hangfire wraps", new TimeoutException()),
        new LibvirtException("virConnectOpen", LibvirtErrorCode.NoConnect, LibvirtErrorSource.Rpc, "closed"),
        new SnapshotException(SnapshotErrorCode.StoreFailed, "Glance is away", new HttpRequestException("refused")),
        new SetupException("no such directory"),
    ];

    [Theory]
    [MemberData(nameof(Expected))]
    public void An_expected_failure_is_one_line(Exception failure)
    {
        LogEvent said = Enrich(failure, isVerbose: false);

        string reason = Assert.IsType<string>(Assert.IsType<ScalarValue>(said.Properties["Reason"]).Value);
        Assert.DoesNotContain('\n', reason);
        Assert.False(said.Properties.ContainsKey("Trace"));
    }

    [Fact]
    public void The_line_has_the_causes_words_once() => Assert.Equal(
        "the store failed: Glance is away: refused",
        FailureEnricher.InOneLine(new InvalidOperationException(
            "the store failed",
            new SnapshotException(
                SnapshotErrorCode.StoreFailed, "Glance is away: refused", new HttpRequestException("refused")))));

    [Fact]
    public void A_defect_keeps_its_trace() =>
        Assert.False(Enrich(new InvalidOperationException("a bug"), isVerbose: false).Properties.ContainsKey("Reason"));

    [Fact]
    public void Where_Debug_is_logged_everything_has_its_trace()
    {
        LogEvent said = Enrich(DatabaseFault.Translate(Refusal), isVerbose: true);

        Assert.Contains(nameof(PostgresException), $"{said.Properties["Trace"]}", StringComparison.Ordinal);
    }

    private static LogEvent Enrich(Exception failure, bool isVerbose)
    {
        var said = new LogEvent(
            DateTimeOffset.UnixEpoch, LogEventLevel.Warning, failure, new MessageTemplateParser().Parse("it failed"),
            []);
        new FailureEnricher(DatabaseFault.IsAwayInside, isVerbose).Enrich(said, new Properties());
        return said;
    }

    private sealed class Properties : ILogEventPropertyFactory
    {
        public LogEventProperty CreateProperty(string name, object? value, bool destructureObjects = false) =>
            new(name, new ScalarValue(value));
    }
}
