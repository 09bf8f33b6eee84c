using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.IntegrationTests.Persistence;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>What is wrong with a database is told where an operator looks: in one sentence, with the cure.</summary>
public sealed class DatabaseTroubleTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory(Timeout = 120_000)]
    [InlineData("password", "api", "PostgreSQL refuses the service's user or password: ", "28P01")]
    [InlineData("role", "node", "PostgreSQL refuses the service's user or password: ", "28P01")]
    [InlineData("database", "all", "PostgreSQL has no such database: make it with 'createdb", "3D000")]
    [InlineData("port", "all", "nobody listens where the database should be: start PostgreSQL", "Connection refused")]
    public async Task A_database_that_can_not_be_reached_is_told_with_the_reason(
        string wrong, string role, string sentence, string logged)
    {
        var connection = new NpgsqlConnectionStringBuilder(Requires.Postgres());
        switch (wrong)
        {
            case "password": connection.Password = "wrong"; break;
            case "role": connection.Username = "nobody_of_that_name"; break;
            case "database": connection.Database = "none_of_that_name"; break;
            default: connection.Port = 1; break;
        }

        await using StartedService service =
            await StartAndAssertToldAsync(connection.ConnectionString, role, sentence, logged);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_database_without_a_connection_left_is_told_and_waited_for()
    {
        await using var database = new TestDatabase();
        await database.CreateEmptyAsync();
        string name = new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!;
        await database.ExecuteAsync($"ALTER DATABASE {name} CONNECTION LIMIT 0");
        await using StartedService service = await StartAndAssertToldAsync(
            database.ConnectionString, "api", "PostgreSQL has no connection left: raise its max_connections", "53300");

        await database.ExecuteAsync($"ALTER DATABASE {name} CONNECTION LIMIT 50");

        (int status, _) = await service.WaitForPartAsync("database", message => message.Length == 0);
        Assert.Equal(200, status);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_migration_ends_at_once_with_what_waiting_does_not_cure()
    {
        var connection = new NpgsqlConnectionStringBuilder(Requires.Postgres()) { Password = "wrong" };
        await using StartedService service = Start(connection.ConnectionString, "migrate");

        Assert.Equal(2, await service.WaitForEndAsync());
        Assert.Contains(
            "snapshotapi: PostgreSQL refuses the service's user or password: ", service.Log, StringComparison.Ordinal);
        service.AssertNoTrace();
    }

    /// <summary>The host does not listen to signals before it starts.</summary>
    [Fact(Timeout = 120_000)]
    public async Task A_service_that_is_told_to_end_while_it_waits_for_the_database_has_not_failed()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        int port = ((IPEndPoint)silent.LocalEndpoint).Port;
        await using StartedService service = Start($"Host=127.0.0.1;Port={port};Username=x;Database=y", "api");
        using Socket asked = await silent.AcceptSocketAsync(Token);

        await service.StopAsync();

        Assert.Equal(0, await service.WaitForEndAsync());
        service.AssertNoTrace();
    }

    [Theory(Timeout = 180_000)]
    [InlineData("transaction", "all")]
    [InlineData("statement", "api")]
    [InlineData("transaction", "migrate")]
    public async Task A_pooler_that_parts_sessions_is_refused(string mode, string role)
    {
        await using var database = new TestDatabase();
        await database.CreateEmptyAsync();
        await using PgBouncer bouncer = await PgBouncer.StartAsync(database.ConnectionString, mode);
        await using StartedService service = Start(bouncer.ConnectionString, role);

        Assert.Equal(2, await service.WaitForEndAsync());
        Assert.Contains(
            "snapshotapi: a connection pooler is in front of PostgreSQL", service.Log, StringComparison.Ordinal);
        Assert.Contains("pool_mode=session", service.Log, StringComparison.Ordinal);
        service.AssertNoTrace();
    }

    [Fact(Timeout = 180_000)]
    public async Task A_pooler_that_keeps_sessions_is_accepted()
    {
        await using var database = new TestDatabase();
        await database.CreateEmptyAsync();
        await using PgBouncer bouncer = await PgBouncer.StartAsync(database.ConnectionString, "session");
        await using StartedService service = Start(bouncer.ConnectionString, "api");

        (int status, _) = await service.WaitForPartAsync("database", message => message.Length == 0);

        Assert.Equal(200, status);
    }

    private static StartedService Start(string connectionString, string role) => StartedService.Start(
        role, new Dictionary<string, string> { ["ConnectionStrings__Snapshots"] = connectionString },
        StartedService.MakeRoot());

    private static async Task<StartedService> StartAndAssertToldAsync(
        string connectionString, string role, string sentence, string logged)
    {
        StartedService service = Start(connectionString, role);
        try
        {
            (int status, string message) = await service.WaitForPartAsync("database", m => m.Length > 0);

            Assert.Equal(503, status);
            Assert.StartsWith(sentence, message, StringComparison.Ordinal);
            string[] lines = [.. service.Log.Split('\n').Where(l => l.Contains(sentence, StringComparison.Ordinal))];
            Assert.NotEmpty(lines);
            Assert.Contains(lines, l => l.Contains(logged, StringComparison.Ordinal));
            service.AssertNoTrace();
            Assert.DoesNotContain("DataProtection", service.Log, StringComparison.Ordinal);
            Assert.DoesNotContain("in-memory repository", service.Log, StringComparison.Ordinal);
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>A real PgBouncer in front of one database of the lab; disposing ends it.</summary>
    private sealed class PgBouncer : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly string _directory;

        private PgBouncer(Process process, string directory, string connectionString) =>
            (_process, _directory, ConnectionString) = (process, directory, connectionString);

        public string ConnectionString { get; }

        public static async Task<PgBouncer> StartAsync(string connectionString, string mode)
        {
            await Shell.RunAsync(Path.Combine(Shell.Repository, "scripts/lab"), "install", "pgbouncer");
            var server = new NpgsqlConnectionStringBuilder(connectionString);
            string directory = Directory.CreateTempSubdirectory("pgbouncer-").FullName;
            const int Port = 6432;
            string file = Path.Combine(directory, "pgbouncer.ini");
            await File.WriteAllTextAsync(
                file,
                $"""
                [databases]
                {server.Database} = host={server.Host} port={server.Port} user={server.Username} password={server.Password}
                [pgbouncer]
                listen_addr =
                unix_socket_dir = {directory}
                listen_port = {Port}
                auth_type = any
                pool_mode = {mode}
                ignore_startup_parameters = extra_float_digits
                """,
                Token);
            await Shell.RunAsync("chown", "-R", "postgres", directory);
            var process = Process.Start(new ProcessStartInfo(
                "setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", "pgbouncer", "-q", file]))!;
            string socket = Path.Combine(directory, $".s.PGSQL.{Port}");
            while (!File.Exists(socket))
            {
                Assert.False(process.HasExited, "pgbouncer ended");
                await Task.Delay(50, Token);
            }

            var client = new NpgsqlConnectionStringBuilder
            {
                Host = directory,
                Port = Port,
                Database = server.Database,
                Username = server.Username,
                Pooling = true,
            };
            return new PgBouncer(process, directory, client.ConnectionString);
        }

        public async ValueTask DisposeAsync()
        {
            _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
            Directory.Delete(_directory, recursive: true);
        }
    }
}
