using System.Runtime.CompilerServices;
using Npgsql;
using SnapshotApi.Errors;

namespace SnapshotApi.Persistence;

/// <summary>
/// The database must be UTF8: in any other encoding names of servers and images either can't be written, or are not what was written. An
/// encoding can't be changed.
/// </summary>
internal static class DatabaseEncoding
{
    private const string Required = "UTF8";

    private const string Ask = "SELECT current_database(), current_setting('server_encoding')";

    /// <summary>Looks at the encoding of the database.</summary>
    /// <exception cref="UnsuitableDatabaseException">It is another.</exception>
    /// <exception cref="SnapshotException">database_unavailable: it does not answer.</exception>
    public static async Task RequireAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlCommand command = source.CreateCommand(Ask);
            await using ConfiguredAsyncDisposable disposeCommand = command.ConfigureAwait(false);
            NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using ConfiguredAsyncDisposable disposeReader = reader.ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            string name = reader.GetString(0);
            string encoding = reader.GetString(1);
            if (encoding != Required)
            {
                throw new UnsuitableDatabaseException(
                    $"the database '{name}' has the encoding {encoding}, and names of servers and images need {Required}. An encoding can't be changed: "
                    + "make another database with 'createdb -E UTF8 -T template0 --locale=C.UTF-8 NAME', and name it in ConnectionStrings__Snapshots");
            }
        }
        catch (Exception e) when (DatabaseFault.IsAway(e))
        {
            throw DatabaseFault.Translate(e);
        }
    }
}
