namespace SnapshotApi.Configuration;

/// <summary>Addresses of services that we talk to.</summary>
internal static class WebAddress
{
    /// <summary>It is an address of a service, without a user, who would end up in messages, and without a query.</summary>
    public static bool IsOne(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri)
        && uri is { Scheme: "http" or "https", UserInfo: "", Query: "", Fragment: "" };

    /// <summary>The address with a version at its end, whether it was given with it or not; for example <c>http://glance:9292/v2</c>.</summary>
    public static string WithVersion(string text, string version)
    {
        string bare = text.TrimEnd('/');
        return bare.EndsWith($"/{version}", StringComparison.Ordinal) ? bare : $"{bare}/{version}";
    }
}
