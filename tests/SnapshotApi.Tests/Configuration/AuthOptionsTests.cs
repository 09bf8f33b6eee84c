using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Configuration;
using SnapshotApi.Configuration;
using SnapshotApi.Tests.Nbd;

namespace SnapshotApi.Tests.Configuration;

public sealed class AuthOptionsTests
{
    private static readonly string Hash = ApiKeyHash.Text(ApiKeyHash.Of("k"));

    [Fact]
    public void All_that_is_wrong_with_keys_is_told_at_once_and_no_key_with_it()
    {
        IReadOnlyList<string> errors = Check(
            ("ApiKeys:0:Name", "ops"), ("ApiKeys:0:Key", "hunter2"),
            ("ApiKeys:1:Name", "OPS"), ("ApiKeys:1:Key", Hash),
            ("ApiKeys:2:Name", "a\nb"), ("ApiKeys:2:Key", Hash.ToUpperInvariant()), ("ApiKeys:2:Role", "admin"),
            ("ApiKeys:3:Role", "operator"));

        Assert.Equal(
            [
                "Auth:ApiKeys:0:Key must be the hash of the key, 'sha256:' and 64 hexadecimal digits, and not the key: "
                + "snapshotapi --new-api-key makes both, and 'printf %s KEY | sha256sum' the hash of one that there "
                + "is.",
                "Auth:ApiKeys:1:Name is that of another key.",
                "Auth:ApiKeys:2:Key is that of another name.",
                "Auth:ApiKeys:2:Name must be 1 to 64 letters, digits, '.', '_', '@' and '-'.",
                "Auth:ApiKeys:3:Key must be",
                "Auth:ApiKeys:3:Name must be",
            ],
            errors.Order(StringComparer.Ordinal)
                .Select(e => e.StartsWith("Auth:ApiKeys:3", StringComparison.Ordinal) ? e[..27] : e)
                .Select(e => e.TrimEnd()));
        Assert.DoesNotContain(errors, e => e.Contains("hunter2", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("ApiKeys:0:Keys", "Auth:ApiKeys:0:Keys is not a key of the configuration")]
    [InlineData("ApiKeys:ops:Key", "Auth:ApiKeys:ops:Key is not a key of the configuration")]
    [InlineData("ApiKeys:0:Role", "Auth:ApiKeys:0:Role must be reader, operator, admin; it is 'x'.")]
    public void Mistyped_keys_of_the_configuration_are_told(string key, string error)
    {
        Assert.StartsWith(error, Assert.Single(Check((key, "x"))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_or_a_token_may_be_for_the_network()
    {
        using var scratch = new ScratchDirectory();
        string secret = scratch.File("secret");
        File.WriteAllText(secret, new string('s', 32));

        Assert.Empty(Check(
            ("ApiKeys:7:Name", "ops"),
            ("ApiKeys:7:Key", Hash),
            ("ApiKeys:7:Role", "operator"),
            ("/Urls", "http://0.0.0.0:80")));
        Assert.Empty(Check(
            ("Jwt:SecretFile", secret), ("Jwt:Issuer", "i"), ("Jwt:Audience", "a"), ("/Urls", "http://0.0.0.0:80")));
    }

    [Fact]
    public void All_that_is_wrong_with_tokens_is_told_at_once()
    {
        IReadOnlyList<string> errors = Check(
            ("Jwt:Authority", "http://idp.example"), ("Jwt:SecretFile", "/nonexistent/secret"), ("Jwt:RoleClaim", ""));

        Assert.Contains(
            "Auth:Jwt has more than one of Authority, PublicKeyFile and SecretFile; one is enough.", errors);
        Assert.Contains(
            "Auth:Jwt:Authority must be an https address without user, query and fragment; http is for this host only.",
            errors);
        Assert.Contains("Auth:Jwt:Audience must be set: a token for another service must not open this one.", errors);
        Assert.Contains("Auth:Jwt:Issuer must be set where the key is in a file.", errors);
        Assert.Contains("Auth:Jwt:SecretFile names a file that can't be read.", errors);
        Assert.Contains("Auth:Jwt:RoleClaim is required.", errors);
        Assert.Equal(6, errors.Count);
    }

    [Theory]
    [InlineData("https://idp.example/realms/r")]
    [InlineData("http://127.0.0.1:8080")]
    public void A_provider_needs_an_audience_only(string authority)
    {
        Assert.Empty(Check(("Jwt:Authority", authority), ("Jwt:Audience", "snapshots")));
    }

    [Fact]
    public void An_issuer_without_a_key_is_a_mistake()
    {
        Assert.Contains(
            "needs Authority, PublicKeyFile or SecretFile",
            Assert.Single(Check(("Jwt:Issuer", "i"))),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Public_keys_and_certificates_are_taken()
    {
        using RSA rsa = RSA.Create(2048);
        using ECDsa ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = new CertificateRequest("CN=idp", ecdsa, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));

        Assert.All(
            [
                rsa.ExportSubjectPublicKeyInfoPem(),
                rsa.ExportRSAPublicKeyPem(),
                ecdsa.ExportSubjectPublicKeyInfoPem(),
                certificate.ExportCertificatePem(),
            ],
            pem => Assert.Empty(CheckPublicKey(pem)));
    }

    [Fact]
    public void Other_keys_are_refused_and_not_repeated()
    {
        using RSA rsa = RSA.Create(2048);
        using RSA shortKey = RSA.Create(1024);

        Assert.Contains(
            "holds a private key",
            Assert.Single(CheckPublicKey(rsa.ExportPkcs8PrivateKeyPem())),
            StringComparison.Ordinal);
        Assert.All(
            [
                shortKey.ExportSubjectPublicKeyInfoPem(), "no PEM", "",
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            ],
            pem => Assert.Equal(
                "Auth:Jwt:PublicKeyFile must hold a public key or certificate in PEM: RSA of at least 2048 bits, "
                + "or EC on P-256, P-384 or P-521.",
                Assert.Single(CheckPublicKey(pem))));
    }

    private static IReadOnlyList<string> CheckPublicKey(string pem)
    {
        using var scratch = new ScratchDirectory();
        string file = scratch.File("key.pem");
        File.WriteAllText(file, pem);
        return Check(("Jwt:PublicKeyFile", file), ("Jwt:Issuer", "i"), ("Jwt:Audience", "a"));
    }

    private static IReadOnlyList<string> Check(params (string Key, string Value)[] values) => ConfigurationCheck.Run(
        new ConfigurationBuilder()
            .AddInMemoryCollection(values.Select(
                v => KeyValuePair.Create(v.Key[0] == '/' ? v.Key[1..] : $"Auth:{v.Key}", (string?)v.Value)))
            .Build());
}
