using System.Security.Cryptography;
using System.Text;

namespace SnapshotApi.Jobs;

/// <summary>Name of a node's queue in Hangfire.</summary>
internal static class NodeQueue
{
    private const string Prefix = "node_";

    // Bytes of the hash: enough that two names of one installation never meet.
    private const int HashBytes = 4;

    /// <summary>
    /// The queue of a node: <c>node_</c> and its name. Hangfire allows a-z, 0-9, '-' and '_'; a name with anything else has it replaced
    /// by '_' and gets a hash, so that different nodes never share a queue.
    /// </summary>
    public static string Of(string node)
    {
        string legal = string.Concat(node.Select(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' ? c : '_'));
        if (legal == node)
        {
            return Prefix + node;
        }

        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(node));
        return $"{Prefix}{legal}_{Convert.ToHexStringLower(hash.AsSpan(0, HashBytes))}";
    }
}
