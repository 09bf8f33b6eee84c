using System.Net.Sockets;
using Npgsql;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Tests.Persistence;

public sealed class DatabaseFaultTests
{
    [Theory]
    [InlineData("28P01", "refuses the service's user or password", true)]
    [InlineData("28000", "pg_hba.conf", true)]
    [InlineData("3D000", "PostgreSQL has no such database: make it with 'createdb", true)]
    [InlineData("42501", "lacks a right in its database", true)]
    [InlineData("53300", "raise its max_connections", false)]
    [InlineData("53100", "no disk space left", false)]
    [InlineData("25006", "is a standby", false)]
    [InlineData("57P03", "is starting or stopping: wait", false)]
    [InlineData("57P01", "is starting or stopping: wait", false)]
    [InlineData("42P01", "the database is not migrated: run 'snapshotapi --role migrate'", false)]
    [InlineData("08P01", "refuses the service's connection with error 08P01", false)]
    public void A_refusal_of_PostgreSQL_is_told_with_its_cure_and_whether_it_passes(
        string state, string sentence, bool isLasting)
    {
        var refusal = new PostgresException("no \"secret-user\" in \"secret-name\"", "FATAL", "FATAL", state);

        Assert.True(DatabaseFault.IsAway(refusal));
        SnapshotException e = DatabaseFault.Translate(refusal);

        Assert.Equal(SnapshotErrorCode.DatabaseUnavailable, e.Code);
        Assert.Contains(sentence, e.Message, StringComparison.Ordinal);
        Assert.Equal(isLasting, e.IsLasting);
        Assert.Equal(isLasting, e.Message.EndsWith("waiting does not help", StringComparison.Ordinal));
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Theory]
    [InlineData(SocketError.ConnectionRefused, "nobody listens where the database should be: start PostgreSQL")]
    [InlineData(SocketError.HostNotFound, "correct Host in ConnectionStrings__Snapshots")]
    [InlineData(SocketError.AccessDenied, "may not connect to PostgreSQL's socket")]
    [InlineData(SocketError.ConnectionReset, "the database does not answer")]
    public void A_database_that_does_not_answer_is_told_by_what_the_host_says(SocketError error, string sentence)
    {
        SnapshotException e = DatabaseFault.Translate(new NpgsqlException("failed", new SocketException((int)error)));

        Assert.Contains(sentence, e.Message, StringComparison.Ordinal);
        Assert.False(e.IsLasting);
    }

    [Fact]
    public async Task A_socket_that_is_not_there_is_told_as_such()
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create("Host=/nonexistent;Username=x;Database=y");

        NpgsqlException failure = await Assert.ThrowsAnyAsync<NpgsqlException>(
            async () => await source.OpenConnectionAsync(TestContext.Current.CancellationToken));

        Assert.StartsWith(
            "there is no such socket of PostgreSQL", DatabaseFault.Translate(failure).Message,
            StringComparison.Ordinal);
    }
}
