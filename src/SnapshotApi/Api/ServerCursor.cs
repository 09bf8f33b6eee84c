namespace SnapshotApi.Api;

/// <summary>Place in the list of servers, which is sorted by name, UUID and node.</summary>
/// <param name="Name">Name of the last server of a page.</param>
/// <param name="Id">Its UUID.</param>
/// <param name="Node">Its node.</param>
internal readonly record struct ServerCursor(string Name, Guid Id, string Node) : IComparable<ServerCursor>
{
    public int CompareTo(ServerCursor other)
    {
        int byName = string.CompareOrdinal(Name, other.Name);
        int byId = byName != 0 ? byName : Id.CompareTo(other.Id);
        return byId != 0 ? byId : string.CompareOrdinal(Node, other.Node);
    }
}
