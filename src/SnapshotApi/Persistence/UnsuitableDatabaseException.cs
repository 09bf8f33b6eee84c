namespace SnapshotApi.Persistence;

/// <summary>The database can't be used as it is, and waiting does not help. The message says what its administrator has to do.</summary>
internal sealed class UnsuitableDatabaseException(string message) : Exception(message);
