using System.CommandLine;
using System.Text;
using SnapshotApi.Cli;
using SnapshotApi.Cli.Rendering;
using SnapshotApi.Configuration;

namespace SnapshotApi.Tests;

/// <summary>The manual pages follow from the help of the programs; <c>UPDATE_DOCS=1</c> rewrites them.</summary>
public sealed class ManualPagesTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task The_committed_page_of_the_service_is_its_help() =>
        CompareAsync("snapshotapi.8", Roff.Page("snapshotapi", 8, HelpText.Page) + Roff.Section(
            "SETUP", SetupHelp.Page, ["DESCRIPTION", "OPTIONS", "FILES"]));

    [Fact]
    public Task The_committed_page_of_the_client_is_its_help()
    {
        RootCommand root = SnapshotCtl.BuildRoot(new CliTerminal(TextWriter.Null, TextWriter.Null));
        var page = new StringBuilder(Roff.Page("snapshotctl", 1, HelpOf(root)));
        foreach (Command command in Leaves(root))
        {
            page.Append(Roff.Section(
                ManualPage.FullName(command).ToUpperInvariant(), HelpOf(command),
                ["NAME", "SYNOPSIS", "DESCRIPTION", "ARGUMENTS", "OPTIONS", "EXAMPLES"]));
        }

        return CompareAsync("snapshotctl.1", page.ToString());
    }

    [Fact]
    public void Text_that_looks_like_a_request_of_roff_is_none()
    {
        string page = Roff.Page("x", 1, "NAME\n    x - a\\b\n\nFILES\n    .hidden\n        'quoted' --long\n");

        Assert.Contains("x \\- a\\eb\n", page, StringComparison.Ordinal);
        Assert.Contains(".TP\n\\&.hidden\n\\&'quoted' \\-\\-long\n", page, StringComparison.Ordinal);
    }

    private static IEnumerable<Command> Leaves(Command command) => command.Subcommands.Count == 0
        ? [command]
        : command.Subcommands.Where(c => !c.Hidden).SelectMany(Leaves);

    private static string HelpOf(Command command)
    {
        using var text = new StringWriter();
        ManualPage.Write(command, text, 100);
        return text.ToString();
    }

    private static async Task CompareAsync(string name, string generated)
    {
        string path = Path.Combine(RepositoryFiles.Root, "packaging", "man", name);
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, generated, Cancellation);
        }

        string committed = File.Exists(path) ? await File.ReadAllTextAsync(path, Cancellation) : string.Empty;
        Assert.True(
            committed == generated,
            $"{RepositoryFiles.Name(path)} is not what --help says: run the tests with UPDATE_DOCS=1 and review the "
            + "difference");
    }

    /// <summary>
    /// Turns help into the language of manual pages, man(7): headings stand at the margin, terms and paragraphs are
    /// indented once, what is said of a term twice; what is indented more, or in columns, keeps its lines.
    /// </summary>
    private static class Roff
    {
        public static string Page(string name, int section, string help)
        {
            var page = new StringBuilder(
                $".\\\" Generated from {name} --help: UPDATE_DOCS=1 rewrites it.\n"
                + $".TH {name.ToUpperInvariant()} {section} \"\" \"SnapshotApi {ServiceVersion.Text}\"\n");
            foreach ((string heading, string[] lines) in Sections(help))
            {
                page.Append($".SH {heading}\n");
                Append(page, lines, heading == "SYNOPSIS");
            }

            return page.ToString();
        }

        /// <summary>A heading, with some sections of another page under it.</summary>
        public static string Section(string heading, string help, string[] sections)
        {
            var page = new StringBuilder($".SH \"{heading}\"\n");
            foreach ((string name, string[] lines) in Sections(help).Where(s => sections.Contains(s.Heading)))
            {
                page.Append(name is "NAME" or "SYNOPSIS" or "DESCRIPTION" ? ".PP\n" : $".SS {name}\n");
                Append(page, lines, name == "SYNOPSIS");
            }

            return page.ToString();
        }

        private static IEnumerable<(string Heading, string[] Lines)> Sections(string help)
        {
            string[] lines = [.. help.Split('\n').Select(l => l.TrimEnd())];
            int[] heads = [.. Enumerable.Range(0, lines.Length).Where(i => lines[i].Length > 0 && lines[i][0] != ' ')];
            return heads.Select((at, i) => (
                lines[at], lines[(at + 1)..(i + 1 < heads.Length ? heads[i + 1] : lines.Length)]));
        }

        private static void Append(StringBuilder page, string[] lines, bool keepsLines)
        {
            bool wasTable = false;
            int last = 4;
            for (int i = 0; i < lines.Length; i++)
            {
                int indent = lines[i].Length - lines[i].TrimStart().Length;
                if (lines[i].Length == 0)
                {
                    page.Append(i + 1 < lines.Length && lines[i + 1].Length > 0 ? ".PP\n" : string.Empty);
                    (last, wasTable) = (4, false);
                    continue;
                }

                // Words in columns.
                bool isTable = keepsLines || lines[i].Trim().Contains("  ", StringComparison.Ordinal);
                bool isTerm = indent == 4 && i + 1 < lines.Length
                    && lines[i + 1].StartsWith("        ", StringComparison.Ordinal);
                page.Append(isTerm ? ".TP\n" : indent == 4 && last > 4 ? ".PP\n"
                        : isTable || wasTable || indent > 8 || last > 8 ? ".br\n" : string.Empty)
                    .Append(Escape(lines[i].Trim()))
                    .Append('\n');
                (last, wasTable) = (indent, isTable);
            }
        }

        private static string Escape(string text)
        {
            string escaped = text.Replace("\\", "\\e", StringComparison.Ordinal)
                .Replace("-", "\\-", StringComparison.Ordinal);
            return escaped[0] is '.' or '\'' ? $"\\&{escaped}" : escaped;
        }
    }
}
