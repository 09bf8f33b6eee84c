using Npgsql;
using static SnapshotApi.Persistence.Parameter;

namespace SnapshotApi.Persistence;

/// <summary>Table <c>idempotency_keys</c>: which job answered a request with an Idempotency-Key.</summary>
internal sealed class IdempotencyTable(Database database)
{
    private const string Find = """
        SELECT body_hash, job_id FROM idempotency_keys WHERE key = @key AND created_at > clock_timestamp() - @retention
        """;

    // Waits while another transaction takes the key. A key that is older than the retention is taken over.
    private const string Take = """
        INSERT INTO idempotency_keys (key, body_hash, job_id) VALUES (@key, @body_hash, @job_id)
        ON CONFLICT (key) DO UPDATE
        SET body_hash = EXCLUDED.body_hash, job_id = EXCLUDED.job_id, created_at = EXCLUDED.created_at
        WHERE idempotency_keys.created_at <= clock_timestamp() - @retention
        """;

    /// <summary>What a key stands for; null when it is not in use.</summary>
    public Task<IdempotencyRecord?> FindAsync(string key, TimeSpan retention, CancellationToken cancellationToken) =>
        database.ReadFirstAsync(Find, [Text("key", key), Interval("retention", retention)], Read, cancellationToken);

    /// <summary>Takes a key in the transaction that inserts its job. Waits for another that is taking it.</summary>
    /// <returns>False when the key is in use.</returns>
    public async Task<bool> TakeAsync(
        string key, IdempotencyRecord record, TimeSpan retention, CancellationToken cancellationToken) =>
        await database.ExecuteAsync(
            Take,
            [
                Text("key", key), Bytes("body_hash", record.BodyHash), Uuid("job_id", record.JobId),
                Interval("retention", retention),
            ],
            cancellationToken).ConfigureAwait(false) > 0;

    private static IdempotencyRecord Read(NpgsqlDataReader row) =>
        new(row.Get<byte[]>("body_hash"), row.Get<Guid>("job_id"));
}

/// <summary>What an Idempotency-Key stands for.</summary>
/// <param name="BodyHash">Digest of the request.</param>
/// <param name="JobId">Job that answered it.</param>
internal sealed record IdempotencyRecord(byte[] BodyHash, Guid JobId);
