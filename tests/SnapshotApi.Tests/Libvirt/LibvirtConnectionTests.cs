using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Libvirt;

[Collection(TestDriver.Collection)]
public sealed class LibvirtConnectionTests
{
    [Fact]
    public void Open_connection_tells_driver_and_versions()
    {
        using LibvirtConnection connection = TestDriver.Open();

        Assert.True(connection.IsAlive);
        Assert.Equal("Test", connection.GetDriverName(), ignoreCase: true);
        Assert.Equal(new Version(0, 0, 2), connection.GetHypervisorVersion());
        Assert.True(connection.GetLibvirtVersion() >= new Version(6, 0, 0), $"{connection.GetLibvirtVersion()}");
    }

    [Fact]
    public void Domains_are_listed_whether_they_run_or_not()
    {
        using LibvirtConnection connection = TestDriver.Open();
        Guid uuid = Guid.NewGuid();
        using LibvirtDomain inactive = connection.DefineXml(TestDriver.DomainXml("listed", uuid));

        string[] all = Names(connection);

        inactive.Undefine();
        Assert.Equal(["listed", "test"], all);
    }

    [Fact]
    public void Domain_is_found_by_uuid_and_by_name()
    {
        using LibvirtConnection connection = TestDriver.Open();

        using LibvirtDomain byUuid = connection.LookupByUuid(TestDriver.DefaultDomain);
        using LibvirtDomain byName = connection.LookupByName("test");

        Assert.Equal("test", byUuid.Name);
        Assert.Equal(TestDriver.DefaultDomain, byName.Uuid);
    }

    [Fact]
    public void Unknown_domain_is_an_error_with_code_source_and_function()
    {
        using LibvirtConnection connection = TestDriver.Open();

        LibvirtException byUuid = Assert.Throws<LibvirtException>(() => connection.LookupByUuid(Guid.NewGuid()));
        LibvirtException byName = Assert.Throws<LibvirtException>(() => connection.LookupByName("nobody"));

        Assert.Equal(LibvirtErrorCode.NoDomain, byUuid.Code);
        Assert.Equal(LibvirtErrorSource.Test, byUuid.ErrorSource);
        Assert.Equal("virDomainLookupByUUID", byUuid.Function);
        Assert.Equal("virDomainLookupByName", byName.Function);
        Assert.StartsWith("Domain not found", byName.NativeMessage, StringComparison.Ordinal);
        Assert.False(byName.IsConnectionLost);
    }

    [Fact]
    public void Text_that_the_driver_lacks_is_an_error()
    {
        using LibvirtConnection connection = TestDriver.Open();

        LibvirtException error = Assert.Throws<LibvirtException>(
            () => connection.GetDomainCapabilitiesXml(virtType: "test"));

        Assert.Equal(LibvirtErrorCode.NoSupport, error.Code);
        Assert.Equal("virConnectGetDomainCapabilities", error.Function);
    }

    [Fact]
    public void Xml_that_is_none_is_an_error_of_the_xml()
    {
        using LibvirtConnection connection = TestDriver.Open();

        LibvirtException error = Assert.Throws<LibvirtException>(() => connection.DefineXml("<domain"));

        Assert.Equal(LibvirtErrorCode.XmlDetail, error.Code);
        Assert.Equal("virDomainDefineXMLFlags", error.Function);
    }

    [Fact]
    public void Read_only_connection_refuses_changes()
    {
        using LibvirtConnection connection = LibvirtConnection.Open(TestDriver.Uri, readOnly: true);
        using LibvirtDomain domain = connection.LookupByName("test");

        LibvirtException error = Assert.Throws<LibvirtException>(() => domain.Suspend());

        Assert.Equal(LibvirtErrorCode.OperationDenied, error.Code);
    }

    [Fact]
    public void Daemon_that_is_not_there_is_a_lost_connection()
    {
        LibvirtException error = Assert.Throws<LibvirtException>(
            () => LibvirtConnection.Open("qemu+unix:///system?socket=/nonexistent/libvirt-sock"));

        Assert.Equal(LibvirtErrorCode.SystemError, error.Code);
        Assert.Equal(LibvirtErrorSource.Rpc, error.ErrorSource);
        Assert.Equal("virConnectOpen", error.Function);
        Assert.True(error.IsConnectionLost);
    }

    [Fact]
    public void Uri_of_no_transport_is_no_lost_connection_to_reopen_for()
    {
        // The library itself refuses a transport; an unknown driver it would ask a daemon for.
        LibvirtException error = Assert.Throws<LibvirtException>(
            () => LibvirtConnection.Open("qemu+nosuchtransport:///system"));

        Assert.Equal("virConnectOpen", error.Function);
        Assert.Equal(LibvirtErrorCode.InvalidArg, error.Code);
        Assert.False(error.IsConnectionLost);
    }

    [Fact]
    public void Disposed_connection_and_domain_refuse_calls()
    {
        LibvirtConnection connection = TestDriver.Open();
        LibvirtDomain domain = connection.LookupByName("test");
        domain.Dispose();
        connection.Dispose();
        connection.Dispose();

        Assert.Throws<ObjectDisposedException>(() => domain.GetXml());
        Assert.Throws<ObjectDisposedException>(() => connection.ListDomains());
        Assert.Throws<ObjectDisposedException>(() => connection.IsAlive);
        Assert.Throws<ObjectDisposedException>(() => connection.SubscribeLifecycle(_ => { }));
    }

    [Fact]
    public void Domain_outlives_the_connection_it_came_from()
    {
        LibvirtConnection connection = TestDriver.Open();
        using LibvirtDomain domain = connection.LookupByName("test");
        connection.Dispose();

        Assert.Equal(DomainState.Running, domain.GetState().State);
    }

    [Fact]
    public async Task Closing_really_closes_two_hundred_times()
    {
        for (int i = 0; i < 200; i++)
        {
            // The driver forgets its domains when the last reference to it goes: a leaked one would keep this domain
            // for ever. The event loop may hold one for a moment, as long as it hands out the event of the definition.
            await TestDriver.UntilAsync(() =>
            {
                using LibvirtConnection fresh = TestDriver.Open();
                return Names(fresh) is ["test"];
            });

            using LibvirtConnection connection = TestDriver.Open();
            using IDisposable subscription = connection.SubscribeLifecycle(_ => { });
            connection.SubscribeIoError(_ => { });
            connection.DefineXml(TestDriver.DomainXml("leaked", Guid.NewGuid())).Dispose();
        }
    }

    private static string[] Names(LibvirtConnection connection)
    {
        List<string> names = [];
        foreach (LibvirtDomain domain in connection.ListDomains())
        {
            using (domain)
            {
                names.Add(domain.Name);
            }
        }

        return [.. names.Order(StringComparer.Ordinal)];
    }
}
