using Serilog.Core;
using Serilog.Events;

namespace SnapshotApi.Configuration;

/// <summary>Takes away what nobody reads on a console: ids of events and connections, and what the request log says already.</summary>
internal sealed class ConsoleNoiseEnricher : ILogEventEnricher
{
    private static readonly string[] Noise = ["EventId", "SourceContext", "ConnectionId", "RequestId", "RequestPath", "Scope"];

    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        foreach (string name in Noise)
        {
            logEvent.RemovePropertyIfPresent(name);
        }
    }
}
