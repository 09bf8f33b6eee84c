using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests.Configuration;

/// <summary>The documents of the configuration follow from the options; <c>UPDATE_DOCS=1</c> rewrites them.</summary>
public sealed partial class ConfigurationDocumentsTests
{
    private const string UpdateVariable = "UPDATE_DOCS";
    private const string Marker =
        "<!-- What follows is generated from the option classes: UPDATE_DOCS=1 rewrites it. -->\n";

    private static readonly string Reference = Path.Combine(RepositoryFiles.Root, "docs", "configuration.md");
    private static readonly string SampleFile = Path.Combine(
        RepositoryFiles.Root, "packaging", "appsettings.sample.json");
    private static readonly string UnitSettings = Path.Combine(
        RepositoryFiles.Root, "packaging", "snapshotapi.conf");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_committed_reference_is_that_of_the_options()
    {
        string committed = await File.ReadAllTextAsync(Reference, Cancellation);
        string introduction = committed[..(committed.IndexOf(Marker, StringComparison.Ordinal) + Marker.Length)];

        await CompareAsync(Reference, introduction + Tables());
    }

    [Fact]
    public Task The_committed_sample_is_that_of_the_options() => CompareAsync(SampleFile, Sample());

    [Fact]
    public Task The_committed_settings_of_the_units_are_those_of_the_options() =>
        CompareAsync(UnitSettings, SettingsOfUnits());

    [Fact]
    public void The_settings_of_the_units_set_nothing_and_name_every_key()
    {
        string uncommented = CommentedSettingPattern().Replace(SettingsOfUnits(), "$1=x");

        Assert.Empty(SettingsFile.Parse(SettingsOfUnits()));
        Assert.Equal(
            Shown().SelectMany(s => s.Keys).Select(NameInUnits).Order(), SettingsFile.Parse(uncommented).Keys.Order());
    }

    [Fact]
    public void The_sample_is_a_configuration()
    {
        Assert.Empty(ConfigurationCheck.Run(Read(Sample())));
    }

    [Fact]
    public void Each_line_of_the_sample_is_a_key_with_its_default()
    {
        IConfigurationRoot configuration = Read(CommentedKeyPattern().Replace(Sample(), "$1$2"));

        IEnumerable<string> names = configuration.AsEnumerable().Select(p => p.Key)
            .Where(name => !configuration.GetSection(name).GetChildren().Any());
        Assert.Equal(Shown().SelectMany(s => s.Keys).Select(NameInSample).Order(), names.Order());
        Assert.DoesNotContain(
            ConfigurationCheck.Run(configuration),
            e => e.Contains(" is not a key ", StringComparison.Ordinal)
                || e.Contains("; it is '", StringComparison.Ordinal));
    }

    private static async Task CompareAsync(string path, string generated)
    {
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            await File.WriteAllTextAsync(path, generated, Cancellation);
        }

        string committed = File.Exists(path) ? await File.ReadAllTextAsync(path, Cancellation) : string.Empty;
        Assert.True(
            committed == generated,
            $"{RepositoryFiles.Name(path)} is not what the options say: run the tests with {UpdateVariable}=1 "
            + "and review the difference");
    }

    private static IConfigurationRoot Read(string json) =>
        new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build();

    private static string Tables()
    {
        var text = new StringBuilder();
        foreach (OptionsSection section in ConfigurationKeys.Sections)
        {
            text.Append($"\n## {(section.Name.Length == 0 ? "Process" : section.Name)}\n\n")
                .Append(HelpText.Wrap(section.Meaning, string.Empty, 118))
                .Append("\n| key | default | meaning |\n|---|---|---|\n");
            foreach (ConfigurationKey key in section.Keys)
            {
                text.Append($"| `{key.EnvironmentName}` | {key.Default} | {key.Meaning} |\n");
            }
        }

        return text.ToString();
    }

    private static string Sample()
    {
        var text = new StringBuilder("""
            // Settings of SnapshotApi: every key with its default. To set a key, remove the // before it.
            // Generated from the option classes of the service; docs/configuration.md says more.
            {
            """);
        foreach (OptionsSection section in Shown())
        {
            ILookup<bool, ConfigurationKey> keys =
                section.Keys.ToLookup(k => k.Name.StartsWith($"{section.Name}:", StringComparison.Ordinal));
            Append(text, keys[false], "  ");
            if (section.Name.Length > 0)
            {
                text.Append('\n')
                    .Append(HelpText.Wrap(ConfigurationKey.Plain(section.Meaning), "  // ", 100))
                    .Append($"  \"{section.Name}\": {{");
                Append(text, keys[true], "    ");
                text.Append("  },\n");
            }
        }

        return text.Append("}\n").ToString();
    }

    private static string SettingsOfUnits()
    {
        var text = new StringBuilder("""
            # Settings of snapshotapi.service and snapshotapi-api.service: every key with its default.
            # To set a key, remove the # before it, then run: systemctl restart snapshotapi
            # A value with blanks at its ends, a # or a \ is written in "quotes". docs/configuration.md says more.
            # Generated from the option classes of the service.

            """);
        foreach (OptionsSection section in Shown())
        {
            text.Append('\n').Append(HelpText.Wrap(ConfigurationKey.Plain(section.Meaning), "## ", 100));
            foreach (ConfigurationKey key in section.Keys)
            {
                string value = key.Example == "null" ? string.Empty : key.Example.Trim('"');
                text.Append('\n').Append(HelpText.Wrap(key.PlainMeaning, "# ", 100))
                    .Append($"#{NameInUnits(key)}={value}\n");
            }
        }

        return text.Append("""

            ## TLS, where other hosts reach the service.

            # Certificate and key, in PEM; with Urls=https://0.0.0.0:5443
            #Kestrel__Certificates__Default__Path=/etc/snapshotapi/tls/cert.pem
            #Kestrel__Certificates__Default__KeyPath=/etc/snapshotapi/tls/key.pem

            """).ToString();
    }

    private static void Append(StringBuilder text, IEnumerable<ConfigurationKey> keys, string indent)
    {
        foreach (ConfigurationKey key in keys)
        {
            string name = indent.Length == 2 ? NameInSample(key) : NameInSample(key).Split(':', 2)[1];
            text.Append('\n')
                .Append(HelpText.Wrap(key.PlainMeaning, indent + "// ", 100))
                .Append($"{indent}// \"{name}\": {key.Example},\n");
        }
    }

    private static IEnumerable<OptionsSection> Shown() =>
        ConfigurationKeys.Sections.Where(s => s.Name != FaultsOptions.Section);

    private static string NameInSample(ConfigurationKey key) => ElementPattern().Replace(key.Name, ":0$1");

    private static string NameInUnits(ConfigurationKey key) =>
        NameInSample(key).Replace(":", "__", StringComparison.Ordinal);

    [GeneratedRegex(@"^#((?!Kestrel)\w+)=.*$", RegexOptions.Multiline)]
    private static partial Regex CommentedSettingPattern();

    [GeneratedRegex(@"^( *)// (\x22[^\x22]+\x22: )", RegexOptions.Multiline)]
    private static partial Regex CommentedKeyPattern();

    [GeneratedRegex(":N(:|$)")]
    private static partial Regex ElementPattern();
}
