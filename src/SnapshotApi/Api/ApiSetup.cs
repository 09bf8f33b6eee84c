using Hangfire;
using SnapshotApi.Api.Endpoints;
using SnapshotApi.Api.Health;
using SnapshotApi.Api.OpenApi;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api;

/// <summary>Registration of this folder.</summary>
internal static class ApiSetup
{
    /// <summary>Adds what the endpoints need. Needs persistence, jobs and stores.</summary>
    public static IServiceCollection AddApi(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(options => ApiJson.Configure(options.SerializerOptions));
        services.AddExceptionHandler<ProblemExceptionHandler>();
        services.AddSingleton<ServerLookup>();
        services.AddSingleton<LocalImages>();
        services.AddSingleton<ReadinessProbe>();
        services.AddApiDescription();
        return services;
    }

    /// <summary>Adds the middleware and the endpoints of a role.</summary>
    public static void UseApi(this WebApplication app, ServiceRole role)
    {
        app.UseMiddleware<RequestLog>();
        app.UseExceptionHandler(new ExceptionHandlerOptions { ExceptionHandler = _ => Task.CompletedTask, AllowStatusCode404Response = true });
        app.UseMiddleware<StatusCodeProblems>();
        app.UseRouting();
        if (role.IsApi())
        {
            app.MapSnapshots();
            app.MapJobs();
            app.MapImages();
            app.MapServers();
            app.MapNodes();
            app.MapPages();
        }

        app.MapImageFiles();
        app.MapHealth();
    }

    /// <summary>What people look at with a browser: the API's description, Hangfire's dashboard.</summary>
    private static void MapPages(this WebApplication app)
    {
        app.UseSwagger();
        app.UseSwaggerUI(ui =>
        {
            ui.DocumentTitle = "SnapshotApi";
            ui.SwaggerEndpoint($"{OpenApiSetup.Document}/swagger.json", "SnapshotApi v1");
            ui.DisplayOperationId();
            ui.DisplayRequestDuration();
        });
        app.MapHangfireDashboard("/hangfire", new DashboardOptions { DashboardTitle = "SnapshotApi jobs", DisplayStorageConnectionString = false });
        app.MapGet("/", () => TypedResults.Redirect("/swagger")).ExcludeFromDescription();
    }
}
