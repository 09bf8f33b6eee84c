using System.Globalization;

namespace SnapshotApi.Linux;

/// <summary>A file that a process has open.</summary>
/// <param name="Identity">Which file.</param>
/// <param name="CanWrite">It is open for writing.</param>
public readonly record struct OpenFile(FileIdentity Identity, bool CanWrite)
{
    /// <summary>The files and block devices that a process has open.</summary>
    /// <returns>
    /// Null when there is no such process, or it can't be looked at: without CAP_SYS_PTRACE descriptors are listed, but not followed.
    /// </returns>
    public static IReadOnlyList<OpenFile>? ListOf(int processId)
    {
        string process = $"/proc/{processId.ToString(CultureInfo.InvariantCulture)}";
        string[]? descriptors = Names($"{process}/fd");
        if (descriptors is null || !CanFollow(processId))
        {
            return null;
        }

        var files = new List<OpenFile>();
        foreach (string descriptor in descriptors)
        {
            if (FileIdentity.Find($"{process}/fd/{descriptor}") is { } file
                && (file.IsRegularFile || file.IsBlockDevice)
                && DescriptorFacts.Read($"{process}/fdinfo/{descriptor}") is { } facts)
            {
                files.Add(new OpenFile(file, facts.CanWrite));
            }
        }

        return files;
    }

    /// <summary>The descriptors of that process can be followed to its files: the kernel asks for the same right as for its root directory.</summary>
    public static bool CanFollow(int processId) =>
        FileIdentity.Find($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/root/") is not null;

    internal static string[]? Names(string directory)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
