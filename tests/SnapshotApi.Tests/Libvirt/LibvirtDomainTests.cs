using System.Xml.Linq;
using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Libvirt;

[Collection(TestDriver.Collection)]
public sealed class LibvirtDomainTests : IDisposable
{
    private readonly LibvirtConnection _connection = TestDriver.Open();

    public void Dispose() => _connection.Dispose();

    [Fact]
    public void Running_domain_is_described()
    {
        using LibvirtDomain domain = _connection.LookupByUuid(TestDriver.DefaultDomain);

        Assert.True(domain.IsActive);
        Assert.True(domain.IsPersistent);
        Assert.False(domain.HasManagedSave);
        Assert.Equal(DomainState.Running, domain.GetState().State);
        Assert.Equal("test", (string?)XElement.Parse(domain.GetXml()).Element("name"));
        Assert.Equal("1", (string?)XElement.Parse(domain.GetXml()).Attribute("id"));
        Assert.Null(XElement.Parse(domain.GetXml(DomainXmlFlags.Inactive | DomainXmlFlags.Secure)).Attribute("id"));
    }

    [Fact]
    public void Defined_domain_starts_turns_transient_and_ends()
    {
        Guid uuid = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");

        using LibvirtDomain domain = _connection.DefineXml(TestDriver.DomainXml("defined", uuid));
        Assert.Equal(uuid, domain.Uuid);
        Assert.Equal("00112233-4455-6677-8899-aabbccddeeff", (string?)XElement.Parse(domain.GetXml()).Element("uuid"));
        Assert.False(domain.IsActive);
        Assert.Equal(DomainState.ShutOff, domain.GetState().State);

        domain.Create();
        Assert.Equal(DomainState.Running, domain.GetState().State);

        domain.Undefine();
        Assert.False(domain.IsPersistent);

        domain.Destroy();
        Assert.Equal(
            LibvirtErrorCode.NoDomain, Assert.Throws<LibvirtException>(() => _connection.LookupByUuid(uuid)).Code);
    }

    [Fact]
    public void Suspend_and_resume_change_the_state_and_its_reason()
    {
        using LibvirtDomain domain = _connection.CreateXml(TestDriver.DomainXml("paused", Guid.NewGuid()));

        domain.Suspend();
        (DomainState, int) suspended = domain.GetState();
        domain.Resume();
        (DomainState, int) resumed = domain.GetState();

        domain.Destroy();
        Assert.Equal((DomainState.Paused, (int)DomainPausedReason.User), suspended);
        Assert.Equal(DomainState.Running, resumed.Item1);
    }

    [Fact]
    public void Call_in_the_wrong_state_fails_with_the_name_of_the_function()
    {
        using LibvirtDomain domain = _connection.DefineXml(TestDriver.DomainXml("stopped", Guid.NewGuid()));

        LibvirtException error = Assert.Throws<LibvirtException>(() => domain.ManagedSave());

        domain.Undefine();
        Assert.Equal(LibvirtErrorCode.OperationInvalid, error.Code);
        Assert.Equal("virDomainManagedSave", error.Function);
        Assert.StartsWith("virDomainManagedSave: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Managed_save_ends_the_domain_and_its_start_consumes_the_image()
    {
        using LibvirtDomain domain = _connection.DefineXml(TestDriver.DomainXml("saved", Guid.NewGuid()));
        domain.Create();

        domain.ManagedSave();
        bool isActive = domain.IsActive;
        bool hasImage = domain.HasManagedSave;
        domain.Create();
        bool hasImageAfterStart = domain.HasManagedSave;

        domain.Destroy();
        domain.Undefine();
        Assert.False(isActive);
        Assert.True(hasImage);
        Assert.False(hasImageAfterStart);
    }

    [Fact]
    public void Call_that_the_driver_lacks_is_not_supported()
    {
        using LibvirtDomain domain = _connection.LookupByName("test");

        LibvirtException copy = Assert.Throws<LibvirtException>(
            () => domain.BlockCopy("vda", "<disk/>", BlockCopyFlags.Shallow, 1_000_000));
        LibvirtException rebase = Assert.Throws<LibvirtException>(
            () => domain.BlockRebase("vda", "/nowhere", 0, BlockRebaseFlags.Copy | BlockRebaseFlags.ReuseExternal));
        LibvirtException backup = Assert.Throws<LibvirtException>(() => domain.BackupBegin("<domainbackup/>", hasFiles: false));

        Assert.Equal((LibvirtErrorCode.NoSupport, "virDomainBlockCopy"), (copy.Code, copy.Function));
        Assert.Equal((LibvirtErrorCode.NoSupport, "virDomainBlockRebase"), (rebase.Code, rebase.Function));
        Assert.Equal((LibvirtErrorCode.NoSupport, "virDomainBackupBegin"), (backup.Code, backup.Function));
    }

    [Fact]
    public void Block_copy_refuses_parameters_that_libvirt_cannot_read()
    {
        using LibvirtDomain domain = _connection.LookupByName("test");

        Assert.Throws<ArgumentException>(() => domain.BlockCopy("", "<disk/>"));
        Assert.Throws<ArgumentNullException>(() => domain.BlockCopy("vda", null!));
    }

    [Fact]
    public void Disk_has_sizes_and_an_unknown_disk_is_an_invalid_argument()
    {
        using LibvirtDomain domain = _connection.LookupByName("test");

        BlockInfo sizes = domain.GetBlockInfo("vda");
        LibvirtException error = Assert.Throws<LibvirtException>(() => domain.GetBlockInfo("vdz"));

        Assert.True(sizes.CapacityBytes > 0, $"{sizes}");
        Assert.Equal(LibvirtErrorCode.InvalidArg, error.Code);
    }
}
