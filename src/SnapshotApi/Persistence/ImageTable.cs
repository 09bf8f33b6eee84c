using Npgsql;
using SnapshotApi.Images;
using SnapshotApi.Stores;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>images</c>: what jobs published.</summary>
internal sealed class ImageTable(Database database)
{
    private const string Columns = """
        id, store, location, format, size_bytes, digest_algorithm, digest_value, name, job_id, server_id, server_name,
        node, target, virtual_size_bytes, properties::text AS properties, created_at
        """;

    private const string List = $"""
        SELECT {Columns} FROM images
        WHERE (@server_id IS NULL OR server_id = @server_id)
          AND (@job_id IS NULL OR job_id = @job_id)
          AND (@before_at IS NULL OR (created_at, id) < (@before_at, @before_id))
        ORDER BY created_at DESC, id DESC
        LIMIT @limit
        """;

    private const string Find = $"SELECT {Columns} FROM images WHERE id = @id";

    private const string Insert = """
        INSERT INTO images (id, store, location, format, size_bytes, digest_algorithm, digest_value, name, job_id,
            server_id, server_name, node, target, virtual_size_bytes, properties, created_at)
        VALUES (@id, @store, @location, @format, @size_bytes, @digest_algorithm, @digest_value, @name, @job_id,
            @server_id, @server_name, @node, @target, @virtual_size_bytes, @properties, @created_at)
        ON CONFLICT (id) DO NOTHING
        """;

    private const string Delete = "DELETE FROM images WHERE id = @id";

    /// <summary>Images, newest first; at most <see cref="ImageFilter.Limit"/>.</summary>
    public Task<IReadOnlyList<ImageRecord>> ListAsync(ImageFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(
            List,
            [
                Uuid("server_id", filter.ServerId), Uuid("job_id", filter.JobId), Integer("limit", filter.Limit),
                Instant("before_at", filter.Before?.CreatedAt), Uuid("before_id", filter.Before?.Id),
            ],
            Read,
            cancellationToken);

    public Task<ImageRecord?> FindAsync(Guid id, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(Find, [Uuid("id", id)], Read, cancellationToken);

    /// <summary>Deletes the row of an image; the store deletes its file before. False when there is none.</summary>
    public async Task<bool> DeleteAsync(Guid id, CancellationToken cancellationToken) =>
        await database.ExecuteAsync(Delete, [Uuid("id", id)], cancellationToken).ConfigureAwait(false) > 0;

    /// <summary>Records an image as part of its job's outcome; nothing happens when it is recorded already.</summary>
    public static Task InsertAsync(
        NpgsqlConnection connection, ImageRecord image, CancellationToken cancellationToken) =>
        Database.ExecuteAsync(
            connection,
            Insert,
            [
                Uuid("id", image.Image.Id),
                Text("store", image.Image.Store), Text("location", image.Image.Location),
                Text("format", image.Image.Format.ToSnakeCase()), Bigint("size_bytes", image.Image.SizeBytes),
                Text("digest_algorithm", image.Image.Digest.Algorithm), Text("digest_value", image.Image.Digest.Value),
                Text("name", image.Name), Uuid("job_id", image.JobId), Uuid("server_id", image.ServerId),
                Text("server_name", image.ServerName), Text("node", image.Node), Text("target", image.Target),
                Bigint("virtual_size_bytes", image.VirtualSizeBytes), Json("properties", image.Properties),
                Instant("created_at", image.CreatedAt),
            ],
            cancellationToken);

    private static ImageRecord Read(NpgsqlDataReader row) => new(
        new StoredImage(
            row.Get<Guid>("id"), row.Get<string>("store"), row.Get<string>("location"),
            row.Enum<ImageFormat>("format"), row.Get<long>("size_bytes"),
            new Digest(row.Get<string>("digest_algorithm"), row.Get<string>("digest_value"))),
        row.Get<string>("name"), row.Get<Guid>("job_id"), row.Get<Guid>("server_id"), row.Get<string>("server_name"),
        row.Get<string>("node"), row.Get<string>("target"), row.Get<long>("virtual_size_bytes"),
        row.Json<Dictionary<string, string>>("properties"), row.Get<DateTimeOffset>("created_at"));
}

/// <summary>Which images a listing shows, newest first; null: all.</summary>
/// <param name="Before">Keyset cursor: only images older than this; null: from the newest.</param>
/// <param name="Limit">At most this many, 1 to 200.</param>
internal sealed record ImageFilter(Guid? ServerId, Guid? JobId, ImageCursor? Before, int Limit);

/// <summary>Place in the list of images.</summary>
internal readonly record struct ImageCursor(DateTimeOffset CreatedAt, Guid Id);

/// <summary>One row of <c>images</c>: an image that a job of ours published.</summary>
/// <param name="ServerName">Name of the server at that time.</param>
/// <param name="Node">Node whose store holds the image.</param>
/// <param name="Target">Disk that it was made of.</param>
/// <param name="VirtualSizeBytes">Size that a guest sees.</param>
internal sealed record ImageRecord(
    StoredImage Image,
    string Name,
    Guid JobId,
    Guid ServerId,
    string ServerName,
    string Node,
    string Target,
    long VirtualSizeBytes,
    IReadOnlyDictionary<string, string> Properties,
    DateTimeOffset CreatedAt);
