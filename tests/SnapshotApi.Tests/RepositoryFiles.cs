namespace SnapshotApi.Tests;

/// <summary>Files of the working copy that these tests were built from.</summary>
internal static class RepositoryFiles
{
    /// <summary>Its root: where the solution is.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Every C# file below a folder but what builds generate.</summary>
    public static IReadOnlyList<string> Sources(string folder) =>
    [
        .. Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>A path as it stands in the repository.</summary>
    public static string Name(string path) => Path.GetRelativePath(Root, path);

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "SnapshotApi.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new DirectoryNotFoundException("no SnapshotApi.sln above the tests");
    }
}
