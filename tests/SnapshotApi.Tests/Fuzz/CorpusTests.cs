using SnapshotApi.Fuzz;

namespace SnapshotApi.Tests.Fuzz;

/// <summary>Every input that a fuzzer began with or found, and mutations of each: a parser accepts, or refuses in its own words.</summary>
public sealed class CorpusTests
{
    private const int MutationsPerInput = 2000;

    public static TheoryData<string, string> Inputs()
    {
        var inputs = new TheoryData<string, string>();
        foreach (string target in FuzzTargets.All.Keys)
        {
            foreach (string path in Directory.EnumerateFiles(Corpus(target)).Order(StringComparer.Ordinal))
            {
                inputs.Add(target, Path.GetFileName(path));
            }
        }

        return inputs;
    }

    [Theory]
    [MemberData(nameof(Inputs))]
    public void An_input_and_its_mutations_are_accepted_or_refused(string target, string name)
    {
        byte[] input = File.ReadAllBytes(Path.Combine(Corpus(target), name));
        FuzzTarget run = FuzzTargets.All[target];

        run(input);

        var random = new Random(1);
        for (int i = 0; i < MutationsPerInput; i++)
        {
            byte[] mutated = Mutate(input, random);
            Exception? thrown = Record.Exception(() => run(mutated));
            Assert.True(thrown is null, $"mutation {i}, {Convert.ToBase64String(mutated)}: {thrown}");
        }
    }

    [Fact]
    public void Every_target_has_a_corpus_and_every_corpus_a_target() =>
        Assert.Equal(FuzzTargets.All.Keys.Order(StringComparer.Ordinal), Directory.EnumerateDirectories(Corpus("")).Select(Path.GetFileName).Order(StringComparer.Ordinal));

    private static string Corpus(string target) => Path.Combine(RepositoryFiles.Root, "tests", "SnapshotApi.Fuzz", "Corpus", target);

    // One to four changes: a byte, an extreme number, a piece taken out, doubled or moved.
    private static byte[] Mutate(byte[] input, Random random)
    {
        List<byte> bytes = [.. input];
        for (int change = random.Next(1, 5); change > 0 && bytes.Count > 0; change--)
        {
            int at = random.Next(bytes.Count);
            int length = random.Next(1, Math.Min(16, bytes.Count - at) + 1);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    byte extreme = random.Next(2) == 0 ? (byte)0 : (byte)255;
                    bytes.GetRange(at, length).Select((_, i) => i).ToList().ForEach(i => bytes[at + i] = extreme);
                    break;
                case 2:
                    bytes.RemoveRange(at, length);
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                default:
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length));
                    break;
            }
        }

        return [.. bytes];
    }
}
