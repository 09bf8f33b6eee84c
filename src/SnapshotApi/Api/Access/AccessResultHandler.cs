using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using SnapshotApi.Api.Nova;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api.Access;

/// <summary>
/// Answers those who are turned away: 401 to one who is not known, 403 to one who may not, each a problem document with the challenge of
/// RFC 6750; a browser at a page is challenged by HTTP Basic, so that it asks for the key.
/// </summary>
internal sealed class AccessResultHandler(AccessLog log) : IAuthorizationMiddlewareResultHandler
{
    private const string Realm = "realm=\"SnapshotApi\"";

    public Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult) =>
        authorizeResult.Succeeded ? next(context)
        : authorizeResult.Forbidden ? ForbidAsync(context)
        : ChallengeAsync(context);

    private Task ChallengeAsync(HttpContext context)
    {
        if (NovaRequest.Of(context) is not null)
        {
            NovaOptions nova = context.RequestServices.GetRequiredService<IOptions<NovaOptions>>().Value;
            string address = nova.PublicKeystoneUrl.Length > 0 ? nova.PublicKeystoneUrl : nova.Keystone.Url;
            context.Response.Headers.WWWAuthenticate = $"Keystone uri=\"{WebAddress.WithVersion(address, "v3")}\"";
            return RefuseAsync(context, "unauthorized", "The request you have made requires authentication.");
        }

        bool isWrong = PresentedKey.Read(context.Request) is not null;
        string detail = isWrong ? "the key or token is not valid"
            : PresentedKey.IsPage(context.Request) ? "this page needs a key: as the password, with any user name"
            : $"this needs a key or token, in the header Authorization: Bearer KEY, or {PresentedKey.Header}: KEY";
        context.Response.Headers.WWWAuthenticate = PresentedKey.IsPage(context.Request) ? $"Basic {Realm}, charset=\"UTF-8\""
            : isWrong ? $"Bearer {Realm}, error=\"invalid_token\", error_description=\"{detail}\""
            : $"Bearer {Realm}";
        return RefuseAsync(context, "unauthorized", detail);
    }

    private Task ForbidAsync(HttpContext context)
    {
        string role = AccessPolicies.RoleOf(context.GetEndpoint()?.Metadata.AsEnumerable() ?? [])?.ToString().ToLowerInvariant() ?? "reader";
        context.Response.Headers.WWWAuthenticate = $"Bearer {Realm}, error=\"insufficient_scope\", scope=\"{role}\"";
        return RefuseAsync(context, "forbidden", $"this needs the role {role}");
    }

    private Task RefuseAsync(HttpContext context, string code, string detail)
    {
        log.TurnedAway(context, code, detail);
        context.Response.Headers[HeaderNames.CacheControl] = "no-store";
        return ProblemWriter.WriteAsync(context, ProblemMapping.Of(code), detail);
    }
}
