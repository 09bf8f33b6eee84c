using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using SnapshotApi.Hypervisor;
using SnapshotApi.Tests.Fakes;

namespace SnapshotApi.IntegrationTests.Api;

/// <summary>
/// Far more clients than servers, all at once: each asks until it is let in, and polls its job to the end. SNAPSHOTAPI_LOAD_JOBS says how many there are;
/// how long a poll took and what memory was used is written to the test's output.
/// </summary>
[SuppressMessage("Security", "CA5394", Justification = "Clients that come back at the same moment are what is to be avoided, nothing more.")]
public sealed class ManyJobsTests(ServiceFixture service) : IClassFixture<ServiceFixture>
{
    private const int Servers = 4;

    private readonly ConcurrentDictionary<Guid, int> _atWork = new();
    private readonly ConcurrentBag<double> _polls = [];
    private int _together;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_many_jobs_at_once_each_server_runs_one_at_a_time_and_none_is_lost()
    {
        int jobs = int.TryParse(Environment.GetEnvironmentVariable("SNAPSHOTAPI_LOAD_JOBS"), CultureInfo.InvariantCulture, out int asked) ? asked : 100;
        service.Service.Pipeline.Body = async (work, journal, observer, cancellationToken) =>
        {
            if (_atWork.AddOrUpdate(work.ServerId, 1, (_, count) => count + 1) > 1)
            {
                Interlocked.Increment(ref _together);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), cancellationToken);
            FakePipeline.Publish(work, journal, observer);
            _atWork.AddOrUpdate(work.ServerId, 0, (_, count) => count - 1);
        };
        var servers = new List<ServerDescription>();
        for (int i = 0; i < Servers; i++)
        {
            servers.Add(await service.AddServerAsync());
        }

        // What the first job of a process brings along is not what grows.
        await Task.WhenAll(servers.Select((server, number) => RunAsync(server.Id, number)));
        _polls.Clear();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        string[] ids = await Task.WhenAll(Enumerable.Range(0, jobs).Select(number => RunAsync(servers[number % Servers].Id, number)));
        long after = GC.GetTotalMemory(forceFullCollection: true);

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{jobs} jobs: {_polls.Count} polls, median {Median():F1} ms; {before >> 10} KiB in use before, {after >> 10} KiB after");
        Assert.Equal(jobs, ids.Distinct().Count());
        Assert.Equal(jobs + Servers, service.Service.Pipeline.Runs);
        Assert.Equal(0, _together);
        foreach (ServerDescription server in servers)
        {
            Assert.Equal((jobs / Servers) + 1, await CountAsync(server.Id));
        }
    }

    private async Task<string> RunAsync(Guid server, int number)
    {
        var random = new Random(number);
        using HttpResponseMessage accepted = await SubmitAsync(server, random);
        JsonElement job = await ServiceFixture.JsonAsync(accepted);
        string id = job.GetProperty("id").GetString()!;
        while (job.GetProperty("status").GetString() is "queued" or "running")
        {
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(20, 60)), Cancellation);
            long started = Stopwatch.GetTimestamp();
            job = await service.ReadAsync($"/jobs/{id}");
            _polls.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        Assert.Equal("succeeded", job.GetProperty("status").GetString());
        return id;
    }

    private async Task<HttpResponseMessage> SubmitAsync(Guid server, Random random)
    {
        while (true)
        {
            HttpResponseMessage response = await service.PostAsync(server.ToString());
            if ((int)response.StatusCode != 409)
            {
                return response;
            }

            await ServiceFixture.ProblemAsync(response, 409, "server_busy");
            response.Dispose();
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(500, 3000)), Cancellation);
        }
    }

    private async Task<int> CountAsync(Guid server)
    {
        int count = 0;
        string? next = $"/jobs?server={server}&status=succeeded&limit=100";
        while (next is not null)
        {
            JsonElement page = await service.ReadAsync(next);
            count += page.GetProperty("items").GetArrayLength();
            next = page.GetProperty("next").GetString();
        }

        return count;
    }

    private double Median() => _polls.Order().ElementAtOrDefault(_polls.Count / 2);
}
