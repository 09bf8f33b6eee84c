using Hangfire;
using SnapshotApi.Api.Access;
using SnapshotApi.Api.Endpoints;
using SnapshotApi.Api.Health;
using SnapshotApi.Api.Nova;
using SnapshotApi.Api.OpenApi;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api;

/// <summary>Registration of this folder.</summary>
internal static class ApiSetup
{
    /// <summary>Adds what the endpoints need. Needs persistence, jobs and stores.</summary>
    public static IServiceCollection AddApi(this IServiceCollection services, IConfiguration configuration, ServiceRole role)
    {
        services.ConfigureHttpJsonOptions(options => ApiJson.Configure(options.SerializerOptions));
        services.AddExceptionHandler<ProblemExceptionHandler>();
        services.AddSingleton<ServerLookup>();
        services.AddSingleton<LocalImages>();
        services.AddSingleton<ReadinessProbe>();
        services.AddAccess(configuration);
        if (NovaSetup.HasNova(configuration))
        {
            services.AddNova(role);
        }

        services.AddApiDescription();
        return services;
    }

    /// <summary>Adds the middleware and the endpoints of a role.</summary>
    public static void UseApi(this WebApplication app, ServiceRole role)
    {
        bool hasNova = role.IsApi() && NovaSetup.HasNova(app.Configuration);
        if (hasNova)
        {
            app.UseMiddleware<NovaRequestMiddleware>();
        }

        app.UseMiddleware<RequestLog>();
        app.UseExceptionHandler(new ExceptionHandlerOptions { ExceptionHandler = _ => Task.CompletedTask, AllowStatusCode404Response = true });
        app.UseMiddleware<StatusCodeProblems>();
        app.UseMiddleware<ResponseGuards>();
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
                app.MapGet("/", () => TypedResults.Redirect("/swagger")).ExcludeFromDescription();
            }
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
        var dashboard = new DashboardOptions { DashboardTitle = "SnapshotApi jobs", DisplayStorageConnectionString = false };
        if (app.Services.GetRequiredService<ApiKeyTable>().IsNeeded)
        {
            // Hangfire's own rule, browsers on the same host only, is for services that ask nobody who he is.
            dashboard.Authorization = [];
        }

        app.MapHangfireDashboard("/hangfire", dashboard).Needs(AccessRole.Admin);
    }
}
