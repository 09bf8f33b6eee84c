using System.Text;

namespace SnapshotApi.Configuration;

/// <summary>The text of <c>--help</c> and <c>--version</c>.</summary>
internal static class HelpText
{
    private const int Width = 100;

    private const string Head = """
        NAME
            snapshotapi - take images of KVM/libvirt guests over HTTP

        SYNOPSIS
            snapshotapi [--role all|api|node|migrate] [--KEY VALUE]...
            snapshotapi setup [--no-restart]
            snapshotapi --new-api-key | --help | --version

        DESCRIPTION
            A client POSTs a snapshot of a server. A worker on the node that runs the server turns the disk, as it
            was at one instant, into a standalone image in an image store. The client polls the job. PostgreSQL is all
            that processes share.

            snapshotapi setup makes role and database on the PostgreSQL of this host; see snapshotapi setup --help.

        OPTIONS
            --role ROLE
                What the process does:
                all      everything, on one node (the default)
                api      serves the HTTP API
                node     runs the jobs of this host, and serves its health and its image files
                migrate  brings the database up to date, then exits
            --KEY VALUE
                Sets a key of the configuration, for example --Node:MaxJobs 2.
            --new-api-key
                Prints a new API key and its hash: the key is for the caller, the hash for the configuration
                (Auth__ApiKeys__0__Key). Nothing else is done or kept.
            --help, --version
                Print this page, or the version, then exit.

        CONFIGURATION
            Keys come from appsettings.json, then the environment, then the command line; the last one wins. In the
            environment a colon is written as two underscores. Times are written as hours:minutes:seconds, with days
            and a dot before them.


        """;

    private const string Tail = """

        TLS
            Urls=https://0.0.0.0:5443 with Kestrel__Certificates__Default__Path=CERT.pem and
            Kestrel__Certificates__Default__KeyPath=KEY.pem.

        LOGGING
            One line an event on standard output. For JSON, one object a line, set Serilog__WriteTo__0__Name=Console and
            Serilog__WriteTo__0__Args__formatter=
                "Serilog.Formatting.Compact.CompactJsonFormatter, Serilog.Formatting.Compact".
            Serilog__MinimumLevel__Default=Debug logs more, for example requests that only read.

        EXIT STATUS
            0   it ended as asked
            1   it failed, and standard error says why: a migration failed, an address is taken
            2   the command line or the configuration is wrong; standard error lists all that is wrong

        FILES
            Node:WorkDirectory and Stores:Directory:Path are made, readable by their owner only, when they are missing.
            /etc/snapshotapi/snapshotapi.conf has the settings of the systemd units, /etc/snapshotapi/database.conf the
            connection that snapshotapi setup made.
        """;

    public static string Page { get; } = Build();

    public static string Version { get; } = $"snapshotapi {ServiceVersion.Text}";

    private static string Build()
    {
        var page = new StringBuilder(Head);
        foreach (ConfigurationKey key in ConfigurationKeys.All)
        {
            page.Append($"    {key.EnvironmentName} (default {ConfigurationKey.Plain(key.Default)})\n")
                .Append(Wrap(key.PlainMeaning, "        ", Width));
        }

        return page.Append(Tail).ToString();
    }

    /// <summary>Text in lines of a width, each after an indent and ended by a line break.</summary>
    public static string Wrap(string text, string indent, int width)
    {
        var lines = new StringBuilder();
        var line = new StringBuilder(indent);
        foreach (string word in text.Split(' '))
        {
            if (line.Length > indent.Length && line.Length + 1 + word.Length > width)
            {
                lines.Append(line).Append('\n');
                line.Clear().Append(indent);
            }

            line.Append(line.Length > indent.Length ? " " : string.Empty).Append(word);
        }

        return lines.Append(line).Append('\n').ToString();
    }
}

/// <summary>The text of <c>snapshotapi setup --help</c>.</summary>
internal static class SetupHelp
{
    public const string Page = """
        NAME
            snapshotapi setup - make role and database on the PostgreSQL of this host

        SYNOPSIS
            snapshotapi setup [--no-restart]

        DESCRIPTION
            Makes the role snapshotapi, with a random password, and the database snapshotapi (UTF8, whatever the default
            of the cluster is), writes the connection for the systemd units, and restarts those that are enabled. It asks
            nothing, says what it did and what is missing, a line each, and may be run again: what is done stays as it
            is. The Debian package runs it when it is installed, and when PostgreSQL is.

            Where ConnectionStrings__Snapshots is set in /etc/snapshotapi/snapshotapi.conf nothing is touched. A role or
            a database of that name that setup did not make is not touched either.

        OPTIONS
            --no-restart
                Leaves the units alone; they take up the connection when they start.
            --help
                Prints this page, then exits.

        EXIT STATUS
            0   the service has a connection
            1   something is missing, and standard error says what, and what to do
            2   the command line is wrong

        FILES
            /etc/snapshotapi/database.conf       the connection, mode 0600
            /var/lib/snapshotapi/setup.state     what was made, for the purge of the package
        """;
}
