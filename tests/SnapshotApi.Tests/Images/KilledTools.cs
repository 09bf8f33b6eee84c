namespace SnapshotApi.Tests.Images;

/// <summary>
/// Tests that kill tools run alone. Since they exist, an nbdkit of a test that ran beside them has now and then ended without a word; why is
/// not known.
/// </summary>
[CollectionDefinition(nameof(KilledTools), DisableParallelization = true)]
public sealed class KilledTools;
