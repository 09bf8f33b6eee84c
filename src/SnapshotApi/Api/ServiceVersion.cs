using System.Reflection;

namespace SnapshotApi.Api;

/// <summary>Version of this service.</summary>
internal static class ServiceVersion
{
    /// <summary>The version without the source revision, for example <c>0.1.0</c>.</summary>
    public static string Text { get; } = typeof(ServiceVersion).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
