using Microsoft.AspNetCore.Authorization;
using SnapshotApi.Configuration;

namespace SnapshotApi.Api.Access;

/// <summary>Names of the schemes and policies of access.</summary>
internal static class AccessPolicies
{
    /// <summary>The scheme that looks at the request and leaves it to one of the others.</summary>
    public const string AnyScheme = "Any";

    /// <summary>The scheme of keys.</summary>
    public const string KeyScheme = "ApiKey";

    /// <summary>The scheme of tokens.</summary>
    public const string TokenScheme = "Token";

    /// <summary>The scheme of Keystone's tokens, for the face of Nova only.</summary>
    public const string KeystoneScheme = "Keystone";

    /// <summary>The policy of rate limits for POST of snapshots.</summary>
    public const string SnapshotRate = "snapshots";

    /// <summary>An operation needs a role. What says nothing needs a reader.</summary>
    public static TBuilder Needs<TBuilder>(this TBuilder builder, AccessRole role)
        where TBuilder : IEndpointConventionBuilder => builder.RequireAuthorization(role.Name());

    /// <summary>The role that an operation needs; null when it needs none.</summary>
    public static AccessRole? RoleOf(IEnumerable<object> metadata)
    {
        object[] all = [.. metadata];
        if (all.OfType<IAllowAnonymous>().Any())
        {
            return null;
        }

        string? policy = all.OfType<IAuthorizeData>().LastOrDefault()?.Policy;
        return policy is null ? AccessRole.Reader : Enum.Parse<AccessRole>(policy, ignoreCase: true);
    }
}
