using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace SnapshotApi.Configuration;

/// <summary>
/// Section <c>Auth:Jwt</c>: bearer tokens (RFC 7519) of an OpenID Connect provider, or of an issuer's key in a file.
/// </summary>
internal sealed class JwtOptions : IValidatableObject
{
    private const string Section = "Auth:Jwt";

    [Description(
        "OpenID Connect provider whose tokens are accepted, and whose keys are fetched and renewed; https, or http "
        + "on this host.")]
    public string Authority { get; set; } = string.Empty;

    [Description("In place of a provider: the issuer's public key (RSA, EC) or certificate, in PEM.")]
    public string PublicKeyFile { get; set; } = string.Empty;

    [Description("In place of a provider: a secret shared with the issuer (HMAC), at least 32 bytes.")]
    public string SecretFile { get; set; } = string.Empty;

    [Description("The claim `iss`; needed with a key in a file. A provider tells its own.")]
    public string Issuer { get; set; } = string.Empty;

    [Description("The claim `aud`; needed with any tokens: one for another service must not open this one.")]
    public string Audience { get; set; } = string.Empty;

    [Description("Claim that names the caller in the log.")]
    [Required]
    public string NameClaim { get; set; } = "sub";

    [Description("Claim with the caller's roles: a text or a list of texts.")]
    [Required]
    public string RoleClaim { get; set; } = "roles";

    [Description("Value of that claim for a reader.")]
    [Required]
    public string ReaderRole { get; set; } = "reader";

    [Description("Value of that claim for an operator.")]
    [Required]
    public string OperatorRole { get; set; } = "operator";

    [Description("Value of that claim for an admin.")]
    [Required]
    public string AdminRole { get; set; } = "admin";

    public bool IsConfigured() => Authority.Length > 0 || HasKeyFile();

    /// <summary>The issuer is known by a key in a file.</summary>
    public bool HasKeyFile() => PublicKeyFile.Length > 0 || SecretFile.Length > 0;

    public bool IsAuthorityLocal() => ListenAddress.IsLocal(Authority);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Problems().Select(p => new ValidationResult(p));

    private IEnumerable<string> Problems()
    {
        if (!IsConfigured())
        {
            if (Issuer.Length > 0 || Audience.Length > 0)
            {
                yield return $"{Section} needs Authority, PublicKeyFile or SecretFile where it has Issuer or Audience.";
            }

            yield break;
        }

        if (new[] { Authority, PublicKeyFile, SecretFile }.Count(t => t.Length > 0) > 1)
        {
            yield return $"{Section} has more than one of Authority, PublicKeyFile and SecretFile; one is enough.";
        }

        if (Authority.Length > 0
            && !(WebAddress.IsOne(Authority) && (ListenAddress.IsTls(Authority) || IsAuthorityLocal())))
        {
            yield return $"{Section}:Authority must be an https address without user, query and fragment; "
                + "http is for this host only.";
        }

        if (Audience.Length == 0)
        {
            yield return $"{Section}:Audience must be set: a token for another service must not open this one.";
        }

        if (HasKeyFile() && Issuer.Length == 0)
        {
            yield return $"{Section}:Issuer must be set where the key is in a file.";
        }

        if (JwtKey.Problem(this, Section) is { } problem)
        {
            yield return problem;
        }
    }
}

/// <summary>The key in a file that signatures of tokens are checked with.</summary>
/// <param name="Algorithms">
/// Names of JWS that are accepted. They follow from the key, never from the token: else an attacker could sign with the
/// public key as a shared secret.
/// </param>
internal sealed record JwtKey(SecurityKey Key, IReadOnlyList<string> Algorithms)
{
    // RFC 7518 3.2 and 3.3.
    private const int MinSecretBytes = 32;
    private const int MinRsaBits = 2048;

    private static readonly string[] Rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    private static readonly string[] Ecdsa = ["ES256", "ES384", "ES512"];
    private static readonly string[] Hmac = ["HS256", "HS384", "HS512"];

