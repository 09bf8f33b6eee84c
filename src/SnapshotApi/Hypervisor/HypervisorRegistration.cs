namespace SnapshotApi.Hypervisor;

/// <summary>Registers the node's connection to libvirt.</summary>
internal static class HypervisorRegistration
{
    /// <summary>libvirt, opened in the background and again whenever it was lost.</summary>
    public static IServiceCollection AddHypervisor(this IServiceCollection services) =>
        services.AddHostedService<EventFailureLog>().AddSingleton<IHypervisor, LibvirtHypervisor>();
}
