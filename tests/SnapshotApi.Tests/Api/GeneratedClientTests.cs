using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SnapshotApi.Api;
using SnapshotApi.Api.OpenApi;
using SnapshotApi.GeneratedClient;

namespace SnapshotApi.Tests.Api;

/// <summary>
/// What a generator makes of the OpenAPI document, run against the service as far as it goes without a database.
/// </summary>
public class GeneratedClientTests(ApiFixture service) : IClassFixture<ApiFixture>
{
    private readonly SnapshotApiClient _client = new(service.Client);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Health_is_typed_also_when_the_service_is_not_ready()
    {
        SwaggerResponse<Liveness> live = await _client.GetLivenessAsync(Cancellation);
        var notReady = await Assert.ThrowsAsync<ApiException<Readiness>>(() => _client.GetReadinessAsync(Cancellation));

        Assert.Equal("live", live.Result.Status);
        Assert.Equal((503, "not_ready"), (notReady.StatusCode, notReady.Result.Status));
        Assert.Equal("database", Assert.Single(notReady.Result.Parts).Name);
    }

    [Fact]
    public async Task An_error_is_a_typed_problem()
    {
        var error = await Assert.ThrowsAsync<ApiException<Problem>>(
            () => _client.GetJobAsync(Examples.JobId, cancellationToken: Cancellation));

        Assert.Equal((503, "database_unavailable"), (error.StatusCode, error.Result.Code));
        Assert.True(error.Headers.ContainsKey("Retry-After"));
    }

    [Fact]
    public async Task All_that_a_request_can_hold_is_understood()
    {
        object[] disks = ["root", "all", new[] { "vda", "vdb" }];
        foreach (object some in disks)
        {
            var body = new SnapshotBody
            {
                Name = "snap1",
                Mode = SnapshotBodyMode.Mirror,
                Format = SnapshotBodyFormat.Qcow2,
                Compression = SnapshotBodyCompression.Zstd,
                CompressionLevel = 5,
                Sparsify = SnapshotBodySparsify.Always,
                Disks = some,
                Quiesce = SnapshotBodyQuiesce.Required,
                Store = SnapshotBodyStore.Directory,
                Metadata = new Dictionary<string, string> { ["team"] = "storage" },
                BlockRebase = true,
                BandwidthBytesPerSecond = 1 << 20,
                DeadlineSeconds = 60,
            };

            // A body that is wrong would be refused before the database is asked.
            var error = await Assert.ThrowsAsync<ApiException<Problem>>(
                () => _client.CreateSnapshotAsync("web-1", body, "key-1", Cancellation));
            Assert.Equal("database_unavailable", error.Result.Code);
        }
    }

    [Fact]
    public async Task Filters_are_understood()
    {
        var error = await Assert.ThrowsAsync<ApiException<Problem>>(() => _client.ListJobsAsync(
            node: "kvm1", status: [JobStatus.Queued, JobStatus.Running], limit: 2, cancellationToken: Cancellation));

        Assert.Equal("database_unavailable", error.Result.Code);
    }

    [Theory]
    [InlineData("Queued")]
    [InlineData("Running")]
    [InlineData("Succeeded")]
    [InlineData("Failed")]
    public async Task A_job_of_a_later_version_is_read(string example)
    {
        object job = typeof(Examples).GetProperty(example)!.GetValue(null)!;
        JsonObject later = JsonSerializer.SerializeToNode(job, ApiJson.Options)!.AsObject();
        (later["status"], later["step"], later["mode"], later["added"]) = ("resting", "thinking", "warm", 7);

        SwaggerResponse<Job> read = await AnsweredWith(200, later.ToJsonString())
            .GetJobAsync(Examples.JobId, wait: 30, if_None_Match: "\"7\"", cancellationToken: Cancellation);

        Assert.Equal(
            (Examples.JobId, "resting", "thinking", "warm"),
            (read.Result.Id, read.Result.Status, read.Result.Step, read.Result.Mode));
    }

    [Fact]
    public async Task An_unchanged_job_is_documented()
    {
        var unchanged = await Assert.ThrowsAsync<ApiException>(() => AnsweredWith(304, "")
            .GetJobAsync(Examples.JobId, if_None_Match: "\"7\"", cancellationToken: Cancellation));

        Assert.Equal(304, unchanged.StatusCode);
        Assert.StartsWith("The job has not changed.", unchanged.Message, StringComparison.Ordinal);
    }

    private static SnapshotApiClient AnsweredWith(int status, string json) =>
        new(new HttpClient(new Answer(status, json)) { BaseAddress = new Uri("http://localhost") });

    private sealed class Answer(int status, string json) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage((HttpStatusCode)status)
            {
                Content = new StringContent(json, Encoding.UTF8, "application/json"),
            });
    }
}
