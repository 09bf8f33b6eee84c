using System.Reflection;
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
            snapshotapi --new-api-key | --help | --version

        DESCRIPTION
            A client POSTs a snapshot of a server; a worker on the node that runs it turns the disk, as it was at one instant, into
            a standalone image in an image store; the client polls the job. PostgreSQL is the only thing that processes share.

        OPTIONS
            --role ROLE
                What the process does:
                all      everything, on one node (the default)
                api      serves the HTTP API
                node     runs the jobs of this host, and serves its health and its image files
                migrate  brings the database up to date and ends
            --KEY VALUE
                Sets a key of the configuration, for example --Node:MaxJobs 2.
            --new-api-key
                Prints a new key for the API, and its hash; the key is for whoever will use it, the hash for the configuration
                (Auth__ApiKeys__0__Key). Nothing else is done or kept.
            --help, --version
                Print this page, or the version, and end.

        CONFIGURATION
            Keys come from appsettings.json, then the environment, then the command line; the last one wins. In the environment a
            colon is written as two underscores. Times are written as hours:minutes:seconds, with days and a dot before them.


        """;

    private const string Tail = """

        TLS
            Urls=https://0.0.0.0:5443 with Kestrel__Certificates__Default__Path=CERT.pem and Kestrel__Certificates__Default__KeyPath=KEY.pem.

        LOGGING
            One line an event on standard output. For JSON, one object a line, set Serilog__WriteTo__0__Name=Console and
            Serilog__WriteTo__0__Args__formatter="Serilog.Formatting.Compact.CompactJsonFormatter, Serilog.Formatting.Compact".
            Serilog__MinimumLevel__Default=Debug tells more.

        EXIT STATUS
            0   it ended as asked, or was told to end
            1   it failed: the database could not be brought up to date, or an address is taken
            2   the command line or the configuration is wrong; standard error says all that is

        FILES
            Node:WorkDirectory and Stores:Directory:Path are made, readable by their owner only, when they are not there.
        """;

    private static readonly Dictionary<string, string> Meanings = new(StringComparer.Ordinal)
    {
        ["Role"] = "What the process does; the same as --role.",
        ["Urls"] = "Where it listens, parted by semicolons. An address that other hosts reach needs keys or tokens: see Auth. For https see TLS.",
        ["ConnectionStrings:Snapshots"] = "Npgsql connection string of the database.",
        ["Database:MigrateAtStart"] = "Whether the service brings the database up to date when it starts; false where its database user may not.",
        ["Database:ConnectTimeout"] = "How long opening a connection may take.",
        ["Database:CommandTimeout"] = "How long a statement may take.",
        ["Database:MaxPoolSize"] = "Most connections of one process.",
        ["Node:Name"] = "Name of the node, unique among those that share a database. Its default is the host's name.",
        ["Node:LibvirtUri"] = "libvirt of the node.",
        ["Node:WorkDirectory"] = "Where journals, clones, mirrors, scratch files and sockets are; at most 60 bytes, on local storage.",
        ["Node:MaxJobs"] = "How many jobs the node runs at once.",
        ["Node:Nice"] = "Nice value of the service: guests get a processor first. 0 leaves it as it was started.",
        ["Node:ReservedBytes"] = "Free space that a job must leave in the work directory.",
        ["Node:StallTimeout"] = "A copy that moves no byte for so long has failed.",
        ["Node:BandwidthBytesPerSecond"] = "What all jobs of the node together may read of disks, in bytes a second. Without it: no limit.",
        ["Node:FreezeTimeout"] = "How long a guest agent may take to freeze or thaw.",
        ["Node:SnapshotImageFormat"] = "Format of images of which a request names none: qcow2, raw, vmdk, vdi or vhdx. Without it qcow2, and raw for block devices.",
        ["Node:InventoryInterval"] = "How often the servers are read anew although no event came.",
        ["Jobs:MaxAttempts"] = "How often a job is begun when the service dies under it.",
        ["Jobs:LeaseDuration"] = "How long a run may be silent before others take it for dead.",
        ["Jobs:ProgressInterval"] = "Shortest time between two writes of a job's progress.",
        ["Jobs:HeartbeatInterval"] = "How often a node gives a sign of life.",
        ["Jobs:RefreshTimeout"] = "Longest time that a POST waits for nodes to look at the server anew.",
        ["Jobs:SweepInterval"] = "How often lost jobs are looked for.",
        ["Jobs:LostAfter"] = "How long a queued job may be unknown to its queue, or wait while a worker is free, before it is enqueued again.",
        ["Jobs:EventRetention"] = "How long the step log of a finished job is kept.",
        ["Jobs:IdempotencyRetention"] = "How long an Idempotency-Key is remembered.",
        ["Stores:Default"] = "Store of a request that names none.",
        ["Stores:Directory:Path"] = "Where the directory store keeps its images.",
        ["Stores:Directory:MaxJobs"] = "How many jobs of a node may use the directory at once. Without it: as many as the node runs.",
        ["Stores:Glance:Endpoint"] = "Address of OpenStack's image service. There is a store 'glance' when it is set.",
        ["Stores:Glance:Token"] = "A token that is sent to Glance as it is, where no Keystone is asked.",
        ["Stores:Glance:TokenFile"] = "A file with that token; read again when the token is refused.",
        ["Stores:Glance:HashAlgorithm"] = "Digest that Glance computes, its option hashing_algorithm: sha512 or sha256.",
        ["Stores:Glance:MaxJobs"] = "How many jobs of a node may use Glance at once. Without it: as many as the node runs.",
        ["Stores:Glance:Keystone:Url"] = "Address of the Keystone that gives tokens for Glance; it is asked when this is set.",
        ["Stores:Glance:Keystone:Username"] = "Name of the user.",
        ["Stores:Glance:Keystone:Password"] = "The user's password.",
        ["Stores:Glance:Keystone:PasswordFile"] = "A file with that password.",
        ["Stores:Glance:Keystone:UserDomain"] = "Name of the user's domain.",
        ["Stores:Glance:Keystone:Project"] = "Name of the project that the images will belong to.",
        ["Stores:Glance:Keystone:ProjectDomain"] = "Name of the project's domain.",
        ["Stores:Glance:Keystone:ApplicationCredentialId"] = "Id of an application credential, in place of user, password and project.",
        ["Stores:Glance:Keystone:ApplicationCredentialSecret"] = "Its secret.",
        ["Stores:Glance:Keystone:ApplicationCredentialSecretFile"] = "A file with that secret.",
        ["Auth:AllowAnonymousNetwork"] = "Listen where other hosts reach it although nobody is asked who they are; for where something in front decides who comes in.",
        ["Auth:ApiKeys:N:Name"] = "Who has the key, for the log. N is 0, 1, 2, ... With a key or with tokens everything but /health/live needs one.",
        ["Auth:ApiKeys:N:Key"] = "Hash of the key, never the key: sha256: and 64 hexadecimal digits. See --new-api-key.",
        ["Auth:ApiKeys:N:Role"] = "reader (looks, downloads), operator (also takes snapshots, changes and cancels jobs) or admin (also deletes images, and uses /hangfire).",
        ["Auth:Jwt:Authority"] = "OpenID Connect provider whose tokens are taken; https, or http on this host.",
        ["Auth:Jwt:PublicKeyFile"] = "In place of a provider: public key (RSA, EC) or certificate, in PEM, of who signs tokens.",
        ["Auth:Jwt:SecretFile"] = "In place of a provider: secret shared with who signs tokens (HMAC), at least 32 bytes.",
        ["Auth:Jwt:Issuer"] = "Who signs tokens, their claim iss; needed with a key in a file.",
        ["Auth:Jwt:Audience"] = "Whom tokens must be meant for, their claim aud; needed with any tokens.",
        ["Auth:Jwt:NameClaim"] = "Claim that names the caller in the log.",
        ["Auth:Jwt:RoleClaim"] = "Claim with the caller's roles: a text or a list of texts.",
        ["Auth:Jwt:ReaderRole"] = "What that claim says of a reader.",
        ["Auth:Jwt:OperatorRole"] = "What that claim says of an operator.",
        ["Auth:Jwt:AdminRole"] = "What that claim says of an admin.",
        ["RateLimit:SnapshotsPerMinute"] = "How many snapshots a caller (a key, the subject of a token, else an address) may ask for a minute; beyond that the answer is 429. 0: no limit.",
        ["RateLimit:SnapshotBurst"] = "How many of them at once.",
        ["Nova:Keystone:Url"] = "Address of Keystone, with or without /v3. When it is set, clients of OpenStack's Nova are served under /v2.1, with tokens of this Keystone only.",
        ["Nova:Keystone:Username"] = "Name of the user by whom the tokens of callers are looked at.",
        ["Nova:Keystone:Password"] = "That user's password.",
        ["Nova:Keystone:PasswordFile"] = "A file with that password.",
        ["Nova:Keystone:UserDomain"] = "Name of that user's domain.",
        ["Nova:Keystone:Project"] = "Name of the project that this user acts in.",
        ["Nova:Keystone:ProjectDomain"] = "Name of the project's domain.",
        ["Nova:Keystone:ApplicationCredentialId"] = "Id of an application credential, in place of user, password and project.",
        ["Nova:Keystone:ApplicationCredentialSecret"] = "Its secret.",
        ["Nova:Keystone:ApplicationCredentialSecretFile"] = "A file with that secret.",
        ["Nova:PublicKeystoneUrl"] = "Where clients reach Keystone, if that is not Nova:Keystone:Url.",
        ["Nova:PublicUrl"] = "Where clients reach this service, for links; without /v2.1. Without it: the address that they asked.",
        ["Nova:TokenCacheSeconds"] = "How long what Keystone said of a token is believed for calls that only look, 0 to 600. Before a snapshot it is always asked.",
        ["Nova:Roles:ROLE"] = "What a role of Keystone's may do: reader, operator or admin. Without any: admin=admin, member=operator, reader=reader.",
        ["Nova:Projects:PROJECT:N"] = "A server of the project with that id: name, UUID, or * for those of no other project. What Nova wrote into a definition comes first.",
        ["Faults:Directory"] = "For scripts/faults only: where faults of this service are ordered.",
        ["Faults:Armed"] = "For scripts/faults only: without it Faults__Directory is refused.",
    };

    /// <summary>The page, as a manual has it.</summary>
    public static string Page { get; } = Build();

    /// <summary>Name and version.</summary>
    public static string Version { get; } = "snapshotapi " + typeof(HelpText).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    /// <summary>What a key means; null when the page lacks it.</summary>
    public static string? MeaningOf(string key) => Meanings.GetValueOrDefault(key);

    private static string Build()
    {
        var page = new StringBuilder(Head);
        foreach (ConfigurationKey key in ConfigurationKeys.All)
        {
            page.Append("    ").Append(key.EnvironmentName).Append(" (default ").Append(key.Default).Append(")\n");
            AppendWrapped(page, Meanings.GetValueOrDefault(key.Name, string.Empty));
        }

        return page.Append(Tail).ToString();
    }

    private static void AppendWrapped(StringBuilder page, string text)
    {
        const string Indent = "        ";
        int column = 0;
        foreach (string word in text.Split(' '))
        {
            if (column == 0 || column + 1 + word.Length > Width)
            {
                page.Append(column == 0 ? Indent : "\n" + Indent).Append(word);
                column = Indent.Length + word.Length;
            }
            else
            {
                page.Append(' ').Append(word);
                column += 1 + word.Length;
            }
        }

        page.Append('\n');
    }
}
