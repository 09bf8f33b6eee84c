using System.Collections.Concurrent;
using System.Text.Json;
using System.Xml.Linq;
using SnapshotApi.Libvirt;

namespace SnapshotApi.IntegrationTests.Libvirt;

public sealed class QemuDomainTests(QemuGuest lab) : IClassFixture<QemuGuest>
{
    [Fact]
    public void Connection_tells_driver_versions_and_capabilities()
    {
        Assert.Equal("QEMU", lab.Connection.GetDriverName());
        Assert.True(
            lab.Connection.GetHypervisorVersion() >= new Version(4, 2, 0), $"{lab.Connection.GetHypervisorVersion()}");
        Assert.True(
            lab.Connection.GetLibvirtVersion() >= new Version(6, 0, 0), $"{lab.Connection.GetLibvirtVersion()}");
        Assert.Equal(
            "domainCapabilities", XElement.Parse(lab.Connection.GetDomainCapabilitiesXml(virtType: "qemu")).Name);
    }

    [Fact]
    public void Guest_is_found_and_described_live_and_inactive()
    {
        using LibvirtDomain domain = lab.Domain();
        using LibvirtDomain byName = lab.Connection.LookupByName(lab.Guest.Name);

        Assert.Equal(lab.Guest.Id, byName.Uuid);
        Assert.True(domain.IsPersistent);
        Assert.True(domain.IsActive);
        Assert.Equal(DomainState.Running, domain.GetState().State);
        Assert.NotNull((string?)XElement.Parse(domain.GetXml()).Attribute("id"));
        Assert.Null(
            (string?)XElement.Parse(domain.GetXml(DomainXmlFlags.Secure | DomainXmlFlags.Inactive)).Attribute("id"));
    }

    [Fact]
    public async Task Inactive_secure_xml_is_that_of_virsh()
    {
        using LibvirtDomain domain = lab.Domain();

        string xml = domain.GetXml(DomainXmlFlags.Secure | DomainXmlFlags.Inactive);

        Assert.Equal((await lab.Guest.DefinitionAsync()).TrimEnd(), xml.TrimEnd());
    }

    [Fact]
    public void Disk_has_sizes()
    {
        using LibvirtDomain domain = lab.Domain();

        BlockInfo sizes = domain.GetBlockInfo("vda");

        Assert.Equal(2UL << 30, sizes.CapacityBytes);
        Assert.InRange(sizes.AllocationBytes, 1UL, sizes.CapacityBytes);
    }

    [Fact]
    public void Unknown_disk_is_an_error_of_the_call()
    {
        using LibvirtDomain domain = lab.Domain();

        LibvirtException info = Assert.Throws<LibvirtException>(() => domain.GetBlockInfo("vdz"));
        LibvirtException job = Assert.Throws<LibvirtException>(() => domain.GetBlockJobInfo("vdz"));
        LibvirtException abort = Assert.Throws<LibvirtException>(() => domain.BlockJobAbort("vda"));

        Assert.Equal((LibvirtErrorCode.InvalidArg, LibvirtErrorSource.Qemu), (info.Code, info.ErrorSource));
        Assert.Equal("virDomainGetBlockJobInfo", job.Function);
        Assert.Contains("vdz", job.NativeMessage, StringComparison.Ordinal);
        Assert.Equal("virDomainBlockJobAbort", abort.Function);
        Assert.False(abort.IsConnectionLost);
    }

    [Fact]
    public void Freeze_and_thaw_are_seen_by_the_agent()
    {
        using LibvirtDomain domain = lab.Domain();
        string frozen;
        int frozenCount;
        int thawedCount;
        try
        {
            frozenCount = Count(domain, "guest-fsfreeze-freeze");
            frozen = FreezeStatus(domain);
        }
        finally
        {
            thawedCount = Count(domain, "guest-fsfreeze-thaw");
        }

        Assert.True(frozenCount >= 1, $"{frozenCount} frozen");
        Assert.Equal(frozenCount, thawedCount);
        Assert.Equal("frozen", frozen);
        Assert.Equal("thawed", FreezeStatus(domain));
    }

    [Fact]
    public void The_agent_answers_a_command_and_refuses_another()
    {
        using LibvirtDomain domain = lab.Domain();

        string answer = domain.AgentCommand("""{"execute":"guest-ping"}""", 10);
        LibvirtException error = Assert.Throws<LibvirtException>(
            () => domain.AgentCommand("""{"execute":"guest-no-such-command"}""", 10));

        Assert.Equal("""{"return":{}}""", answer);
        Assert.Equal("virDomainQemuAgentCommand", error.Function);
    }

    [Fact]
    public async Task Managed_save_keeps_the_memory_and_the_guest_starts_paused()
    {
        using LibvirtDomain domain = lab.Domain();
        ConcurrentQueue<LifecycleEvent> events = new();
        ConcurrentQueue<AgentState> agent = new();
        using IDisposable lifecycle = lab.Connection.SubscribeLifecycle(e => Keep(events, e));
        using IDisposable agentStates = lab.Connection.SubscribeAgentLifecycle(e =>
        {
            if (e.DomainUuid == lab.Guest.Id)
            {
                agent.Enqueue(e.State);
            }
        });
        using IDisposable errors = lab.Connection.SubscribeIoError(_ => { });
        await lab.Guest.AssertBeatingAsync();
        long before = lab.Guest.Heartbeat;

        domain.ManagedSave();
        Assert.True(domain.HasManagedSave);
        Assert.Equal((DomainState.ShutOff, (int)DomainShutOffReason.Saved), domain.GetState());
        domain.Create(CreateFlags.Paused);

        Assert.Equal(DomainState.Paused, domain.GetState().State);
        Assert.False(domain.HasManagedSave);
        domain.Resume();
        await lab.Guest.AssertBeatingAsync();
        Assert.True(lab.Guest.Heartbeat > before, "the counter lives in memory and goes on");
        await QemuGuest.UntilAsync(() => agent.Contains(AgentState.Connected));
        Assert.Contains(
            events, e => e is { Type: LifecycleEventType.Stopped, Detail: (int)LifecycleStoppedDetail.Saved });
        Assert.Contains(
            events, e => e is { Type: LifecycleEventType.Started, Detail: (int)LifecycleStartedDetail.Restored });
        Assert.Contains(events, e => e.Type == LifecycleEventType.Resumed);
        Assert.All(events, e => Assert.Equal(lab.Guest.Name, e.DomainName));
    }

    private static string FreezeStatus(LibvirtDomain domain)
    {
        string answer = domain.AgentCommand("""{"execute":"guest-fsfreeze-status"}""", 10);
        using JsonDocument document = JsonDocument.Parse(answer);
        return document.RootElement.GetProperty("return").GetString()!;
    }

    private static int Count(LibvirtDomain domain, string command)
    {
        using JsonDocument document = JsonDocument.Parse(domain.AgentCommand($$"""{"execute":"{{command}}"}""", 20));
        return document.RootElement.GetProperty("return").GetInt32();
    }

    private void Keep(ConcurrentQueue<LifecycleEvent> events, LifecycleEvent e)
    {
        if (e.DomainUuid == lab.Guest.Id)
        {
            events.Enqueue(e);
        }
    }
}
