using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection.Extensions;
using SnapshotApi.Captures;
using SnapshotApi.Host;
using SnapshotApi.Journal;
using SnapshotApi.Linux;

namespace SnapshotApi.Jobs;

/// <summary>Registers this folder.</summary>
internal static class JobServices
{
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromMinutes(2);

    /// <summary>Adds what accepts, cancels and follows jobs. Needs <c>AddPersistence</c>.</summary>
    public static IServiceCollection AddJobs(
        this IServiceCollection services, IConfiguration configuration, ServiceRole role)
    {
        if (role.IsApi())
        {
            services.AddHostedService<FleetUpkeep>().AddHostedService<LostNodes>().AddHangfireUpkeep();
        }

        services.AddOptions<JobsOptions>().Bind(configuration.GetSection(JobsOptions.Section)).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<JobsOptions>, JobsOptionsValidator>());
        return services
            .AddHangfireClient()
            .AddSingleton<InventoryRefresh>()
            .AddSingleton<ServerLocator>()
            .AddSingleton<JobSubmitter>()
            .AddSingleton<JobCanceller>()
            .AddSingleton<JobLimiter>()
            .AddSingleton<JobFeed>()
            .AddHostedService(provider => provider.GetRequiredService<JobFeed>());
    }

    /// <summary>Adds what proves the node's captures.</summary>
    private static IServiceCollection AddCanaries(this IServiceCollection services)
    {
        services.TryAddSingleton<CaptureFindings>();
        services.TryAddSingleton<ICanaryTrial, CanaryTrial>();
        return services
            .AddSingleton<CanaryJournals>()
            .AddSingleton<CanaryRemoval>()
            .AddSingleton(provider => UndoHandler.Of(provider.GetRequiredService<CanaryRemoval>()))
            .AddSingleton<CanaryNest>()
            .AddSingleton<NodeChecker>();
    }

    /// <summary>
    /// Adds what runs the jobs of this node. Needs <see cref="AddJobs"/>, <c>IHypervisor</c>, <c>ISnapshotPipeline</c>
    /// and <c>IUndoExecutor</c>.
    /// </summary>
    public static IServiceCollection AddNodeWorker(this IServiceCollection services)
    {
        services.TryAddSingleton<IFaultPoint>(NoFaults.Instance);
        return services
            .AddSingleton<NodeDirectories>()
            .AddSingleton<LiveRuns>()
            .AddSingleton<OutcomeDelivery>()
            .AddSingleton<JournalRecovery>()
            .AddSingleton<ServerProblems>()
            .AddSingleton<JobLease>()
            .AddSingleton<ProgressWriter>()
            .AddTransient<JobExecution>()
            .AddTransient<SnapshotJobRunner>()
            .AddSingleton<NodeHeartbeat>()
            .AddSingleton<InventoryPublisher>()
            .AddSingleton<JobSweeper>()
            .AddCanaries()
            .AddSingleton<JobServer>()
            .AddSingleton<NodeAgent>()
            .AddHostedService(provider => provider.GetRequiredService<NodeAgent>())

            // Undoing a cold capture starts a guest from its saved memory: 30 s, the default, may be too short.
            .Configure<HostOptions>(o => o.ShutdownTimeout = ShutdownTimeout);
    }
}

/// <summary>The places of jobs in the node's work directory.</summary>
internal sealed class NodeDirectories(IOptions<NodeOptions> options)
{
    private const string Place = "the node's work directory";

    // https://www.freedesktop.org/software/systemd/man/252/machine-id.html
    private const string MachineId = "/etc/machine-id";

    private const int HostIdBytes = 16;

    // QEMU, which is another user, passes through the directory to the files and sockets of its job.
    private const UnixFileMode Traversable =
        LinuxFile.PrivateDirectory | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly Lazy<string> _hostId = new(() => FindHostId(options.Value.WorkDirectory));

    /// <summary>Journals, one per job.</summary>
    public string Journals => Path.Combine(options.Value.WorkDirectory, "journal");

    /// <summary>
    /// Which host this is: of the machine and this work directory, kept over restarts. Where no file can be written, as
    /// on a full file system, it lasts as long as the process: the next one takes the node's name some heartbeats
    /// later.
    /// </summary>
    public string HostId => _hostId.Value;

    /// <summary>Held while a service works on this node.</summary>
    public string NodeLock => Path.Combine(options.Value.WorkDirectory, "node.lock");

    /// <summary>What the last check of the node's captures has shown.</summary>
    public string Check => Path.Combine(options.Value.WorkDirectory, "check.json");

    private string Locks => Path.Combine(options.Value.WorkDirectory, "locks");

    /// <summary>Held while a run works on a server.</summary>
    public string ServerLock(Guid serverId) => Path.Combine(Locks, $"{serverId:D}.lock");

    /// <summary>Why nothing can be written in the work directory now, with the cure; null: it can.</summary>
    public string? FindProblem() => StorageProbe.FindProblem(Place, "Node__WorkDirectory", () =>
    {
        Make();
        StorageProbe.Write(Locks);
    })?.Message;

    /// <summary>Makes the work directory, before anything is begun. A full one does: undoing makes room.</summary>
    /// <exception cref="SetupException">It can't be, and waiting does not help.</exception>
    /// <exception cref="SnapshotException">no_space: there is no room for it now.</exception>
    public void Require()
    {
        SnapshotException? problem = StorageProbe.FindProblem(Place, "Node__WorkDirectory", () =>
        {
            Make();
            StorageProbe.Write(Locks);
        });
        bool canUndo = problem is { Code: SnapshotErrorCode.NoSpace } && Directory.Exists(Locks);
        if (problem is not null && !canUndo)
        {
            throw problem.IsLasting ? new SetupException(problem.Message, problem) : problem;
        }
    }

    /// <summary>Makes the missing directories.</summary>
    /// <exception cref="IOException">They can't be made.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not make them.</exception>
    public void Make()
    {
        Directory.CreateDirectory(options.Value.WorkDirectory, Traversable);
        Directory.CreateDirectory(Locks, LinuxFile.PrivateDirectory);
    }
    private static string FindHostId(string directory)
    {
        string machine = File.Exists(MachineId) ? File.ReadAllText(MachineId) : string.Empty;
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(machine.Trim() + KeepId(directory)));
        return Convert.ToHexStringLower(hash.AsSpan(0, HostIdBytes));
    }

    private static string KeepId(string directory)
    {
        string path = Path.Combine(directory, "node.id");
        string id = Guid.NewGuid().ToString("N");
        string partial = $"{path}.{id}";
        try
        {
            if (!File.Exists(path))
            {
                File.WriteAllText(partial, id);
                LinuxFile.TryLink(partial, path);
            }

            return File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return id;
        }
        finally
        {
            if (File.Exists(partial))
            {
                File.Delete(partial);
            }
        }
    }
}
