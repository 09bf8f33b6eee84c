using System.Text.Json;
using SnapshotApi.Cli.Contracts;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Answers with a list: a table, or one JSON array.</summary>
internal static class ListView
{
    /// <summary>Writes the elements.</summary>
    /// <param name="session">Where to.</param>
    /// <param name="items">The elements as they came.</param>
    /// <param name="columns">Headings.</param>
    /// <param name="rowOf">Makes the cells of an element.</param>
    /// <param name="whenEmpty">Said on standard error when there is nothing, so that standard output stays empty.</param>
    public static int Answer(
        CliSession session, IReadOnlyList<JsonElement> items, IReadOnlyList<Column> columns, Func<JsonElement, Cell[]> rowOf, string whenEmpty)
    {
        JsonElement array = JsonSerializer.SerializeToElement(items, CliJson.Default.IReadOnlyListJsonElement);
        return session.Answer(array, () =>
        {
            if (items.Count == 0)
            {
                session.Note(whenEmpty);
                return;
            }

            session.Tables.WriteTable(columns, [.. items.Select(rowOf)]);
        });
    }
}
