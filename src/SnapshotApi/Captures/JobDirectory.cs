using System.Globalization;
using SnapshotApi.Journal;
using SnapshotApi.Linux;

namespace SnapshotApi.Captures;

/// <summary>
/// The private directory of one job below the node's work directory: mode 0700, owned by the user that QEMU runs as when QEMU must
/// write into it. Every file in it is in the journal before it is made.
/// </summary>
internal sealed class JobDirectory
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Traversable = Private | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly JobJournal _journal;
    private readonly (uint User, uint Group)? _owner;

    private JobDirectory(string path, JobJournal journal, (uint, uint)? owner)
    {
        (Path, _journal, _owner) = (path, journal, owner);
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Makes the directory of a job.</summary>
    /// <param name="workDirectory">The node's work directory.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="qemuOwner"><c>uid:gid</c> of QEMU; null when QEMU needs no access.</param>
    /// <param name="journal">Gets an entry that deletes it.</param>
    public static JobDirectory Create(string workDirectory, Guid jobId, string? qemuOwner, JobJournal journal)
    {
        string run = System.IO.Path.Combine(workDirectory, "run");
        Directory.CreateDirectory(run, Traversable);
        LetThrough(workDirectory);
        LetThrough(run);
        string path = System.IO.Path.Combine(run, jobId.ToString("N"));
        (uint User, uint Group)? owner = ParseOwner(qemuOwner);
        journal.Add(new DeleteFile(path));
        Directory.CreateDirectory(path, Private);
        File.SetUnixFileMode(path, Private);
        if (owner is { } qemu)
        {
            LinuxFile.ChangeOwner(path, qemu.User, qemu.Group);
        }

        return new JobDirectory(path, journal, owner);
    }

    /// <summary>A path in the directory, journalled to be deleted, that is made by somebody else.</summary>
    public string Reserve(string name)
    {
        string path = System.IO.Path.Combine(Path, name);
        _journal.Add(new DeleteFile(path));
        return path;
    }

    /// <summary>Lets QEMU read and write a file of ours in the directory; nobody else but root can.</summary>
    public void GiveToQemu(string path)
    {
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        if (_owner is { } qemu)
        {
            LinuxFile.ChangeOwner(path, qemu.User, qemu.Group);
        }
    }

    // QEMU runs as another user and must reach its job's directory; it can list none on the way.
    private static void LetThrough(string directory)
    {
        UnixFileMode mode = File.GetUnixFileMode(directory);
        if ((mode & UnixFileMode.OtherExecute) == 0)
        {
            File.SetUnixFileMode(directory, mode | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }
    }

    private static (uint User, uint Group)? ParseOwner(string? owner)
    {
        string[] parts = owner?.Split(':') ?? [];
        return parts.Length == 2
            && uint.TryParse(parts[0].TrimStart('+'), NumberStyles.None, CultureInfo.InvariantCulture, out uint user)
            && uint.TryParse(parts[1].TrimStart('+'), NumberStyles.None, CultureInfo.InvariantCulture, out uint group)
            ? (user, group)
            : null;
    }
}
