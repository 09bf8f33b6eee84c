using Microsoft.Extensions.Logging;
using SnapshotApi.Errors;
using SnapshotApi.Journal;

namespace SnapshotApi.Tests.Journal;

public sealed class ArmedFaultsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("faults-").FullName;
    private readonly RecordingLogger _logger = new();
    private readonly ArmedFaults _faults;
    private int _kills;

    public ArmedFaultsTests()
    {
        _faults = new ArmedFaults(_directory, _logger, () => _kills++);
    }

    private string Hit => Path.Combine(_directory, "hit");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Being_armed_is_told_loudly()
    {
        (LogLevel level, string message) = Assert.Single(_logger.Records);

        Assert.Equal(LogLevel.Warning, level);
        Assert.Contains("FAULTS ARE ARMED", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_instant_that_was_ordered_is_struck_and_only_once()
    {
        Order("added:thaw kill");

        _faults.Reach(FaultInstant.Adding, "thaw");
        _faults.Reach(FaultInstant.Added, "resume");
        Assert.Equal(0, _kills);

        _faults.Reach(FaultInstant.Added, "thaw");
        _faults.Reach(FaultInstant.Added, "thaw");
        Assert.Equal(1, _kills);
        Assert.True(File.Exists(Hit));
    }

    [Fact]
    public void A_new_order_counts_from_the_beginning()
    {
        Order("added:delete-file#3 kill");
        _faults.Reach(FaultInstant.Added, "delete-file");
        _faults.Reach(FaultInstant.Added, "delete-file");
        Order("added:delete-file#2 kill", DateTime.UnixEpoch);

        _faults.Reach(FaultInstant.Added, "delete-file");
        Assert.Equal(0, _kills);

        _faults.Reach(FaultInstant.Added, "delete-file");
        Assert.Equal(1, _kills);
    }

    [Fact]
    public void A_fault_fails_as_a_full_disk_does()
    {
        Order("adding:end-backup throw");

        var e = Assert.Throws<SnapshotException>(() => _faults.Reach(FaultInstant.Adding, "end-backup"));

        Assert.Equal(SnapshotErrorCode.NoSpace, e.Code);
    }

    [Fact]
    public async Task A_pause_lasts_until_its_file_is_deleted()
    {
        Order("step:uploading pause");

        Task run = Task.Run(() => _faults.Reach(FaultInstant.Step, "uploading"), TestContext.Current.CancellationToken);
        while (!File.Exists(Hit))
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        Assert.False(run.IsCompleted);
        File.Delete(Hit);
        await run;
        Assert.Contains(_logger.Records, r => r.Message.EndsWith("going on", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_an_order_nothing_happens()
    {
        foreach (FaultInstant instant in Enum.GetValues<FaultInstant>())
        {
            _faults.Reach(instant, "thaw");
            NoFaults.Instance.Reach(instant, "thaw");
        }

        Assert.Equal(0, _kills);
        Assert.Empty(Directory.GetFiles(_directory));
    }

    private void Order(string text, DateTime? at = null)
    {
        string path = Path.Combine(_directory, "at");
        File.WriteAllText(path, text);
        File.SetLastWriteTimeUtc(path, at ?? DateTime.UtcNow);
    }

    private sealed class RecordingLogger : ILogger<ArmedFaults>
    {
        public List<(LogLevel Level, string Message)> Records { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            Records.Add((logLevel, formatter(state, exception)));
    }
}
