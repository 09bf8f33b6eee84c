namespace SnapshotApi.IntegrationTests.Lab;

/// <summary>What these tests need of the machine; <c>scripts/test</c> brings it up.</summary>
internal static class Requires
{
    /// <summary>An environment variable of <c>scripts/lab env</c>; without it the test is skipped, on a build server it fails.</summary>
    public static string Variable(string name)
    {
        string? value = Environment.GetEnvironmentVariable(name);
        if (string.IsNullOrEmpty(value))
        {
            const string how = "is not set: eval \"$(scripts/lab env)\" after scripts/lab up";
            if (Environment.GetEnvironmentVariable("CI") == "true")
            {
                Assert.Fail($"{name} {how}");
            }

            Assert.Skip($"{name} {how}");
        }

        return value!;
    }

    /// <summary>The lab's directory.</summary>
    public static string LabDirectory() => Variable("SNAPSHOTAPI_LAB");

    /// <summary>Connection string of the lab's PostgreSQL.</summary>
    public static string Postgres() => Variable("SNAPSHOTAPI_TEST_POSTGRES");
}
