using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Serilog.AspNetCore;
using Serilog.Events;
using Serilog.Parsing;
using SnapshotApi.Api;

namespace SnapshotApi.Tests.Api;

public sealed class RequestLogTests
{
    private readonly RequestLoggingOptions _options = new();

    public RequestLogTests() => RequestLog.Configure(_options);

    [Theory]
    [InlineData("GET", 200, LogEventLevel.Debug)]
    [InlineData("HEAD", 206, LogEventLevel.Debug)]
    [InlineData("GET", 304, LogEventLevel.Debug)]
    [InlineData("GET", 404, LogEventLevel.Information)]
    [InlineData("POST", 202, LogEventLevel.Information)]
    [InlineData("DELETE", 409, LogEventLevel.Information)]
    [InlineData("GET", 503, LogEventLevel.Warning)]
    public void Successful_reads_are_no_news(string method, int status, LogEventLevel level)
    {
        Assert.Equal(level, _options.GetLevel(Context(method, status), 1, null));
    }

    [Fact]
    public void What_breaks_off_is_a_warning()
    {
        Assert.Equal(LogEventLevel.Warning, _options.GetLevel(Context("GET", 200), 1, new IOException()));
    }

    [Fact]
    public void The_route_is_logged_and_not_the_text_of_a_user()
    {
        HttpContext context = Context("GET", 404);
        context.Request.Path = "/jobs/hunter2";
        RoutePattern pattern = RoutePatternFactory.Parse("/jobs/{id}/");
        context.SetEndpoint(new RouteEndpoint(_ => Task.CompletedTask, pattern, 0, null, null));

        var line = new LogEvent(
            DateTimeOffset.UnixEpoch,
            LogEventLevel.Information,
            null,
            new MessageTemplateParser().Parse(_options.MessageTemplate),
            _options.GetMessageTemplateProperties(context, "/jobs/hunter2", 12.9, 404));

        Assert.Equal(
            "\"GET\" \"/jobs/{id}\" answered 404 in 12 ms to \"-\"", line.RenderMessage(CultureInfo.InvariantCulture));
    }

    private static DefaultHttpContext Context(string method, int status) =>
        new() { Request = { Method = method }, Response = { StatusCode = status } };
}
