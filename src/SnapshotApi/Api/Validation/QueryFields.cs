using System.Globalization;
using Microsoft.Extensions.Primitives;
using SnapshotApi.Errors;

namespace SnapshotApi.Api.Validation;

/// <summary>The query parameters of a request, read one by one; all that is wrong is told at once.</summary>
internal sealed class QueryFields
{
    private readonly IReadOnlyList<QueryParameter> _known;
    private readonly IQueryCollection _query;
    private readonly FieldErrors _errors = new();

    /// <summary>
    /// Takes the query; parameters that the operation does not declare are errors, for they would be ignored in silence.
    /// </summary>
    public QueryFields(HttpContext context)
    {
        _query = context.Request.Query;
        _known = context.GetEndpoint()?.Metadata.GetOrderedMetadata<QueryParameter>() ?? [];
        foreach (string name in _query.Keys.Where(name => _known.All(p => p.Name != name)))
        {
            string list = _known.Count == 0 ? "there are none" : $"known are {string.Join(", ", _known.Select(p => p.Name))}";
            _errors.Add(TextRule.Shown(name), $"is not a query parameter of this operation; {list}");
        }
    }

    /// <summary>A parameter that is text; null when it is not there or wrong.</summary>
    public string? Text(string name)
    {
        string? value = Single(name);
        if (value is not null && TextRule.Check(value, 1, 255) is { } wrong)
        {
            _errors.Add(name, wrong);
            return null;
        }

        return value;
    }

    /// <summary>A parameter that is a whole number within its declared range; its default, or null, when it is not there or wrong.</summary>
    public int? Number(string name)
    {
        QueryParameter parameter = _known.First(p => p.Name == name);
        if (Single(name) is not { } text)
        {
            return parameter.Default;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            && value >= parameter.Minimum && value <= parameter.Maximum)
        {
            return value;
        }

        _errors.Add(name, $"must be a whole number from {parameter.Minimum} to {parameter.Maximum}");
        return parameter.Default;
    }

    /// <summary>A parameter that is an id; null when it is not there or wrong.</summary>
    public Guid? Id(string name)
    {
        if (Single(name) is not { } text)
        {
            return null;
        }

        if (Guid.TryParseExact(text, "D", out Guid id))
        {
            return id;
        }

        _errors.Add(name, "must be a UUID such as 6f1c2a9e-0d5b-4c1e-9a57-0f2a4d3b7c11");
        return null;
    }

    /// <summary>A parameter that is a set of an enum's names, repeated or parted by commas.</summary>
    public IReadOnlyList<T> Choices<T>(string name)
        where T : struct, Enum
    {
        var values = new List<T>();
        foreach (string text in _query[name].SelectMany(v => (v ?? string.Empty).Split(',', StringSplitOptions.TrimEntries)))
        {
            if (!EnumNames<T>.TryParse(text, out T value))
            {
                _errors.Add(name, $"must be one or more of {EnumNames<T>.List}");
                break;
            }

            if (!values.Contains(value))
            {
                values.Add(value);
            }
        }

        return values;
    }

    /// <summary>The place in a list where the page begins; null for its beginning, or when it is wrong.</summary>
    public T? Cursor<T>(Func<string, T?> decode)
        where T : struct
    {
        if (Single("cursor") is not { } text)
        {
            return null;
        }

        if (decode(text) is { } cursor)
        {
            return cursor;
        }

        _errors.Add("cursor", "must be taken from the next link of a page of this list");
        return null;
    }

    /// <summary>How many items a page has.</summary>
    public int Limit() => Number("limit") ?? Paging.DefaultLimit;

    /// <summary>Goes on when nothing is wrong.</summary>
    /// <exception cref="SnapshotApi.Errors.SnapshotException">invalid_request, with every wrong parameter.</exception>
    public void ThrowIfWrong() => _errors.ThrowIfAny();

    private string? Single(string name)
    {
        StringValues values = _query[name];
        if (values.Count > 1)
        {
            _errors.Add(name, "must be given once");
        }

        return values.Count == 1 ? values[0] : null;
    }
}
