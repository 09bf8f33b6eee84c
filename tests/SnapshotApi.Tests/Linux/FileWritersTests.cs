using System.Diagnostics;
using System.Globalization;
using SnapshotApi.Linux;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Linux;

public sealed class FileWritersTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("3<>", true)]
    [InlineData("3>>", true)]
    [InlineData("3<", false)]
    public void A_process_that_has_a_file_open_for_writing_is_found_by_number_and_name(
        string redirection, bool isWriter)
    {
        string path = _directory.File("disk");
        File.WriteAllText(path, "disk");
        FileIdentity file = FileIdentity.Find(path)!.Value;
        using Process shell = Open(redirection, path);
        try
        {
            IReadOnlyList<FileWriter> writers = FileWriters.Find([file]);

            string process = $"process bash ({shell.Id.ToString(CultureInfo.InvariantCulture)})";
            Assert.Equal(isWriter ? [new FileWriter(file, process)] : [], writers);
            Assert.Empty(FileWriters.Find([file], shell.Id));
            Assert.Equal(
                new OpenFile(file, isWriter), Assert.Single(OpenFile.ListOf(shell.Id)!, f => f.Identity == file));
        }
        finally
        {
            shell.Kill();
        }
    }

    [Fact]
    public void A_hard_link_and_a_symbolic_link_are_the_same_file()
    {
        string path = _directory.File("disk");
        File.WriteAllText(path, "disk");
        File.CreateSymbolicLink(_directory.File("symbolic"), path);
        using Process link = Process.Start("ln", [path, _directory.File("hard")]);
        link.WaitForExit();
        File.Copy(path, _directory.File("copy"));

        Assert.Equal(FileIdentity.Find(path), FileIdentity.Find(_directory.File("symbolic")));
        Assert.Equal(FileIdentity.Find(path), FileIdentity.Find(_directory.File("hard")));
        Assert.NotEqual(FileIdentity.Find(path), FileIdentity.Find(_directory.File("copy")));
        Assert.Null(FileIdentity.Find(_directory.File("none")));
        Assert.False(FileIdentity.Find("/dev/null")!.Value.IsBlockDevice);
    }

    [Fact]
    public void Of_a_process_that_has_ended_nothing_is_known()
    {
        using Process ended = Process.Start("true");
        ended.WaitForExit();

        Assert.Null(OpenFile.ListOf(ended.Id));
    }

    // Tells by a line that the file is open.
    private static Process Open(string redirection, string path)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"exec {redirection} \"$0\"; echo open; read -r _", path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        Process shell = Process.Start(start)!;
        Assert.Equal("open", shell.StandardOutput.ReadLine());
        return shell;
    }
}
