using System.Text.Json.Nodes;
using SnapshotApi.Api.Validation;
using SnapshotApi.Captures;
using SnapshotApi.Hypervisor;
using SnapshotApi.Images;
using SnapshotApi.Jobs;
using SnapshotApi.Persistence;
using SnapshotApi.Snapshots;
using SnapshotApi.Stores;
using SnapshotApi.Stores.Glance;

namespace SnapshotApi.Api.Nova;

/// <summary>
/// /v2.1/servers/{id}/action: takes images. The job is like any other, but its record in Glance is made before the
/// answer, in the name of the caller. https://docs.openstack.org/api-ref/compute/#create-image-createimage-action
/// </summary>
internal static class NovaActions
{
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
        // Step 1: the server, then the action.
        var caller = NovaCaller.Of(context);
        ServerRecord server = await owners.FindAsync(caller, id, cancellationToken).ConfigureAwait(false);
        ReadOnlyMemory<byte> body =
            await BodyReader.ReadAsync(context.Request, cancellationToken).ConfigureAwait(false);
        NovaAction action = NovaAction.Read(body);
        var image = new ReservedImage(
            Guid.NewGuid(),
            action.BackupType is null ? "snapshot" : "backup",
            action.BackupType,
            owners.ProjectOf(server.Description) ?? caller.ProjectId,
            caller.UserId);
        var request = new SnapshotRequest(action.Name)
        {
            Store = StoreNames.Glance,
            Metadata = action.Metadata,
            Reserved = image,
        };

        // Step 2: record and job.
        Guid serverId = server.Description.Id;
        bool isReserved = false;
        try
        {
            await submitter.SubmitAsync(serverId.ToString("D"), request, key: null, ReserveAsync, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception e)
            when (isReserved && e is not SnapshotException { Code: SnapshotErrorCode.DatabaseUnavailable })
        {
            // If the database went away, the keeper finds out later whether there is a job.
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
            var named = new JsonObject { ["image_id"] = image.Id.ToString("D") };
            return TypedResults.Json(named, statusCode: StatusCodes.Status202Accepted);
        }

        string glance = WebAddress.WithVersion(stores.Value.Glance.Endpoint, "v2")[..^3];
        context.Response.Headers.Location = $"{glance}/images/{image.Id:D}";
        return TypedResults.StatusCode(StatusCodes.Status202Accepted);

        async Task ReserveAsync(Guid jobId, LocatedServer located, SnapshotPlan plan, CancellationToken ct)
        {
            var reservation = new ImageReservation(
                image.Id, jobId, serverId, caller.ProjectId, action.BackupType, action.Rotation);
            await keeper.ReserveAsync(reservation, Compose(jobId, located, plan, request), caller.Token, ct)
                .ConfigureAwait(false);
            isReserved = true;
        }

        async Task<Exception> InNovasWordsAsync(Exception e)
        {
            if (e is SnapshotException { Code: SnapshotErrorCode.ServerNotFound })
            {
                return NovaRefusal.NoServer(id);
            }

            if (e is not SnapshotException { Code: SnapshotErrorCode.ServerBusy })
            {
                return e;
            }

            JobRecord? active = await jobs.FindActiveAsync(serverId, cancellationToken).ConfigureAwait(false);
            return NovaServer.TaskStateOf(active) is not { } state ? e : NovaRefusal.Of(
                StatusCodes.Status409Conflict,
                $"Cannot '{action.Kind}' instance {serverId:D} while it is in task_state {state}");
        }
    }

    /// <summary>The record of an image that is still to be made; the job corrects it when the image is there.</summary>
    private static JsonObject Compose(Guid jobId, LocatedServer located, SnapshotPlan plan, SnapshotRequest request)
    {
        ServerDescription server = located.Server.Description;
        PlannedDisk planned = plan.Disks[0];
        var work = new SnapshotWork(jobId, server.Id, Attempt: 1, request, new BandwidthLimit(TimeProvider.System));
        DiskDescription disk = server.Disks.First(d => d.Target == planned.Target);
        Dictionary<string, string> properties = new(
            ImageProperties.Build(work, server, origin: null, disk, plan, planned.Image.Format, Consistency.Crash),
            StringComparer.Ordinal);

        // Known only after the capture.
        properties.Remove(ImageProperties.OwnPrefix + "consistency");
        return GlanceRecord.Compose(
            new ImageDescription(request.Reserved!.Id, request.Name, planned.Image.Format, 0, 0, properties));
    }
}
