using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace SnapshotApi.Configuration;

/// <summary>Binds the option classes that no other folder binds itself.</summary>
internal static class OptionsRegistration
{
    /// <summary>Adds the options, checked at start.</summary>
    public static IServiceCollection AddServiceOptions(this IServiceCollection services, IConfiguration configuration)
    {
        services.Add<ServiceOptions, ServiceOptionsValidator>(configuration);
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

/// <summary>Checks the whole configuration before anything is built of it, and tells all that is wrong at once.</summary>
internal static partial class ConfigurationCheck
{
    /// <summary>All that is wrong, a sentence each; empty when nothing is. No value of a secret is repeated.</summary>
    public static IReadOnlyList<string> Run(IConfiguration configuration)
    {
        string[] forms = [.. UnknownKeys(configuration), .. WrongTypes(configuration)];
        return forms.Length > 0 ? forms :
        [
            .. Failures(string.Empty, new ServiceOptionsValidator(), Bind<ServiceOptions>(configuration)),
            .. Failures(DatabaseOptions.Section, new DatabaseOptionsValidator(), Database(configuration)),
            .. Failures(NodeOptions.Section, new NodeOptionsValidator(), Bind<NodeOptions>(configuration.GetSection(NodeOptions.Section))),
            .. Failures(JobsOptions.Section, new JobsOptionsValidator(), Bind<JobsOptions>(configuration.GetSection(JobsOptions.Section))),
            .. Failures(StoresOptions.Section, new StoresOptionsValidator(), Bind<StoresOptions>(configuration.GetSection(StoresOptions.Section))),
            .. Failures(AuthOptions.Section, new AuthOptionsValidator(), Bind<AuthOptions>(configuration.GetSection(AuthOptions.Section))),
            .. Failures(RateLimitOptions.Section, new RateLimitOptionsValidator(), Bind<RateLimitOptions>(configuration.GetSection(RateLimitOptions.Section))),
            .. Failures(NovaOptions.Section, new NovaOptionsValidator(), Bind<NovaOptions>(configuration.GetSection(NovaOptions.Section))),
            .. Failures(FaultsOptions.Section, new FaultsOptionsValidator(), Bind<FaultsOptions>(configuration.GetSection(FaultsOptions.Section))),
            .. NovaWithoutGlance(configuration),
            .. OpenAddresses(configuration),
        ];
    }

    private static IEnumerable<string> UnknownKeys(IConfiguration configuration)
    {
        foreach (string section in ConfigurationKeys.Sections)
        {
            foreach ((string name, string? value) in configuration.GetSection(section).AsEnumerable())
            {
                // A section may come with an empty value of its own.
                if (value is not null && !(value.Length > 0 ? ConfigurationKeys.IsKey(name) : ConfigurationKeys.IsKnown(name)))
                {
                    yield return $"{name} is not a key of the configuration; --help lists all.";
                }
            }
        }
    }

    private static IEnumerable<string> WrongTypes(IConfiguration configuration)
    {
        foreach (ConfigurationKey key in ConfigurationKeys.All)
        {
            foreach (string name in ConfigurationKeys.NamesOf(key, configuration))
            {
                if (configuration[name] is { } text && !ConfigurationKeys.IsValue(key, text))
                {
                    yield return $"{name} must be {Describe(key.Type)}; it is '{text}'.";
                }
            }
        }
    }

    private static IEnumerable<string> NovaWithoutGlance(IConfiguration configuration)
    {
        if (Bind<NovaOptions>(configuration.GetSection(NovaOptions.Section)).IsConfigured()
            && !Bind<StoresOptions>(configuration.GetSection(StoresOptions.Section)).Glance.IsConfigured())
        {
            yield return "Stores:Glance:Endpoint must be set where Nova:Keystone:Url is: Nova's clients look for their images in Glance.";
        }
    }

    private static IEnumerable<string> OpenAddresses(IConfiguration configuration)
    {
        var auth = Bind<AuthOptions>(configuration.GetSection(AuthOptions.Section));
        if (auth.AllowAnonymousNetwork || auth.IsConfigured())
        {
            yield break;
        }

        foreach (string url in ListenAddress.Of(configuration))
        {
            if (ListenAddress.IsAddress(url) && !ListenAddress.IsLocal(url))
            {
                yield return $"the service would listen at {url}, where other hosts reach it, but asks nobody who they are: configure keys "
                    + "(Auth:ApiKeys, see snapshotapi --new-api-key) or tokens (Auth:Jwt), listen at 127.0.0.1, or set "
                    + "Auth:AllowAnonymousNetwork=true if something in front of it decides who comes in.";
            }
        }
    }

    private static T Bind<T>(IConfiguration section)
        where T : class, new()
    {
        var options = new T();
        section.Bind(options);
        return options;
    }

    private static DatabaseOptions Database(IConfiguration configuration)
    {
        var options = Bind<DatabaseOptions>(configuration.GetSection(DatabaseOptions.Section));
        options.ConnectionString = configuration.GetConnectionString(DatabaseOptions.ConnectionName) ?? options.ConnectionString;
        return options;
    }

    // Validators say "MaxJobs: The field NodeOptions.MaxJobs must be...": an operator knows the key, not the class.
    private static IEnumerable<string> Failures<T>(string section, IValidateOptions<T> validator, T options)
        where T : class => (validator.Validate(null, options).Failures ?? []).Select(failure =>
            FieldPattern().Replace(MemberPattern().Replace(failure, string.Empty), $"{section}:$1").TrimStart(':'));

    [GeneratedRegex(@"^\w+: ")]
    private static partial Regex MemberPattern();

    [GeneratedRegex(@"The (?:field )?\w+Options\.(\w+)(?: field)?")]
    private static partial Regex FieldPattern();

    private static string Describe(Type type)
    {
        if (type.IsEnum)
        {
            return string.Join(", ", Enum.GetNames(type)).ToLowerInvariant();
        }

        return type == typeof(bool) ? "true or false"
            : type == typeof(TimeSpan) ? "a time such as 00:00:30"
            : "a whole number";
    }
}
