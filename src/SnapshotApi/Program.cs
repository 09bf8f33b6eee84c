using SnapshotApi;
using SnapshotApi.Api;
using SnapshotApi.Host;
using SnapshotApi.Hypervisor;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;

// What was asked for: a page to print, or a process to run.
CommandLine command = CommandLine.Parse(args);
if (command.IsAnswered)
{
    return Startup.Answer(command);
}

if (command.IsSetup)
{
    return await Setup.RunAsync(command.MayRestart, CancellationToken.None).ConfigureAwait(false);
}

// The whole configuration is checked before it is used.
WebApplicationBuilder builder = WebApplication.CreateBuilder(command.HostOptions);
if (ConfigurationCheck.Run(builder.Configuration) is { Count: > 0 } errors)
{
    return Startup.Refuse(errors, builder.Configuration);
}

ServiceOptions service = builder.Configuration.Get<ServiceOptions>() ?? new ServiceOptions();
builder.AddServiceLogging(DatabaseFault.IsAwayInside);
builder.AddListening(service);

builder.Services.AddSystemdNotifications(builder.Configuration);
builder.Services.AddServiceOptions(builder.Configuration);

// The parts, from the bottom to the top.
builder.Services.AddPersistence(builder.Configuration);
builder.Services.AddStores();
if (service.Role.IsNode())
{
    builder.Services.AddHypervisor();
    builder.Services.AddSnapshots();
    builder.Services.AddNodeWorker();
}

builder.Services.AddJobs(builder.Configuration, service.Role);
builder.Services.AddApi(builder.Configuration, service.Role);

WebApplication app = builder.Build();
app.UseApi(service.Role);
return await Startup.RunAsync(app, service.Role).ConfigureAwait(false);
