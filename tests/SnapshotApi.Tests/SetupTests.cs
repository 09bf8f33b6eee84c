namespace SnapshotApi.Tests;

public sealed class SetupTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("snapshotapi-setup-");
    private readonly StringWriter _output = new();

    [Theory]
    [InlineData("snapshotapi.conf", "ConnectionStrings__Snapshots=Host=db")]
    [InlineData("snapshotapi.env", "# old\nConnectionStrings__Snapshots=\"Host=db;Password=x\"\n")]
    public async Task A_connection_of_the_administrator_wins_and_nothing_is_touched(string file, string text)
    {
        string path = Path.Combine(_directory.FullName, file);
        await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);

        bool isNew = await new Setup(_output, Places()).MakeAsync(TestContext.Current.CancellationToken);

        Assert.False(isNew);
        Assert.Equal(
            $"database: {path} sets ConnectionStrings__Snapshots; nothing is changed.\n", _output.ToString());
        Assert.Equal(path, Assert.Single(_directory.GetFiles()).FullName);
    }

    public void Dispose()
    {
        _output.Dispose();
        _directory.Delete(recursive: true);
    }

    private SetupPlaces Places() => new(
        [Path.Combine(_directory.FullName, "snapshotapi.conf"), Path.Combine(_directory.FullName, "snapshotapi.env")],
        Path.Combine(_directory.FullName, "database.conf"),
        Path.Combine(_directory.FullName, "setup.state"));
}
