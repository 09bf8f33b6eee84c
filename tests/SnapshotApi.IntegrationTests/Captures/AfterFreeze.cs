using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.IntegrationTests.Captures;

/// <summary>The real hypervisor, with something that happens between a freeze and what follows it.</summary>
public class AfterFreeze : DispatchProxy
{
    private object? _inner;
    private Func<Task>? _action;

    /// <summary>Puts it in the place of the hypervisor.</summary>
    /// <param name="services">Services that have one.</param>
    /// <param name="action">What happens, each time the guest is frozen.</param>
    internal static void Replace(IServiceCollection services, Func<Task> action)
    {
        services.AddSingleton<LibvirtHypervisor>();
        services.Replace(ServiceDescriptor.Singleton(provider => Wrap(provider.GetRequiredService<LibvirtHypervisor>(), action)));
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        object? result = targetMethod!.Invoke(_inner, args);
        return targetMethod.Name == nameof(IHypervisor.FreezeAsync) ? ThenAsync((Task<int>)result!, _action!) : result;
    }

    private static IHypervisor Wrap(IHypervisor inner, Func<Task> action)
    {
        IHypervisor proxy = Create<IHypervisor, AfterFreeze>();
        ((AfterFreeze)(object)proxy)._inner = inner;
        ((AfterFreeze)(object)proxy)._action = action;
        return proxy;
    }

    private static async Task<int> ThenAsync(Task<int> freeze, Func<Task> action)
    {
        int frozen = await freeze;
        await action();
        return frozen;
    }
}
