using SnapshotApi.Errors;

namespace SnapshotApi.Api.Validation;

/// <summary>Collects what is wrong with a request, so that all of it is told at once.</summary>
internal sealed class FieldErrors
{
    // A body of 64 KiB can hold thousands of wrong members; more than this helps nobody.
    private const int MaxFields = 100;

    private readonly SortedDictionary<string, List<string>> _errors = new(StringComparer.Ordinal);

    /// <summary>Something is wrong.</summary>
    public bool Any => _errors.Count > 0;

    /// <summary>Notes that a field is wrong.</summary>
    /// <param name="field">Name of the member, query parameter or header; <c>body</c> for the whole.</param>
    /// <param name="message">What is wrong, as the rest of a sentence that begins with the field's name.</param>
    public void Add(string field, string message)
    {
        if (_errors.TryGetValue(field, out List<string>? messages))
        {
            messages.Add(message);
        }
        else if (_errors.Count < MaxFields)
        {
            _errors[field] = [message];
        }
    }

    /// <summary>Goes on when nothing is wrong.</summary>
    /// <exception cref="SnapshotException">invalid_request, with every wrong field.</exception>
    public void ThrowIfAny()
    {
        if (Any)
        {
            throw ToException();
        }
    }

    /// <summary>The exception that tells all of it.</summary>
    public SnapshotException ToException()
    {
        string fields = string.Join(", ", _errors.Keys.Take(5)) + (_errors.Count > 5 ? ", ..." : string.Empty);
        string message = _errors.Count == 1 ? $"one field is wrong: {fields}" : $"{_errors.Count} fields are wrong: {fields}";
        var errors = _errors.ToDictionary(e => e.Key, IReadOnlyList<string> (e) => e.Value, StringComparer.Ordinal);
        return new SnapshotException(SnapshotErrorCode.InvalidRequest, message)
        {
            Details = new Dictionary<string, object?> { [ProblemWriter.ErrorsKey] = errors },
        };
    }
}
