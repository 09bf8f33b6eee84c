using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Npgsql;

namespace SnapshotApi.Configuration;

[Description("PostgreSQL, which all processes share.")]
internal sealed class DatabaseOptions : IValidatableObject
{
    public const string Section = "Database";

    /// <summary>Name of the connection string: <c>ConnectionStrings:Snapshots</c>.</summary>
    public const string ConnectionName = "Snapshots";

    [Description("PostgreSQL, in Npgsql's syntax. What it says itself wins over the keys below.")]
    [Required]
    public string ConnectionString { get; set; } = "Host=localhost;Database=snapshotapi;Username=snapshotapi";

    [Description("A file with the password of the database user, in place of one in the connection string; read for "
        + "each connection.")]
    public string PasswordFile { get; set; } = string.Empty;

    [Description(
        "Whether the service brings the schema up to date when it starts. Set it to false where its database user "
        + "may not change the schema; `--role migrate` does it then.")]
    public bool MigrateAtStart { get; set; } = true;

    // A database that is away is answered with 503, not waited for.
    [Description("How long opening a connection may take.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    // The longest of ours take milliseconds.
    [Description("How long a statement may take.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(15);

    [Description("Most connections of one process. PostgreSQL's own default allows 100 for all processes together.")]
    [Range(5, 1000)]
    public int MaxPoolSize { get; set; } = 20;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        string? error = null;
        string password = string.Empty;
        try
        {
            password = new NpgsqlConnectionStringBuilder(ConnectionString).Password ?? string.Empty;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException)
        {
            // The message of Npgsql names the keyword, never its value.
            error = e.Message;
        }

        if (error is not null)
        {
            yield return new ValidationResult(
                $"ConnectionStrings:{ConnectionName} is not an Npgsql connection string: {error}");
        }

        if (PasswordFile.Length > 0 && Secret.Problem($"{Section}:Password", password, PasswordFile) is { } problem)
        {
            yield return new ValidationResult(password.Length == 0 ? problem
                : $"{Section}:PasswordFile and a password in ConnectionStrings:{ConnectionName} are both set; one is "
                    + "enough.");
        }
    }
}

[OptionsValidator]
internal sealed partial class DatabaseOptionsValidator : IValidateOptions<DatabaseOptions>;
