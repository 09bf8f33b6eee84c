using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using SnapshotApi.Hypervisor;

namespace SnapshotApi.IntegrationTests.Api;

/// <summary>
/// Every operation of the OpenAPI document, every field of it: wrong types, limits, unicode, missing, unknown, doubled. Whatever comes, the answer
/// is never the service's own failure, and a refusal is a problem document. <c>scripts/fuzz api</c> runs it longer.
/// </summary>
[SuppressMessage("Security", "CA5394", Justification = "A seed must give the same requests again.")]
public sealed class FuzzTests(ServiceFixture service) : IClassFixture<ServiceFixture>
{
    private const int Senders = 4;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_request_makes_the_service_fail()
    {
        int requests = Number("SNAPSHOTAPI_FUZZ_REQUESTS", 1500);
        int seed = Number("SNAPSHOTAPI_FUZZ_SEED", 1);
        FuzzRequests fuzz = await PrepareAsync();
        var failures = new List<string>();
        var statuses = new SortedDictionary<int, int>();
        int next = 0;

        async Task SendAsync()
        {
            for (int number; (number = Interlocked.Increment(ref next)) <= requests;)
            {
                using HttpRequestMessage request = fuzz.Make(new Random(unchecked((seed * 1_000_003) + number)), number);
                (int status, string? failure) = await JudgeAsync(request);
                lock (failures)
                {
                    statuses[status] = statuses.GetValueOrDefault(status) + 1;
                    if (failure is not null)
                    {
                        string address = request.RequestUri!.OriginalString;
                        failures.Add($"{number}: {request.Method} {address[..Math.Min(address.Length, 200)]}: {failure}");
                    }
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => SendAsync()));

        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", statuses.Select(s => $"{s.Value} x {s.Key}")));
        Assert.True(failures.Count == 0, $"{failures.Count} of {requests}, seed {seed}:\n{string.Join('\n', failures.Take(20))}");

        // It got through to where things are done, and did not only rattle at the gate.
        Assert.True(statuses.GetValueOrDefault(200) > requests / 50, "too few requests were good ones");
        Assert.True(statuses.GetValueOrDefault(202) > 0, "no snapshot was accepted");
        Assert.Equal(200, (int)(await service.Client.GetAsync("/health/ready", Cancellation)).StatusCode);
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    private async Task<FuzzRequests> PrepareAsync()
    {
        service.PublishFile(new byte[1000]);
        ServerDescription server = await service.AddServerAsync();
        JsonElement job = await service.RunAsync(server.Id.ToString());
        string image = job.GetProperty("disks")[0].GetProperty("image").GetProperty("id").GetString()!;

        // What DELETE takes must not be what the others ask for: a second image is for it to find.
        var servers = new List<string> { server.Name, server.Id.ToString() };
        for (int i = 0; i < 8; i++)
        {
            servers.Add((await service.AddServerAsync()).Id.ToString());
        }

        return new FuzzRequests(FuzzRequests.ReadDocument(), servers, job.GetProperty("id").GetString()!, image);
    }

    private async Task<(int Status, string? Failure)> JudgeAsync(HttpRequestMessage request)
    {
        HttpResponseMessage response;
        try
        {
            response = await service.Client.SendAsync(request, Cancellation);
        }
        catch (HttpRequestException e)
        {
            return (0, e.ToString());
        }

        using (response)
        {
            int status = (int)response.StatusCode;
            string body = await response.Content.ReadAsStringAsync(Cancellation);
            if (status >= 500)
            {
                return (status, $"{status} {body}");
            }

            bool isProblem = status >= 400 && request.Method != HttpMethod.Head && !IsWebServers(request, status);
            return !isProblem || IsProblem(response, body) ? (status, null) : (status, $"{status} is no problem document: {response.Content.Headers.ContentType} {body}");
        }
    }

    // Refused before it is a request: a line that is too long, a path with a NUL in it, a range outside of the file.
    private static bool IsWebServers(HttpRequestMessage request, int status) =>
        status is 414 or 416 || (status == 400 && request.RequestUri!.OriginalString.Split('?')[0].Contains("%00", StringComparison.Ordinal));

    private static bool IsProblem(HttpResponseMessage response, string body)
    {
        if (response.Content.Headers.ContentType?.MediaType != "application/problem+json")
        {
            return false;
        }

        JsonElement problem = JsonElement.Parse(body);
        return problem.GetProperty("status").GetInt32() == (int)response.StatusCode && problem.GetProperty("code").GetString() is { Length: > 0 };
    }
}
