using Microsoft.AspNetCore.Http;
using SnapshotApi.Api;
using SnapshotApi.Errors;

namespace SnapshotApi.Tests.Api;

public class ProblemMappingTests
{
    [Fact]
    public void Every_error_has_exactly_one_kind()
    {
        foreach (SnapshotErrorCode code in Enum.GetValues<SnapshotErrorCode>())
        {
            Assert.Single(ProblemMapping.Kinds, k => k.Error == code);
            Assert.Equal(code.ToSnakeCase(), ProblemMapping.Of(code).Code);
        }

        Assert.Distinct(ProblemMapping.Kinds.Select(k => k.Code));
    }

    [Theory]
    [InlineData("invalid_request", 400)]
    [InlineData("server_not_found", 404)]
    [InlineData("job_not_found", 404)]
    [InlineData("image_not_found", 404)]
    [InlineData("server_ambiguous", 409)]
    [InlineData("server_busy", 409)]
    [InlineData("state_conflict", 409)]
    [InlineData("image_not_local", 409)]
    [InlineData("unsupported_disk", 422)]
    [InlineData("unsupported_request", 422)]
    [InlineData("idempotency_mismatch", 422)]
    [InlineData("hypervisor_unavailable", 503)]
    [InlineData("database_unavailable", 503)]
    [InlineData("internal_error", 500)]
    [InlineData("store_failed", 502)]
    public void The_status_of_an_error_is_part_of_the_contract(string code, int status)
    {
        ProblemKind kind = ProblemMapping.Of(code);

        Assert.Equal(status, kind.Status);
        Assert.Equal(status == 503, kind.RetryAfterSeconds is not null);
        Assert.Equal($"urn:snapshotapi:problem:{code}", kind.Type);
    }

    [Fact]
    public void An_unexpected_exception_is_an_internal_error()
    {
        Assert.Equal("internal_error", ProblemMapping.OfException(new InvalidOperationException("/var/lib/secret")).Code);
        Assert.Equal("payload_too_large", ProblemMapping.OfException(new BadHttpRequestException("x", 413)).Code);
        Assert.Equal("http_error", ProblemMapping.OfStatus(408).Code);
        Assert.Equal(408, ProblemMapping.OfStatus(408).Status);
    }
}
