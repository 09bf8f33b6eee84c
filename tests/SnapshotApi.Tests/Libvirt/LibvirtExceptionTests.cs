using SnapshotApi.Libvirt;

namespace SnapshotApi.Tests.Libvirt;

public sealed class LibvirtExceptionTests
{
    [Theory]
    [InlineData(LibvirtErrorCode.NoConnect, LibvirtErrorSource.None, true)]
    [InlineData(LibvirtErrorCode.InvalidConn, LibvirtErrorSource.None, true)]
    [InlineData(LibvirtErrorCode.InternalError, LibvirtErrorSource.Rpc, true)]
    [InlineData(LibvirtErrorCode.SystemError, LibvirtErrorSource.Rpc, true)]
    [InlineData(LibvirtErrorCode.RpcError, LibvirtErrorSource.Rpc, true)]
    [InlineData(LibvirtErrorCode.SystemError, LibvirtErrorSource.Remote, true)]
    [InlineData(LibvirtErrorCode.InternalError, LibvirtErrorSource.Qemu, false)]
    [InlineData(LibvirtErrorCode.SystemError, LibvirtErrorSource.Qemu, false)]
    [InlineData(LibvirtErrorCode.NoDomain, LibvirtErrorSource.Qemu, false)]
    [InlineData(LibvirtErrorCode.OperationTimeout, LibvirtErrorSource.Qemu, false)]
    public void Lost_connection_is_told_from_a_refusal(LibvirtErrorCode code, LibvirtErrorSource source, bool isLost)
    {
        LibvirtException error = new("virDomainGetState", code, source, "text");

        Assert.Equal(isLost, error.IsConnectionLost);
    }

    [Fact]
    public void Code_of_a_later_libvirt_is_kept()
    {
        LibvirtException error = new("virDomainX", (LibvirtErrorCode)4711, (LibvirtErrorSource)815, "text");

        Assert.Equal(4711, (int)error.Code);
        Assert.Equal(815, (int)error.ErrorSource);
        Assert.Equal("virDomainX: text (code 4711, source 815)", error.Message);
    }

    [Theory]
    [InlineData(LibvirtErrorCode.NoDomain, 42)]
    [InlineData(LibvirtErrorCode.OperationInvalid, 55)]
    [InlineData(LibvirtErrorCode.ConfigUnsupported, 67)]
    [InlineData(LibvirtErrorCode.BlockCopyActive, 83)]
    [InlineData(LibvirtErrorCode.AgentUnresponsive, 86)]
    [InlineData(LibvirtErrorCode.NoDomainBackup, 104)]
    [InlineData(LibvirtErrorCode.CheckpointInconsistent, 109)]
    public void Codes_have_the_values_of_virterror_h(LibvirtErrorCode code, int value) => Assert.Equal(
        value, (int)code);
}
