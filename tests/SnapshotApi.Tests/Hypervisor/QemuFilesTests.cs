using System.Diagnostics;
using System.Globalization;
using SnapshotApi.Hypervisor;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class QemuFilesTests : IDisposable
{
    private static readonly Guid Id = Guid.Parse("dbf1414a-4229-4cd8-8d07-70002191d4de");

    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("-uuid", "dbf1414a-4229-4cd8-8d07-70002191d4de")]
    [InlineData("-name", "guest=web,,1,debug-threads=on")]
    [InlineData("-name", "guest=web,,1")]
    public void A_layer_that_was_replaced_or_removed_is_not_the_one_that_is_open(string option, string value)
    {
        string path = _directory.File("disk");
        File.WriteAllText(path, "disk");
        using Process guest = Open(path, option, value);
        try
        {
            File.WriteAllText(_directory.File("web,1.pid"), $"{guest.Id.ToString(CultureInfo.InvariantCulture)}\n");
            QemuFiles files = QemuFiles.Find("web,1", Id, _directory.FullPath)!;
            var layer = new DiskLayer("file", path, "raw");

            Assert.Equal(LayerIdentity.Same, files.Compare(layer));
            Assert.Equal(LayerIdentity.Unknown, files.Compare(new DiskLayer("network", null, "raw")));
            File.Copy(path, _directory.File("new"));
            File.Move(_directory.File("new"), path, overwrite: true);
            Assert.Equal(LayerIdentity.Other, files.Compare(layer));
            File.Delete(path);
            Assert.Equal(LayerIdentity.Gone, files.Compare(layer));
        }
        finally
        {
            guest.Kill();
        }
    }

    [Theory]
    [InlineData("-uuid", "11111111-2222-3333-4444-555555555555")]
    [InlineData("-name", "guest=web,,10")]
    public void The_number_of_another_process_says_nothing(string option, string value)
    {
        string path = _directory.File("disk");
        File.WriteAllText(path, "disk");
        using Process other = Open(path, option, value);
        try
        {
            File.WriteAllText(_directory.File("web,1.pid"), other.Id.ToString(CultureInfo.InvariantCulture));

            Assert.Null(QemuFiles.Find("web,1", Id, _directory.FullPath));
            Assert.Null(QemuFiles.Find("none", Id, _directory.FullPath));
        }
        finally
        {
            other.Kill();
        }
    }

    private static Process Open(string path, string option, string value)
    {
        var start = new ProcessStartInfo("bash", ["-c", "exec 3<>\"$0\"; echo open; read -r _", path, option, value])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        Process guest = Process.Start(start)!;
        Assert.Equal("open", guest.StandardOutput.ReadLine());
        return guest;
    }
}
