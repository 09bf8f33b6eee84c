using SnapshotApi.Linux;

namespace SnapshotApi.Tests.Linux;

public sealed class LinuxAccountsTests
{
    [Fact]
    public void Names_are_found_and_unknown_ones_are_not()
    {
        Assert.Equal((0u, 0u), LinuxAccounts.FindUser("root"));
        Assert.Equal(0u, LinuxAccounts.FindGroup("root"));
        Assert.Null(LinuxAccounts.FindUser("no such user"));
        Assert.Null(LinuxAccounts.FindGroup("no such group"));
    }

    [Fact]
    public void The_group_of_a_user_is_that_of_its_entry()
    {
        string[] entry = File.ReadAllLines("/etc/passwd").Select(l => l.Split(':')).First(e => e[2] != e[3]);

        Assert.Equal((uint.Parse(entry[2], null), uint.Parse(entry[3], null)), LinuxAccounts.FindUser(entry[0]));
    }
}
