using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using SnapshotApi.Jobs;
using SnapshotApi.Linux;
using SnapshotApi.Persistence;

namespace SnapshotApi;

/// <summary>How the process begins and ends: what it says when it does not run, and its exit status.</summary>
internal static class Startup
{
    private const int Failed = 1;
    private const int Misused = 2;

    private const int StandardError = 2;

    /// <summary>Prints what the command line asked for, or what is wrong with it.</summary>
    /// <returns>The exit status.</returns>
    public static int Answer(CommandLine command)
    {
        if (command.Error is { } error)
        {
            Console.Error.WriteLine($"snapshotapi: {error}");
            return Misused;
        }

        Console.Out.WriteLine(command.Answer);
        return 0;
    }

    /// <summary>Prints all that is wrong with the configuration.</summary>
    /// <returns>The exit status.</returns>
    public static int Refuse(IReadOnlyList<string> errors, IConfiguration configuration)
    {
        Complain(IsJournal(configuration), "snapshotapi: the configuration is wrong:");
        foreach (string error in errors)
        {
            Complain(IsJournal(configuration), $"  - {error}");
        }

        return Misused;
    }

    /// <summary>Says on standard error why the process does not run; for systemd's journal it is an error.</summary>
    private static void Complain(bool isJournal, string line) =>
        Console.Error.WriteLine(isJournal ? $"<3>{line}" : line);

    private static bool IsJournal(IConfiguration configuration) =>
        JournalFormatter.IsForThis(configuration["JOURNAL_STREAM"], StandardError);

    /// <summary>Does what the role is for: migrates the database, or serves until the process is told to end.</summary>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(WebApplication app, ServiceRole role)
    {
        bool isJournal = IsJournal(app.Configuration);
        try
        {
            if (role == ServiceRole.Migrate)
            {
                await app.Services.GetRequiredService<DatabaseMigrator>()
                    .MigrateAsync(app.Lifetime.ApplicationStopping).ConfigureAwait(false);
            }
            else
            {
                if (role.IsNode())
                {
                    LinuxProcess.LowerPriority(app.Services.GetRequiredService<IOptions<NodeOptions>>().Value.Nice);
                }

                await ServeAsync(app).ConfigureAwait(false);
            }

            return 0;
        }
        catch (Exception e) when (e is SetupException or SnapshotException { IsLasting: true })
        {
            // A restart does not cure it.
            Complain(isJournal, $"snapshotapi: {e.Message}");
            return Misused;
        }
        catch (Exception e) when (e is SnapshotException or InvalidOperationException or IOException
            or UnauthorizedAccessException or CryptographicException)
        {
            // A database that is away, a script that failed, an address that is taken, a certificate that can't be
            // read: the sentence says it.
            Complain(isJournal, $"snapshotapi: {e.Message}");
            return Failed;
        }
        catch (SocketException e)
        {
            Complain(
                isJournal,
                $"snapshotapi: the service can't listen at an address of Urls ({e.Message}): name one of this host; "
                + "ports below 1024 need CAP_NET_BIND_SERVICE in AmbientCapabilities= and CapabilityBoundingSet= of a "
                + "drop-in");
            return Failed;
        }
        finally
        {
            await app.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Serves until the process is told to end. A part that fails ends the host too, silently.</summary>
    private static async Task ServeAsync(WebApplication app)
    {
        // Asked for now: the host that has ended is disposed.
        DatabaseStartup? database = app.Services.GetService<DatabaseStartup>();
        app.Services.GetService<NodeDirectories>()?.Require();
        if (database is not null && !await LookAsync(database).ConfigureAwait(false))
        {
            return;
        }

        BackgroundService[] parts = [.. app.Services.GetServices<IHostedService>().OfType<BackgroundService>()];
        CancellationToken stopping = app.Lifetime.ApplicationStopping;
        try
        {
            await app.RunAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // It was still starting.
        }

        if (database?.Refusal is { } refusal)
        {
            throw refusal;
        }

        if (Array.Find(parts, part => part.ExecuteTask is { IsFaulted: true }) is { } failed)
        {
            await failed.ExecuteTask!.ConfigureAwait(false);
        }
    }

    /// <summary>Looks at the database, and listens to signals, which the host does not do yet.</summary>
    /// <returns>False: the process was told to end.</returns>
    private static async Task<bool> LookAsync(DatabaseStartup database)
    {
        using var told = new CancellationTokenSource();
        void End(PosixSignalContext context)
        {
            context.Cancel = true;
            told.Cancel();
        }

        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        await database.LookAsync(told.Token).ConfigureAwait(false);
        return !told.IsCancellationRequested;
    }
}
