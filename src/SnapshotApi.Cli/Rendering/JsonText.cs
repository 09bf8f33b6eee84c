using System.Text;
using System.Text.Json;

namespace SnapshotApi.Cli.Rendering;

/// <summary>Writes JSON for machines in a form that does a terminal no harm either.</summary>
internal static class JsonText
{
    /// <summary>The document, indented; the default encoder escapes everything that is not plain ASCII.</summary>
    public static string Indent(JsonElement document)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            document.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
