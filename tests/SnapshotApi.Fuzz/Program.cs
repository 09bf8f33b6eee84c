using SharpFuzz;
using SnapshotApi.Fuzz;

// One input on standard input, or, below afl-fuzz, as many as it wants. See scripts/fuzz.
if (args.Length != 1 || !FuzzTargets.All.TryGetValue(args[0], out FuzzTarget? target))
{
    await Console.Error.WriteLineAsync($"usage: SnapshotApi.Fuzz {string.Join('|', FuzzTargets.All.Keys)}");
    return 64;
}

Fuzzer.OutOfProcess.Run(stream =>
{
    using var input = new MemoryStream();
    stream.CopyTo(input);
    target(input.ToArray());
});
return 0;
