using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace SnapshotApi.Configuration;

/// <summary>Binds the option classes that no other folder binds itself.</summary>
internal static class OptionsRegistration
{
    public static IServiceCollection AddServiceOptions(this IServiceCollection services, IConfiguration configuration)
    {
        services.Add<ServiceOptions, ServiceOptionsValidator>(configuration);
        services.Add<SocketOptions, SocketOptionsValidator>(configuration.GetSection(SocketOptions.Section));
        services.Add<NodeOptions, NodeOptionsValidator>(configuration.GetSection(NodeOptions.Section));
        services.Add<StoresOptions, StoresOptionsValidator>(configuration.GetSection(StoresOptions.Section));
        services.Add<AuthOptions, AuthOptionsValidator>(configuration.GetSection(AuthOptions.Section));
        services.Add<RateLimitOptions, RateLimitOptionsValidator>(configuration.GetSection(RateLimitOptions.Section));
        services.Add<NovaOptions, NovaOptionsValidator>(configuration.GetSection(NovaOptions.Section));
        services.Add<FaultsOptions, FaultsOptionsValidator>(configuration.GetSection(FaultsOptions.Section));
        return services;
    }

    private static void Add<TOptions, TValidator>(this IServiceCollection services, IConfiguration section)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>
    {
        services.AddOptions<TOptions>().Bind(section).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TOptions>, TValidator>());
    }
}

/// <summary>Checks the whole configuration before anything is built of it; reports all that is wrong at once.</summary>
internal static partial class ConfigurationCheck
{
    /// <summary>All that is wrong, a sentence each; empty when nothing is. No value of a secret is repeated.</summary>
    public static IReadOnlyList<string> Run(IConfiguration configuration)
    {
        string[] forms = [.. UnknownKeys(configuration), .. WrongTypes(configuration)];
        return forms.Length > 0 ? forms :
        [
            .. ConfigurationKeys.Sections.SelectMany(s => Failures(s, configuration)),
            .. NovaWithoutGlance(configuration),
            .. NowhereToListen(configuration),
            .. WayAroundKeystone(configuration),
        ];
    }

    // A section may come with an empty value of its own.
    private static IEnumerable<string> UnknownKeys(IConfiguration configuration) =>
        from section in ConfigurationKeys.Sections
        where section.Name.Length > 0
        from setting in configuration.GetSection(section.Name).AsEnumerable()
        where setting.Value is { } value
            && !(value.Length > 0 ? ConfigurationKeys.IsKey(setting.Key) : ConfigurationKeys.IsKnown(setting.Key))
        select $"{setting.Key} is not a key of the configuration; --help lists all.";

    private static IEnumerable<string> WrongTypes(IConfiguration configuration) =>
        from key in ConfigurationKeys.All
        from name in key.NamesIn(configuration)
        let text = configuration[name]
        where text is not null && !key.IsValue(text)
        select $"{name} must be {Describe(key.Type)}; it is '{text}'.";

    private static IEnumerable<string> NovaWithoutGlance(IConfiguration configuration)
    {
        if (OptionsSection.Bind<NovaOptions>(configuration, NovaOptions.Section).IsConfigured()
            && !OptionsSection.Bind<StoresOptions>(configuration, StoresOptions.Section).Glance.IsConfigured())
        {
            yield return "Stores:Glance:Endpoint must be set where Nova:Keystone:Url is: "
                + "Nova's clients look for their images in Glance.";
        }
    }

    private static IEnumerable<string> NowhereToListen(IConfiguration configuration)
    {
        ServiceRole role = OptionsSection.Bind<ServiceOptions>(configuration, string.Empty).Role;
        if (role != ServiceRole.Migrate
            && ListenAddress.Of(configuration).Count == 0
            && OptionsSection.Bind<SocketOptions>(configuration, SocketOptions.Section).PathFor(role).Length == 0)
        {
            yield return "Urls and Socket:Path are both empty, so the service would listen nowhere: set one of them.";
        }
    }

    // The users of a cloud reach the service where its administrators do.
    private static IEnumerable<string> WayAroundKeystone(IConfiguration configuration)
    {
        AuthOptions auth = OptionsSection.Bind<AuthOptions>(configuration, AuthOptions.Section);
        if (auth.IsOpen() && OptionsSection.Bind<NovaOptions>(configuration, NovaOptions.Section).IsConfigured())
        {
            yield return "Auth:AllowAnonymousNetwork would let whoever reaches Nova's API read every disk through the "
                + "other one, past Keystone: take it out, and use the key in Auth:AdminKeyFile or keys in "
                + "Auth:ApiKeys.";
        }
    }

    // Validators say "MaxJobs: The field NodeOptions.MaxJobs must be...": an operator knows the key, not the class.
    private static IEnumerable<string> Failures(OptionsSection section, IConfiguration configuration) =>
        (section.Validate(configuration).Failures ?? []).Select(failure => FieldPattern().Replace(
            MemberPattern().Replace(failure, string.Empty),
            field => $"{section.Name}:{field.Groups[1].Value.Replace('.', ':')}").TrimStart(':'));

    [GeneratedRegex(@"^\w+: ")]
    private static partial Regex MemberPattern();

    [GeneratedRegex(@"The (?:field )?\w+Options\.([\w.]+)(?: field)?")]
    private static partial Regex FieldPattern();

    private static string Describe(Type type) =>
        type.IsEnum ? string.Join(", ", Enum.GetNames(type)).ToLowerInvariant()
        : type == typeof(bool) ? "true or false"
        : type == typeof(TimeSpan) ? "a time such as 00:00:30"
        : "a whole number";
}
