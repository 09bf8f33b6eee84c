using System.Text.Json.Serialization;

namespace SnapshotApi.Journal;

/// <summary>One line of a journal file. Exactly one of open, undo, settled and outcome is set.</summary>
internal sealed record JournalLine
{
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Reads one line, without its end; null when it is not a line of this version.</summary>
    public static JournalLine? TryParse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return JsonSerializer.Deserialize<JournalLine>(utf8, Json);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            // Not JSON, or an undo of a later version.
            return null;
        }
    }

    /// <summary>Place in the file, from 0.</summary>
    public required long Sequence { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>First line: whose journal this is.</summary>
    public JournalHeader? Open { get; init; }

    /// <summary>An intent.</summary>
    public UndoAction? Undo { get; init; }

    /// <summary>Sequence of the intent that is settled.</summary>
    public long? Settled { get; init; }

    /// <summary>The job's outcome, to be delivered to the database.</summary>
    public JsonElement? Outcome { get; init; }

    /// <summary>With the outcome: sequences of the intents that it settles: what they would undo is to stay.</summary>
    public IReadOnlyList<long>? Kept { get; init; }
}

/// <summary>Whose journal a file is.</summary>
/// <param name="Attempt">Attempt of the job, from 1; 0: no job, but a check of captures on a canary.</param>
/// <param name="Fence">Fencing token of the run's lease.</param>
internal sealed record JournalHeader(Guid JobId, Guid ServerId, int Attempt, long Fence)
{
    /// <summary>Nobody waits for its outcome.</summary>
    [JsonIgnore]
    public bool IsOfCheck => Attempt == 0;

    public static JournalHeader OfCheck(Guid id, Guid canaryId) => new(id, canaryId, 0, 0);
}

/// <summary>One intent in a journal: what to undo, and whether that is settled.</summary>
internal sealed class JournalEntry(long sequence, UndoAction action)
{
    public long Sequence { get; } = sequence;

    public UndoAction Action { get; } = action;

    /// <summary>It was undone, or there is nothing left to undo.</summary>
    public bool IsSettled { get; internal set; }

    /// <summary>What it would undo is to stay if the job succeeds.</summary>
    public bool IsKept { get; internal set; }
}
