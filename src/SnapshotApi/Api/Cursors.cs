using System.Buffers.Text;
using System.Text;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api;

/// <summary>
/// Cursors of keyset pagination, as opaque text in base64url. A cursor names a row's key and no offset, so it stays
/// valid while rows come and go.
/// </summary>
internal static class Cursors
{
    public static string Encode(JobCursor cursor) => Encode(Time(cursor.CreatedAt), cursor.Id.ToString("N"));

    /// <summary>A cursor of the list of jobs; null when the text is none.</summary>
    public static JobCursor? DecodeJob(string text) =>
        Decode(text) is [var time, var id]
        && TryTime(time, out DateTimeOffset at)
        && Guid.TryParseExact(id, "N", out Guid key)
            ? new JobCursor(at, key)
            : null;

    public static string Encode(ImageCursor cursor) => Encode(Time(cursor.CreatedAt), cursor.Id.ToString("N"));

    /// <summary>A cursor of the list of images; null when the text is none.</summary>
    public static ImageCursor? DecodeImage(string text) =>
        DecodeJob(text) is { } cursor ? new ImageCursor(cursor.CreatedAt, cursor.Id) : null;

    public static string Encode(ServerCursor cursor) => Encode($"{cursor.Id:N}", $"{cursor.Node} {cursor.Name}");

    /// <summary>A cursor of the list of servers; null when the text is none.</summary>
    public static ServerCursor? DecodeServer(string text) =>
        Decode(text) is [var id, var rest]
        && Guid.TryParseExact(id, "N", out Guid key)
        && !rest.Contains('\0')
        && rest.Split(' ', 2) is [var node, var name]
            ? new ServerCursor(name, key, node)
            : null;

    private static string Encode(string first, string second) =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{first} {second}"));

    private static string[] Decode(string text)
    {
        try
        {
            return Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text)).Split(' ', 2);
        }
        catch (FormatException)
        {
            return [];
        }
    }

    private static string Time(DateTimeOffset at) => at.UtcTicks.ToString(CultureInfo.InvariantCulture);

    private static bool TryTime(string text, out DateTimeOffset at)
    {
        bool isTime = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long ticks)
            && ticks <= DateTimeOffset.MaxValue.UtcTicks;
        at = isTime ? new DateTimeOffset(ticks, TimeSpan.Zero) : default;
        return isTime;
    }
}
