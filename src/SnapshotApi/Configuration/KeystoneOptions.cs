using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

/// <summary>Section <c>Stores:Glance:Keystone</c>: who we are for Glance; a user with a password, or an application credential.</summary>
internal sealed class KeystoneOptions : IValidatableObject
{
    private const string Section = "Stores:Glance:Keystone";

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

    /// <summary>Name of the project that the images will belong to.</summary>
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
                yield return $"{Section}:Url must be set where a user or an application credential is.";
            }

            yield break;
        }

        if (!WebAddress.IsOne(Url))
        {
            yield return $"{Section}:Url must be an http or https address without user, query and fragment.";
        }

        if ((Username.Length > 0) == HasApplicationCredential())
        {
            yield return $"{Section} needs either Username or ApplicationCredentialId.";
        }

        if (Username.Length > 0 && (!hasPassword || Project.Length == 0))
        {
            yield return $"{Section}:Username needs Project, and Password or PasswordFile.";
        }

        if (HasApplicationCredential() && !hasSecret)
        {
            yield return $"{Section}:ApplicationCredentialId needs ApplicationCredentialSecret or ApplicationCredentialSecretFile.";
        }

        if (Secret.Problem($"{Section}:Password", Password, PasswordFile) is { } password)
        {
            yield return password;
        }

        if (Secret.Problem($"{Section}:ApplicationCredentialSecret", ApplicationCredentialSecret, ApplicationCredentialSecretFile) is { } secret)
        {
            yield return secret;
        }
    }
}
