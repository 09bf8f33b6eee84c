using System.Security.Cryptography;
using System.Text;
using Npgsql;
using SnapshotApi.Tools;

namespace SnapshotApi.Persistence;

/// <summary>
/// A cluster of PostgreSQL on this host, as Debian's <c>pg_lsclusters</c> lists it. Its superuser is asked over the
/// unix socket, with psql, which a caller who is root can do without a password.
/// </summary>
/// <param name="Name">Version and name: <c>15/main</c>.</param>
/// <param name="Status"><c>online</c>, <c>down</c>, <c>online,recovery</c>.</param>
/// <param name="Owner">The user that owns it, who is its superuser.</param>
internal sealed record LocalCluster(string Name, int Port, string Status, string Owner)
{
    /// <summary>Role and database that <c>snapshotapi setup</c> makes.</summary>
    public const string OurName = "snapshotapi";

    private const int LibcProviderVersion = 150000;

    /// <summary>It answers, and is no standby.</summary>
    public bool IsOnline => Status == "online";

    /// <summary>The clusters of this host; null when PostgreSQL is not installed as Debian packages it.</summary>
    public static async Task<IReadOnlyList<LocalCluster>?> ListAsync(CancellationToken cancellationToken)
    {
        SystemAnswer answer = await SystemCommand.RunAsync("pg_lsclusters", ["-h"], string.Empty, cancellationToken)
            .ConfigureAwait(false);
        return answer.IsFound ? Parse(answer.Output) : null;
    }

    /// <summary>Reads the lines of <c>pg_lsclusters -h</c>.</summary>
    public static IReadOnlyList<LocalCluster> Parse(string lines) =>
    [
        .. from line in lines.Split('\n')
           let words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
           where words.Length >= 5 && int.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out _)
           select new LocalCluster(
               $"{words[0]}/{words[1]}", int.Parse(words[2], CultureInfo.InvariantCulture), words[3], words[4]),
    ];

    /// <summary>The one to use: that of an earlier time, else the one at the lowest port; online ones first.</summary>
    public static LocalCluster? Choose(IReadOnlyList<LocalCluster> clusters, int? formerPort) => clusters
        .OrderByDescending(c => c.Port == formerPort)
        .ThenByDescending(c => c.IsOnline)
        .ThenBy(c => c.Port)
        .FirstOrDefault();

    /// <summary>There is a role of our name.</summary>
    /// <exception cref="SetupException">PostgreSQL did not answer.</exception>
    public async Task<bool> HasRoleAsync(CancellationToken cancellationToken) => await AskAsync(
        $"SELECT 1 FROM pg_roles WHERE rolname = '{OurName}'", cancellationToken).ConfigureAwait(false) == "1";

    /// <summary>Owner and encoding of the database of our name; null when there is none.</summary>
    /// <exception cref="SetupException">PostgreSQL did not answer.</exception>
    public async Task<(string Owner, string Encoding)?> FindDatabaseAsync(CancellationToken cancellationToken)
    {
        string row = await AskAsync(
            "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding) FROM pg_database "
                + $"WHERE datname = '{OurName}'",
            cancellationToken).ConfigureAwait(false);
        return row.Split('|') is [var owner, var encoding] ? (owner, encoding) : null;
    }

    /// <summary>Makes the role, or gives it another password.</summary>
    /// <exception cref="SetupException">PostgreSQL refused.</exception>
    public Task WriteRoleAsync(bool isNew, string password, CancellationToken cancellationToken) => AskAsync(
        $"{(isNew ? "CREATE" : "ALTER")} ROLE {OurName} LOGIN PASSWORD "
            + $"'{ScramVerifier(password, RandomNumberGenerator.GetBytes(16))}'",
        cancellationToken);

    /// <summary>Makes the database: UTF8, whatever the cluster's own default is.</summary>
    /// <exception cref="SetupException">PostgreSQL refused.</exception>
    public async Task CreateDatabaseAsync(CancellationToken cancellationToken)
    {
        string version = await AskAsync("SHOW server_version_num", cancellationToken).ConfigureAwait(false);
        await AskAsync(
            CreateDatabase(int.Parse(version, CultureInfo.InvariantCulture)), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The statement for a version such as 150018.</summary>
    public static string CreateDatabase(int version) =>
        $"CREATE DATABASE {OurName} OWNER {OurName} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' "
        + $"LC_CTYPE 'C.UTF-8'{(version >= LibcProviderVersion ? " LOCALE_PROVIDER libc" : string.Empty)}";

    /// <summary>
    /// What PostgreSQL stores of a password, so that neither its log nor a list of processes ever shows the password
    /// itself. https://www.postgresql.org/docs/15/catalog-pg-authid.html
    /// </summary>
    public static string ScramVerifier(string password, byte[] salt)
    {
        // PostgreSQL's own default. The password is random: more rounds would protect nothing.
        const int rounds = 4096;
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(
            Encoding.UTF8.GetBytes(password), salt, rounds, HashAlgorithmName.SHA256, SHA256.HashSizeInBytes);
        byte[] stored = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        byte[] server = HMACSHA256.HashData(salted, "Server Key"u8);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"SCRAM-SHA-256${rounds}:{Convert.ToBase64String(salt)}$"
            + $"{Convert.ToBase64String(stored)}:{Convert.ToBase64String(server)}");
    }

    /// <summary>How the service connects: by password, for peer authentication has no role for root.</summary>
    public string ConnectionString(string password) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = Port,
        Database = OurName,
        Username = OurName,
        Password = password,
    }.ConnectionString;

    /// <summary>Tries a connection string.</summary>
    /// <returns>Why it can't be used; null when it can.</returns>
    public static async Task<string?> TryConnectAsync(string connectionString, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlDataSource source = NpgsqlDataSource.Create(connectionString);
            await using var sourceScope = source.ConfigureAwait(false);
            await DatabaseNeeds.RequireAsync(source, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is SnapshotException or SetupException or ArgumentException)
        {
            return e.InnerException is { } inner ? inner.Message.ReplaceLineEndings(" ") : e.Message;
        }
    }

    private async Task<string> AskAsync(string sql, CancellationToken cancellationToken)
    {
        SystemAnswer answer = await SystemCommand.RunAsync(
            "setpriv",
            [
                $"--reuid={Owner}", $"--regid={Owner}", "--init-groups", "--reset-env", "--",
                "psql", "--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only",
                "--set=ON_ERROR_STOP=1",
                string.Create(CultureInfo.InvariantCulture, $"--port={Port}"), "--dbname=postgres",
            ],
            $"{sql};\n",
            cancellationToken).ConfigureAwait(false);
        return answer.IsGood
            ? answer.Output
            : throw new SetupException($"PostgreSQL {Name} refused: {answer.Error.ReplaceLineEndings(" ")}.");
    }
}
