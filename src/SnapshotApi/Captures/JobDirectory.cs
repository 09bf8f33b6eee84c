using SnapshotApi.Host;
using SnapshotApi.Journal;
using SnapshotApi.Linux;
using SnapshotApi.Tools;

namespace SnapshotApi.Captures;

/// <summary>
/// The private directory of a job in the node's work directory: mode 0700, owned by whoever reads the disks, or by the
/// service until <see cref="OpenToQemu"/>. Every file in it is in the journal before it is made.
/// </summary>
internal sealed class JobDirectory
{
    /// <summary>How the names of clones beside a guest's disk begin; the id of the job follows.</summary>
    public const string CloneNamePrefix = ".snapshotapi-";

    private const UnixFileMode Traversable =
        LinuxFile.PrivateDirectory | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly JobJournal _journal;
    private readonly (uint User, uint Group)? _owner;

    // What QEMU got, as it was made.
    private readonly Dictionary<string, FileIdentity> _given = [];

    private JobDirectory(string path, JobJournal journal, (uint, uint)? owner, (uint, uint)? reader)
    {
        Path = path;
        _journal = journal;
        _owner = owner;
        Reader = reader;
    }

    public string Path { get; }

    /// <summary>It is known who QEMU is: files can be given to it.</summary>
    public bool HasOwner => _owner is not null;

    /// <summary>The user who reads the disks for us, and makes sockets here; null: the service.</summary>
    public (uint User, uint Group)? Reader { get; }

    /// <summary>A directory that QEMU writes into, once it is opened.</summary>
    /// <param name="qemuOwner">QEMU's user and group, as in libvirt's DAC label; null: the service's.</param>
    /// <param name="journal">Gets an entry that deletes it.</param>
    /// <exception cref="SnapshotException">no_space, copy_destination_failed, hypervisor_error.</exception>
    public static JobDirectory Create(string workDirectory, Guid jobId, string? qemuOwner, JobJournal journal)
    {
        (uint User, uint Group)? owner = ParseOwner(qemuOwner);

        // A QEMU of root's has no capability that would lead it into the directory of another.
        (uint User, uint Group)? reader = owner is { User: not 0 } ? ChildRights.ReaderFor(owner) : null;
        JobDirectory directory = CreateOrExplain(workDirectory, jobId, null, journal);
        return new JobDirectory(directory.Path, journal, owner, reader);
    }

    /// <summary>A directory for sockets and copies, into which QEMU does not write.</summary>
    /// <param name="qemuOwner">As above: the disks are read as that user, if this host knows it.</param>
    /// <param name="journal">Gets an entry that deletes it.</param>
    /// <exception cref="SnapshotException">no_space, copy_destination_failed.</exception>
    public static JobDirectory CreateForReading(
        string workDirectory, Guid jobId, string? qemuOwner, JobJournal journal) =>
        CreateOrExplain(workDirectory, jobId, ChildRights.ReaderFor(TryParseOwner(qemuOwner)), journal);

    private static JobDirectory CreateOrExplain(
        string workDirectory, Guid jobId, (uint User, uint Group)? reader, JobJournal journal)
    {
        try
        {
            return Create(workDirectory, jobId, reader, journal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw e is IOException io && StorageErrors.IsFull(io)
                ? new SnapshotException(
                    SnapshotErrorCode.NoSpace, "there is no space left in the node's work directory", e)
                : StorageErrors.Translate(
                    e,
                    "the node's work directory",
                    "the job's directory could not be made in the node's work directory",
                    SnapshotErrorCode.CopyDestinationFailed);
        }
    }

    /// <summary>A path in the directory, journalled to be deleted, for what the caller makes.</summary>
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

        if (FileIdentity.Find(path) is { } file)
        {
            _given[path] = file;
        }
    }

