using Microsoft.Extensions.Primitives;

namespace SnapshotApi.Api.Validation;

/// <summary>The query parameters of a request, read one by one. Null stands for one that is missing or wrong.</summary>
internal sealed class QueryFields
{
    private readonly IReadOnlyList<QueryParameter> _known;
    private readonly IQueryCollection _query;
    private readonly FieldErrors _errors = new();

    /// <summary>Takes the query; parameters that the operation does not declare are errors.</summary>
    public QueryFields(HttpContext context)
    {
        _query = context.Request.Query;
        _known = context.GetEndpoint()?.Metadata.GetOrderedMetadata<QueryParameter>() ?? [];
        foreach (string name in _query.Keys.Where(name => _known.All(p => p.Name != name)))
        {
            string names = string.Join(", ", _known.Select(p => p.Name));
            string list = names.Length == 0 ? "there are none" : $"known are {names}";
            _errors.Add(TextRule.Shown(name), $"is not a query parameter of this operation; {list}");
        }
    }

    public string? Text(string name) => Single(name) is { } text ? _errors.Text(name, text, 1, 255) : null;

    /// <summary>A parameter that is a whole number within its declared range, or its default.</summary>
    public int? Number(string name)
    {
        QueryParameter parameter = _known.First(p => p.Name == name);
        if (Single(name) is not { } text)
        {
            return parameter.Default;
        }

        bool isNumber = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number);
        return (int?)_errors.Number(
            name, isNumber ? number : null, parameter.Minimum ?? 0, parameter.Maximum ?? int.MaxValue);
    }

    public Guid? Id(string name) => Parsed<Guid>(
        name,
        text => Guid.TryParseExact(text, "D", out Guid id) ? id : null,
        "must be a UUID such as 6f1c2a9e-0d5b-4c1e-9a57-0f2a4d3b7c11");

    /// <summary>A parameter that is a set of an enum's names, repeated or separated by commas.</summary>
    public IReadOnlyList<T> Choices<T>(string name)
        where T : struct, Enum
    {
        var values = new List<T>();
        foreach (string text in _query[name].SelectMany(v => v!.Split(',', StringSplitOptions.TrimEntries)))
        {
            if (!EnumNames<T>.TryParse(text, out T value))
            {
                _errors.Add(name, $"must be one or more of {EnumNames<T>.List}");
                break;
            }

            values.Add(value);
        }

        return [.. values.Distinct()];
    }

    /// <summary>Where the page begins; null: at the beginning of the list.</summary>
    public T? Cursor<T>(Func<string, T?> decode)
        where T : struct => Parsed("cursor", decode, "must be taken from the next link of a page of this list");

    public int Limit() => Number("limit") ?? Paging.DefaultLimit;

    /// <exception cref="SnapshotApi.Errors.SnapshotException">invalid_request, with every wrong parameter.</exception>
    public void ThrowIfWrong() => _errors.ThrowIfAny();

    private T? Parsed<T>(string name, Func<string, T?> parse, string rule)
        where T : struct
    {
        string? text = Single(name);
        T? value = text is null ? null : parse(text);
        if (text is not null && value is null)
        {
            _errors.Add(name, rule);
        }

        return value;
    }

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
