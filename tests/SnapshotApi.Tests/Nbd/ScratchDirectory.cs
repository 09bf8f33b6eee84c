namespace SnapshotApi.Tests.Nbd;

/// <summary>A private directory under the system's temporary one; its path is short enough for a unix socket.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    public string FullPath { get; } = Create();

    public static string Create() => Directory.CreateTempSubdirectory("snapshotapi-test-").FullName;

    public static void Delete(string path) => Directory.Delete(path, recursive: true);

    /// <summary>The path of a file in it.</summary>
    public string File(string name) => Path.Combine(FullPath, name);

    public void Dispose() => Delete(FullPath);
}
