using System.CommandLine;
using System.Text.Json;
using SnapshotApi.Cli.Http;
using SnapshotApi.Cli.Parsing;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Cli.Watching;
using SnapshotApi.Contracts;

namespace SnapshotApi.Cli.Commands;

/// <summary><c>snapshotctl snapshot SERVER NAME</c>.</summary>
internal sealed class SnapshotCommand : CliCommand
{
    private readonly Argument<string> _server =
        Required("SERVER", "UUID of the server, or its name if no other has it.");

    private readonly Argument<string> _name = new("NAME")
    {
        Description = "Name of the image, 1 to 255 characters.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _mode = Choice(
        "--mode",
        "How a stable view of the disks is obtained. backup: live, the instant is the start; mirror: live, the instant "
        + "is the end; cold: the guest is saved and started again; live: backup or mirror; auto (the default): backup, "
        + "else mirror, else cold.",
        "auto", "live", "cold", "mirror", "backup");

    private readonly Option<string?> _format = Choice(
        "--format",
        "Format of the images: qcow2, raw, vmdk, vdi or vhdx. Default: qcow2 with --compression, else the node's, else "
        + "qcow2, for a block device raw.",
        "qcow2", "raw", "vmdk", "vdi", "vhdx");

    private readonly Option<string?> _compression = Choice(
        "--compression",
        "Compress a qcow2 image: zstd (QEMU 5.1 and later read it), zlib (every QEMU does; slow), none (the default).",
        "none", "zstd", "zlib");

    private readonly Option<int?> _compressionLevel = new("--compression-level")
    {
        Description = "zstd: 1 to 19, default 3. zlib: 1 to 9, default 6. Higher is smaller and slower.",
        HelpName = "N",
    };

    private readonly Option<string?> _sparsify = Choice(
        "--sparsify",
        "Leave out zeros that are allocated: auto (the default) if a sample shows that more than a quarter of the data "
        + "is zero, always, never.",
        "auto", "always", "never");

    private readonly Option<string?> _disks = Text(
        "--disks", "DISKS", "root (the boot disk, the default), all, or a list such as vda,vdb; all have one instant.");

    private readonly Option<string?> _quiesce = Choice(
        "--quiesce",
        "Freeze the guest's file systems at the instant of a live capture, by the guest agent: auto (if it answers, "
        + "the default), required (no image without it), never.",
        "auto", "required", "never");

    private readonly Option<string?> _store =
        Text("--store", "STORE", "Store that receives the image. Default: the service's.");

