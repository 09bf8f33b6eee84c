using System.Diagnostics;
using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Persistence;

/// <summary>
/// A database in which the names of servers can't be kept is refused by the real process, whatever its role.
/// </summary>
public sealed class DatabaseEncodingTests
{
    [Theory(Timeout = 120_000)]
    [InlineData("SQL_ASCII", "migrate")]
    [InlineData("LATIN1", "migrate")]
    [InlineData("SQL_ASCII", "api")]
    [InlineData("LATIN1", "node")]
    [InlineData("SQL_ASCII", "all")]
    [InlineData("LATIN1", "all", "false")]
    public async Task Another_encoding_than_UTF8_is_refused_with_the_command_that_helps(
        string encoding, string role, string migrates = "true")
    {
        await using var database = new TestDatabase();
        await database.CreateEmptyAsync($"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        string root =
            Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), $"e{Guid.NewGuid():N}"[..8])).FullName;
        try
        {
            var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "snapshotapi"), ["--role", role])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["ConnectionStrings__Snapshots"] = database.ConnectionString;
            start.Environment["Database__MigrateAtStart"] = migrates;
            start.Environment["Node__Name"] = Path.GetFileName(root);
            start.Environment["Node__WorkDirectory"] = Path.Combine(root, "work");
            start.Environment["Stores__Directory__Path"] = Path.Combine(root, "store");
            start.Environment["Urls"] = "http://127.0.0.1:0";
            start.Environment["Socket__Path"] = Path.Combine(root, "api.sock");
            start.Environment["Auth__AdminKeyFile"] = "";
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            string errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            string said = errors + await output;

            Assert.True(process.ExitCode == 2, $"{process.ExitCode}: {said}");
            Assert.Contains($"has the encoding {encoding}", errors, StringComparison.Ordinal);
            Assert.Contains("createdb -E UTF8 -T template0", errors, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}
