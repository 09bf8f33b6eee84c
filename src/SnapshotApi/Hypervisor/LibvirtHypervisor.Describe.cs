using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>Describing servers: first what libvirt knows, then what QEMU and storage pools must be asked for.</summary>
internal sealed partial class LibvirtHypervisor
{
    private static List<(ServerDescription Server, DomainControl Control)> ListQuietly(LibvirtConnection connection)
    {
        var servers = new List<(ServerDescription, DomainControl)>();
        foreach (LibvirtDomain domain in connection.ListDomains())
        {
            using (domain)
            {
                try
                {
                    servers.Add((DomainDescriber.Describe(domain), DomainDescriber.ControlOf(domain)));
                }
                catch (LibvirtException e) when (e.Code == LibvirtErrorCode.NoDomain)
                {
                    // Gone since it was listed.
                }
                catch (Exception e) when (e is SnapshotException or LibvirtException { IsConnectionLost: false })
                {
                    // One that can't be described must not hide the others.
                    string why = HostText.Clean(e is LibvirtException native ? native.NativeMessage : e.Message);
                    servers.Add((DomainDescriber.Undescribed(domain.Uuid, domain.Name, why), default));
                }
            }
        }

        return servers;
    }

    private async Task<(ServerDescription Server, DomainControl Control)?> DescribeQuietlyAsync(
        Guid serverId, CancellationToken cancellationToken)
    {
        try
        {
            (ServerDescription Server, DomainControl Control) quiet = await LookAtAsync(
                serverId, domain => (DomainDescriber.Describe(domain), DomainDescriber.ControlOf(domain)),
                cancellationToken).ConfigureAwait(false);
            Remember(quiet.Server);
            return quiet;
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.ServerNotFound)
        {
            return null;
        }
    }

    private async Task<ServerDescription> CompleteAsync(
        ServerDescription server, DomainControl control, TimeSpan limit, CancellationToken cancellationToken)
    {
        ServerDescription found = await FindVolumesAsync(server, limit, cancellationToken).ConfigureAwait(false);
        Remember(found);
        return await AskMonitorAsync(found, control, limit, cancellationToken).ConfigureAwait(false);
    }

    // A pool may be locked, or without its storage: that concerns only guests with disks in it.
    private async Task<ServerDescription> FindVolumesAsync(
        ServerDescription server, TimeSpan limit, CancellationToken cancellationToken)
    {
        if (!server.Disks.Any(d => d.Layers.Any(l => l.Volume is not null)))
        {
            return server;
        }

        try
        {
            Func<LibvirtConnection, ServerDescription> look = On(
                server.Id, domain => DomainDescriber.WithVolumes(domain, server));
            return await TranslateAsync(
                _calls.RunAsync(
                    server.Id, GuestCallKind.Volumes, "virStorageVolLookupByName", () => _looking.RunAsync(look), limit,
                    cancellationToken),
                server.Id).ConfigureAwait(false);
        }
        catch (SnapshotException)
        {
            return DomainDescriber.WithoutVolumes(server);
        }
    }

    // Adds what only QEMU, or libvirt's lock of the guest, can tell, if the guest answers.
    private async Task<ServerDescription> AskMonitorAsync(
        ServerDescription server, DomainControl control, TimeSpan limit, CancellationToken cancellationToken)
    {
        if (!server.IsActive || server.NotAnswering is not null)
        {
            return server;
        }

        TimeSpan? ownCall = _calls.InFlightFor(server.Id, GuestCallKind.Look);
        // "Job" says nothing: a backup is one as long as it lasts.
        bool isBusy = control.State == DomainControlState.Occupied && control.Since > BusyMonitor;
        if (isBusy || ownCall > BusyMonitor || control.State == DomainControlState.Error)
        {
            return server with
            {
                NotAnswering = "its QEMU does not answer libvirt, or another tool's command holds its monitor",
            };
        }

        try
        {
            return await CallQemuAsync(
                server.Id, "virDomainGetBlockJobInfo", domain => DomainDescriber.WithJobs(domain, server), limit,
                cancellationToken).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.TimedOut)
        {
            return limit >= BusyMonitor ? server with { NotAnswering = e.Message } : server;
        }
        catch (SnapshotException e) when (e.Code is SnapshotErrorCode.HypervisorError)
        {
            return server with { NotAnswering = e.Message };
        }
        catch (SnapshotException e) when (e.Code == SnapshotErrorCode.ServerNotFound)
        {
            // It ended meanwhile: the next look tells.
            return server with { PowerState = ServerPowerState.Other };
        }
    }
}
