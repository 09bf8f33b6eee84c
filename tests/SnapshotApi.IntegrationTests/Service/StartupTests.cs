using SnapshotApi.IntegrationTests.Lab;
using SnapshotApi.IntegrationTests.Persistence;

namespace SnapshotApi.IntegrationTests.Service;

/// <summary>How the process ends when it can't begin.</summary>
public sealed class StartupTests
{
    [Theory(Timeout = 120_000)]
    [InlineData("migrate")]
    [InlineData("api")]
    [InlineData("all")]
    public async Task A_migration_that_fails_ends_the_service_with_its_sentence(string role)
    {
        await using var database = new TestDatabase();
        await database.CreateEmptyAsync();
        await database.ExecuteAsync("CREATE TABLE images (id int)");
        string root = Directory.CreateTempSubdirectory("startup-").FullName;
        try
        {
            (int code, _, string error) = await Shell.TryAsync(
                "env",
                $"ConnectionStrings__Snapshots={database.ConnectionString}",
                $"Node__WorkDirectory={root}/work",
                $"Stores__Directory__Path={root}/store",
                "Urls=http://127.0.0.1:0",
                $"Socket__Path={root}/api.sock",
                "Auth__AdminKeyFile=",
                Path.Combine(AppContext.BaseDirectory, "snapshotapi"),
                "--role",
                role);

            Assert.Equal(1, code);
            Assert.Contains("snapshotapi: migration migrations/0003_create_images.sql failed", error, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }
}
