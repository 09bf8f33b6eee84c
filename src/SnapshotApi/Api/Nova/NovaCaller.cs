using System.Security.Claims;
using SnapshotApi.Api.Access;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api.Nova;

/// <summary>Who calls through the face.</summary>
/// <param name="ProjectId">Project that his token is for.</param>
/// <param name="UserId">Id of the user.</param>
/// <param name="IsAdmin">He sees the servers of all projects.</param>
/// <param name="Token">His token, by which records are made in his name.</param>
internal sealed record NovaCaller(string ProjectId, string UserId, bool IsAdmin, string Token)
{
    /// <summary>The caller of a request that was let in.</summary>
    public static NovaCaller Of(HttpContext context) => new(
        context.User.FindFirstValue(Caller.ProjectType) ?? string.Empty,
        context.User.FindFirstValue(Caller.UserType) ?? string.Empty,
        context.User.IsInRole(AccessRole.Admin.Name()),
        context.Request.Headers[KeystoneHandler.Header].ToString());
}
