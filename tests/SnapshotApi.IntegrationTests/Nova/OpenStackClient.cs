using SnapshotApi.IntegrationTests.Lab;

namespace SnapshotApi.IntegrationTests.Nova;

/// <summary>The real clients of OpenStack, as one of the lab's users.</summary>
/// <param name="user"><c>admin</c>, <c>demo</c> or <c>other</c>.</param>
internal sealed class OpenStackClient(string user)
{
    // Sets the user's environment, then becomes the client. What a client prints in one line again and again is made lines.
    private const string Script = ". \"$0\" && \"$@\" 2>&1 | tr '\\r' '\\n'; exit ${PIPESTATUS[0]}";

    private static string Directory => Path.Combine(Requires.LabDirectory(), "keystone");

    /// <summary>Runs a client, <c>nova</c> or <c>openstack</c>; a client that does not end by itself fails the test.</summary>
    public async Task<(int Code, string Output)> TryAsync(params string[] command)
    {
        (int code, string output, string error) = await Shell.TryAsync(
            "/bin/bash", ["-c", Script, Path.Combine(Directory, $"openrc-{user}"), "timeout", "150", .. command]);
        Assert.True(code != 124, $"{string.Join(' ', command)} did not end:\n{output}{error}");
        return (code, output + error);
    }

    /// <summary>The same; it must end well.</summary>
    public async Task<string> RunAsync(params string[] command)
    {
        (int code, string output) = await TryAsync(command);
        Assert.True(code == 0, $"{string.Join(' ', command)}: exit code {code}\n{output}");
        return output;
    }

    /// <summary>The same; it must end with an error, and say why.</summary>
    public async Task FailAsync(string reason, params string[] command)
    {
        (int code, string output) = await TryAsync(command);
        Assert.True(code is not 0, $"{string.Join(' ', command)} ended well:\n{output}");
        Assert.Contains(reason, output, StringComparison.Ordinal);
    }

    /// <summary>Names of the user's images that are of a kind.</summary>
    public async Task<string[]> ImagesAsync(params string[] properties) =>
        (await RunAsync(["openstack", "image", "list", "-f", "value", "-c", "Name", .. properties.SelectMany(p => new[] { "--property", p })]))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>A token of the user.</summary>
    public async Task<string> TokenAsync() => (await RunAsync("openstack", "token", "issue", "-f", "value", "-c", "id")).Trim();
}
