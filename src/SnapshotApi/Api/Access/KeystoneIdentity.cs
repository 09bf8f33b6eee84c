using System.Text.Json;

namespace SnapshotApi.Api.Access;

/// <summary>Whom Keystone knows a token to be of.</summary>
/// <param name="UserId">Id of the user.</param>
/// <param name="UserName">Name of the user.</param>
/// <param name="ProjectId">Project that the token is for; empty when it is for none.</param>
/// <param name="Roles">Names of the user's roles in it.</param>
/// <param name="ExpiresAt">When the token is of no use any more.</param>
internal sealed record KeystoneIdentity(string UserId, string UserName, string ProjectId, IReadOnlyList<string> Roles, DateTimeOffset ExpiresAt)
{
    /// <summary>Reads what Keystone says of a token.</summary>
    /// <exception cref="JsonException">It is not that.</exception>
    public static KeystoneIdentity Read(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement token = document.RootElement.GetProperty("token");
            JsonElement user = token.GetProperty("user");
            return new KeystoneIdentity(
                user.GetProperty("id").GetString()!,
                user.GetProperty("name").GetString()!,
                token.TryGetProperty("project", out JsonElement project) ? project.GetProperty("id").GetString()! : string.Empty,
                token.TryGetProperty("roles", out JsonElement roles) ? [.. roles.EnumerateArray().Select(r => r.GetProperty("name").GetString()!)] : [],
                token.GetProperty("expires_at").GetDateTimeOffset());
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new JsonException("it is not what Keystone says of a token", e);
        }
    }
}
