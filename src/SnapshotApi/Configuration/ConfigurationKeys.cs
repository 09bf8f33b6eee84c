using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.RegularExpressions;

namespace SnapshotApi.Configuration;

/// <summary>
/// Every key of the configuration. The option classes are the one source: the checks, <c>--help</c>,
/// <c>docs/configuration.md</c> and the sample file follow from them.
/// </summary>
internal static class ConfigurationKeys
{
    /// <summary>The sections, in the order of the documents.</summary>
    public static IReadOnlyList<OptionsSection> Sections { get; } =
    [
        OptionsSection.Of<ServiceOptions, ServiceOptionsValidator>(string.Empty),
        OptionsSection.Of<SocketOptions, SocketOptionsValidator>(SocketOptions.Section),
        OptionsSection.Of<DatabaseOptions, DatabaseOptionsValidator>(DatabaseOptions.Section),
        OptionsSection.Of<NodeOptions, NodeOptionsValidator>(NodeOptions.Section),
        OptionsSection.Of<JobsOptions, JobsOptionsValidator>(JobsOptions.Section),
        OptionsSection.Of<StoresOptions, StoresOptionsValidator>(StoresOptions.Section),
        OptionsSection.Of<AuthOptions, AuthOptionsValidator>(AuthOptions.Section),
        OptionsSection.Of<RateLimitOptions, RateLimitOptionsValidator>(RateLimitOptions.Section),
        OptionsSection.Of<NovaOptions, NovaOptionsValidator>(NovaOptions.Section),
        OptionsSection.Of<FaultsOptions, FaultsOptionsValidator>(FaultsOptions.Section),
    ];

    /// <summary>All keys, in the same order.</summary>
    public static IReadOnlyList<ConfigurationKey> All { get; } = [.. Sections.SelectMany(s => s.Keys)];

    /// <summary>A key, or a section of keys, as command lines and JSON files name it.</summary>
    public static bool IsKnown(string name) => All.Any(k => k.Matches(name, isWhole: false));

    /// <summary>A key, and not only a section of keys.</summary>
    public static bool IsKey(string name) => All.Any(k => k.Matches(name, isWhole: true));
}

/// <summary>One section of the configuration.</summary>
/// <param name="Name">Its name; empty for the keys without a section.</param>
/// <param name="Meaning">What it is about, in Markdown.</param>
/// <param name="Validate">Binds the options to a configuration and checks their values.</param>
internal sealed record OptionsSection(
    string Name,
    string Meaning,
    IReadOnlyList<ConfigurationKey> Keys,
    Func<IConfiguration, ValidateOptionsResult> Validate)
{
    public static OptionsSection Of<TOptions, TValidator>(string name)
        where TOptions : class, new()
        where TValidator : IValidateOptions<TOptions>, new() => new(
            name,
            typeof(TOptions).GetCustomAttribute<DescriptionAttribute>()!.Description,
            [.. Read(name, new TOptions())],
            configuration => new TValidator().Validate(null, Bind<TOptions>(configuration, name)));

    /// <summary>The options as a configuration sets them.</summary>
    public static TOptions Bind<TOptions>(IConfiguration configuration, string name)
        where TOptions : class, new()
    {
        var options = new TOptions();
        (name.Length == 0 ? configuration : configuration.GetSection(name)).Bind(options);
        if (options is DatabaseOptions database)
        {
            database.ConnectionString =
                configuration.GetConnectionString(DatabaseOptions.ConnectionName) ?? database.ConnectionString;
        }

        return options;
    }

    private static IEnumerable<ConfigurationKey> Read(string section, object options) =>
        options.GetType().GetProperties()
            .SelectMany(property => Read(NameOf(section, property), property, property.GetValue(options)));

    private static string NameOf(string section, PropertyInfo property) =>
        property.Name == nameof(DatabaseOptions.ConnectionString)
            ? $"ConnectionStrings:{DatabaseOptions.ConnectionName}"
            : $"{section}:{property.Name}".TrimStart(':');

    private static IEnumerable<ConfigurationKey> Read(string name, PropertyInfo property, object? value) => value switch
    {
        Dictionary<string, ApiKeyOptions> => Read($"{name}:N", new ApiKeyOptions()),
        Dictionary<string, AccessRole> => [ConfigurationKey.Of($"{name}:ROLE", typeof(AccessRole), property, null)],
        Dictionary<string, string[]> => [ConfigurationKey.Of($"{name}:PROJECT:N", typeof(string), property, null)],
        { } when value.GetType() is { IsClass: true, Namespace: "SnapshotApi.Configuration" } => Read(name, value),
        _ => [ConfigurationKey.Of(name, property.PropertyType, property, value)],
    };
}

/// <summary>One key of the configuration.</summary>
/// <param name="Name">With colons: <c>Node:MaxJobs</c>.</param>
/// <param name="Type">Type of its value.</param>
/// <param name="Default">Its default as text.</param>
/// <param name="Example">Its default, or an example of a value, as JSON.</param>
/// <param name="Meaning">What it does, and its limits, in Markdown.</param>
internal sealed partial record ConfigurationKey(string Name, Type Type, string Default, string Example, string Meaning)
{
    public string EnvironmentName => Name.Replace(":", "__", StringComparison.Ordinal);

