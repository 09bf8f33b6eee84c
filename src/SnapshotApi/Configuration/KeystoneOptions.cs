using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace SnapshotApi.Configuration;

/// <summary>
/// The service's own identity in Keystone: a user with a password, or an application credential. Section
/// <c>Stores:Glance:Keystone</c> writes images, <c>Nova:Keystone</c> validates the tokens of callers.
/// </summary>
/// <param name="section">Name of the section, for messages.</param>
internal sealed class KeystoneOptions(string section) : IValidatableObject
{
    [Description("Address of Keystone, with or without `/v3`.")]
    public string Url { get; set; } = string.Empty;

    [Description("Name of the service's user.")]
    public string Username { get; set; } = string.Empty;

    [Description("The user's password.")]
    public string Password { get; set; } = string.Empty;

    [Description("A file with that password; read for each token.")]
    public string PasswordFile { get; set; } = string.Empty;

    [Description("Name of the user's domain.")]
    public string UserDomain { get; set; } = "Default";

    [Description("Name of the project in which the user acts. Images in Glance belong to it.")]
    public string Project { get; set; } = string.Empty;

    [Description("Name of the project's domain.")]
    public string ProjectDomain { get; set; } = "Default";

    [Description("Id of an application credential, in place of user, password and project.")]
    public string ApplicationCredentialId { get; set; } = string.Empty;

    [Description("Its secret.")]
    public string ApplicationCredentialSecret { get; set; } = string.Empty;

    [Description("A file with that secret; read for each token.")]
    public string ApplicationCredentialSecretFile { get; set; } = string.Empty;

    public bool IsConfigured() => Url.Length > 0;

    /// <summary>The service authenticates with the application credential, not with a password.</summary>
    public bool HasApplicationCredential() => ApplicationCredentialId.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Problems().Select(p => new ValidationResult(p));

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
            yield return $"{section}:Url {WebAddress.Rule}";
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
            yield return $"{section}:ApplicationCredentialId needs ApplicationCredentialSecret or "
                + "ApplicationCredentialSecretFile.";
        }

        if (Secret.Problem($"{section}:Password", Password, PasswordFile) is { } password)
        {
            yield return password;
        }

        string secretKey = $"{section}:ApplicationCredentialSecret";
        if (Secret.Problem(secretKey, ApplicationCredentialSecret, ApplicationCredentialSecretFile) is { } secret)
        {
            yield return secret;
        }
    }
}
