namespace SnapshotApi.Images;

/// <summary>An image is not what it should be, or its header is hostile. The message names no host path.</summary>
internal sealed class ImageRejectedException(string message) : Exception(message);
