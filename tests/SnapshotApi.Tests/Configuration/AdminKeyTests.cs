using SnapshotApi.Configuration;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Configuration;

public sealed class AdminKeyTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly ScratchDirectory _directory = new();
    private readonly AuthOptions _auth;

    public AdminKeyTests() => _auth = new AuthOptions { AdminKeyFile = _directory.File("admin.key") };

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_first_start_makes_a_key_for_its_owner_and_later_ones_keep_it()
    {
        var made = AdminKey.Open(_auth);
        string text = File.ReadAllText(_auth.AdminKeyFile);
        var kept = AdminKey.Open(_auth);

        Assert.Matches("^sapi_[A-Za-z0-9_-]{43}\n$", text);
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(_auth.AdminKeyFile));
        Assert.True(made.IsNew);
        Assert.Equal(ApiKeyHash.Of(text.Trim()), made.Hash);
        Assert.False(kept.IsNew);
        Assert.Equal(made.Hash, kept.Hash);
        Assert.Equal(["admin.key"], Directory.GetFiles(_directory.FullPath).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Processes_that_start_at_once_agree_on_one_key()
    {
        AdminKey[] keys = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(
            () => AdminKey.Open(_auth), TestContext.Current.CancellationToken)));

        Assert.Single(keys.Select(k => Convert.ToHexString(k.Hash!)).Distinct());
        Assert.Single(keys, k => k.IsNew);
        Assert.Single(Directory.GetFiles(_directory.FullPath));
    }

    [Fact]
    public void Where_somebody_has_said_who_comes_in_no_key_is_made_but_one_that_is_there_counts()
    {
        _auth.ApiKeys["0"] = new ApiKeyOptions { Name = "ops", Key = ApiKeyHash.Text(ApiKeyHash.Of("k")) };

        Assert.Equal(AdminKey.None, AdminKey.Open(_auth));
        Assert.False(File.Exists(_auth.AdminKeyFile));

        Write(new string('k', 32));
        Assert.Equal(ApiKeyHash.Of(new string('k', 32)), AdminKey.Open(_auth).Hash);
    }

    [Fact]
    public void An_open_network_and_an_empty_path_need_none()
    {
        Assert.Equal(AdminKey.None, AdminKey.Open(new AuthOptions { AdminKeyFile = string.Empty }));

        _auth.AllowAnonymousNetwork = true;
        Assert.Equal(AdminKey.None, AdminKey.Open(_auth));
        Assert.Empty(Directory.GetFiles(_directory.FullPath));
    }

    [Fact]
    public void A_directory_that_is_missing_is_said_and_not_made()
    {
        _auth.AdminKeyFile = _directory.File("missing/admin.key");

        Assert.Equal("can't be written: its directory is missing", AdminKey.Open(_auth).Failure);
        Assert.False(Directory.Exists(_directory.File("missing")));
    }

    [Theory]
    [InlineData("640")]
    [InlineData("604")]
    [InlineData("602")]
    [InlineData("620")]
    [InlineData("666")]
    public void A_file_that_others_can_read_or_change_is_refused_with_the_cure(string mode)
    {
        Write(new string('k', 43));
        SnapshotApi.Linux.LinuxFile.ChangeOwner(_auth.AdminKeyFile, uint.MaxValue, AnotherGroup);
        File.SetUnixFileMode(_auth.AdminKeyFile, (UnixFileMode)Convert.ToInt32(mode, 8));

        string problem = Assert.Single(AdminKey.Problem(_auth.AdminKeyFile));
        Assert.Contains("chmod 600", problem, StringComparison.Ordinal);
        Assert.Contains($"rm {_auth.AdminKeyFile}", problem, StringComparison.Ordinal);
        Assert.Null(AdminKey.Open(_auth).Hash);
    }

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("two lines, and blanks, and so it is a text and no key")]
    public void What_is_no_key_is_refused_and_not_repeated(string text)
    {
        Write(text);

        string problem = Assert.Single(AdminKey.Problem(_auth.AdminKeyFile));
        Assert.Contains("holds no key", problem, StringComparison.Ordinal);
        Assert.True(text.Length == 0 || !problem.Contains(text, StringComparison.Ordinal));
    }

    [Fact]
    public void A_good_file_and_none_are_no_problem()
    {
        Assert.Empty(AdminKey.Problem(_auth.AdminKeyFile));

        Write(new string('k', 43) + "\n");
        Assert.Empty(AdminKey.Problem(_auth.AdminKeyFile));
    }

    // Any but root's, whose right to read is no right of others.
    private static uint AnotherGroup => Environment.IsPrivilegedProcess ? 1u : SnapshotApi.Linux.LinuxAccounts.OwnGroup;

    private void Write(string text)
    {
        File.WriteAllText(_auth.AdminKeyFile, text);
        File.SetUnixFileMode(_auth.AdminKeyFile, OwnerOnly);
    }
}
