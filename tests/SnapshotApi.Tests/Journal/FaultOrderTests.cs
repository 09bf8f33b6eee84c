using SnapshotApi.Journal;

namespace SnapshotApi.Tests.Journal;

public sealed class FaultOrderTests
{
    [Theory]
    [InlineData("added:abort-block-job kill")]
    [InlineData("added:abort-block-job#1 kill\n")]
    public void An_order_names_instant_point_and_action(string text)
    {
        Assert.Equal(
            new FaultOrder(FaultInstant.Added, "abort-block-job", 1, FaultAction.Kill), FaultOrder.Parse(text));
    }

    [Fact]
    public void A_number_says_at_which_of_several_instants()
    {
        Assert.Equal(new FaultOrder(FaultInstant.Step, "uploading", 2, FaultAction.Pause), FaultOrder.Parse(
            "step:uploading#2 pause"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("added:thaw")]
    [InlineData("sometimes:thaw kill")]
    [InlineData("added:thaw explode")]
    [InlineData("added:thaw#0 kill")]
    [InlineData("added:thaw#one kill")]
    [InlineData("added kill")]
    [InlineData("added:thaw kill kill")]
    public void Anything_else_is_no_order(string text)
    {
        Assert.Null(FaultOrder.Parse(text));
    }
}
