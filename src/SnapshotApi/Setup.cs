using System.Security.Cryptography;
using SnapshotApi.Persistence;
using SnapshotApi.Tools;

namespace SnapshotApi;

/// <summary>
/// <c>snapshotapi setup</c>: makes role and database on the PostgreSQL of this host, and tells the units how to
/// connect. It says what it did and what is missing, a line each. What it finds done it leaves as it is:
/// <list type="number">
/// <item>A connection that the administrator has configured wins; nothing is touched.</item>
/// <item>A cluster that answers is looked for.</item>
/// <item>What is to be made is written down, for the package's purge, and only then made.</item>
/// <item>The connection is written for the units, tried, and the service restarted.</item>
/// </list>
/// </summary>
internal sealed class Setup(TextWriter output, SetupPlaces places)
{
    private const string ConnectionKey = $"ConnectionStrings__{DatabaseOptions.ConnectionName}";
    private const string RoleKey = "ROLE";
    private const string DatabaseKey = "DATABASE";
    private const string PortKey = "PORT";

    private static readonly string[] Units = ["snapshotapi.service", "snapshotapi-api.service"];

    /// <summary>Runs the verb.</summary>
    /// <param name="mayRestart">Units that run take up a new connection at once.</param>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(bool mayRestart, CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return Fail("setup needs root: run it with sudo.");
        }

        try
        {
            bool isNew = await new Setup(Console.Out, SetupPlaces.OfHost).MakeAsync(cancellationToken)
                .ConfigureAwait(false);
            if (isNew && mayRestart)
            {
                await RestartAsync(cancellationToken).ConfigureAwait(false);
            }

            return 0;
        }
        catch (Exception e) when (e is SetupException or IOException or UnauthorizedAccessException)
        {
            return Fail(e.Message);
        }
    }

    /// <summary>Makes what is missing.</summary>
    /// <returns>The units have a new connection to take up.</returns>
    /// <exception cref="SetupException">Something is missing that setup can't make.</exception>
    public async Task<bool> MakeAsync(CancellationToken cancellationToken)
    {
        // Step 1
        if (places.Settings.FirstOrDefault(f => SettingsFile.Read(f).ContainsKey(ConnectionKey)) is { } file)
        {
            output.WriteLine($"database: {file} sets {ConnectionKey}; nothing is changed.");
            return false;
        }

        SystemAnswer units = await SystemCommand.RunAsync(
            "systemctl", ["show", "--property=Environment", "--value", .. Units], string.Empty, cancellationToken)
            .ConfigureAwait(false);
        if (units.Output.Contains($"{ConnectionKey}=", StringComparison.Ordinal))
        {
            output.WriteLine($"database: a drop-in of the units sets {ConnectionKey}; nothing is changed.");
            return false;
        }

        // Step 2
        IReadOnlyDictionary<string, string> state = SettingsFile.Read(places.State);
        LocalCluster cluster = await FindClusterAsync(state, cancellationToken).ConfigureAwait(false);
        string? connection = SettingsFile.Read(places.Connection).GetValueOrDefault(ConnectionKey);
        if (connection is not null
            && await LocalCluster.TryConnectAsync(connection, cancellationToken).ConfigureAwait(false) is null)
        {
            output.WriteLine($"database: ready since an earlier setup ({places.Connection}); nothing is changed.");
            return false;
        }

        // Steps 3 and 4
        string password = RandomNumberGenerator.GetHexString(48, lowercase: true);
        await MakeRoleAsync(cluster, state, password, cancellationToken).ConfigureAwait(false);
        await MakeDatabaseAsync(cluster, cancellationToken).ConfigureAwait(false);
        connection = cluster.ConnectionString(password);
        SettingsFile.Write(
            places.Connection,
            ["Made by snapshotapi setup. A connection in snapshotapi.conf wins over this one."],
            (ConnectionKey, connection));
        output.WriteLine($"connection: written to {places.Connection}.");
        if (await LocalCluster.TryConnectAsync(connection, cancellationToken).ConfigureAwait(false) is { } problem)
        {
            throw new SetupException(
                $"PostgreSQL {cluster.Name} refuses the connection of {places.Connection} ({problem}): let it listen "
                + "on 127.0.0.1 and accept passwords there (listen_addresses, pg_hba.conf), then run snapshotapi setup "
                + "again.");
        }

        return true;
    }

    private async Task<LocalCluster> FindClusterAsync(
        IReadOnlyDictionary<string, string> state, CancellationToken cancellationToken)
    {
        IReadOnlyList<LocalCluster>? clusters =
            await LocalCluster.ListAsync(cancellationToken).ConfigureAwait(false);
        int? formerPort = state.TryGetValue(PortKey, out string? port)
            ? int.Parse(port, CultureInfo.InvariantCulture)
            : null;
        return LocalCluster.Choose(clusters ?? [], formerPort) switch
        {
            { IsOnline: true } cluster => cluster,
            { } cluster => throw new SetupException(
                $"PostgreSQL {cluster.Name} is {cluster.Status}: start it with 'systemctl start postgresql', then run "
                + "snapshotapi setup again."),
            null => throw new SetupException(
                "there is no PostgreSQL on this host: install it with 'apt-get install postgresql', then run "
                + $"snapshotapi setup again; or set {ConnectionKey} in {places.Settings[0]} for one on another host."),
        };
    }

    private async Task MakeRoleAsync(
        LocalCluster cluster,
        IReadOnlyDictionary<string, string> state,
        string password,
        CancellationToken cancellationToken)
    {
        bool exists = await cluster.HasRoleAsync(cancellationToken).ConfigureAwait(false);
        bool isOurs = state.ContainsKey(RoleKey);
        if (exists && !isOurs)
        {
            throw new SetupException(
                $"PostgreSQL {cluster.Name} has a role {LocalCluster.OurName} that setup did not make: set "
                + $"{ConnectionKey} with its password in {places.Settings[0]}.");
        }

        bool hasDatabase =
            await cluster.FindDatabaseAsync(cancellationToken).ConfigureAwait(false) is not null;
        var made = new List<(string Name, string Value)>
        {
            (PortKey, cluster.Port.ToString(CultureInfo.InvariantCulture)), (RoleKey, LocalCluster.OurName),
        };
        if (!hasDatabase || state.ContainsKey(DatabaseKey))
        {
            made.Add((DatabaseKey, LocalCluster.OurName));
        }

        SettingsFile.Write(
            places.State, ["What snapshotapi setup made in PostgreSQL; purging the package drops it."], [.. made]);
        await cluster.WriteRoleAsync(!exists, password, cancellationToken).ConfigureAwait(false);
        output.WriteLine(exists
            ? $"role: {LocalCluster.OurName} on PostgreSQL {cluster.Name} has a new password."
            : $"role: {LocalCluster.OurName} made on PostgreSQL {cluster.Name}.");
    }

    private async Task MakeDatabaseAsync(LocalCluster cluster, CancellationToken cancellationToken)
    {
        if (await cluster.FindDatabaseAsync(cancellationToken).ConfigureAwait(false) is { } found)
        {
            output.WriteLine(found.Owner == LocalCluster.OurName
                ? $"database: {LocalCluster.OurName} is there already."
                : throw new SetupException(
                    $"PostgreSQL {cluster.Name} has a database {LocalCluster.OurName} that belongs to {found.Owner}: "
                    + $"set {ConnectionKey} in {places.Settings[0]}, or drop the database."));
            return;
        }

        await cluster.CreateDatabaseAsync(cancellationToken).ConfigureAwait(false);
        output.WriteLine($"database: {LocalCluster.OurName} made on PostgreSQL {cluster.Name}.");
    }

    // What runs, or has given up because of its configuration, takes up the connection; what is disabled stays off.
    private static async Task RestartAsync(CancellationToken cancellationToken)
    {
        foreach (string unit in Units)
        {
            SystemAnswer enabled = await SystemCommand.RunAsync(
                "systemctl", ["is-enabled", "--quiet", unit], string.Empty, cancellationToken).ConfigureAwait(false);
            if (!enabled.IsGood || !Directory.Exists("/run/systemd/system"))
            {
                continue;
            }

            await SystemCommand.RunAsync("systemctl", ["reset-failed", unit], string.Empty, cancellationToken)
                .ConfigureAwait(false);
            SystemAnswer restarted = await SystemCommand.RunAsync(
                "systemctl", ["restart", unit], string.Empty, cancellationToken).ConfigureAwait(false);
            Console.Out.WriteLine(restarted.IsGood
                ? $"service: {unit} restarted."
                : throw new SetupException($"{unit} does not start: see 'journalctl -u {unit} -e'."));
        }
    }

    private static int Fail(string message)
    {
        Console.Error.WriteLine($"snapshotapi: {message}");
        return 1;
    }
}

/// <summary>Where setup reads and writes.</summary>
/// <param name="Settings">Files of the administrator, which win; the first one is that of the package.</param>
/// <param name="Connection">What setup writes for the units.</param>
/// <param name="State">What setup remembers for the purge; the package's postrm reads it.</param>
internal sealed record SetupPlaces(string[] Settings, string Connection, string State)
{
    private const string Directory = "/etc/snapshotapi";

    public static SetupPlaces OfHost { get; } = new(
        [$"{Directory}/snapshotapi.conf", $"{Directory}/snapshotapi.env", $"{Directory}/api.env"],
        $"{Directory}/database.conf",
        "/var/lib/snapshotapi/setup.state");
}
