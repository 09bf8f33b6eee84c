using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SnapshotApi.Persistence;

namespace SnapshotApi.IntegrationTests.Persistence;

/// <summary>No statement of the service reads a whole table that grows: each is planned, with and without its filters.</summary>
public sealed partial class PlanTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly string[] Growing =
        ["jobs", "job_events", "servers", "images", "idempotency_keys", "job", "jobqueue"];

    // A value for each parameter by which rows are found; what is only written may be NULL.
    private static readonly Dictionary<string, string> Values = new()
    {
        ["id"] = "'00000000-0000-0000-0000-000000000001'::uuid",
        ["ids"] = "ARRAY['00000000-0000-0000-0000-000000000001']::uuid[]",
        ["server_ids"] = "ARRAY['00000000-0000-0000-0000-000000000001']::uuid[]",
        ["job_id"] = "'00000000-0000-0000-0000-000000000001'::uuid",
        ["server_id"] = "'00000000-0000-0000-0000-000000000001'::uuid",
        ["image_id"] = "'00000000-0000-0000-0000-000000000001'::uuid",
        ["before_id"] = "'00000000-0000-0000-0000-000000000001'::uuid",
        ["after_id"] = "'00000000-0000-0000-0000-000000000001'::uuid",
        ["before_at"] = "now()",
        ["ended_at"] = "now()",
        ["created_at"] = "now()",
        ["name"] = "'web1'::text",
        ["after_name"] = "'web1'::text",
        ["after_node"] = "'n1'::text",
        ["node"] = "'n1'::text",
        ["from"] = "'n1'::text",
        ["to"] = "'n2'::text",
        ["project"] = "'p'::text",
        ["names"] = "ARRAY['web1']::text[]",
        ["statuses"] = "ARRAY['failed']::text[]",
        ["status"] = "'running'::text",
        ["key"] = "'k'::text",
        ["warning"] = "'w'::text",
        ["server_name"] = "'s'::text",
        ["limit"] = "100",
        ["fence"] = "1::bigint",
        ["run"] = "1::bigint",
        ["max_attempts"] = "2",
        ["retention"] = "interval '90 days'",
        ["longer_than"] = "interval '30 s'",
        ["silent"] = "interval '60 s'",
        ["within"] = "interval '60 s'",
        ["dead_after"] = "interval '60 s'",
        ["inventory_age"] = "interval '60 s'",
        ["patience"] = "interval '60 s'",
        ["lease"] = "interval '30 s'",
        ["delay"] = "interval '30 s'",
        ["ordinals"] = "ARRAY[1]::int[]",
        ["durations"] = "ARRAY[1]::bigint[]",
        ["ats"] = "ARRAY[now()]",
        ["kinds"] = "ARRAY['step']::text[]",
        ["steps"] = "ARRAY['uploading']::text[]",
        ["messages"] = "ARRAY['m']::text[]",
        ["descriptions"] = "ARRAY['{}']::text[]",
        ["uncounted"] = "0",
        ["bytes_per_second"] = "1::bigint",
        ["is_of_all"] = "false",
        ["owns_others"] = "false",
        ["error"] = "'{}'::jsonb",
    };

    private static readonly string[] Optional =
        ["server_id", "node", "before_at", "before_id", "after_name", "after_id", "after_node", "name", "job_id"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Timeout = 300_000)]
    public async Task No_statement_reads_a_whole_table_that_grows()
    {
        await FillAsync();
        var wrong = new List<string>();
        int planned = 0;
        foreach ((string name, string sql) in Statements())
        {
            foreach (string variant in VariantsOf(sql))
            {
                planned++;
                wrong.AddRange((await ScannedAsync(variant)).Select(t => $"{name} reads all of {t}: {variant}"));
            }
        }

        Assert.True(planned > 30, $"{planned} statements were planned");
        Assert.Empty(wrong);
    }

    /// <summary>Lists of jobs by one filter at a time: each has an index that it follows.</summary>
    [Theory(Timeout = 300_000)]
    [InlineData("server_id", "ix_jobs_server_created")]
    [InlineData("node", "ix_jobs_node_created")]
    [InlineData("statuses", "ix_jobs_unsuccessful_created")]
    [InlineData("", "ix_jobs_created")]
    public async Task A_list_of_jobs_follows_the_index_of_its_filter(string filter, string index)
    {
        await FillAsync();
        string list = Statements().Single(s => s.Name == "JobTable.List").Sql;

        string sql = Bind(list, p => p == filter || p is "limit" ? Values[p] : p == "statuses" ? "'{}'::text[]" : "NULL");

        Assert.Contains($"\"Index Name\": \"{index}\"", (await PlanAsync(sql)).ToJsonString(new() { WriteIndented = true }), StringComparison.Ordinal);
    }

    private static IEnumerable<(string Name, string Sql)> Statements() =>
        from type in typeof(JobTable).Assembly.GetTypes()
        where type.Namespace == typeof(JobTable).Namespace && type.Name.EndsWith("Table", StringComparison.Ordinal)
        from field in type.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)
        where field is { IsLiteral: true } && field.FieldType == typeof(string)
        let sql = (string)field.GetRawConstantValue()!
        where Reading().IsMatch(sql)
        select ($"{type.Name}.{field.Name}", sql);

    private static IEnumerable<string> VariantsOf(string sql)
    {
        yield return Bind(sql, p => Values.GetValueOrDefault(p, "NULL"));
        if (Parameters().Matches(sql).Any(m => Optional.Contains(m.Groups[1].Value)) && sql.Contains("IS NULL", StringComparison.Ordinal))
        {
            yield return Bind(sql, p => Optional.Contains(p) ? "NULL" : Values.GetValueOrDefault(p, "NULL"));
        }
    }

    private static string Bind(string sql, Func<string, string> valueOf) => Parameters().Replace(
        sql,
        m => valueOf(m.Groups[1].Value) is var value && value == "NULL" && Values.TryGetValue(m.Groups[1].Value, out string? typed)
            ? $"NULL::{TypeOf(typed)}"
            : value);

    private static string TypeOf(string value) => value.Split("::") is [_, var type] ? type : "timestamptz";

    private async Task<IEnumerable<string>> ScannedAsync(string sql)
    {
        var scanned = new HashSet<string>();
        Visit(await PlanAsync(sql));
        return scanned;

        void Visit(JsonNode? node)
        {
            if ((string?)node?["Node Type"] == "Seq Scan" && Growing.Contains((string?)node["Relation Name"]))
            {
                scanned.Add((string)node["Relation Name"]!);
            }

            foreach (JsonNode? child in node?["Plans"] as JsonArray ?? [])
            {
                Visit(child);
            }
        }
    }

    private async Task<JsonNode> PlanAsync(string sql)
    {
        string? plan = await database.ScalarAsync<string>($"EXPLAIN (FORMAT JSON) {sql}");
        return JsonNode.Parse(plan!)![0]!["Plan"]!;
    }

    /// <summary>Once for the class: enough rows that reading all of them costs more than an index.</summary>
    private async Task FillAsync()
    {
        if (await database.ScalarAsync<long>("SELECT count(*) FROM idempotency_keys") > 0)
        {
            return;
        }

        // One at a time, each within the limit of a statement; the last one says that all are there.
        string[] statements =
        [
            """
            INSERT INTO nodes (name, hypervisor_connected, service_version, work_free_bytes, store_free_bytes, max_jobs, running_jobs)
            SELECT 'n' || n, true, '1', 0, 0, 4, 0 FROM generate_series(1, 100) AS n
            """,
            """
            INSERT INTO servers (node, id, name, description)
            SELECT 'n' || 1 + n % 100, gen_random_uuid(), 'web' || n,
                jsonb_build_object('nova', jsonb_build_object('name', 'w' || n, 'projectId', 'p' || n % 50))
            FROM generate_series(1, 20000) AS n
            """,
            """
            INSERT INTO jobs (id, server_id, server_name, node, request, status, step, created_at, finished_at, lease_expires_at, delivery)
            SELECT gen_random_uuid(), gen_random_uuid(), 'web' || n, 'n' || 1 + n % 100, '{"name":"x"}', status, 'finished',
                now() - n * interval '1 minute', CASE WHEN status IN ('queued', 'running') THEN NULL ELSE now() - n * interval '1 minute' END,
                CASE WHEN status = 'running' THEN now() + interval '30 s' END, n
            FROM (SELECT n, CASE WHEN n % 200 = 0 THEN 'failed' WHEN n % 400 = 1 THEN 'queued' WHEN n % 400 = 2 THEN 'running' ELSE 'succeeded' END
                AS status FROM generate_series(1, 40000) AS n) AS numbered
            """,
            """
            INSERT INTO job_events (job_id, sequence, run, ordinal, at, kind, step)
            SELECT id, n, 1, n, created_at, 'step', 'uploading' FROM jobs, generate_series(1, 2) AS n
            """,
            """
            INSERT INTO images (id, store, location, format, size_bytes, digest_algorithm, digest_value, name, job_id, server_id,
                server_name, node, target, virtual_size_bytes, created_at)
            SELECT gen_random_uuid(), 'directory', 'x', 'raw', 1, 'sha256', 'x', 'x', id, server_id, 'x', node, 'vda', 1, created_at
            FROM jobs WHERE status = 'succeeded'
            """,
            """
            INSERT INTO hangfire.job (statename, invocationdata, arguments, createdat)
            SELECT CASE WHEN n % 500 = 0 THEN 'Failed' ELSE 'Succeeded' END, '{}', '[]', now() FROM generate_series(1, 40000) AS n
            """,
            """
            INSERT INTO idempotency_keys (key, body_hash, job_id, created_at) SELECT id::text, '', id, created_at FROM jobs
            """,
        ];
        foreach (string statement in statements)
        {
            await database.ExecuteAsync(statement);
        }

        foreach (string table in Growing.Take(5).Append("nodes").Append("hangfire.job"))
        {
            await database.ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"ANALYZE {table}"));
        }
    }

    // Statements that find rows; those that only insert or notify have nothing to find.
    [GeneratedRegex(@"^\s*(SELECT(?! pg_)|UPDATE|DELETE|WITH)[\s\S]*\b(FROM|UPDATE) ")]
    private static partial Regex Reading();

    [GeneratedRegex(@"@([a-z_]+)")]
    private static partial Regex Parameters();
}
