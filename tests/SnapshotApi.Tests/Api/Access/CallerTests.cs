using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using SnapshotApi.Api.Access;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Api.Access;

public sealed class CallerTests
{
    [Fact]
    public void A_name_that_a_token_tells_stays_one_short_word_in_the_log()
    {
        string name = Caller.NameOf(Caller.OfToken("a\nb \u001b[31mü" + new string('x', 200), AccessRole.Reader));

        Assert.StartsWith("a?b??[31m?xxx", name, StringComparison.Ordinal);
        Assert.Equal(64, name.Length);
        Assert.Equal("-", Caller.NameOf(new ClaimsPrincipal()));
    }

    [Fact]
    public void A_key_and_a_token_of_one_name_are_counted_apart()
    {
        Assert.Equal("key ops", Caller.CountedAs(Of(Caller.OfKey("ops", AccessRole.Reader), "192.0.2.1")));
        Assert.Equal("token ops", Caller.CountedAs(Of(Caller.OfToken("ops", AccessRole.Reader), "192.0.2.1")));
    }

    [Fact]
    public void A_user_of_this_host_is_counted_by_name()
    {
        Assert.Equal("peer ops", Caller.CountedAs(Of(Caller.OfPeer("ops", AccessRole.Admin), "192.0.2.1")));
    }

    [Theory]
    [InlineData("192.0.2.1", "address 192.0.2.1")]
    [InlineData("::ffff:192.0.2.1", "address 192.0.2.1")]
    [InlineData("2001:db8:1:2:3:4:5:6", "address 2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:2::9", "address 2001:db8:1:2::/64")]
    public void Who_is_not_asked_is_counted_by_address(string address, string counted)
    {
        Assert.Equal(counted, Caller.CountedAs(Of(Caller.OfNobody(), address)));
    }

    [Fact]
    public void A_token_without_a_role_may_do_nothing()
    {
        ClaimsPrincipal nobody = Caller.OfToken("x", null);

        Assert.DoesNotContain(Enum.GetValues<AccessRole>(), r => nobody.IsInRole(r.Name()));
        Assert.Equal(
            [true, true, false],
            Enum.GetValues<AccessRole>().Select(r => Caller.OfKey("x", AccessRole.Operator).IsInRole(r.Name())));
    }

    private static DefaultHttpContext Of(ClaimsPrincipal user, string address) =>
        new() { User = user, Connection = { RemoteIpAddress = IPAddress.Parse(address) } };
}
