using Microsoft.Extensions.Options;
using SnapshotApi.Api.Nova;
using SnapshotApi.Configuration;
using SnapshotApi.Hypervisor;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.Tests.Api.Nova;

public sealed class ServerOwnersTests
{
    private static readonly Guid Id = Guid.Parse("11111111-2222-3333-4444-555555555555");

    [Theory]
    [InlineData("nova", null, "nova")]
    [InlineData(null, "11111111-2222-3333-4444-555555555555", "one")]
    [InlineData(null, "FED18", "one")]
    [InlineData(null, "other", "rest")]
    [InlineData("", "fed18", "one")]
    public void What_Nova_wrote_comes_first_then_a_name_or_UUID_then_the_rest(
        string? nova, string? entry, string? expected)
    {
        ServerOwners owners = Owners(o =>
        {
            o.Projects["one"] = [entry ?? "x"];
            o.Projects["rest"] = [NovaOptions.EveryServer];
        });

        Assert.Equal(expected, owners.ProjectOf(Server(nova)));
    }

    [Fact]
    public void A_server_of_nobody_is_seen_by_admins_only()
    {
        ServerOwners owners = Owners(_ => { });

        Assert.Null(owners.ProjectOf(Server(null)));
        Assert.False(owners.Sees(new NovaCaller("p", "u", IsAdmin: false, "t"), Server(null)));
        Assert.False(owners.Sees(new NovaCaller(string.Empty, "u", IsAdmin: false, "t"), Server(string.Empty)));
        Assert.True(owners.Sees(new NovaCaller("p", "u", IsAdmin: true, "t"), Server(null)));
    }

    [Fact]
    public void A_server_is_seen_in_its_project()
    {
        ServerOwners owners = Owners(_ => { });

        Assert.True(owners.Sees(new NovaCaller("p", "u", IsAdmin: false, "t"), Server("p")));
        Assert.False(owners.Sees(new NovaCaller("q", "u", IsAdmin: false, "t"), Server("p")));
    }

    [Fact]
    public void A_server_of_Novas_has_the_name_that_its_user_gave_it()
    {
        Assert.Equal(
            "web", ServerOwners.NameOf(Server("p") with { Nova = new NovaOrigin(null, "p", "u") { Name = "web" } }));
        Assert.Equal("fed18", ServerOwners.NameOf(Server("p")));
    }

    private static ServerDescription Server(string? project) => FakeHypervisor.Describe("fed18", Id) with
    {
        Nova = project is null ? null : new NovaOrigin(null, project, null),
    };

    private static ServerOwners Owners(Action<NovaOptions> configure)
    {
        var options = new NovaOptions();
        configure(options);
        return new ServerOwners(null!, null!, Options.Create(options), Options.Create(new JobsOptions()));
    }
}
