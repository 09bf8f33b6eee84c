using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Npgsql;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Database</c>, and <c>ConnectionStrings:Snapshots</c>: PostgreSQL, the only thing that roles share.</summary>
internal sealed class DatabaseOptions : IValidatableObject
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Database";

    /// <summary>Name of the connection string: <c>ConnectionStrings:Snapshots</c>.</summary>
    public const string ConnectionName = "Snapshots";

    /// <summary>Npgsql connection string; what it says itself wins over the options below.</summary>
    /// <value>From <c>ConnectionStrings:Snapshots</c>. Default <c>Host=localhost;Database=snapshotapi;Username=snapshotapi</c>.</value>
    [Required]
    public string ConnectionString { get; set; } = "Host=localhost;Database=snapshotapi;Username=snapshotapi";

    /// <summary>Whether the service brings the schema up to date when it starts.</summary>
    /// <value>Default true. Set false where the service's database user may not; then <c>--role migrate</c> does.</value>
    public bool MigrateAtStart { get; set; } = true;

    /// <summary>How long opening a connection may take.</summary>
    /// <value>1 s to 5 minutes. Default 5 s: a database that is away is answered with 503, not waited for.</value>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a statement may take.</summary>
    /// <value>1 s to 5 minutes. Default 15 s; the longest of ours take milliseconds.</value>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Most connections of one process.</summary>
    /// <value>5 to 1000. Default 20: PostgreSQL's own default allows 100 for all processes together.</value>
    [Range(5, 1000)]
    public int MaxPoolSize { get; set; } = 20;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        string? error = null;
        try
        {
            _ = new NpgsqlConnectionStringBuilder(ConnectionString);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException)
        {
            // The message of Npgsql names the keyword, never its value.
            error = e.Message;
        }

        if (error is not null)
        {
            yield return new ValidationResult($"ConnectionStrings:{ConnectionName} is not an Npgsql connection string: {error}");
        }
    }
}

/// <summary>Checks <see cref="DatabaseOptions"/> at start; all errors at once.</summary>
[OptionsValidator]
internal sealed partial class DatabaseOptionsValidator : IValidateOptions<DatabaseOptions>;
