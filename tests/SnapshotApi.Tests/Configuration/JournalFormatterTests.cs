using Serilog;
using Serilog.Core;
using Serilog.Events;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public sealed class JournalFormatterTests
{
    [Theory]
    [InlineData(LogEventLevel.Fatal, "<2>FTL")]
    [InlineData(LogEventLevel.Error, "<3>ERR")]
    [InlineData(LogEventLevel.Warning, "<4>WRN")]
    [InlineData(LogEventLevel.Information, "<6>INF")]
    [InlineData(LogEventLevel.Debug, "<7>DBG")]
    public void A_line_begins_with_its_level_and_has_no_time(LogEventLevel level, string start)
    {
        string text = Format(logger => logger.Write(level, "The disk {Disk} is full", "vda"));

        Assert.Equal($"{start} The disk vda is full\n", text);
    }

    [Fact]
    public void Values_stand_in_the_message_as_words()
    {
        Guid id = Guid.NewGuid();

        string text = Format(logger => logger.Information("{Kind} of {Id}: {Text}", UriKind.Absolute, id, "good"));

        Assert.Equal($"<6>INF Absolute of {id}: good\n", text);
    }

    [Fact]
    public void What_the_message_does_not_show_follows_it()
    {
        string text = Format(logger => logger
            .ForContext("JobId", "j1").ForContext("Attempts", 2).Information("The disk {Disk} is full", "vda"));

        Assert.Equal("<6>INF The disk vda is full {\"Attempts\":2,\"JobId\":\"j1\"}\n", text);
    }

    [Fact]
    public void Each_line_of_an_exception_has_the_level()
    {
        string text = Format(logger => logger.Error(new IOException("first\nsecond"), "It failed"));

        Assert.All(
            text.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            line => Assert.StartsWith("<3>", line, StringComparison.Ordinal));
        Assert.Contains("<3>second", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("8:x")]
    [InlineData("8:1")]
    public void Another_stream_is_not_the_journal(string? stream) => Assert.False(JournalFormatter.IsForThis(stream));

    private static string Format(Action<Logger> log)
    {
        using var text = new StringWriter { NewLine = "\n" };
        using (Logger logger = new LoggerConfiguration().MinimumLevel.Verbose()
            .Enrich.With(new FailureEnricher(_ => false, isVerbose: true))
            .Enrich.With<ContextEnricher>()
            .WriteTo.Sink(new Sink(new JournalFormatter(), text)).CreateLogger())
        {
            log(logger);
        }

        return text.ToString();
    }

    private sealed class Sink(JournalFormatter formatter, StringWriter output) : ILogEventSink
    {
        public void Emit(LogEvent logEvent) => formatter.Format(logEvent, output);
    }
}
