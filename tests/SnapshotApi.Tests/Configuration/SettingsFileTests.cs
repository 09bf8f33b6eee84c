using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public sealed class SettingsFileTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("snapshotapi-settings-");

    [Theory]
    [InlineData("A__B=c", "c")]
    [InlineData("  A__B = c d  ", "c d")]
    [InlineData("A__B='c \\ d'", "c \\ d")]
    [InlineData("A__B=\"c \\\" d\"", "c \" d")]
    [InlineData("A__B=c\\\nd", "cd")]
    [InlineData("a__b=c", "c")]
    [InlineData("A__B=x\nA__B=c", "c")]
    [InlineData("A__B=Host=h;Password=p=", "Host=h;Password=p=")]
    public void A_value_is_read_as_systemd_reads_it(string text, string value) =>
        Assert.Equal(value, SettingsFile.Parse(text)["A__B"]);

    [Theory]
    [InlineData("")]
    [InlineData("# A__B=c")]
    [InlineData("; A__B=c")]
    [InlineData("A__B=")]
    [InlineData("A__B=c\nA__B=")]
    [InlineData("A__B")]
    public void What_is_not_set_has_no_value(string text) => Assert.Empty(SettingsFile.Parse(text));

    [Theory]
    [InlineData("Host=127.0.0.1;Port=5432;Password=ab01")]
    [InlineData("with \"quotes\" and \\ and $ and '")]
    [InlineData("# no comment")]
    public void What_is_written_is_read_again_and_is_its_owners(string value)
    {
        string path = Path.Combine(_directory.FullName, "x.conf");
        File.WriteAllText(path, "A=former");

        SettingsFile.Write(path, ["comment"], ("A__B", value));

        Assert.Equal(KeyValuePair.Create("A__B", value), Assert.Single(SettingsFile.Read(path)));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Single(_directory.GetFiles());
    }

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void A_file_that_is_not_there_sets_nothing() => Assert.Empty(SettingsFile.Read("/nonexistent/x.conf"));
}
