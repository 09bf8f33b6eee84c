using Npgsql;
using SnapshotApi.Persistence;

namespace SnapshotApi.Tests.Persistence;

public sealed class LocalClusterTests
{
    private const string Listing = """
        15 main    5433 down            postgres /var/lib/postgresql/15/main /var/log/postgresql/postgresql-15-main.log
        17 main    5434 online          postgres /var/lib/postgresql/17/main /var/log/postgresql/postgresql-17-main.log
        17 replica 5432 online,recovery postgres /var/lib/postgresql/17/replica /var/log/x.log
        17 other   5435 online          alice    /var/lib/postgresql/17/other /var/log/y.log
        """;

    [Fact]
    public void The_clusters_of_the_host_are_read() => Assert.Equal(
        [
            new LocalCluster("15/main", 5433, "down", "postgres"),
            new LocalCluster("17/main", 5434, "online", "postgres"),
            new LocalCluster("17/replica", 5432, "online,recovery", "postgres"),
            new LocalCluster("17/other", 5435, "online", "alice"),
        ],
        LocalCluster.Parse(Listing));

    [Theory]
    [InlineData("")]
    [InlineData("Ver Cluster Port Status Owner Data directory Log file")]
    public void What_is_no_cluster_is_left_out(string lines) => Assert.Empty(LocalCluster.Parse(lines));

    [Theory]
    [InlineData(null, "17/main")]
    [InlineData(5435, "17/other")]
    [InlineData(5433, "15/main")]
    [InlineData(9999, "17/main")]
    public void The_cluster_of_an_earlier_setup_comes_first_then_one_that_answers(int? formerPort, string name) =>
        Assert.Equal(name, LocalCluster.Choose(LocalCluster.Parse(Listing), formerPort)?.Name);

    [Fact]
    public void Without_a_cluster_there_is_nothing_to_choose() => Assert.Null(LocalCluster.Choose([], 5432));

    /// <summary>The example of RFC 7677, section 3, as PostgreSQL stores it.</summary>
    [Fact]
    public void A_password_is_given_as_PostgreSQL_stores_it()
    {
        string verifier = LocalCluster.ScramVerifier("pencil", Convert.FromBase64String("W22ZaJ0SNY7soEsUEjb6gQ=="));

        Assert.Equal(
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                + "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
            verifier);
    }

    [Theory]
    [InlineData(140000, false)]
    [InlineData(150000, true)]
    [InlineData(170005, true)]
    public void The_database_is_UTF8_whatever_the_default_of_the_cluster(int version, bool namesProvider)
    {
        string statement = LocalCluster.CreateDatabase(version);

        Assert.StartsWith(
            "CREATE DATABASE snapshotapi OWNER snapshotapi TEMPLATE template0 ENCODING 'UTF8' ", statement,
            StringComparison.Ordinal);
        Assert.Equal(namesProvider, statement.EndsWith(" LOCALE_PROVIDER libc", StringComparison.Ordinal));
    }

    [Fact]
    public void The_service_connects_by_password_over_the_loopback_address()
    {
        var connection = new NpgsqlConnectionStringBuilder(
            new LocalCluster("15/main", 5433, "online", "postgres").ConnectionString("ab;c"));

        Assert.Equal("127.0.0.1", connection.Host);
        Assert.Equal(5433, connection.Port);
        Assert.Equal("snapshotapi", connection.Username);
        Assert.Equal("ab;c", connection.Password);
    }
}
