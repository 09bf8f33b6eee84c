using System.Text;
using SnapshotApi.Api;
using SnapshotApi.Api.Nova;
using SnapshotApi.Errors;

namespace SnapshotApi.Tests.Api.Nova;

public sealed class NovaActionTests
{
    [Fact]
    public void An_image_has_a_name_and_properties()
    {
        NovaAction action = Read("""{"createImage": {"name": "snap1", "metadata": {"purpose": "test"}}}""");

        Assert.Equal(
            ("createImage", "snap1", null, null), (action.Kind, action.Name, action.BackupType, action.Rotation));
        Assert.Equal("test", action.Metadata["purpose"]);
        Assert.Empty(Read("""{"createImage": {"name": "snap1"}}""").Metadata);
    }

    [Theory]
    [InlineData("3", 3)]
    [InlineData("\"3\"", 3)]
    [InlineData("0", 0)]
    public void A_rotation_is_a_number_or_its_digits(string json, long expected)
    {
        NovaAction action = Read(
            $$$"""{"createBackup": {"name": "b", "backup_type": "daily", "rotation": {{{json}}}}}""");

        Assert.Equal(("daily", expected), (action.BackupType, action.Rotation));
    }

    [Theory]
    [InlineData("""{"createImage": {}}""", "name")]
    [InlineData("""{"createImage": {"name": ""}}""", "name")]
    [InlineData("""{"createImage": {"name": " a"}}""", "name")]
    [InlineData("""{"createImage": {"name": 1}}""", "name")]
    [InlineData("""{"createImage": {"name": "a", "metadata": {"k": 1}}}""", "metadata.k")]
    [InlineData("""{"createImage": {"name": "a", "metadata": {"k/": "v"}}}""", "metadata")]
    [InlineData("""{"createImage": {"name": "a", "rotation": 1}}""", "rotation")]
    [InlineData("""{"createImage": []}""", "createImage")]
    [InlineData("""{"createBackup": {"name": "b"}}""", "backup_type,rotation")]
    [InlineData("""{"createBackup": {"name": "b", "backup_type": "d", "rotation": -1}}""", "rotation")]
    [InlineData("""{"createBackup": {"name": "b", "backup_type": "d", "rotation": 1.5}}""", "rotation")]
    [InlineData("""{"createBackup": {"name": "b", "backup_type": "d", "rotation": "x"}}""", "rotation")]
    [InlineData("""{"createBackup": {"name": "b", "backup_type": "d", "rotation": null}}""", "rotation")]
    [InlineData("{}", "body")]
    [InlineData("""{"createImage": {"name": "a"}, "createBackup": {}}""", "body")]
    [InlineData("", "body")]
    [InlineData("[]", "body")]
    [InlineData("{", "body")]
    public void All_that_is_wrong_is_named(string body, string fields)
    {
        SnapshotException refused = Assert.Throws<SnapshotException>(() => Read(body));

        Assert.Equal(SnapshotErrorCode.InvalidRequest, refused.Code);
        var errors = Assert.IsAssignableFrom<IReadOnlyDictionary<string, IReadOnlyList<string>>>(
            refused.Details[ProblemWriter.ErrorsKey]);
        Assert.Equal(fields.Split(','), errors.Keys.Order());
    }

    [Theory]
    [InlineData(
        """{"reboot": {"type": "HARD"}}""", "There is no such action: reboot. There are createImage and createBackup.")]
    [InlineData("""{"\ud800": {}}""", "There is no such action: ?. There are createImage and createBackup.")]
    public void Other_actions_are_Novas(string body, string message)
    {
        RequestRejectedException refused = Assert.Throws<RequestRejectedException>(() => Read(body));

        Assert.Equal((400, message), (refused.Kind.Status, refused.Message));
    }

    private static NovaAction Read(string body) => NovaAction.Read(Encoding.UTF8.GetBytes(body));
}