    /// <summary>
    /// Makes the directory QEMU's. What lies in it is made before: afterwards a process of QEMU's user could put a link
    /// where a file of ours is to be.
    /// </summary>
    public void OpenToQemu()
    {
        if (_owner is { } qemu)
        {
            LinuxFile.ChangeOwner(Path, qemu.User, qemu.Group);
        }
    }

    /// <summary>Makes the directory the service's again, to make a file in it.</summary>
    public void CloseToQemu() => LinuxFile.ChangeOwner(Path, LinuxAccounts.OwnUser, LinuxAccounts.OwnGroup);

    /// <summary>
    /// Lets the reader open a copy of ours without a capability, where the file system has owners. What QEMU had is
    /// root's after its job if libvirtd was restarted meanwhile.
    /// </summary>
    public void TryGiveToReader(string path)
    {
        if (Reader is { } reader)
        {
            try
            {
                if (_given.TryGetValue(path, out FileIdentity file))
                {
                    // A process of QEMU's user may have put something else there: the reader finds out.
                    _ = LinuxFile.TryChangeOwner(path, file, reader.User, reader.Group);
                }
                else
                {
                    LinuxFile.ChangeOwner(path, reader.User, reader.Group);
                }
            }
            catch (IOException)
            {
                // A network file system may map owners: then the reader needs a capability.
            }
        }
    }

    /// <summary>
    /// The numbers of a DAC label, found as libvirt does (virParseOwnershipIds): <c>+</c> before a number; else a name,
    /// or a number that is nobody's name. Without a group it is the user's own.
    /// </summary>
    internal static (uint User, uint Group)? ParseOwner(string? label)
    {
        if (string.IsNullOrEmpty(label))
        {
            return null;
        }

        return TryParseOwner(label) ?? throw new SnapshotException(
            SnapshotErrorCode.HypervisorError,
            $"QEMU of the server runs as '{label}' by its security label (dac): "
            + "this host knows no such user or group");
    }

    private static (uint User, uint Group)? TryParseOwner(string? label)
    {
        if (string.IsNullOrEmpty(label))
        {
            return null;
        }

        string[] parts = label.Split(':');
        (uint User, uint Group)? user = FindUser(parts[0]);
        uint? group = parts.Length switch
        {
            1 => user?.Group,
            2 => FindGroup(parts[1]),
            _ => null,
        };
        return user is not null && group is not null ? (user.Value.User, group.Value) : null;
    }

    private static JobDirectory Create(
        string workDirectory, Guid jobId, (uint User, uint Group)? reader, JobJournal journal)
    {
        string run = System.IO.Path.Combine(workDirectory, "run");
        Directory.CreateDirectory(run, Traversable);
        LetThrough(workDirectory);
        LetThrough(run);
        string path = System.IO.Path.Combine(run, jobId.ToString("N"));
        journal.Add(new DeleteFile(path));
        Directory.CreateDirectory(path, LinuxFile.PrivateDirectory);
        File.SetUnixFileMode(path, LinuxFile.PrivateDirectory);
        if (reader is { } user)
        {
            LinuxFile.ChangeOwner(path, user.User, user.Group);
        }

        return new JobDirectory(path, journal, null, reader);
    }

    // QEMU runs as another user and must reach its job's directory, but list none on the way.
    private static void LetThrough(string directory)
    {
        UnixFileMode mode = File.GetUnixFileMode(directory);
        if ((mode & UnixFileMode.OtherExecute) == 0)
        {
            File.SetUnixFileMode(directory, mode | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        }
    }

    private static (uint User, uint Group)? FindUser(string name) =>
        (name.StartsWith('+') ? null : LinuxAccounts.FindUser(name))
            ?? (Number(name) is { } number ? (number, number) : null);

    private static uint? FindGroup(string name) =>
        (name.StartsWith('+') ? null : LinuxAccounts.FindGroup(name)) ?? Number(name);

    private static uint? Number(string name)
    {
        string digits = name.StartsWith('+') ? name[1..] : name;
        return uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) ? number : null;
    }
}
