namespace SnapshotApi.Api;

/// <summary>
/// Endpoint metadata: a query parameter of an operation. The API's description and <see cref="Validation.QueryFields"/> both
/// read it, so that what is documented is what is taken.
/// </summary>
/// <param name="Name">Name in the query.</param>
/// <param name="Type">What it is: string, int, Guid or an enum.</param>
/// <param name="Description">What it does, in a sentence.</param>
internal sealed record QueryParameter(string Name, Type Type, string Description)
{
    /// <summary>Smallest number.</summary>
    public int? Minimum { get; init; }

    /// <summary>Largest number.</summary>
    public int? Maximum { get; init; }

    /// <summary>Number when it is not given; null: none.</summary>
    public int? Default { get; init; }

    /// <summary>It may be repeated, or hold several values parted by commas.</summary>
    public bool IsList { get; init; }

    /// <summary>Where the page begins.</summary>
    public static QueryParameter Cursor { get; } =
        new("cursor", typeof(string), "Where the page begins: taken from the `next` address of the page before.");

    /// <summary>How many items a page has.</summary>
    public static QueryParameter Limit { get; } = new("limit", typeof(int), "How many items the page has at most.")
    {
        Minimum = 1,
        Maximum = Paging.MaxLimit,
        Default = Paging.DefaultLimit,
    };
}
