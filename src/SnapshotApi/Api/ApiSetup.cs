using System.Text.Json.Serialization;
using Hangfire;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Api.Access;
using SnapshotApi.Api.Endpoints;
using SnapshotApi.Api.Health;
using SnapshotApi.Api.Nova;
using SnapshotApi.Api.OpenApi;
using SnapshotApi.Api.Validation;

namespace SnapshotApi.Api;

/// <summary>Registration of this folder.</summary>
internal static class ApiSetup
{
    /// <summary>Adds what the endpoints need. Needs persistence, jobs and stores.</summary>
    public static IServiceCollection AddApi(
        this IServiceCollection services, IConfiguration configuration, ServiceRole role)
    {
        services.ConfigureHttpJsonOptions(options => ApiJson.Configure(options.SerializerOptions));
        services.AddProblems();
        services.AddSingleton<ServerLookup>();
        services.AddSingleton<LocalImages>();
        services.AddReadiness(role);
        services.AddAccess(configuration, role);
        if (NovaSetup.HasNova(configuration))
        {
            services.AddNova(role);
        }

        services.AddApiDescription();
        return services;
    }

    public static void UseApi(this WebApplication app, ServiceRole role)
    {
        // The path under which a reverse proxy publishes the service changes only links in the answer to whoever names
        // it, so it is taken from anyone.
        var forwarded = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedPrefix };
        forwarded.KnownProxies.Clear();
        forwarded.KnownIPNetworks.Clear();
        app.UseForwardedHeaders(forwarded);
        bool hasNova = role.IsApi() && NovaSetup.HasNova(app.Configuration);
        if (hasNova)
        {
            app.UseMiddleware<NovaRequestMiddleware>();
        }

        app.UseRequestLog();
        app.UseProblems();
        app.UseMiddleware<ResponseGuards>();
        app.UseMiddleware<RequestOrigin>();
        app.UseRouting();
        app.UseAccess();
        if (role.IsApi())
        {
            app.MapSnapshots();
            app.MapJobs();
            app.MapImages();
            app.MapServers();
            app.MapNodes();
            app.MapPages();
            if (hasNova)
            {
                app.MapNova();
            }
            else
            {
                app.MapGet("/", () => TypedResults.Redirect("~/swagger")).ExcludeFromDescription();
            }
        }

        app.MapImageFiles();
        app.MapHealth();
    }

    /// <summary>Adds what people open in a browser: the API's description, Hangfire's dashboard.</summary>
    private static void MapPages(this WebApplication app)
    {
        app.UseSwagger(swagger => swagger.PreSerializeFilters.Add(OpenApiSetup.NameServer));
        app.UseSwaggerUI(ui =>
        {
            ui.DocumentTitle = "SnapshotApi";
            ui.SwaggerEndpoint($"{OpenApiSetup.Document}/swagger.json", "SnapshotApi v1");
            ui.DisplayOperationId();
            ui.DisplayRequestDuration();
        });
        var dashboard = new DashboardOptions
        {
            DashboardTitle = "SnapshotApi jobs",
            DisplayStorageConnectionString = false,

            // Hangfire's own rule, browsers on the same host only, is for services without authentication.
            Authorization = [],
        };
        app.MapHangfireDashboard("/hangfire", dashboard).Needs(AccessRole.Admin);
    }
}

/// <summary>How the API writes JSON: camelCase members, snake_case values, null where there is nothing.</summary>
internal static class ApiJson
{
    /// <summary>Options of all bodies but problem documents.</summary>
    public static JsonSerializerOptions Options { get; } = Configure(new(JsonSerializerDefaults.Web));

    /// <summary>Options of problem documents: members that do not apply are left out.</summary>
    public static JsonSerializerOptions Problems { get; } = new(Options)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
        return options;
    }
}

/// <summary>Groups of operations in the OpenAPI document.</summary>
internal static class ApiTags
{
    public const string Snapshots = "Snapshots";
    public const string Jobs = "Jobs";
    public const string Images = "Images";
    public const string Servers = "Servers";
    public const string Nodes = "Nodes";
    public const string Health = "Health";

    /// <summary>Each group with what it is, in the order in which a newcomer needs them.</summary>
    public static IReadOnlyList<(string Name, string Description)> All { get; } =
    [
        (Snapshots, "Take an image of a running or stopped server."),
        (Jobs, "Follow a snapshot from request to image, or cancel it."),
        (Images, "Find, download and delete images."),
        (Servers, "Look at the servers of all nodes."),
        (Nodes, "Look at the hosts that do the work."),
        (Health, "Watch the process."),
    ];
}

/// <summary>Forbids browsers to guess the type of an answer, and to show pages in frames of other sites.</summary>
internal sealed class ResponseGuards(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        if (PresentedKey.IsPage(context.Request))
        {
            headers.ContentSecurityPolicy = "frame-ancestors 'none'";
            headers["Referrer-Policy"] = "same-origin";
        }

        return next(context);
    }
}

/// <summary>
/// Refuses what would be ignored in silence: a client that accepts no JSON, and query parameters of an operation
/// without any. Operations with query parameters check them together with their values.
/// </summary>
internal sealed class StrictRequestFilter : IEndpointFilter
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        HttpContext http = context.HttpContext;
        if (!AcceptsJson(http.Request))
        {
            return ValueTask.FromResult<object?>(TypedResults.StatusCode(StatusCodes.Status406NotAcceptable));
        }

        if (http.GetEndpoint()?.Metadata.GetMetadata<QueryParameter>() is null)
        {
            new QueryFields(http).ThrowIfWrong();
        }

        return next(context);
    }

    private static bool AcceptsJson(HttpRequest request)
    {
        IList<MediaTypeHeaderValue> accept = new RequestHeaders(request.Headers).Accept;
        return accept.Count == 0
            || accept.Any(a => a.Quality != 0 && Json.IsSubsetOf(new MediaTypeHeaderValue(a.MediaType)));
    }
}
