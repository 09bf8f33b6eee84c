using SnapshotApi.Api.Validation;
using SnapshotApi.Errors;

namespace SnapshotApi.Api;

/// <summary>What the API says when there is no such thing.</summary>
internal static class NotFound
{
    /// <summary>The id of a job in an address; what is no UUID is no job either.</summary>
    /// <exception cref="SnapshotException">job_not_found.</exception>
    public static Guid JobId(string id) => Guid.TryParseExact(id, "D", out Guid value) ? value : throw Job(id);

    /// <summary>The id of an image in an address; what is no UUID is no image either.</summary>
    /// <exception cref="SnapshotException">image_not_found.</exception>
    public static Guid ImageId(string id) => Guid.TryParseExact(id, "D", out Guid value) ? value : throw Image(id);

    /// <summary>The server of an address: what no server can be named is refused before anybody looks for it.</summary>
    /// <exception cref="SnapshotException">server_not_found.</exception>
    public static string ServerText(string server) => TextRule.Check(server, 1, 255) is null ? server : throw Server(server);

    /// <summary>There is no such job.</summary>
    public static SnapshotException Job(string id) => new(SnapshotErrorCode.JobNotFound, $"no job has the id {TextRule.Shown(id)}");

    /// <summary>There is no such image.</summary>
    public static SnapshotException Image(string id) => new(SnapshotErrorCode.ImageNotFound, $"no image has the id {TextRule.Shown(id)}");

    /// <summary>There is no such server.</summary>
    public static SnapshotException Server(string server) =>
        new(SnapshotErrorCode.ServerNotFound, $"no node runs a server with the UUID or name {TextRule.Shown(server)}");
}
