using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

/// <summary>
/// Who we are for Keystone: a user with a password, or an application credential. Sections <c>Stores:Glance:Keystone</c>, by which images are
/// written, and <c>Nova:Keystone</c>, by which the tokens of callers are looked at.
/// </summary>
/// <param name="section">Name of the section, for messages.</param>
internal sealed class KeystoneOptions(string section) : IValidatableObject
{

    /// <summary>Where Keystone is, with or without the <c>/v3</c>.</summary>
    /// <value>Default empty: no Keystone is asked.</value>
    public string Url { get; set; } = string.Empty;

    /// <summary>Name of the user.</summary>
    public string Username { get; set; } = string.Empty;

    /// <summary>Password of the user.</summary>
    public string Password { get; set; } = string.Empty;

    /// <summary>File that holds the password; read for each token.</summary>
    public string PasswordFile { get; set; } = string.Empty;

    /// <summary>Name of the user's domain.</summary>
    /// <value>Default <c>Default</c>.</value>
    public string UserDomain { get; set; } = "Default";

    /// <summary>Name of the project that we act in; images will belong to it.</summary>
    public string Project { get; set; } = string.Empty;

    /// <summary>Name of the project's domain.</summary>
    /// <value>Default <c>Default</c>.</value>
    public string ProjectDomain { get; set; } = "Default";

    /// <summary>Id of an application credential; it knows its user and project.</summary>
    public string ApplicationCredentialId { get; set; } = string.Empty;

    /// <summary>Secret of the application credential.</summary>
    public string ApplicationCredentialSecret { get; set; } = string.Empty;

    /// <summary>File that holds the secret; read for each token.</summary>
    public string ApplicationCredentialSecretFile { get; set; } = string.Empty;

    /// <summary>Keystone is asked for tokens.</summary>
    public bool IsConfigured() => Url.Length > 0;

    /// <summary>The application credential is what we show, not a password.</summary>
    public bool HasApplicationCredential() => ApplicationCredentialId.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => Problems().Select(p => new ValidationResult(p));

    private IEnumerable<string> Problems()
    {
        bool hasPassword = Secret.IsGiven(Password, PasswordFile);
        bool hasSecret = Secret.IsGiven(ApplicationCredentialSecret, ApplicationCredentialSecretFile);
        if (!IsConfigured())
        {
            if (Username.Length > 0 || hasPassword || HasApplicationCredential() || hasSecret)
            {
                yield return $"{section}:Url must be set where a user or an application credential is.";
            }

            yield break;
        }

        if (!WebAddress.IsOne(Url))
        {
            yield return $"{section}:Url must be an http or https address without user, query and fragment.";
        }

        if ((Username.Length > 0) == HasApplicationCredential())
        {
            yield return $"{section} needs either Username or ApplicationCredentialId.";
        }

        if (Username.Length > 0 && (!hasPassword || Project.Length == 0))
        {
            yield return $"{section}:Username needs Project, and Password or PasswordFile.";
        }

        if (HasApplicationCredential() && !hasSecret)
        {
            yield return $"{section}:ApplicationCredentialId needs ApplicationCredentialSecret or ApplicationCredentialSecretFile.";
        }

        if (Secret.Problem($"{section}:Password", Password, PasswordFile) is { } password)
        {
            yield return password;
        }

        if (Secret.Problem($"{section}:ApplicationCredentialSecret", ApplicationCredentialSecret, ApplicationCredentialSecretFile) is { } secret)
        {
            yield return secret;
        }
    }
}
