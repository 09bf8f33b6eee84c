using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using SnapshotApi.Api.Validation;
using SnapshotApi.Captures;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Api.Nova;

/// <summary>
/// /v2.1/servers/{id}/action: takes images. A job like any other is submitted; all that is special is that its record in Glance is there
/// before the answer, in the name of the caller. https://docs.openstack.org/api-ref/compute/#create-image-createimage-action
/// </summary>
internal static class NovaActions
{
    /// <summary>Accepts an image or a backup.</summary>
    public static async Task<IResult> ActAsync(
        string id,
        HttpContext context,
        ServerOwners owners,
        JobSubmitter submitter,
        JobTable jobs,
        ReservationReconciler keeper,
        IOptions<StoresOptions> stores,
        CancellationToken cancellationToken)
    {
        // Step 1: the server, then what is asked of it.
        var caller = NovaCaller.Of(context);
        ServerRecord server = await owners.FindAsync(caller, id, cancellationToken).ConfigureAwait(false);
        NovaAction action = NovaAction.Read(await BodyReader.ReadAsync(context.Request, cancellationToken).ConfigureAwait(false));
        var image = new ReservedImage(
            Guid.NewGuid(),
            action.BackupType is null ? "snapshot" : "backup",
            action.BackupType,
            owners.ProjectOf(server.Description) ?? caller.ProjectId,
            caller.UserId);
        var request = new SnapshotRequest(action.Name) { Store = StoreNames.Glance, Metadata = action.Metadata, Reserved = image };

        // Step 2: record and job.
        Guid serverId = server.Description.Id;
        bool isReserved = false;
        try
        {
            await submitter.SubmitAsync(serverId.ToString("D"), request, key: null, ReserveAsync, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (isReserved && e is not SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable })
        {
            // Where the database has gone it is not known whether there is a job: the keeper finds out.
            await keeper.ReleaseAsync(image.Id).ConfigureAwait(false);
            throw await InNovasWordsAsync(e).ConfigureAwait(false);
        }
        catch (SnapshotException e) when (e.Code is SnapshotErrorCode.ServerBusy or SnapshotErrorCode.ServerNotFound)
        {
            throw await InNovasWordsAsync(e).ConfigureAwait(false);
        }

        // Step 3: the answer, in the form of the client's version.
        if (NovaRequest.Of(context)!.Version.HasImageInBody)
        {
            return TypedResults.Json(new JsonObject { ["image_id"] = image.Id.ToString("D") }, statusCode: StatusCodes.Status202Accepted);
        }

        context.Response.Headers.Location = $"{WebAddress.WithVersion(stores.Value.Glance.Endpoint, "v2")[..^3]}/images/{image.Id:D}";
        return TypedResults.StatusCode(StatusCodes.Status202Accepted);

        async Task ReserveAsync(Guid jobId, LocatedServer located, SnapshotPlan plan, CancellationToken ct)
        {
            var reservation = new ImageReservation(image.Id, jobId, serverId, caller.ProjectId, action.BackupType, action.Rotation);
            await keeper.ReserveAsync(reservation, Compose(jobId, located, plan, request), caller.Token, ct).ConfigureAwait(false);
            isReserved = true;
        }

        async Task<Exception> InNovasWordsAsync(Exception e) => e switch
        {
            SnapshotException { Code: SnapshotErrorCode.ServerNotFound } => NovaRefusal.NoServer(id),
            SnapshotException { Code: SnapshotErrorCode.ServerBusy }
                when NovaServer.TaskStateOf(await jobs.FindActiveAsync(serverId, cancellationToken).ConfigureAwait(false)) is { } state =>
                NovaRefusal.Of(StatusCodes.Status409Conflict, $"Cannot '{action.Kind}' instance {serverId:D} while it is in task_state {state}"),
            _ => e,
        };
    }

    /// <summary>What is known of the image before there is one; the job makes it true when it has it.</summary>
    private static JsonObject Compose(Guid jobId, LocatedServer located, SnapshotPlan plan, SnapshotRequest request)
    {
        ServerDescription server = located.Server.Description;
        PlannedDisk planned = plan.Disks[0];
        var work = new SnapshotWork(jobId, server.Id, Attempt: 1, request, new BandwidthLimit(TimeProvider.System));
        DiskDescription disk = server.Disks.First(d => d.Target == planned.Target);
        Dictionary<string, string> properties = new(
            ImageProperties.Build(work, server, origin: null, disk, plan, planned.Image.Format, Consistency.Crash), StringComparer.Ordinal);

        // Known only when the guest was captured.
        properties.Remove(ImageProperties.OwnPrefix + "consistency");
        return GlanceRecord.Compose(new ImageDescription(request.Reserved!.Id, request.Name, planned.Image.Format, 0, 0, properties));
    }
}
