using SnapshotApi.Linux;

namespace SnapshotApi.Journal;

/// <summary>
/// The node's file of one run of a job: what must be undone on this host, and then the job's outcome. JSON lines, each
/// fsynced before the call that it undoes. Normal completion, failure, cancellation and restart execute the same
/// entries: there is no second clean-up path.
/// </summary>
/// <remarks>Thread-safe. The file has mode 0600 in a directory of mode 0700: a definition holds secrets.</remarks>
internal sealed partial class JobJournal : IDisposable
{
    // An undo has its own time, also when the job is cancelled. Ending a backup or starting a guest takes seconds; a
    // libvirtd that hangs takes for ever, and then the entry stays for the next try.
    private static readonly TimeSpan UndoTimeout = TimeSpan.FromSeconds(60);

    private const string OutcomePoint = "outcome";

    /// <summary>Ending of the copy that is kept of a journal with unreadable lines.</summary>
    public const string UnreadableSuffix = ".unreadable";

    private readonly Lock _lock = new();
    private readonly List<JournalEntry> _entries = [];
    private readonly IUndoExecutor _executor;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly IFaultPoint _faults;
    private readonly FileStream _file;
    private long _lengthBytes;
    private long _sequence;

    private JobJournal(
        string path, FileStream file, JournalHeader header,
        IUndoExecutor executor, TimeProvider time, ILogger logger, IFaultPoint? faults)
    {
        (Path, _file, Header, _executor, _time, _logger) = (path, file, header, executor, time, logger);
        _faults = faults ?? NoFaults.Instance;
    }

    public string Path { get; }

    public JournalHeader Header { get; private set; }

    /// <summary>How many lines were skipped when it was opened.</summary>
    public int UnreadableLines { get; private init; }

    /// <summary>The outcome that waits to be delivered; null before it was written.</summary>
    public JsonElement? Outcome { get; private set; }

    /// <summary>Something is still to be undone.</summary>
    public bool HasPending => Pending.Count > 0;

    /// <summary>What is still to be undone, oldest first.</summary>
    public IReadOnlyList<JournalEntry> Pending
    {
        get
        {
            lock (_lock)
            {
                return _entries.FindAll(e => !e.IsSettled);
            }
        }
    }

