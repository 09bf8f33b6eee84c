namespace SnapshotApi.Api.Nova;

/// <summary>Marks a request as one to the face of Nova: it is answered, and refused, in Nova's words.</summary>
internal sealed class NovaRequest
{
    /// <summary>Where the face is.</summary>
    public const string Prefix = "/v2.1";

    /// <summary>Microversion that the client asked for.</summary>
    public NovaVersion Version { get; set; } = NovaVersion.Oldest;

    /// <summary>The mark of a request; null when it is not for the face, or there is none.</summary>
    public static NovaRequest? Of(HttpContext context) => context.Features.Get<NovaRequest>();
}

/// <summary>
/// Recognizes requests to the face. Some catalogs name Nova's address with the project in it (<c>/v2.1/PROJECT/servers</c>): that part is taken
/// out, since the token says it already.
/// </summary>
internal sealed class NovaRequestMiddleware(RequestDelegate next)
{
    private const int ProjectIdLength = 32;

    /// <summary>Serves the request.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Request.Path.StartsWithSegments(NovaRequest.Prefix, StringComparison.Ordinal, out PathString rest))
        {
            context.Features.Set(new NovaRequest());
            string text = rest.Value ?? string.Empty;
            if (text.Length > ProjectIdLength && text[1..(ProjectIdLength + 1)].All(char.IsAsciiHexDigit)
                && (text.Length == ProjectIdLength + 1 || text[ProjectIdLength + 1] == '/'))
            {
                context.Request.Path = NovaRequest.Prefix + text[(ProjectIdLength + 1)..];
            }
        }

        return next(context);
    }
}