    private readonly Option<Dictionary<string, string>?> _metadata = new("--metadata")
    {
        Description = "A property for the image. May be given several times.",
        HelpName = "KEY=VALUE",
        CustomParser = MetadataArgument.Parse,
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<bool> _internalSnapshot = Flag(
        "--internal-snapshot", "With --mode cold: take an internal qcow2 snapshot, as Nova's first driver did.");

    private readonly Option<bool> _blockRebase =
        Flag("--block-rebase", "With --mode mirror: use blockRebase with undefine and define instead of blockCopy.");

    private readonly Option<long?> _bandwidth = new("--bandwidth")
    {
        Description = "Read the disks no faster than this many bytes a second: 50M is 50 MiB/s.",
        HelpName = "SIZE",
        CustomParser = SizeArgument.Parse,
    };

    private readonly Option<TimeSpan?> _deadline = new("--deadline")
    {
        Description = "Fail the job if it is not done this long after its start: seconds, or 90s, 45m, 2h, 1h30m.",
        HelpName = "DURATION",
        CustomParser = DurationArgument.Parse,
    };

    private readonly Option<string?> _idempotencyKey = new("--idempotency-key")
    {
        Description = "Makes a repetition safe: the same key with the same request answers the same job. "
            + "Default: a new key, with which the command repeats the request once if the connection breaks.",
        HelpName = "KEY",
    };

    private readonly Option<bool> _poll =
        Flag("--poll", "Wait for the job and show its progress. Ctrl-C stops the watching, not the job.");

    public SnapshotCommand(GlobalOptions global)
        : base("snapshot", "Take an image of a server's disks.")
    {
        _idempotencyKey.Validators.Add(result =>
        {
            string key = result.Tokens is [var token] ? token.Value : "";
            if (key.Length is 0 or > 255 || key.Any(c => c is < '!' or > '~'))
            {
                result.AddError("--idempotency-key takes 1 to 255 visible ASCII characters");
            }
        });
        Add(_server);
        Add(_name);
        foreach (Option option in new Option[]
        {
            _mode, _format, _compression, _compressionLevel, _sparsify, _disks, _quiesce, _store, _metadata,
            _internalSnapshot, _blockRebase, _bandwidth, _deadline, _idempotencyKey, _poll,
        })
        {
            Add(option);
        }

        Details =
        [
            "Asks the service for a snapshot and prints the job. The image is the disk as it was at one instant, "
            + "complete and without a backing file. With --poll the command waits until the job is final; its exit "
            + "status is then the job's outcome.",
        ];
        Examples =
        [
            ("snapshotctl snapshot web-1 before-upgrade --poll", "The boot disk, live if possible, with progress:"),
            (
                "snapshotctl snapshot db-1 nightly --disks all --quiesce required --poll",
                "All disks at one instant, only with frozen file systems:"),
            (
                "snapshotctl snapshot web-1 template --mode cold --format raw --metadata purpose=template",
                "The classic way, as a raw file:"),
            ("snapshotctl snapshot web-1 archive --compression zstd --compression-level 9", "Small:"),
            ("snapshotctl snapshot web-1 slow --bandwidth 50M --deadline 2h --json", "Gently, and machine-readable:"),
        ];
        Run(global, (parsed, s, t) => TakeAsync(s, parsed, t));
    }

    private static Option<string?> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = string.Join('|', values) };
        option.AcceptOnlyFromAmong(values);
        return option;
    }

    private async Task<int> TakeAsync(CliSession session, ParseResult parsed, CancellationToken cancellationToken)
    {
        SnapshotBody body = BodyOf(parsed);
        string key = parsed.GetValue(_idempotencyKey) ?? $"snapshotctl-{Guid.NewGuid():N}";
        ServiceAnswer answer = await session.Client
            .PostSnapshotAsync(parsed.GetRequiredValue(_server), body, key, cancellationToken).ConfigureAwait(false);
        Job job = answer.Read(CliJson.Default.Job);
        if (!parsed.GetValue(_poll))
        {
            return session.Answer(answer.Body, () => JobView.Write(job, session));
        }

        return await WatchedJob.RunAsync(session, job.Id.ToString(), cancellationToken).ConfigureAwait(false);
    }

    private SnapshotBody BodyOf(ParseResult parsed) => new()
    {
        Name = parsed.GetRequiredValue(_name),
        Mode = parsed.GetValue(_mode),
        Format = parsed.GetValue(_format),
        Compression = parsed.GetValue(_compression),
        CompressionLevel = parsed.GetValue(_compressionLevel),
        Sparsify = parsed.GetValue(_sparsify),
        Disks = DisksOf(parsed.GetValue(_disks)),
        Quiesce = parsed.GetValue(_quiesce),
        Store = parsed.GetValue(_store),
        Metadata = parsed.GetValue(_metadata),
        InternalSnapshot = parsed.GetValue(_internalSnapshot) ? true : null,
        BlockRebase = parsed.GetValue(_blockRebase) ? true : null,
        BandwidthBytesPerSecond = parsed.GetValue(_bandwidth),
        DeadlineSeconds = parsed.GetValue(_deadline) is { } deadline ? (int)deadline.TotalSeconds : null,
    };

    private static JsonElement? DisksOf(string? text) => text switch
    {
        null => null,
        "root" or "all" => JsonSerializer.SerializeToElement(text, CliJson.Default.String),
        _ => JsonSerializer.SerializeToElement(
            text.Split(',', StringSplitOptions.TrimEntries), CliJson.Default.StringArray),
    };
}