    /// <summary>Begins a journal; the caller disposes it.</summary>
    /// <param name="directory">The node's journal directory; made, mode 0700, when it is not there.</param>
    /// <param name="header">The run; the file is named after the job.</param>
    /// <param name="executor">Carries out the entries.</param>
    /// <param name="faults">Reached at every instant; null: no faults.</param>
    /// <exception cref="SnapshotException">no_space: it can't be written.</exception>
    public static JobJournal Create(
        string directory, JournalHeader header,
        IUndoExecutor executor, TimeProvider time, ILogger logger, IFaultPoint? faults = null)
    {
        Directory.CreateDirectory(directory, LinuxFile.PrivateDirectory);
        string path = System.IO.Path.Combine(directory, $"{header.JobId:D}.jsonl");
        var file = new FileStream(LinuxFile.CreateNew(path), FileAccess.ReadWrite);
        var journal = new JobJournal(path, file, header, executor, time, logger, faults);
        try
        {
            journal.Append(sequence => new JournalLine { Sequence = sequence, At = time.GetUtcNow(), Open = header });
            LinuxFile.SyncDirectory(directory);
            return journal;
        }
        catch
        {
            // An empty file would be in the way of the job's next run.
            journal.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Opens a journal that a former process left; the caller disposes it.</summary>
    /// <returns>Null when even its first line is cut: nothing had been done yet, and the file is deleted.</returns>
    /// <exception cref="InvalidDataException">Its first line tells of no job; the file is left as it is.</exception>
    /// <remarks>
    /// A later line that can't be read (a damaged disk, a later version of this service) is skipped, so that all others
    /// are undone. An operator gets a copy of the file.
    /// </remarks>
    public static JobJournal? Open(
        string path, IUndoExecutor executor, TimeProvider time, ILogger logger, IFaultPoint? faults = null)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        List<JournalLine?> lines = ReadLines(file, out long wholeBytes);
        if (lines.Count == 0)
        {
            file.Dispose();
            File.Delete(path);
            return null;
        }

        if (lines[0]?.Open is not { } header)
        {
            file.Dispose();
            throw new InvalidDataException("its first line tells of no job");
        }

        var journal = new JobJournal(path, file, header, executor, time, logger, faults)
        {
            UnreadableLines = lines.Count(line => line is null),
        };
        foreach (JournalLine line in lines.OfType<JournalLine>())
        {
            journal.Accept(line);
        }

        if (journal.UnreadableLines > 0)
        {
            File.Copy(path, path + UnreadableSuffix, overwrite: true);
        }

        // A crash cut the last line before its call was made.
        file.SetLength(wholeBytes);
        journal._lengthBytes = wholeBytes;
        return journal;
    }

    /// <summary>Writes an intent, durably, before the side effect that it undoes.</summary>
    /// <exception cref="SnapshotException">no_space: it can't be written; the side effect must not happen.</exception>
    public JournalEntry Add(UndoAction action)
    {
        _faults.Reach(FaultInstant.Adding, action.Name);
        JournalEntry entry;
        lock (_lock)
        {
            long sequence = Append(s => new JournalLine { Sequence = s, At = _time.GetUtcNow(), Undo = action });
            entry = new JournalEntry(sequence, action);
            _entries.Add(entry);
        }

        _faults.Reach(FaultInstant.Added, action.Name);
        return entry;
    }

    /// <summary>Undoes one entry, as a step of the normal flow; nothing happens when it is settled already.</summary>
    /// <exception cref="SnapshotException">It can't be undone now; it stays in the journal.</exception>
    public Task UndoAsync(JournalEntry entry, CancellationToken cancellationToken) =>
        UndoAsync(entry, () => { }, cancellationToken);

    /// <summary>Undoes one entry, whoever cancels the job. When its time-out is over the entry stays.</summary>
    /// <exception cref="SnapshotException">It can't be undone now, or not in time.</exception>
    public async Task UndoInTimeAsync(JournalEntry entry)
    {
        using var timeout = new CancellationTokenSource(UndoTimeout, _time);
        try
        {
            await UndoAsync(entry, timeout.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e)
        {
            throw TooLong(e);
        }
    }

    /// <summary>Undoes one entry; calls <paramref name="undone"/> before that is durable, which takes long.</summary>
    public Task UndoAsync(JournalEntry entry, Action undone, CancellationToken cancellationToken) =>
        UndoAsync(entry, token => _executor.UndoAsync(entry.Action, token), undone, cancellationToken);

    /// <summary>Undoes one entry by the caller's own call; when that fails the entry stays.</summary>
    public Task UndoAsync(
        JournalEntry entry, Func<CancellationToken, Task> undo, CancellationToken cancellationToken) =>
        UndoAsync(entry, undo, () => { }, cancellationToken);

    private async Task UndoAsync(
        JournalEntry entry, Func<CancellationToken, Task> undo, Action undone, CancellationToken cancellationToken)
    {
        if (entry.IsSettled)
        {
            return;
        }

        _faults.Reach(FaultInstant.Undoing, entry.Action.Name);
        await undo(cancellationToken).ConfigureAwait(false);
        undone();
        _faults.Reach(FaultInstant.Undone, entry.Action.Name);
        Settle(entry);
        _faults.Reach(FaultInstant.Settled, entry.Action.Name);
    }

    /// <summary>Marks an entry as settled without an undo: what it would undo is to stay, or was never made.</summary>
    public void Settle(JournalEntry entry)
    {
        lock (_lock)
        {
            if (!entry.IsSettled)
            {
                Append(s => new JournalLine { Sequence = s, At = _time.GetUtcNow(), Settled = entry.Sequence });
                entry.IsSettled = true;
            }
        }
    }

    /// <summary>
    /// Marks what an entry would undo as meant to stay if the job succeeds: the line that holds the outcome settles it,
    /// so that a crash leaves either a succeeded job with its image, or neither.
    /// </summary>
    public void Keep(JournalEntry entry) => SetKept(entry, isKept: true);

    /// <summary>Takes <see cref="Keep"/> back: the entry is to be undone even if the job succeeds.</summary>
    public void Unkeep(JournalEntry entry) => SetKept(entry, isKept: false);

    /// <summary>Undoes what is left, newest first. One that fails, or takes too long, stops no other.</summary>
    /// <param name="exceptKept">At the end of a success: entries marked by <see cref="Keep"/> are left alone.</param>
    /// <param name="upTo">Sequence of the last entry that is undone; later ones are left alone.</param>
    /// <returns>What could not be undone; empty when nothing is left.</returns>
    public async Task<IReadOnlyList<UndoFailure>> UndoAllAsync(bool exceptKept = false, long upTo = long.MaxValue)
    {
        var failures = new List<UndoFailure>();
        foreach (JournalEntry entry in Pending.Reverse().Where(e => e.Sequence <= upTo && !(exceptKept && e.IsKept)))
        {
            entry.IsKept = false;
            using var timeout = new CancellationTokenSource(UndoTimeout, _time);
            try
            {
                await UndoAsync(entry, timeout.Token).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                LogUndoFailed(e, entry.Action.GetType().Name, Header.JobId, Header.ServerId);
                failures.Add(new UndoFailure(entry.Action, e is OperationCanceledException ? TooLong(e) : e));
            }
        }

        return failures;
    }

    private static SnapshotException TooLong(Exception e) => new(
        SnapshotErrorCode.TimedOut,
        $"it did not end within {UndoTimeout.TotalSeconds:0} s: libvirt, or the guest's QEMU, does not answer; "
        + "what is in flight is waited for at the next try",
        e);

    /// <summary>Writes the outcome durably, before its delivery, and settles what <see cref="Keep"/> marked.</summary>
    /// <exception cref="SnapshotException">no_space: it can't be written.</exception>
    public void SetOutcome<T>(T outcome)
    {
        JsonElement element = JsonSerializer.SerializeToElement(outcome, JournalLine.Json);
        _faults.Reach(FaultInstant.Concluding, OutcomePoint);
        lock (_lock)
        {
            List<JournalEntry> kept = _entries.FindAll(e => e.IsKept && !e.IsSettled);
            Append(s => new JournalLine
            {
                Sequence = s,
                At = _time.GetUtcNow(),
                Outcome = element,
                Kept = kept.Count > 0 ? [.. kept.Select(e => e.Sequence)] : null,
            });
            kept.ForEach(e => e.IsSettled = true);
            Outcome = element;
        }

        _faults.Reach(FaultInstant.Concluded, OutcomePoint);
    }

    /// <summary>Deletes the file: nothing is left to undo and the outcome was delivered.</summary>
    /// <exception cref="InvalidOperationException">Something is still to be undone.</exception>
    public void Delete()
    {
        if (HasPending)
        {
            throw new InvalidOperationException("the journal still holds entries to undo");
        }

        _faults.Reach(FaultInstant.Deleting, OutcomePoint);
        Dispose();
        File.Delete(Path);
        LinuxFile.SyncDirectory(System.IO.Path.GetDirectoryName(Path)!);
    }

    public void Dispose() => _file.Dispose();

    private void SetKept(JournalEntry entry, bool isKept)
    {
        lock (_lock)
        {
            entry.IsKept = isKept;
        }
    }

    private static List<JournalLine?> ReadLines(FileStream file, out long wholeBytes)
    {
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        var lines = new List<JournalLine?>();
        int start = 0;
        for (int end; (end = Array.IndexOf(bytes, (byte)'\n', start)) >= 0; start = end + 1)
        {
            lines.Add(JournalLine.TryParse(bytes.AsSpan(start, end - start)));
        }

        wholeBytes = start;
        return lines;
    }

    private void Accept(JournalLine line)
    {
        _sequence = Math.Max(_sequence, line.Sequence + 1);
        Header = line.Open ?? Header;
        Outcome = line.Outcome ?? Outcome;
        if (line.Undo is { } action)
        {
            _entries.Add(new JournalEntry(line.Sequence, action));
        }
        else
        {
            _entries
                .FindAll(e => e.Sequence == line.Settled || line.Kept?.Contains(e.Sequence) == true)
                .ForEach(e => e.IsSettled = true);
        }
    }

    private long Append(Func<long, JournalLine> make)
    {
        lock (_lock)
        {
            long sequence = _sequence++;
            byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(make(sequence), JournalLine.Json), (byte)'\n'];
            try
            {
                RandomAccess.Write(_file.SafeFileHandle, line, _lengthBytes);
                RandomAccess.FlushToDisk(_file.SafeFileHandle);
            }
            catch (IOException e)
            {
                TruncateTo(_lengthBytes);
                throw new SnapshotException(SnapshotErrorCode.NoSpace, "the node's work directory can't be written", e);
            }

            _lengthBytes += line.Length;
            return sequence;
        }
    }

    // Half a line, as a full disk leaves it, would hide every later line from a reader.
    private void TruncateTo(long lengthBytes)
    {
        try
        {
            RandomAccess.SetLength(_file.SafeFileHandle, lengthBytes);
        }
        catch (IOException e)
        {
            // The disk takes nothing at all, or the file system is read-only: the first failure is the one to report.
            LogNotTruncated(e, Header.JobId);
        }
    }

    [LoggerMessage(4000, LogLevel.Warning,
        "Could not undo {Action} of job {JobId} on server {ServerId}; it stays in the journal")]
    private partial void LogUndoFailed(Exception exception, string action, Guid jobId, Guid serverId);

    [LoggerMessage(4001, LogLevel.Warning, "The journal of job {JobId} could not be cut back to its last whole line")]
    private partial void LogNotTruncated(Exception exception, Guid jobId);
}
