using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using SnapshotApi.Cli;
using SnapshotApi.Cli.Http;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Cli.Http;

public sealed class ServiceAddressTests : IDisposable
{
    private const string Nodes = """{"items":[],"next":null}""";

    private readonly ScratchDirectory _directory = new();
    private readonly string _socket;

    public ServiceAddressTests() => _socket = _directory.File("api.sock");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("unix:/run/x.sock", "/run/x.sock")]
    [InlineData("unix:///run/x.sock", "///run/x.sock")]
    [InlineData("http://h:1/p", null)]
    public void A_socket_and_a_url_are_addresses(string text, string? socket) =>
        Assert.Equal(socket, ServiceAddress.Parse(text)!.SocketPath);

    [Theory]
    [InlineData("unix:")]
    [InlineData("unix:relative")]
    [InlineData("unix")]
    [InlineData("/run/x.sock")]
    public void Anything_else_is_none(string text) => Assert.Null(ServiceAddress.Parse(text));

    [Fact]
    public async Task Commands_go_over_a_socket_that_is_named()
    {
        await using WebApplication service = await StartAsync();

        (string[] Args, (string, string)[] Variables)[] ways =
        [
            (["--url", $"unix:{_socket}", "nodes"], []),
            (["nodes"], [("SNAPSHOTAPI_URL", $"unix:{_socket}")]),
        ];
        foreach ((string[] args, (string, string)[] variables) in ways)
        {
            CliRun run = await CliRun.OfAsync(args, TimeProvider.System, false, Cancellation, variables);
            Assert.True(run.ExitCode == ExitCode.Ok, run.Error);
        }
    }

    [Fact]
    public async Task The_socket_is_looked_at_first()
    {
        await using WebApplication service = await StartAsync();

        ServiceAddress found = await ServiceAddress.FindAsync([_socket], needsNoPeer: false, Cancellation);

        Assert.Equal($"unix:{_socket}", found.Name);
    }

    [Fact]
    public async Task Where_there_is_none_the_usual_url_is_asked_and_the_socket_is_named()
    {
        ServiceAddress found = await ServiceAddress.FindAsync([_socket], needsNoPeer: false, Cancellation);

        Assert.Equal("http://127.0.0.1:5080/", found.Name);
        string error = found.Explain(new HttpRequestException("no", new SocketException((int)SocketError.ConnectionRefused)));
        Assert.Contains("there is no socket", error, StringComparison.Ordinal);
        Assert.Contains(_socket, error, StringComparison.Ordinal);
    }

    /// <summary>Whoever has taken the port of a service that has just died gets no key.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_nobody_listens_at_one_that_is_there_nobody_else_is_asked(bool needsNoPeer)
    {
        using var stale = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        stale.Bind(new UnixDomainSocketEndPoint(_socket));

        ServiceAddress found = await ServiceAddress.FindAsync(
            [_directory.File("none"), _socket], needsNoPeer, Cancellation);

        Assert.Equal($"unix:{_socket}", found.Name);
    }

    [Fact]
    public async Task A_socket_without_a_service_is_named_with_a_question()
    {
        using var stale = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        stale.Bind(new UnixDomainSocketEndPoint(_socket));

        CliRun run = await CliRun.OfAsync(
            ["--url", $"unix:{_socket}", "nodes"], TimeProvider.System, terminal: false, Cancellation);

        Assert.Equal(ExitCode.Unavailable, run.ExitCode);
        Assert.Contains($"unix:{_socket}: nobody listens there", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_is_not_in_the_group_is_told_the_command_that_helps()
    {
        var address = ServiceAddress.Parse($"unix:{_socket}")!;
        var denied = new HttpRequestException("no", new SocketException((int)SocketError.AccessDenied));

        Assert.True(address.IsDenied(denied));
        Assert.Contains(
            $"usermod -aG snapshotapi {Environment.UserName}", address.Explain(denied), StringComparison.Ordinal);
    }

    private async Task<WebApplication> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://unix:{_socket}");
        WebApplication service = builder.Build();
        service.Run(context =>
        {
            context.Response.ContentType = "application/json";
            return context.Response.WriteAsync(Nodes);
        });
        await service.StartAsync(Cancellation);
        return service;
    }
}
