namespace SnapshotApi.Api;

/// <summary>Addresses within the API: relative, so that they hold behind any proxy.</summary>
internal static class Links
{
    /// <summary>Address of a job.</summary>
    public static string Job(Guid id) => $"/jobs/{id:D}";

    /// <summary>Address of a job's step log.</summary>
    public static string JobEvents(Guid id) => $"/jobs/{id:D}/events";

    /// <summary>Address of a server.</summary>
    public static string Server(Guid id) => $"/servers/{id:D}";

    /// <summary>Address of a server's jobs.</summary>
    public static string ServerSnapshots(Guid id) => $"/servers/{id:D}/snapshots";

    /// <summary>Address of an image.</summary>
    public static string Image(Guid id) => $"/images/{id:D}";

    /// <summary>Address of an image's bytes.</summary>
    public static string ImageFile(Guid id) => $"/images/{id:D}/file";
}
