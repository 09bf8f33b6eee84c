using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Errors;
using SnapshotApi.Persistence;

namespace SnapshotApi.Api.Endpoints;

/// <summary>/images/{id}/file: the bytes of an image.</summary>
internal static class ImageFileEndpoints
{
    /// <summary>Adds the operations.</summary>
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
    /// The file as its store holds it, for images in the directory store of the node that answers. One or more ranges can be asked
    /// for; with `If-Range` a download that broke off goes on only if the image is still the same. The ETag is the digest, and
    /// `Repr-Digest` has it in the form of RFC 9530.
    /// </remarks>
    /// <param name="id">Id of the image.</param>
    /// <response code="200">The whole file.</response>
    /// <response code="206">The ranges asked for.</response>
    /// <response code="304">The client has it already.</response>
    public static async Task<FileStreamHttpResult> DownloadAsync(
        string id, HttpContext context, ImageTable images, LocalImages local, IHostApplicationLifetime lifetime, CancellationToken cancellationToken)
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
        string id, HttpContext context, ImageTable images, LocalImages local, IHostApplicationLifetime lifetime, CancellationToken cancellationToken) =>
        DownloadAsync(id, context, images, local, lifetime, cancellationToken);
}
