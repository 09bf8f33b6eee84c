namespace SnapshotApi.Hypervisor;

/// <summary>Something of the host that a server's definition names, and without which it does not start.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="What">What it is for, for messages: <c>disk vda</c>, <c>CD-ROM sda</c>, <c>kernel</c>. Holds no path.</param>
/// <param name="Name">Path, or name of the network, bridge or device.</param>
internal sealed record StartNeed(StartNeedKind Kind, string What, string Name);

/// <summary>Kinds of what a start needs.</summary>
internal enum StartNeedKind
{
    /// <summary>A file, directory or device that QEMU opens; libvirt gives it to QEMU's user where it may.</summary>
    File,

    /// <summary>A program that libvirt starts.</summary>
    Program,

    /// <summary>A file that QEMU creates: its directory must be there.</summary>
    NewFile,

    /// <summary>A virtual network of libvirt's.</summary>
    Network,

    /// <summary>A network interface of the host: a bridge, or the device of a direct connection.</summary>
    HostInterface,
}
