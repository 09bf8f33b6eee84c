using Microsoft.AspNetCore.Http.HttpResults;
using SnapshotApi.Api.Access;
using SnapshotApi.Api.Contracts;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Api.Validation;
using SnapshotApi.Configuration;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/images: what the stores hold of ours.</summary>
internal static class ImageEndpoints
{
    private static readonly QueryParameter[] Filters =
    [
        new("server", typeof(string), "Only images of this server: its UUID or its unique name."),
        new("job", typeof(Guid), "Only images of this job."),
        QueryParameter.Cursor,
        QueryParameter.Limit,
    ];

    /// <summary>Adds the operations.</summary>
    public static void MapImages(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder images = routes.MapGroup("/images").WithTags(ApiTags.Images);
        images.MapGet("", ListAsync).WithName("listImages").AddEndpointFilter<StrictRequestFilter>()
            .WithMetadata([.. Filters, ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ServerNotFound, SnapshotErrorCode.ServerAmbiguous,
                SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable")]);
        images.MapGet("{id}", GetAsync).WithName("getImage").AddEndpointFilter<StrictRequestFilter>()
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ImageNotFound, SnapshotErrorCode.DatabaseUnavailable)
                .And("not_acceptable"));
        images.MapDelete("{id}", DeleteAsync).WithName("deleteImage").Needs(AccessRole.Admin).AddEndpointFilter<StrictRequestFilter>()
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ImageNotFound, SnapshotErrorCode.ImageNotLocal,
                SnapshotErrorCode.StoreFailed, SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable"));
    }

    /// <summary>Lists images</summary>
    /// <remarks>Newest first. Only images that jobs of this service have published are listed.</remarks>
    /// <response code="200">A page of images. The header Link names the next one.</response>
    public static async Task<Ok<Page<Image>>> ListAsync(
        HttpContext context, ImageTable images, ServerLookup servers, CancellationToken cancellationToken)
    {
        var query = new QueryFields(context);
        string? server = query.Text("server");
        Guid? jobId = query.Id("job");
        ImageCursor? before = query.Cursor(Cursors.DecodeImage);
        int limit = query.Limit();
        query.ThrowIfWrong();

        Guid? serverId = await servers.FindIdAsync(server, cancellationToken).ConfigureAwait(false);
        var filter = new ImageFilter(serverId, jobId, before, limit);
        IReadOnlyList<ImageRecord> found = await images.ListAsync(filter, cancellationToken).ConfigureAwait(false);
        string? next = found.Count == limit ? Cursors.Encode(new ImageCursor(found[^1].CreatedAt, found[^1].Image.Id)) : null;
        return Paging.Answer<Image>(context, [.. found.Select(i => i.ToContract())], next);
    }

    /// <summary>Shows an image</summary>
    /// <remarks>Where it is, its digest, and its metadata.</remarks>
    /// <param name="id">Id of the image.</param>
    /// <response code="200">The image.</response>
    public static async Task<Ok<Image>> GetAsync(string id, ImageTable images, CancellationToken cancellationToken)
    {
        ImageRecord image = await images.FindAsync(NotFound.ImageId(id), cancellationToken).ConfigureAwait(false)
            ?? throw NotFound.Image(id);
        return TypedResults.Ok(image.ToContract());
    }

    /// <summary>Deletes an image</summary>
    /// <remarks>Its file is gone with the answer, and can't be had back. Downloads under way go on to their end.</remarks>
    /// <param name="id">Id of the image.</param>
    /// <response code="204">The image is deleted.</response>
    public static async Task<NoContent> DeleteAsync(
        string id, ImageTable images, LocalImages local, CancellationToken cancellationToken)
    {
        ImageRecord image = await images.FindAsync(NotFound.ImageId(id), cancellationToken).ConfigureAwait(false)
            ?? throw NotFound.Image(id);

        // The file goes first: if the second call fails, the image is still listed and can be deleted again.
        await local.DeleteAsync(image, cancellationToken).ConfigureAwait(false);
        await images.DeleteAsync(image.Image.Id, cancellationToken).ConfigureAwait(false);
        return TypedResults.NoContent();
    }
}
