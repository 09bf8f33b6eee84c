using SnapshotApi.Api.Validation;
using SnapshotApi.Errors;

namespace SnapshotApi.Tests.Api.Validation;

public class IdempotencyKeyReaderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    public void A_key_of_visible_characters_is_taken(int length)
    {
        string key = new('~', length);

        Assert.Equal(key, IdempotencyKeyReader.Read(key, "{}"u8.ToArray())?.Key);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(256)]
    public void A_key_of_another_length_is_refused(int length)
    {
        var exception = Assert.Throws<SnapshotException>(
            () => IdempotencyKeyReader.Read(new string('k', length), "{}"u8.ToArray()));

        Assert.Equal(SnapshotErrorCode.InvalidRequest, exception.Code);
    }

    [Fact]
    public void Another_body_is_another_digest()
    {
        byte[] one = IdempotencyKeyReader.Read("k", "{\"name\":\"a\"}"u8.ToArray())!.BodyHash;
        byte[] two = IdempotencyKeyReader.Read("k", "{\"name\":\"b\"}"u8.ToArray())!.BodyHash;

        Assert.NotEqual(one, two);
        Assert.Null(IdempotencyKeyReader.Read(null, "{}"u8.ToArray()));
    }
}
