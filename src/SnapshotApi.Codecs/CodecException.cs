namespace SnapshotApi.Codecs;

/// <summary>A compression library refused what it was asked for: never because of the bytes, always because of memory or of us.</summary>
public sealed class CodecException : Exception
{
    public CodecException()
    {
    }

    public CodecException(string message)
        : base(message)
    {
    }

    public CodecException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
