using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using SnapshotApi.Cli;

namespace SnapshotApi.Tests.Cli.Downloads;

public sealed class ImageDownloadTests : IDisposable
{
    private const string FilePath = $"GET /images/{Samples.ImageId}/file";

    private readonly string _directory = Directory.CreateTempSubdirectory("snapshotctl-").FullName;
    private readonly byte[] _content = new byte[(5 << 20) + 123];

    public ImageDownloadTests()
    {
        RandomNumberGenerator.Fill(_content.AsSpan(0, 2 << 20));
        RandomNumberGenerator.Fill(_content.AsSpan(4 << 20));
    }

    private string Destination => Path.Combine(_directory, "disk.qcow2");

    private string Partial => Path.Combine(_directory, $".disk.qcow2.{Samples.ImageId}.part");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_file_gets_its_name_when_its_digest_is_the_recorded_one()
    {
        await using FakeService service = await StartAsync();

        CliRun run = await DownloadAsync(service);

        Assert.Equal((ExitCode.Ok, ""), (run.ExitCode, run.Error.Contains("snapshotctl:", StringComparison.Ordinal) ? run.Error : ""));
        Assert.Equal(_content, await File.ReadAllBytesAsync(Destination, TestContext.Current.CancellationToken));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Destination));
        Assert.Equal([Destination], Directory.GetFiles(_directory));
        Assert.Equal($"{Destination}: 5.0 MiB, sha256:{Digest()}\n", run.Output);
    }

    [Fact]
    public async Task What_an_earlier_run_fetched_is_not_fetched_again()
    {
        await using FakeService service = await StartAsync();
        await File.WriteAllBytesAsync(Partial, _content[..3_000_000], TestContext.Current.CancellationToken);

        CliRun run = await DownloadAsync(service, "--json", "--verify");

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Asked asked = service.Requests.Single(r => r.Call == FilePath);
        Assert.Equal(("bytes=3000000-", $"\"sha256:{Digest()}\""), (asked.Header("Range"), asked.Header("If-Range")));
        Assert.Equal(_content, await File.ReadAllBytesAsync(Destination, TestContext.Current.CancellationToken));
        JsonElement done = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal(3_000_000, done.GetProperty("resumedAtBytes").GetInt64());
        Assert.Equal(Destination, done.GetProperty("file").GetString());
    }

    [Fact]
    public async Task A_whole_partial_file_needs_no_request_for_bytes()
    {
        await using FakeService service = await StartAsync();
        await File.WriteAllBytesAsync(Partial, _content, TestContext.Current.CancellationToken);

        CliRun run = await DownloadAsync(service);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.DoesNotContain(service.Requests, r => r.Call == FilePath);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1000, true)]
    public async Task Only_what_was_begun_is_resumed(int fetched, bool isResumed)
    {
        await using FakeService service = await StartAsync();
        if (fetched > 0)
        {
            await File.WriteAllBytesAsync(Partial, _content[..fetched], TestContext.Current.CancellationToken);
        }

        CliRun run = await DownloadAsync(service);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal(isResumed, run.Error.Contains("resuming", StringComparison.Ordinal));
        Assert.DoesNotContain("resuming", run.Error.Split('\n').FirstOrDefault(l => l.Contains(" 0 B", StringComparison.Ordinal)) ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broken_connection_is_made_anew_from_the_last_byte()
    {
        await using FakeService service = await StartAsync();
        service.OnEach(FilePath, context => SendAsync(context, breakAfter: 1_500_000), context => SendAsync(context));

        CliRun run = await DownloadAsync(service);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        string?[] ranges = [.. service.Requests.Where(r => r.Call == FilePath).Select(r => r.Header("Range"))];
        Assert.Equal(2, ranges.Length);
        Assert.Null(ranges[0]);
        Assert.Matches("^bytes=[1-9][0-9]*-$", ranges[1]);
        Assert.Equal(_content, await File.ReadAllBytesAsync(Destination, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_service_that_sends_the_whole_file_in_spite_of_a_range_is_begun_anew()
    {
        await using FakeService service = await StartAsync();
        service.On(FilePath, context => context.Response.Body.WriteAsync(_content).AsTask());
        await File.WriteAllBytesAsync(Partial, _content[..100], TestContext.Current.CancellationToken);

        CliRun run = await DownloadAsync(service);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal(_content, await File.ReadAllBytesAsync(Destination, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Another_digest_deletes_the_partial_file_and_fails()
    {
        await using FakeService service = await StartAsync();
        service.On($"GET /images/{Samples.ImageId}", Samples.Image(_content.Length, new string('0', 64)));

        CliRun run = await DownloadAsync(service, "--json");

        Assert.Equal(ExitCode.Failed, run.ExitCode);
        Assert.Empty(Directory.GetFiles(_directory));
        Assert.Equal("digest_mismatch", JsonDocument.Parse(run.Output).RootElement.GetProperty("code").GetString());
        Assert.Contains("is not the image", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_partial_file_is_found_out()
    {
        await using FakeService service = await StartAsync();
        byte[] damaged = _content[..1000];
        damaged[500] ^= 1;
        await File.WriteAllBytesAsync(Partial, damaged, TestContext.Current.CancellationToken);

        CliRun first = await DownloadAsync(service);
        CliRun second = await DownloadAsync(service);

        Assert.Equal((ExitCode.Failed, ExitCode.Ok), (first.ExitCode, second.ExitCode));
        Assert.Equal(_content, await File.ReadAllBytesAsync(Destination, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_file_of_another_length_is_refused()
    {
        await using FakeService service = await StartAsync();
        service.On($"GET /images/{Samples.ImageId}", Samples.Image(_content.Length + 1, Digest()));

        CliRun run = await DownloadAsync(service);

        Assert.Equal(ExitCode.Failed, run.ExitCode);
        Assert.False(File.Exists(Destination));
    }

    [Fact]
    public async Task A_connection_that_never_gives_a_byte_is_given_up_and_the_partial_file_stays()
    {
        await using FakeService service = await StartAsync();
        await File.WriteAllBytesAsync(Partial, _content[..1000], TestContext.Current.CancellationToken);
        service.On(FilePath, context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });

        CliRun run = await DownloadAsync(service);

        Assert.Equal(ExitCode.Unavailable, run.ExitCode);
        Assert.Contains("run it again to go on from there", run.Error, StringComparison.Ordinal);
        Assert.Equal(1000, new FileInfo(Partial).Length);
    }

    [Fact]
    public async Task A_file_that_exists_is_replaced_only_by_force()
    {
        await using FakeService service = await StartAsync();
        await File.WriteAllTextAsync(Destination, "mine", TestContext.Current.CancellationToken);

        CliRun refused = await DownloadAsync(service);
        string kept = await File.ReadAllTextAsync(Destination, TestContext.Current.CancellationToken);
        CliRun forced = await DownloadAsync(service, "--force");

        Assert.Equal((ExitCode.Usage, "mine", ExitCode.Ok), (refused.ExitCode, kept, forced.ExitCode));
        Assert.Equal(_content, await File.ReadAllBytesAsync(Destination, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_name_from_the_service_never_leaves_the_directory()
    {
        await using FakeService service = await StartAsync();
        service.On($"GET /images/{Samples.ImageId}", Samples.Image(_content.Length, Digest(), name: "../../etc/x y"));

        CliRun run = await CliRun.OfAsync(service, "image", "download", Samples.ImageId, "-o", _directory);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal(["_.._etc_x_y-vda.qcow2"], Directory.GetFiles(_directory).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("attachment; filename=snap1-vdb.vhdx", "snap1-vdb.vhdx")]
    [InlineData("attachment; filename=\"../x y.raw\"; filename*=UTF-8''..%2Fx%20y.raw", "_x_y.raw")]
    [InlineData("attachment; filename=\"...\"", Samples.ImageId)]
    public async Task The_service_names_the_file(string disposition, string name)
    {
        await using FakeService service = await StartAsync();
        service.On(FilePath.Replace("GET", "HEAD", StringComparison.Ordinal), context =>
        {
            context.Response.Headers.ContentDisposition = disposition;
            return Task.CompletedTask;
        });

        CliRun run = await CliRun.OfAsync(service, "image", "download", Samples.ImageId, "-o", _directory);

        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal([name], Directory.GetFiles(_directory).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_directory_that_does_not_exist_is_told()
    {
        await using FakeService service = await StartAsync();

        CliRun run = await CliRun.OfAsync(service, "image", "download", Samples.ImageId, "-o", Path.Combine(_directory, "no", "disk"));

        Assert.Equal(ExitCode.Failed, run.ExitCode);
        Assert.Contains("cannot write", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_on_another_node_is_a_conflict()
    {
        await using FakeService service = await StartAsync();
        service.On(FilePath, """{"title":"The image's file is on another node.","status":409,"code":"image_not_local"}""", status: 409);

        CliRun run = await DownloadAsync(service);

        Assert.Equal(ExitCode.Conflict, run.ExitCode);
        Assert.Contains("image_not_local", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupt_keeps_what_was_fetched()
    {
        await using FakeService service = await StartAsync();
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        service.On(FilePath, async context =>
        {
            context.Response.ContentLength = _content.Length;
            await context.Response.Body.WriteAsync(_content.AsMemory(0, 2 << 20), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await interrupt.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });

        CliRun run = await CliRun.OfAsync(
            ["--url", service.Url, "image", "download", Samples.ImageId, "-o", Destination], TimeProvider.System, terminal: false, interrupt.Token);

        Assert.Equal(ExitCode.Interrupted, run.ExitCode);
        Assert.True(File.Exists(Partial));
        Assert.Contains("the same command goes on from there", run.Error, StringComparison.Ordinal);
    }

    private async Task<FakeService> StartAsync() => (await FakeService.StartAsync())
        .On($"GET /images/{Samples.ImageId}", Samples.Image(_content.Length, Digest()))
        .On(FilePath, context => SendAsync(context));

    private Task<CliRun> DownloadAsync(FakeService service, params string[] more) =>
        CliRun.OfAsync(service, ["image", "download", Samples.ImageId, "-o", Destination, .. more]);

    private string Digest() => Convert.ToHexStringLower(SHA256.HashData(_content));

    private async Task SendAsync(HttpContext context, int? breakAfter = null)
    {
        long offset = context.Request.GetTypedHeaders().Range?.Ranges.Single().From ?? 0;
        ReadOnlyMemory<byte> body = _content.AsMemory((int)offset);
        context.Response.StatusCode = offset > 0 ? 206 : 200;
        context.Response.ContentLength = body.Length;
        if (offset > 0)
        {
            context.Response.Headers.ContentRange = $"bytes {offset}-{_content.Length - 1}/{_content.Length}";
        }

        await context.Response.Body.WriteAsync(body[..(breakAfter ?? body.Length)], context.RequestAborted);
        if (breakAfter is not null)
        {
            await context.Response.Body.FlushAsync(context.RequestAborted);
            context.Abort();
        }
    }
}
