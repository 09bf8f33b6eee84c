using Microsoft.Extensions.Diagnostics.HealthChecks;
using SnapshotApi.Api.Health;
using SnapshotApi.Configuration;
using SnapshotApi.Contracts;

namespace SnapshotApi.Tests.Api.Health;

public sealed class ReadinessProbeTests
{
    [Fact]
    public void A_part_that_does_not_work_makes_the_process_unready()
    {
        Readiness readiness = Read(
            ("database", HealthCheckResult.Healthy()),
            ("hypervisor", HealthCheckResult.Unhealthy("away")),
            ("servers", HealthCheckResult.Degraded("web-1")));

        Assert.Equal("not_ready", readiness.Status);
        Assert.Equal("all", readiness.Role);
        Assert.Equal(
            [
                new ReadinessPart("database", true, null),
                new ReadinessPart("hypervisor", false, "away"),
                new ReadinessPart("servers", false, "web-1"),
            ],
            readiness.Parts);
    }

    [Fact]
    public void The_trouble_of_single_servers_degrades_it()
    {
        Readiness readiness = Read(
            ("database", HealthCheckResult.Healthy()), ("journal", HealthCheckResult.Degraded("web-1")));

        Assert.Equal("degraded", readiness.Status);
    }

    [Fact]
    public void A_part_that_works_may_have_something_to_say()
    {
        Readiness readiness = Read(("node_queue", HealthCheckResult.Healthy("1 of 4 jobs run")));

        Assert.Equal("ready", readiness.Status);
        Assert.Equal([new ReadinessPart("node_queue", true, "1 of 4 jobs run")], readiness.Parts);
    }

    private static Readiness Read(params (string Name, HealthCheckResult Result)[] checks) => new HealthReport(
        checks.ToDictionary(
            c => c.Name,
            c => new HealthReportEntry(
                c.Result.Status, c.Result.Description, TimeSpan.Zero, exception: null, data: null)),
        TimeSpan.Zero).ToContract(ServiceRole.All);
}
