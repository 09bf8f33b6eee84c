using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using SnapshotApi.Tests.Cli;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Api.Access;

public sealed class JwtBearerTests : IDisposable
{
    private const string Issuer = "https://idp.example";
    private const string Audience = "snapshots";
    private const string Path = "/nodes";

    private static readonly SymmetricSecurityKey Secret = new(
        Encoding.UTF8.GetBytes("a secret of tests, of thirty-two bytes or more"));

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("\"reader\"", "GET", "/nodes", 503)]
    [InlineData("\"reader\"", "DELETE", "/jobs/x", 403)]
    [InlineData("[\"other\",\"operator\"]", "DELETE", "/jobs/x", 404)]
    [InlineData("[\"operator\"]", "DELETE", "/images/x", 403)]
    [InlineData("[\"admin\"]", "DELETE", "/images/x", 404)]
    [InlineData("[\"Admin\"]", "GET", "/nodes", 403)]
    [InlineData("[]", "GET", "/nodes", 403)]
    [InlineData("{\"a\":\"admin\"}", "GET", "/nodes", 403)]
    public async Task A_claim_tells_the_role(string roles, string method, string path, int status)
    {
        await using KeyedService service = OfSecret();

        using HttpResponseMessage response = await service.SendAsAsync(
            Token(Secret, "HS256", roles: roles), method, path);

        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task Claims_and_roles_may_be_named_otherwise()
    {
        await using KeyedService service = OfSecret(
            ("Auth:Jwt:RoleClaim", "groups"), ("Auth:Jwt:AdminRole", "kvm-admins"));
        string token = Token(Secret, "HS256", "groups", "[\"kvm-admins\"]");

        using HttpResponseMessage response = await service.SendAsAsync(token, "DELETE", "/images/x");

        await KeyedService.ProblemAsync(response, 404, "image_not_found");
    }

    [Fact]
    public async Task Keys_and_tokens_go_together()
    {
        await using KeyedService service = OfSecret();

        using HttpResponseMessage response = await service.SendAsAsync(KeyedService.KeyOf("reader"), "GET", Path);

        await KeyedService.ProblemAsync(response, 503, "database_unavailable");
    }

    [Fact]
    public async Task A_token_that_is_not_for_us_is_refused()
    {
        await using KeyedService service = OfSecret();
        DateTime now = TimeProvider.System.GetUtcNow().UtcDateTime;
        string good = Token(Secret, "HS256");
        string[] bad =
        [
            Token(Secret, "HS256", issuer: "https://other.example"),
            Token(Secret, "HS256", audience: "mail"),
            Token(Secret, "HS256", notBefore: now.AddHours(-2), expires: now.AddMinutes(-2)),
            Token(Secret, "HS256", notBefore: now.AddHours(1), expires: now.AddHours(2)),
            Token(
                new SymmetricSecurityKey(Encoding.UTF8.GetBytes("another secret, also of thirty-two bytes or more")),
                "HS256"),
            good[..^2] + (good[^2] == 'A' ? "BA" : "AA"),
            $"{Base64UrlEncoder.Encode("{\"alg\":\"none\"}")}.{good.Split('.')[1]}.",
            $"{good.Split('.')[0]}.{good.Split('.')[1]}.",
            "eyJ..",
        ];

        foreach (string token in bad)
        {
            using HttpResponseMessage response = await service.SendAsAsync(token, "GET", Path);
            await KeyedService.ProblemAsync(response, 401, "unauthorized");
            Assert.Contains("invalid_token", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        }

        using HttpResponseMessage taken = await service.SendAsAsync(good, "GET", Path);
        await KeyedService.ProblemAsync(taken, 503, "database_unavailable");
    }

    [Fact]
    public async Task A_public_key_is_no_secret()
    {
        using RSA rsa = RSA.Create(2048);
        string pem = rsa.ExportSubjectPublicKeyInfoPem();
        string file = _scratch.File("key.pem");
        await File.WriteAllTextAsync(file, pem, TestContext.Current.CancellationToken);
        await using var service = new KeyedService(
            ("Auth:Jwt:PublicKeyFile", file), ("Auth:Jwt:Issuer", Issuer), ("Auth:Jwt:Audience", Audience));

        using HttpResponseMessage signed = await service.SendAsAsync(
            Token(new RsaSecurityKey(rsa), "RS256"), "GET", Path);
        using HttpResponseMessage forged = await service.SendAsAsync(
            Token(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(pem)), "HS256"), "GET", Path);

        await KeyedService.ProblemAsync(signed, 503, "database_unavailable");
        await KeyedService.ProblemAsync(forged, 401, "unauthorized");
    }

    [Fact]
    public async Task A_provider_is_asked_for_its_keys()
    {
        using RSA rsa = RSA.Create(2048);
        await using FakeService provider = await FakeService.StartAsync();
        var key = new RsaSecurityKey(rsa.ExportParameters(false)) { KeyId = "k1" };
        JsonWebKey jwk = JsonWebKeyConverter.ConvertFromRSASecurityKey(key);
        provider.On(
            "GET /.well-known/openid-configuration",
            $$"""{"issuer":"{{Issuer}}","jwks_uri":"{{provider.Url}}/keys"}""");
        provider.On(
            "GET /keys", $$"""{"keys":[{"kty":"RSA","use":"sig","kid":"k1","n":"{{jwk.N}}","e":"{{jwk.E}}"}]}""");
        await using var service = new KeyedService(
            ("Auth:Jwt:Authority", provider.Url), ("Auth:Jwt:Audience", Audience));

        using HttpResponseMessage signed = await service.SendAsAsync(
            Token(new RsaSecurityKey(rsa) { KeyId = "k1" }, "RS256"), "GET", Path);
        using HttpResponseMessage other = await service.SendAsAsync(
            Token(new RsaSecurityKey(rsa) { KeyId = "k1" }, "RS256", issuer: "https://other.example"), "GET", Path);

        await KeyedService.ProblemAsync(signed, 503, "database_unavailable");
        await KeyedService.ProblemAsync(other, 401, "unauthorized");
    }

    [Fact]
    public async Task A_provider_that_is_away_or_sends_us_elsewhere_does_not_make_a_token_wrong()
    {
        await using FakeService elsewhere = await FakeService.StartAsync();
        await using FakeService provider = await FakeService.StartAsync();
        provider.On("GET /.well-known/openid-configuration", context =>
        {
            context.Response.Redirect($"{elsewhere.Url}/.well-known/openid-configuration");
            return Task.CompletedTask;
        });
        await using var service = new KeyedService(
            ("Auth:Jwt:Authority", provider.Url), ("Auth:Jwt:Audience", Audience));

        using HttpResponseMessage response = await service.SendAsAsync(Token(Secret, "HS256"), "GET", Path);
        using HttpResponseMessage key = await service.SendAsAsync(KeyedService.KeyOf("reader"), "GET", Path);

        JsonElement problem = await KeyedService.ProblemAsync(response, 503, "identity_unavailable");
        Assert.DoesNotContain(provider.Url, problem.GetRawText(), StringComparison.Ordinal);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Empty(elsewhere.Requests);
        await KeyedService.ProblemAsync(key, 503, "database_unavailable");
    }

    private static string Token(
        SecurityKey key,
        string algorithm,
        string roleClaim = "roles",
        string roles = "\"reader\"",
        string issuer = Issuer,
        string audience = Audience,
        DateTime? notBefore = null,
        DateTime? expires = null)
    {
        DateTime now = TimeProvider.System.GetUtcNow().UtcDateTime;
        string payload = JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["iss"] = issuer,
            ["aud"] = audience,
            ["sub"] = "somebody",
            ["nbf"] = EpochTime.GetIntDate(notBefore ?? now.AddMinutes(-1)),
            ["exp"] = EpochTime.GetIntDate(expires ?? now.AddMinutes(5)),
            [roleClaim] = JsonElement.Parse(roles),
        });
        return new JsonWebTokenHandler().CreateToken(payload, new SigningCredentials(key, algorithm));
    }

    private KeyedService OfSecret(params (string Key, string Value)[] settings)
    {
        string file = _scratch.File("secret");
        File.WriteAllBytes(file, Secret.Key);
        return new KeyedService(
            [("Auth:Jwt:SecretFile", file), ("Auth:Jwt:Issuer", Issuer), ("Auth:Jwt:Audience", Audience), .. settings]);
    }
}
