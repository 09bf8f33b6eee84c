using System.Globalization;
using Microsoft.AspNetCore.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace SnapshotApi.Api;

/// <summary>ETags of jobs: the version of the row.</summary>
internal static class EntityTags
{
    /// <summary>ETag of a version.</summary>
    public static EntityTagHeaderValue Of(long version) => new($"\"{version.ToString(CultureInfo.InvariantCulture)}\"");

    /// <summary>The client has this version already: If-None-Match names it.</summary>
    public static bool IsKnown(HttpRequest request, long version)
    {
        EntityTagHeaderValue tag = Of(version);
        return IfNoneMatch(request).Any(t => t.Equals(EntityTagHeaderValue.Any) || t.Compare(tag, useStrongComparison: false));
    }

    /// <summary>The client says which version it has.</summary>
    public static bool HasIfNoneMatch(HttpRequest request) => IfNoneMatch(request).Count > 0;

    private static IList<EntityTagHeaderValue> IfNoneMatch(HttpRequest request) => new RequestHeaders(request.Headers).IfNoneMatch;
}
