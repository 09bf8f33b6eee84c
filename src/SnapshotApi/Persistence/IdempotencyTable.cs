using Npgsql;
using NpgsqlTypes;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>idempotency_keys</c>: which job answered a request with an Idempotency-Key.</summary>
internal sealed class IdempotencyTable(Database database)
{
    private const string Find = """
        SELECT body_hash, job_id FROM idempotency_keys WHERE key = @key AND created_at > clock_timestamp() - @retention
        """;

    // Waits here while another request with the key is at work. A key that is too old is taken over.
    private const string Take = """
        INSERT INTO idempotency_keys (key, body_hash, job_id) VALUES (@key, @body_hash, @job_id)
        ON CONFLICT (key) DO UPDATE SET body_hash = EXCLUDED.body_hash, job_id = EXCLUDED.job_id, created_at = EXCLUDED.created_at
        WHERE idempotency_keys.created_at <= clock_timestamp() - @retention
        """;

    private const string DeleteOld = "DELETE FROM idempotency_keys WHERE created_at <= clock_timestamp() - @retention";

    /// <summary>What a key stands for; null when it is not in use.</summary>
    public Task<IdempotencyRecord?> FindAsync(string key, TimeSpan retention, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(
            Find,
            p =>
            {
                p.AddTyped("key", NpgsqlDbType.Text, key);
                p.AddTyped("retention", NpgsqlDbType.Interval, retention);
            },
            Read,
            cancellationToken);

    /// <summary>
    /// Takes a key for a job, in the transaction that inserts the job. Waits for a transaction that is taking the same key.
    /// </summary>
    /// <returns>False when the key is in use.</returns>
    public async Task<bool> TakeAsync(string key, IdempotencyRecord record, TimeSpan retention, CancellationToken cancellationToken)
    {
        int rows = await database.ExecuteAsync(
            Take,
            p =>
            {
                p.AddTyped("key", NpgsqlDbType.Text, key);
                p.AddTyped("body_hash", NpgsqlDbType.Bytea, record.BodyHash);
                p.AddTyped("job_id", NpgsqlDbType.Uuid, record.JobId);
                p.AddTyped("retention", NpgsqlDbType.Interval, retention);
            },
            cancellationToken).ConfigureAwait(false);
        return rows > 0;
    }

    /// <summary>Deletes keys that are too old; returns how many.</summary>
    public Task<int> DeleteOldAsync(TimeSpan retention, CancellationToken cancellationToken) =>
        database.ExecuteAsync(DeleteOld, p => p.AddTyped("retention", NpgsqlDbType.Interval, retention), cancellationToken);

    private static IdempotencyRecord Read(NpgsqlDataReader reader) => new(reader.Get<byte[]>("body_hash"), reader.Get<Guid>("job_id"));
}

/// <summary>What an Idempotency-Key stands for.</summary>
/// <param name="BodyHash">Digest of the request.</param>
/// <param name="JobId">Job that answered it.</param>
internal sealed record IdempotencyRecord(byte[] BodyHash, Guid JobId);
