using Microsoft.Extensions.Options;
using Npgsql;
using SnapshotApi.Configuration;
using SnapshotApi.Persistence;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Persistence;

public sealed class DataSourceTests
{
    [Fact]
    public void Options_apply_where_the_connection_string_is_silent()
    {
        using NpgsqlDataSource source = PersistenceServices.CreateDataSource(
            new DatabaseOptions { ConnectionString = "Host=h;Timeout=77" });

        var effective = new NpgsqlConnectionStringBuilder(source.ConnectionString);

        Assert.Equal(
            (77, 15, 20, "snapshotapi"),
            (effective.Timeout, effective.CommandTimeout, effective.MaxPoolSize, effective.ApplicationName));
    }

    [Fact]
    public void A_connection_string_that_is_none_is_refused_without_being_shown()
    {
        ValidateOptionsResult result = new DatabaseOptionsValidator().Validate(
            null, new DatabaseOptions { ConnectionString = "Hots=h;Password=secret" });

        Assert.True(result.Failed);
        Assert.Contains("ConnectionStrings:Snapshots", result.FailureMessage, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", result.FailureMessage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=h;Password=secret", "s3cret", "both set")]
    [InlineData("Host=h", "", "a file that is empty")]
    [InlineData("Host=h", null, "a file that can't be read")]
    public void A_password_has_one_place(string connectionString, string? content, string words)
    {
        using var scratch = new ScratchDirectory();
        string file = scratch.File("password");
        if (content is not null)
        {
            File.WriteAllText(file, content);
        }

        ValidateOptionsResult result = new DatabaseOptionsValidator().Validate(
            null, new DatabaseOptions { ConnectionString = connectionString, PasswordFile = file });

        Assert.Contains(words, result.FailureMessage, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", result.FailureMessage, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", result.FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void All_wrong_job_options_are_told_at_once()
    {
        ValidateOptionsResult result = new JobsOptionsValidator().Validate(
            null, new JobsOptions { MaxAttempts = 0, LeaseDuration = TimeSpan.Zero });

        Assert.Equal(2, result.Failures!.Count());
    }
}