    /// <summary>What it does, for readers without Markdown.</summary>
    public string PlainMeaning => Plain(Meaning);

    /// <summary>N stands for the number of an element, ROLE and PROJECT for names that the operator chooses.</summary>
    public bool HasPlaceholder => Name.Split(':').Any(p => p is "N" or "ROLE" or "PROJECT");

    public static ConfigurationKey Of(string name, Type type, PropertyInfo property, object? value)
    {
        string? text = Text(value);
        var words = property.GetCustomAttribute<DefaultTextAttribute>();
        return new ConfigurationKey(
            name,
            type,
            words?.Text ?? (text is { Length: > 0 } ? $"`{text}`" : "none"),
            value is bool or int or long ? text! : JsonSerializer.Serialize(words?.Example ?? text),
            property.GetCustomAttribute<DescriptionAttribute>()!.Description + Limits(type, property));
    }

    /// <summary>Markdown as plain text; links become names of files.</summary>
    public static string Plain(string markdown) =>
        LinkPattern().Replace(markdown, "docs/$1").Replace("`", string.Empty, StringComparison.Ordinal);

    /// <summary>A name is this key's or, if it need not be whole, that of a section around it.</summary>
    public bool Matches(string name, bool isWhole)
    {
        string[] pattern = Name.Split(':');
        string[] parts = name.Split(':');
        return (isWhole ? parts.Length == pattern.Length : parts.Length <= pattern.Length)
            && parts.Zip(pattern).All(p => p.Second switch
            {
                "N" => p.First.All(char.IsAsciiDigit),
                "ROLE" or "PROJECT" => true,
                _ => string.Equals(p.First, p.Second, StringComparison.OrdinalIgnoreCase),
            });
    }

    /// <summary>The names by which a configuration may hold the key: one, or one for each element of a list.</summary>
    public IEnumerable<string> NamesIn(IConfiguration configuration) =>
        !HasPlaceholder ? [Name]
        : from setting in configuration.GetSection(Name.Split(':')[0]).AsEnumerable()
          where Matches(setting.Key, isWhole: true)
          select setting.Key;

    /// <summary>A text is a value of the key's type.</summary>
    public bool IsValue(string text)
    {
        try
        {
            return Type.IsEnum
                ? Enum.GetNames(Type).Contains(text, StringComparer.OrdinalIgnoreCase)
                : TypeDescriptor.GetConverter(Type).ConvertFromInvariantString(text) is not null;
        }
        catch (Exception e) when (e is FormatException or ArgumentException or OverflowException)
        {
            return false;
        }
    }

    private static string? Text(object? value) => value switch
    {
        bool or Enum => value.ToString()!.ToLowerInvariant(),
        TimeSpan { Milliseconds: 0 } time => time.ToString("c", CultureInfo.InvariantCulture),
        TimeSpan time => time.ToString(@"hh\:mm\:ss\.fff", CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) is { Length: > 0 } text ? text : value as string,
    };

    private static string Limits(Type type, PropertyInfo property)
    {
        if (property.GetCustomAttribute<RangeAttribute>() is { } range)
        {
            bool isBytes = property.Name.Contains("Bytes", StringComparison.Ordinal);
            return $" {Quantity(range.Minimum, isBytes)} to {Quantity(range.Maximum, isBytes)}.";
        }

        string[] words = type.IsEnum ? [.. Enum.GetNames(type).Select(n => n.ToLowerInvariant())]
            : [.. property.GetCustomAttribute<AllowedValuesAttribute>()?.Values.OfType<string>() ?? []];
        return words.Length == 0 ? string.Empty : $" One of {string.Join(", ", words.Select(w => $"`{w}`"))}.";
    }

    // In the largest unit that it is a whole number of.
    private static string Quantity(object limit, bool isBytes)
    {
        const long day = 86_400_000;
        (long Size, string Name)[] units = limit is string
            ? [(365 * day, "year"), (day, "day"), (day / 24, "hour"), (60_000, "minute"), (1000, "s"), (1, "ms")]
            : isBytes ? [(1L << 40, "TiB"), (1L << 30, "GiB"), (1L << 20, "MiB"), (1L << 10, "KiB")]
            : [(1, string.Empty)];
        long number = limit is string time
            ? (long)TimeSpan.Parse(time, CultureInfo.InvariantCulture).TotalMilliseconds
            : Convert.ToInt64(limit, CultureInfo.InvariantCulture);
        (long size, string name) = number == 0 ? (1, string.Empty) : units.First(u => number % u.Size == 0);
        bool isPlural = number > size && name.Length > 2 && !isBytes;
        return $"{number / size} {name}{(isPlural ? "s" : string.Empty)}".TrimEnd();
    }

    [GeneratedRegex(@"\[[^\]]*\]\(([^)#]*)[^)]*\)")]
    private static partial Regex LinkPattern();
}

/// <summary>How documents show the default of a key that depends on the host, or that is a null.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class DefaultTextAttribute(string text) : Attribute
{
    public string Text { get; } = text;

    /// <summary>A value for the sample file; null: the default itself.</summary>
    public string? Example { get; init; }
}
