using System.Diagnostics;

namespace SnapshotApi.Tests.Nbd;

/// <summary>Runs qemu-img and qemu-io to make and to judge images.</summary>
internal static class QemuTool
{
    /// <summary>Runs <c>qemu-img</c> and returns its output.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message is its output.</exception>
    public static Task<string> ImgAsync(params string[] arguments) => RunAsync("qemu-img", arguments);

    /// <summary>Runs <c>qemu-io</c> commands on a file, for example <c>write -P 7 64k 128k</c>.</summary>
    public static Task<string> IoAsync(string file, string format, params string[] commands) =>
        RunAsync("qemu-io", ["-f", format, .. commands.SelectMany(command => new[] { "-c", command }), file]);

    /// <summary>The same on what can only be read.</summary>
    public static Task<string> ReadAsync(string file, string format, params string[] commands) =>
        RunAsync("qemu-io", ["-r", "-f", format, .. commands.SelectMany(command => new[] { "-c", command }), file]);

    private static async Task<string> RunAsync(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        string text = await output + await errors;
        return process.ExitCode == 0
            ? text
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {text}");
    }
}
