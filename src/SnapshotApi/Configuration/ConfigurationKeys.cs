using System.ComponentModel;
using System.Globalization;
using System.Reflection;

namespace SnapshotApi.Configuration;

/// <summary>One key of the configuration.</summary>
/// <param name="Name">With colons: <c>Node:MaxJobs</c>.</param>
/// <param name="Type">Type of its value.</param>
/// <param name="Default">Its default as text.</param>
internal sealed record ConfigurationKey(string Name, Type Type, string Default)
{
    /// <summary>Name of the environment variable that sets it.</summary>
    public string EnvironmentName => Name.Replace(":", "__", StringComparison.Ordinal);
}

/// <summary>Every key of the configuration, read from the option classes: help and checks follow the code.</summary>
internal static class ConfigurationKeys
{
    // Stand in a key's name for the number of an element (Auth:ApiKeys:N:Name), or for a name of the operator's choice.
    private const string Number = "N";
    private const string Role = "ROLE";
    private const string Project = "PROJECT";

    /// <summary>Sections of which every key is known: another one there is a typing error.</summary>
    public static IReadOnlyList<string> Sections { get; } =
    [
        DatabaseOptions.Section, JobsOptions.Section, NodeOptions.Section, StoresOptions.Section, AuthOptions.Section, RateLimitOptions.Section,
        NovaOptions.Section, FaultsOptions.Section,
    ];

    /// <summary>All keys, in the order of the help.</summary>
    public static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        .. Read(string.Empty, new ServiceOptions()),
        new ConfigurationKey(
            $"ConnectionStrings:{DatabaseOptions.ConnectionName}", typeof(string), new DatabaseOptions().ConnectionString),
        .. Read(DatabaseOptions.Section, new DatabaseOptions()).Where(k => !k.Name.EndsWith(nameof(DatabaseOptions.ConnectionString), StringComparison.Ordinal)),
        .. Read(NodeOptions.Section, new NodeOptions()),
        .. Read(JobsOptions.Section, new JobsOptions()),
        .. Read(StoresOptions.Section, new StoresOptions()),
        .. Read(AuthOptions.Section, new AuthOptions()),
        .. Read(RateLimitOptions.Section, new RateLimitOptions()),
        .. Read(NovaOptions.Section, new NovaOptions()),
        new ConfigurationKey($"{NovaOptions.Section}:{nameof(NovaOptions.Roles)}:{Role}", typeof(AccessRole), string.Empty),
        new ConfigurationKey($"{NovaOptions.Section}:{nameof(NovaOptions.Projects)}:{Project}:{Number}", typeof(string), string.Empty),
        .. Read(FaultsOptions.Section, new FaultsOptions()),
    ];

    /// <summary>It is a key, or the section of some, as command lines and JSON files name them.</summary>
    public static bool IsKnown(string name)
    {
        string[] parts = name.Split(':');
        return All.Any(k => Matches(k.Name.Split(':'), parts));
    }

    /// <summary>It is a key, not only the section of some.</summary>
    public static bool IsKey(string name)
    {
        string[] parts = name.Split(':');
        return All.Select(k => k.Name.Split(':')).Any(pattern => pattern.Length == parts.Length && Matches(pattern, parts));
    }

    /// <summary>The names by which a configuration may hold a key: one, or one for each element of a list.</summary>
    public static IEnumerable<string> NamesOf(ConfigurationKey key, IConfiguration configuration)
    {
        string[] pattern = key.Name.Split(':');
        return pattern.Any(IsPlaceholder)
            ? configuration.GetSection(pattern[0]).AsEnumerable()
                .Select(p => p.Key)
                .Where(name => name.Split(':') is var parts && parts.Length == pattern.Length && Matches(pattern, parts))
            : [key.Name];
    }

    // The name may be shorter: the section that a key is in.
    private static bool Matches(string[] pattern, string[] parts) => parts.Length <= pattern.Length && parts.Zip(pattern).All(p =>
        p.Second switch
        {
            Number => p.First.All(char.IsAsciiDigit),
            Role or Project => true,
            _ => string.Equals(p.First, p.Second, StringComparison.OrdinalIgnoreCase),
        });

    private static bool IsPlaceholder(string part) => part is Number or Role or Project;

    /// <summary>A text is a value of a key's type.</summary>
    public static bool IsValue(ConfigurationKey key, string text)
    {
        try
        {
            return key.Type.IsEnum
                ? Enum.GetNames(key.Type).Contains(text, StringComparer.OrdinalIgnoreCase)
                : TypeDescriptor.GetConverter(key.Type).ConvertFromString(null, CultureInfo.InvariantCulture, text) is not null;
        }
        catch (Exception e) when (e is FormatException or ArgumentException or OverflowException)
        {
            return false;
        }
    }

    private static IEnumerable<ConfigurationKey> Read(string section, object options)
    {
        foreach (PropertyInfo property in options.GetType().GetProperties().Where(p => p.CanWrite || p.PropertyType == typeof(Dictionary<string, ApiKeyOptions>)))
        {
            string name = section.Length == 0 ? property.Name : $"{section}:{property.Name}";
            object? value = property.GetValue(options);
            if (value is IDictionary<string, ApiKeyOptions>)
            {
                foreach (ConfigurationKey key in Read($"{name}:{Number}", new ApiKeyOptions()))
                {
                    yield return key;
                }
            }
            else if (property.PropertyType.Namespace == typeof(ConfigurationKeys).Namespace && !property.PropertyType.IsEnum)
            {
                foreach (ConfigurationKey key in Read(name, value!))
                {
                    yield return key;
                }
            }
            else
            {
                yield return new ConfigurationKey(name, property.PropertyType, Text(value));
            }
        }
    }

    private static string Text(object? value) => value switch
    {
        null => string.Empty,
        bool flag => flag ? "true" : "false",
        ServiceRole role => role.Name(),
        AccessRole role => role.Name(),
        TimeSpan { Milliseconds: 0 } time => time.ToString("c", CultureInfo.InvariantCulture),
        TimeSpan time => time.ToString(@"hh\:mm\:ss\.fff", CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
