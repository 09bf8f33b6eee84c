using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Api.Access;
using SnapshotApi.Api.Mapping;
using SnapshotApi.Api.Validation;
using SnapshotApi.Contracts;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/images: the images that jobs published.</summary>
internal static class ImageEndpoints
{
    private static readonly QueryParameter[] Filters =
    [
        new("server", typeof(string), "Only images of this server: its UUID or its unique name."),
        new("job", typeof(Guid), "Only images of this job."),
        QueryParameter.Cursor,
        QueryParameter.Limit,
    ];

    public static void MapImages(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder images = routes.MapGroup("/images").WithTags(ApiTags.Images);
        images.MapGet("", ListAsync).WithName("listImages").AddEndpointFilter<StrictRequestFilter>()
            .WithMetadata([.. Filters, ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ServerNotFound, SnapshotErrorCode.ServerAmbiguous,
                SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable")]);
        images.MapGet("{id}", GetAsync).WithName("getImage").AddEndpointFilter<StrictRequestFilter>()
            .WithMetadata(ErrorCodes.Of(
                SnapshotErrorCode.InvalidRequest, SnapshotErrorCode.ImageNotFound,
                SnapshotErrorCode.DatabaseUnavailable).And("not_acceptable"));
        images.MapDelete("{id}", DeleteAsync).WithName("deleteImage")
            .Needs(AccessRole.Admin).AddEndpointFilter<StrictRequestFilter>()
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
        // One row more than the page has tells whether there is a next one.
        var filter = new ImageFilter(serverId, jobId, before, limit + 1);
        IReadOnlyList<ImageRecord> found = await images.ListAsync(filter, cancellationToken).ConfigureAwait(false);
        var links = Links.Of(context);
        return Paging.Answer(
            context,
            found,
            limit,
            i => Cursors.Encode(new ImageCursor(i.CreatedAt, i.Image.Id)),
            i => i.ToContract(links));
    }

    /// <summary>Shows an image</summary>
    /// <remarks>Where it is, its digest, and its metadata.</remarks>
    /// <param name="id">Id of the image.</param>
    /// <response code="200">The image.</response>
    public static async Task<Ok<Image>> GetAsync(
        string id, HttpContext context, ImageTable images, CancellationToken cancellationToken)
    {
        ImageRecord image = await images.FindAsync(NotFound.ImageId(id), cancellationToken).ConfigureAwait(false)
            ?? throw NotFound.Image(id);
        return TypedResults.Ok(image.ToContract(Links.Of(context)));
    }

    /// <summary>Deletes an image</summary>
    /// <remarks>Its file is gone with the answer, for good. Running downloads go on to their end.</remarks>
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

/// <summary>/images/{id}/file: the bytes of an image.</summary>
internal static class ImageFileEndpoints
{
    public static void MapImageFiles(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder file = routes.MapGroup("/images/{id}/file").WithTags(ApiTags.Images);
        ErrorCodes errors = ErrorCodes.Of(
            SnapshotErrorCode.ImageNotFound, SnapshotErrorCode.ImageNotLocal, SnapshotErrorCode.StoreFailed,
            SnapshotErrorCode.DatabaseUnavailable).And("range_not_satisfiable");
        file.MapGet("", DownloadAsync).WithName("downloadImage")
            .Produces<Stream>(StatusCodes.Status200OK, "application/octet-stream")
            .Produces<Stream>(StatusCodes.Status206PartialContent, "application/octet-stream")
            .Produces(StatusCodes.Status304NotModified)
            .WithMetadata(errors);
        file.MapMethods("", [HttpMethods.Head], DescribeAsync).WithName("describeImageFile")
            .Produces(StatusCodes.Status200OK)
            .Produces(StatusCodes.Status304NotModified)
            .WithMetadata(errors);
    }

    /// <summary>Downloads an image</summary>
    /// <remarks>
    /// The file as its store holds it, for images in the directory store of the node that answers. One range can be
    /// asked for; a request for several is answered with the whole file. With `If-Range` a download continues only if
    /// the image is still the same. The ETag is the digest, for example `"sha256:9f86..."`, and `Repr-Digest` has it in
    /// the form of RFC 9530.
    /// </remarks>
    /// <param name="id">Id of the image.</param>
    /// <response code="200">The whole file.</response>
    /// <response code="206">The range asked for.</response>
    /// <response code="304">The client has it already.</response>
    public static async Task<FileStreamHttpResult> DownloadAsync(
        string id,
        HttpContext context,
        ImageTable images,
        LocalImages local,
        IHostApplicationLifetime lifetime,
        CancellationToken cancellationToken)
    {
        // A slow client must not keep the service from stopping; ranges let it go on later.
        context.Response.RegisterForDispose(lifetime.ApplicationStopping.Register(context.Abort));
        ImageRecord image = await images.FindAsync(NotFound.ImageId(id), cancellationToken).ConfigureAwait(false)
            ?? throw NotFound.Image(id);
        FileStream file = local.OpenRead(image);
        if (ReprDigest.Of(image.Image.Digest) is { } digest)
        {
            context.Response.Headers["Repr-Digest"] = digest;
        }

        return TypedResults.Stream(
            file,
            "application/octet-stream",
            DownloadName.Of(image),
            image.CreatedAt,
            new EntityTagHeaderValue($"\"{image.Image.Digest.Algorithm}:{image.Image.Digest.Value}\""),
            enableRangeProcessing: true);
    }

    /// <summary>Shows the headers of a download</summary>
    /// <remarks>Length, ETag and digest of the file, without the file.</remarks>
    /// <param name="id">Id of the image.</param>
    /// <response code="200">The headers.</response>
    /// <response code="304">The client has it already.</response>
    public static Task<FileStreamHttpResult> DescribeAsync(
        string id,
        HttpContext context,
        ImageTable images,
        LocalImages local,
        IHostApplicationLifetime lifetime,
        CancellationToken cancellationToken) =>
        DownloadAsync(id, context, images, local, lifetime, cancellationToken);
}
