namespace SnapshotApi.Api.Contracts;

/// <summary>The QEMU guest agent of a server; it is what can freeze file systems.</summary>
/// <param name="IsDefined">The server has a channel for it.</param>
/// <param name="IsConnected">The agent in the guest has opened it.</param>
internal sealed record ServerAgent(bool IsDefined, bool IsConnected);
