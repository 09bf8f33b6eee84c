using System.Text;
using SnapshotApi.Hypervisor;
using SnapshotApi.Tests.Fakes;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Hypervisor;

public sealed class GuestDirectoryTests : IDisposable
{
    private static readonly Guid Job = Guid.Parse("0199c3d2-7a1e-7c55-9d0e-3f1c2b4a5d6e");

    private readonly ScratchDirectory _scratch = new();
    private readonly GuestDirectory _directory;

    public GuestDirectoryTests() => _directory = new GuestDirectory(_scratch.FullPath, _scratch.FullPath);

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void What_libvirt_says_wins_over_the_rule()
    {
        string told = Directory.CreateDirectory(Path.Combine(_scratch.FullPath, "told")).FullName;
        Directory.CreateDirectory(Path.Combine(_scratch.FullPath, "domain-7-web1"));
        File.WriteAllText(
            Path.Combine(_scratch.FullPath, "web1.xml"),
            $"<domstatus state='running'><libDir path='{told}'/></domstatus>");

        Assert.Equal(Path.Combine(told, "sa1c2b4a5d6e"), Find("web1"));
    }

    [Theory]
    [InlineData("web1", "domain-7-web1")]
    [InlineData("a guest with a very long name", "domain-7-a guest with a very ")]
    [InlineData("web of a small bird\U0001F427", "domain-7-web of a small bird\U0001F427")]
    public void Without_its_word_the_name_is_cut_after_twenty_characters(string name, string directory)
    {
        Directory.CreateDirectory(Path.Combine(_scratch.FullPath, directory));

        string? path = Find(name);

        Assert.Equal(Path.Combine(_scratch.FullPath, directory, "sa1c2b4a5d6e"), path);
        Assert.True(Encoding.UTF8.GetByteCount(Path.GetFileName(path!)) <= 12);
    }

    [Fact]
    public void Directories_of_former_starts_are_not_taken_and_a_half_written_status_is_no_error()
    {
        Directory.CreateDirectory(Path.Combine(_scratch.FullPath, "domain-6-web1"));
        File.WriteAllText(Path.Combine(_scratch.FullPath, "web1.xml"), "<domstatus");

        Assert.Null(Find("web1"));
        Assert.Null(Find("../web1"));
    }

    [Fact]
    public void A_path_too_long_for_a_socket_is_not_taken()
    {
        string deep = Directory.CreateDirectory(Path.Combine(_scratch.FullPath, new string('d', 100))).FullName;
        File.WriteAllText(
            Path.Combine(_scratch.FullPath, "web1.xml"), $"<domstatus><libDir path='{deep}'/></domstatus>");

        Assert.Null(Find("web1"));
    }

    private string? Find(string name) => _directory.FindSocketPath(
        FakeHypervisor.Describe(name) with { DomainId = 7 }, Job);
}
