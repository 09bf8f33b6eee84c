using System.Text.Json;
using System.Text.Json.Serialization;

namespace SnapshotApi.Journal;

/// <summary>One line of a journal file. Exactly one of open, undo, settled and outcome is set.</summary>
internal sealed record JournalLine
{
    /// <summary>Web defaults, nulls left out, one line.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Reads one line; null when it is not one of ours, whatever it is.</summary>
    /// <param name="utf8">The line without its end.</param>
    public static JournalLine? TryParse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return JsonSerializer.Deserialize<JournalLine>(utf8, Json);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            // Not JSON, or an undo of a version that knows more than this one.
            return null;
        }
    }

    /// <summary>Place in the file, from 0.</summary>
    public required long Sequence { get; init; }

    /// <summary>When it was written.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>First line: whose journal this is.</summary>
    public JournalHeader? Open { get; init; }

    /// <summary>An intent.</summary>
    public UndoAction? Undo { get; init; }

    /// <summary>Sequence of an intent that is settled.</summary>
    public long? Settled { get; init; }

    /// <summary>The job's outcome, to be delivered to the database.</summary>
    public JsonElement? Outcome { get; init; }

    /// <summary>With the outcome: sequences of the intents that it settles, for what they would take away is to stay.</summary>
    public IReadOnlyList<long>? Kept { get; init; }
}

/// <summary>Whose journal a file is.</summary>
/// <param name="JobId">Id of the job.</param>
/// <param name="ServerId">UUID of the server.</param>
/// <param name="Attempt">Run of the job, from 1.</param>
/// <param name="Fence">Fencing token of the run's lease.</param>
internal sealed record JournalHeader(Guid JobId, Guid ServerId, int Attempt, long Fence);

/// <summary>One intent in a journal: what to undo, and whether that is settled.</summary>
internal sealed class JournalEntry(long sequence, UndoAction action)
{
    /// <summary>Its place in the journal.</summary>
    public long Sequence { get; } = sequence;

    /// <summary>What must be undone.</summary>
    public UndoAction Action { get; } = action;

    /// <summary>It was undone, or there is nothing to undo any more.</summary>
    public bool IsSettled { get; internal set; }

    /// <summary>It is meant to stay if the job succeeds.</summary>
    public bool IsKept { get; internal set; }
}
