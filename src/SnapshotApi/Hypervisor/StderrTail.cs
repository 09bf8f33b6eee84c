namespace SnapshotApi.Hypervisor;

/// <summary>The end of what a child process wrote to its standard error. Thread-safe.</summary>
internal sealed class StderrTail(int maxChars)
{
    private readonly Lock _lock = new();
    private string _text = "";

    /// <summary>Appends a line.</summary>
    public void Add(string line)
    {
        lock (_lock)
        {
            string text = _text.Length == 0 ? line : $"{_text}; {line}";
            _text = text.Length <= maxChars ? text : text[^maxChars..];
        }
    }

    public override string ToString()
    {
        lock (_lock)
        {
            return _text;
        }
    }
}
