using Npgsql;
using NpgsqlTypes;
using SnapshotApi.Images;
using SnapshotApi.Stores;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>images</c>: what jobs published.</summary>
internal sealed class ImageTable(Database database)
{
    private const string Columns = """
        id, store, location, format, size_bytes, digest_algorithm, digest_value, name, job_id, server_id, server_name, node, target,
        virtual_size_bytes, properties::text AS properties, created_at
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
        INSERT INTO images (id, store, location, format, size_bytes, digest_algorithm, digest_value, name, job_id, server_id, server_name,
            node, target, virtual_size_bytes, properties, created_at)
        VALUES (@id, @store, @location, @format, @size_bytes, @digest_algorithm, @digest_value, @name, @job_id, @server_id, @server_name,
            @node, @target, @virtual_size_bytes, @properties, @created_at)
        ON CONFLICT (id) DO NOTHING
        """;

    private const string Delete = "DELETE FROM images WHERE id = @id";

    /// <summary>Images, newest first; at most <see cref="ImageFilter.Limit"/>.</summary>
    public Task<IReadOnlyList<ImageRecord>> ListAsync(ImageFilter filter, CancellationToken cancellationToken) =>
        database.ReadAsync(
            List,
            p =>
            {
                p.AddTyped("server_id", NpgsqlDbType.Uuid, filter.ServerId);
                p.AddTyped("job_id", NpgsqlDbType.Uuid, filter.JobId);
                p.AddTyped("before_at", NpgsqlDbType.TimestampTz, filter.Before?.CreatedAt);
                p.AddTyped("before_id", NpgsqlDbType.Uuid, filter.Before?.Id);
                p.AddTyped("limit", NpgsqlDbType.Integer, filter.Limit);
            },
            Read,
            cancellationToken);

    /// <summary>One image; null when there is none of that id.</summary>
    public Task<ImageRecord?> FindAsync(Guid id, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(Find, p => p.AddTyped("id", NpgsqlDbType.Uuid, id), Read, cancellationToken);

    /// <summary>Forgets an image; its file is the store's to delete, before. False when there is none of that id.</summary>
    public async Task<bool> DeleteAsync(Guid id, CancellationToken cancellationToken) =>
        await database.ExecuteAsync(Delete, p => p.AddTyped("id", NpgsqlDbType.Uuid, id), cancellationToken).ConfigureAwait(false) > 0;

    /// <summary>Records an image as part of its job's outcome; nothing happens when it is recorded already.</summary>
    public static Task InsertAsync(NpgsqlConnection connection, ImageRecord image, CancellationToken cancellationToken) =>
        Database.ExecuteAsync(
            connection,
            Insert,
            p =>
            {
                p.AddTyped("id", NpgsqlDbType.Uuid, image.Image.Id);
                p.AddTyped("store", NpgsqlDbType.Text, image.Image.Store);
                p.AddTyped("location", NpgsqlDbType.Text, image.Image.Location);
                p.AddTyped("format", NpgsqlDbType.Text, RowJson.NameOf(image.Image.Format));
                p.AddTyped("size_bytes", NpgsqlDbType.Bigint, image.Image.SizeBytes);
                p.AddTyped("digest_algorithm", NpgsqlDbType.Text, image.Image.Digest.Algorithm);
                p.AddTyped("digest_value", NpgsqlDbType.Text, image.Image.Digest.Value);
                p.AddTyped("name", NpgsqlDbType.Text, image.Name);
                p.AddTyped("job_id", NpgsqlDbType.Uuid, image.JobId);
                p.AddTyped("server_id", NpgsqlDbType.Uuid, image.ServerId);
                p.AddTyped("server_name", NpgsqlDbType.Text, image.ServerName);
                p.AddTyped("node", NpgsqlDbType.Text, image.Node);
                p.AddTyped("target", NpgsqlDbType.Text, image.Target);
                p.AddTyped("virtual_size_bytes", NpgsqlDbType.Bigint, image.VirtualSizeBytes);
                p.AddTyped("properties", NpgsqlDbType.Jsonb, RowJson.Write(image.Properties));
                p.AddTyped("created_at", NpgsqlDbType.TimestampTz, image.CreatedAt);
            },
            cancellationToken);

    private static ImageRecord Read(NpgsqlDataReader reader) => new(
        new StoredImage(
            reader.Get<Guid>("id"),
            reader.Get<string>("store"),
            reader.Get<string>("location"),
            RowJson.Parse<ImageFormat>(reader.Get<string>("format")),
            reader.Get<long>("size_bytes"),
            new Digest(reader.Get<string>("digest_algorithm"), reader.Get<string>("digest_value"))),
        reader.Get<string>("name"),
        reader.Get<Guid>("job_id"),
        reader.Get<Guid>("server_id"),
        reader.Get<string>("server_name"),
        reader.Get<string>("node"),
        reader.Get<string>("target"),
        reader.Get<long>("virtual_size_bytes"),
        RowJson.Read<Dictionary<string, string>>(reader.Get<string>("properties")),
        reader.Get<DateTimeOffset>("created_at"));
}

/// <summary>Which images a listing shows; newest first.</summary>
/// <param name="ServerId">Only those of this server; null: all.</param>
/// <param name="JobId">Only those of this job; null: all.</param>
/// <param name="Before">Keyset cursor: only images older than this (creation time, id); null: from the newest.</param>
/// <param name="Limit">At most this many.</param>
internal sealed record ImageFilter(Guid? ServerId, Guid? JobId, ImageCursor? Before, int Limit);

/// <summary>Place in the list of images.</summary>
internal readonly record struct ImageCursor(DateTimeOffset CreatedAt, Guid Id);

/// <summary>One row of <c>images</c>: an image that a job of ours published.</summary>
/// <param name="Image">Where it is and what it is.</param>
/// <param name="Name">Name given by the user.</param>
/// <param name="JobId">Job that made it.</param>
/// <param name="ServerId">Server it was made of.</param>
/// <param name="ServerName">Name of that server then.</param>
/// <param name="Node">Node whose store holds it.</param>
/// <param name="Target">Disk it was made of.</param>
/// <param name="VirtualSizeBytes">Size of the disk in it.</param>
/// <param name="Properties">Its metadata.</param>
/// <param name="CreatedAt">When it was published.</param>
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
