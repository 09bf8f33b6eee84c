using Microsoft.Extensions.Configuration;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

public sealed class NovaOptionsTests
{
    private static readonly (string Key, string Value)[] Good =
    [
        ("Nova:Keystone:Url", "http://keystone:5000/v3"),
        ("Nova:Keystone:Username", "s"),
        ("Nova:Keystone:Password", "x"),
        ("Nova:Keystone:Project", "service"),
        ("Stores:Glance:Endpoint", "http://glance:9292"),
    ];

    [Fact]
    public void Projects_and_roles_are_maps_of_the_operators_choice()
    {
        (string, string)[] settings =
        [
            .. Good,
            ("Nova:Projects:0a83:0", "fed18"),
            ("Nova:Projects:0a83:1", "*"),
            ("Nova:Roles:snapshotter", "operator"),
            ("Nova:Roles:_member_", "Reader"),
        ];

        Assert.Empty(Check(settings));
        var options = Build(settings).GetSection("Nova").Get<NovaOptions>()!;
        Assert.Equal(["fed18", "*"], options.Projects["0a83"]);
        Assert.Equal(AccessRole.Operator, options.RoleOf(["_member_", "snapshotter", "x"]));
        Assert.Null(options.RoleOf(["admin"]));
    }

    [Theory]
    [InlineData("admin,member", AccessRole.Admin)]
    [InlineData("member", AccessRole.Operator)]
    [InlineData("reader", AccessRole.Reader)]
    [InlineData("service", null)]
    internal void Roles_are_Keystones_usual_ones_where_none_are_configured(string roles, AccessRole? expected)
    {
        Assert.Equal(expected, new NovaOptions().RoleOf(roles.Split(',')));
    }

    [Theory]
    [InlineData("Nova:Roles:member", "boss", "Nova:Roles:member must be reader, operator, admin; it is 'boss'.")]
    [InlineData("Nova:Projects:p", "fed18", "Nova:Projects:p is not a key of the configuration; --help lists all.")]
    [InlineData(
        "Nova:Projects:p:first", "fed18", "Nova:Projects:p:first is not a key of the configuration; --help lists all.")]
    [InlineData("Nova:TokenCacheSeconds", "601", "Nova:TokenCacheSeconds must be between 0 and 600.")]
    [InlineData(
        "Nova:PublicUrl",
        "ftp://x",
        "Nova:PublicUrl must be an http or https address without user, query and fragment.")]
    [InlineData("Nova:Keystone:Project", "", "Nova:Keystone:Username needs Project, and Password or PasswordFile.")]
    [InlineData(
        "Stores:Glance:Endpoint",
        "",
        "Stores:Glance:Endpoint must be set where Nova:Keystone:Url is: "
        + "Nova's clients look for their images in Glance.")]
    public void What_is_wrong_is_told_by_its_key(string key, string value, string message)
    {
        Assert.Equal([message], Check([.. Good.Where(g => g.Key != key), (key, value)]));
    }

    [Fact]
    public void A_server_belongs_to_one_project()
    {
        Assert.Equal(
            ["Nova:Projects gives 'fed18' to more than one project: p, q."],
            Check([.. Good, ("Nova:Projects:p:0", "fed18"), ("Nova:Projects:q:0", "fed18")]));
    }

    [Fact]
    public void Without_a_Keystone_the_rest_means_nothing()
    {
        Assert.Equal(
            ["Nova:Keystone:Url must be set where another key of Nova is."], Check([("Nova:Projects:p:0", "fed18")]));
    }

    private static IReadOnlyList<string> Check((string Key, string Value)[] settings) => ConfigurationCheck.Run(
        Build(settings));

    private static IConfigurationRoot Build((string Key, string Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))).Build();
}
