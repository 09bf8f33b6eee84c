using System.Text.Json;
using SnapshotApi.Errors;

namespace SnapshotApi.Tests.Errors;

public sealed class EnumNamesTests
{
    [Fact]
    public void Each_error_code_is_read_as_it_is_written()
    {
        foreach (SnapshotErrorCode code in Enum.GetValues<SnapshotErrorCode>())
        {
            Assert.Equal(code, EnumNames<SnapshotErrorCode>.Parse(code.ToSnakeCase()));
            Assert.Equal($"\"{code.ToSnakeCase()}\"", JsonSerializer.Serialize(code));
        }
    }

    [Fact]
    public void Names_are_in_snake_case_and_unknown_values_are_numbers()
    {
        Assert.Equal("copy_source_failed", SnapshotErrorCode.CopySourceFailed.ToSnakeCase());
        Assert.Equal("4711", ((SnapshotErrorCode)4711).ToSnakeCase());
        Assert.StartsWith("invalid_request, ", EnumNames<SnapshotErrorCode>.List, StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_and_other_spellings_are_refused()
    {
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<SnapshotErrorCode>("3"));
        Assert.False(EnumNames<SnapshotErrorCode>.TryParse("3", out _));
    }

    [Fact]
    public void What_a_newer_version_has_written_is_kept_and_shown_as_it_is()
    {
        SnapshotErrorCode foreign = EnumNames<SnapshotErrorCode>.Parse("quantum_decay");

        Assert.Equal("quantum_decay", foreign.ToSnakeCase());
        Assert.Equal(foreign, EnumNames<SnapshotErrorCode>.Parse("quantum_decay"));
        Assert.False(foreign.IsKnown());
        Assert.True(SnapshotErrorCode.ServerBusy.IsKnown());
        Assert.DoesNotContain(foreign, Enum.GetValues<SnapshotErrorCode>());
        Assert.NotEqual(foreign, EnumNames<SnapshotErrorCode>.Parse("quantum_revival"));
        Assert.False(EnumNames<SnapshotErrorCode>.TryParse("quantum_decay", out _));
    }
}
