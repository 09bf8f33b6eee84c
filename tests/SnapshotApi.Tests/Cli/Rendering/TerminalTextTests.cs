using SnapshotApi.Cli.Rendering;

namespace SnapshotApi.Tests.Cli.Rendering;

public sealed class TerminalTextTests
{
    [Theory]
    [InlineData("plain [bold]text[/]", "plain [bold]text[/]")]
    [InlineData("käse 快照 🐧", "käse 快照 🐧")]
    [InlineData("a\u001b[31mred", "a\\x1b[31mred")]
    [InlineData("bell\a", "bell\\x07")]
    [InlineData("c1\u009b2J", "c1\\x9b2J")]
    [InlineData("line\r\nbreak\ttab", "line\\r\\nbreak\\ttab")]
    [InlineData("txt\u202egpj", "txt\\u{202e}gpj")]
    [InlineData("zero\u200bwidth", "zero\\u{200b}width")]
    [InlineData("sep\u2028arator", "sep\\u{2028}arator")]
    public void What_could_move_the_cursor_or_deceive_is_shown_as_an_escape(string text, string expected) =>
        Assert.Equal(expected, TerminalText.Show(text));

    [Fact]
    public void Half_of_a_surrogate_pair_is_shown_as_an_escape() =>
        Assert.Equal("half\\u{d83d}!", TerminalText.Show("half" + (char)0xd83d + "!"));

    [Fact]
    public void Null_is_nothing() => Assert.Equal("", TerminalText.Show(null));
}
