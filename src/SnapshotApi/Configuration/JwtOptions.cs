using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

/// <summary>
/// Section <c>Auth:Jwt</c>: bearer tokens (RFC 7519). Whoever signs them is an OpenID Connect provider, or is known by a key in a file.
/// </summary>
internal sealed class JwtOptions : IValidatableObject
{
    private const string Section = "Auth:Jwt";

    /// <summary>Address of the OpenID Connect provider, whose keys are fetched and renewed; https, or http on this host.</summary>
    /// <value>Default empty: none.</value>
    public string Authority { get; set; } = string.Empty;

    /// <summary>File with the public key (RSA, EC) or certificate of who signs, in PEM.</summary>
    /// <value>Default empty: none.</value>
    public string PublicKeyFile { get; set; } = string.Empty;

    /// <summary>File with a secret that is shared with who signs (HMAC), of at least 32 bytes.</summary>
    /// <value>Default empty: none.</value>
    public string SecretFile { get; set; } = string.Empty;

    /// <summary>Who signs: the claim <c>iss</c>.</summary>
    /// <value>Needed with a key in a file; with an authority the provider tells it.</value>
    public string Issuer { get; set; } = string.Empty;

    /// <summary>Whom a token must be meant for: the claim <c>aud</c>.</summary>
    /// <value>Needed: a token for another service must not open this one.</value>
    public string Audience { get; set; } = string.Empty;

    /// <summary>Claim that names the caller in the log.</summary>
    /// <value>Default <c>sub</c>.</value>
    [Required]
    public string NameClaim { get; set; } = "sub";

    /// <summary>Claim with the caller's roles: a text, or a list of texts.</summary>
    /// <value>Default <c>roles</c>.</value>
    [Required]
    public string RoleClaim { get; set; } = "roles";

    /// <summary>What the claim says of a reader.</summary>
    /// <value>Default <c>reader</c>.</value>
    [Required]
    public string ReaderRole { get; set; } = "reader";

    /// <summary>What the claim says of an operator.</summary>
    /// <value>Default <c>operator</c>.</value>
    [Required]
    public string OperatorRole { get; set; } = "operator";

    /// <summary>What the claim says of an admin.</summary>
    /// <value>Default <c>admin</c>.</value>
    [Required]
    public string AdminRole { get; set; } = "admin";

    /// <summary>Tokens are taken.</summary>
    public bool IsConfigured() => Authority.Length > 0 || HasKeyFile();

    /// <summary>Who signs is known by a key in a file.</summary>
    public bool HasKeyFile() => PublicKeyFile.Length > 0 || SecretFile.Length > 0;

    /// <summary>The authority is on this host.</summary>
    public bool IsAuthorityLocal() => ListenAddress.IsLocal(Authority);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => Problems().Select(p => new ValidationResult(p));

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

        if (Authority.Length > 0 && (!WebAddress.IsOne(Authority) || (!Authority.StartsWith("https:", StringComparison.OrdinalIgnoreCase) && !IsAuthorityLocal())))
        {
            yield return $"{Section}:Authority must be an https address without user, query and fragment; http is for this host only.";
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
