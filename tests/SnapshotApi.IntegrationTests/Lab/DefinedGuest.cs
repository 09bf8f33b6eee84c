using SnapshotApi.Captures;

namespace SnapshotApi.IntegrationTests.Lab;

/// <summary>A guest that is defined with a disk of the test's making, without a system on it, and is off; disposing removes it, its files and its loop devices.</summary>
internal sealed class DefinedGuest : IAsyncDisposable
{
    private readonly List<string> _loops = [];

    private DefinedGuest(string name, string directory) => (Name, Directory) = (name, directory);

    public string Name { get; }

    public Guid Id { get; private set; }

    public string Directory { get; }

    public static DefinedGuest Create()
    {
        string name = $"d{Guid.NewGuid():N}"[..12];
        string directory = System.IO.Directory.CreateDirectory(Path.Combine(Requires.LabDirectory(), name)).FullName;
        return new DefinedGuest(name, directory);
    }

    /// <summary>The path of a file of its own.</summary>
    public string File(string name) => Path.Combine(Directory, name);

    /// <summary>Makes a qcow2 file; with a pattern, its first 64 KiB are of that byte.</summary>
    public static async Task CreateImageAsync(string path, string? backing = null, string? format = null, int? pattern = null, string size = "1M")
    {
        string[] arguments = backing is null ? [] : ["-u", "-b", backing, "-F", format!];
        await Shell.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", .. arguments, path, size]);
        if (pattern is not null)
        {
            await Shell.RunAsync("qemu-io", "-f", "qcow2", "-c", $"write -P {pattern} 0 64k", path);
        }
    }

    /// <summary>A loop device over a raw file of some MiB.</summary>
    public async Task<string> LoopAsync(string name, int mebibytes = 16)
    {
        string path = File(name);
        if (!System.IO.File.Exists(path))
        {
            await Shell.RunAsync("truncate", "-s", $"{mebibytes}M", path);
        }

        string loop = (await Shell.RunAsync("losetup", "-f", "--show", path)).Trim();
        _loops.Add(loop);
        return loop;
    }

    /// <summary>Defines the guest with <c>vda</c>: what stands before <c>target</c> in its disk element is given, and what stands behind its devices.</summary>
    public async Task DefineAsync(string type, string format, string source, string rest = "")
    {
        string xml = File("domain.xml");
        await System.IO.File.WriteAllTextAsync(
            xml,
            $"""
            <domain type='qemu'><name>{Name}</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
            <devices><disk type='{type}' device='disk'><driver name='qemu' type='{format}'/>{source}<target dev='vda' bus='virtio'/></disk></devices>{rest}</domain>
            """,
            TestContext.Current.CancellationToken);
        await Shell.RunAsync("virsh", "-c", "qemu:///system", "define", xml);
        Id = Guid.Parse((await Shell.RunAsync("virsh", "-c", "qemu:///system", "domuuid", Name)).Trim());
    }

    /// <summary>The same with a disk in a file.</summary>
    public Task DefineFileAsync(string path, string format = "qcow2", string backing = "") =>
        DefineAsync("file", format, $"<source file='{path}'/>{backing}");

    public async ValueTask DisposeAsync()
    {
        await Shell.TryAsync("virsh", "-c", "qemu:///system", "destroy", Name);
        await Shell.TryAsync("virsh", "-c", "qemu:///system", "undefine", Name);
        foreach (string loop in _loops)
        {
            await Shell.RunAsync("losetup", "-d", loop);
        }

        // libvirt keeps the log of each guest that it has ever started.
        foreach (string log in System.IO.Directory.GetFiles("/var/log/libvirt/qemu", $"{Name}.log*"))
        {
            System.IO.File.Delete(log);
        }

        string[] clones = System.IO.Directory.GetFiles(Directory, $"{JobDirectory.CloneNamePrefix}*", SearchOption.AllDirectories);
        System.IO.Directory.Delete(Directory, recursive: true);
        Assert.Empty(clones);
    }
}