    /// <summary>The algorithms that are accepted from a provider, which publishes public keys.</summary>
    public static IReadOnlyList<string> PublicAlgorithms { get; } = [.. Rsa, .. Ecdsa];

    /// <summary>Reads the key that the options name; null when they name none.</summary>
    /// <exception cref="IOException">The file can't be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="CryptographicException">It holds no such key; the message repeats nothing of it.</exception>
    public static JwtKey? Read(JwtOptions options) =>
        options.SecretFile.Length > 0 ? OfSecret(File.ReadAllText(options.SecretFile).TrimEnd('\r', '\n'))
        : options.PublicKeyFile.Length > 0 ? OfPem(File.ReadAllText(options.PublicKeyFile))
        : null;

    /// <summary>What is wrong with the file, as a sentence; null when nothing is.</summary>
    public static string? Problem(JwtOptions options, string section)
    {
        string name = $"{section}:{(options.SecretFile.Length > 0 ? "SecretFile" : "PublicKeyFile")}";
        try
        {
            Read(options);
            return null;
        }
        catch (CryptographicException e)
        {
            return $"{name} {e.Message}.";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{name} names a file that can't be read.";
        }
    }

    private static JwtKey OfSecret(string secret)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(secret);
        return bytes.Length >= MinSecretBytes
            ? new JwtKey(new SymmetricSecurityKey(bytes), Hmac)
            : throw new CryptographicException($"must hold a secret of at least {MinSecretBytes} bytes");
    }

    private static JwtKey OfPem(string pem)
    {
        if (pem.Contains("PRIVATE KEY-----", StringComparison.Ordinal))
        {
            throw new CryptographicException("holds a private key; the public one is what belongs there");
        }

        try
        {
            return pem.Contains("BEGIN CERTIFICATE-----", StringComparison.Ordinal)
                ? OfCertificate(pem)
                : OfPublicKey(pem);
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new CryptographicException(
                $"must hold a public key or certificate in PEM: RSA of at least {MinRsaBits} bits, "
                + "or EC on P-256, P-384 or P-521",
                e);
        }
    }

    private static JwtKey OfCertificate(string pem)
    {
        using X509Certificate2 certificate = X509Certificate2.CreateFromPem(pem);
        return OfPublicKey(certificate.PublicKey.ExportSubjectPublicKeyInfo());
    }

    private static JwtKey OfPublicKey(string pem)
    {
        PemFields fields = PemEncoding.Find(pem);
        byte[] der = Convert.FromBase64String(pem[fields.Base64Data]);
        if (!pem.AsSpan()[fields.Label].SequenceEqual("RSA PUBLIC KEY"))
        {
            return OfPublicKey(der);
        }

        using RSA rsa = RSA.Create();
        rsa.ImportRSAPublicKey(der, out _);
        return OfRsa(rsa);
    }

    private static JwtKey OfPublicKey(byte[] der)
    {
        using RSA rsa = RSA.Create();
        try
        {
            rsa.ImportSubjectPublicKeyInfo(der, out _);
        }
        catch (CryptographicException)
        {
            // Not RSA: then it must be EC, or this import throws, too.
            using ECDsa ecdsa = ECDsa.Create();
            ecdsa.ImportSubjectPublicKeyInfo(der, out _);
            ECParameters publicKey = ecdsa.ExportParameters(includePrivateParameters: false);
            return new JwtKey(new ECDsaSecurityKey(ECDsa.Create(publicKey)), Ecdsa);
        }

        return OfRsa(rsa);
    }

    private static JwtKey OfRsa(RSA rsa) => rsa.KeySize >= MinRsaBits
        ? new JwtKey(new RsaSecurityKey(rsa.ExportParameters(includePrivateParameters: false)), Rsa)
        : throw new CryptographicException("the key is too short");
}
