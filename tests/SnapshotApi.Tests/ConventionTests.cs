using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SnapshotApi.Api;
using SnapshotApi.Configuration;
using SnapshotApi.Journal;
using SnapshotApi.Tests.Api;

namespace SnapshotApi.Tests;

/// <summary>What a reviewer would otherwise have to look for in every change.</summary>
public partial class ConventionTests(ApiFixture service) : IClassFixture<ApiFixture>
{
    private const int MaxLines = 400;
    private const int MaxColumns = 120;

    // Of a type without its comment.
    private const int MinLines = 15;
    private const int MinUsers = 3;

    // A folder may use those of a lower number, and no other: a request is followed by reading from the top to the bottom.
    private static readonly Dictionary<string, int> Layers = new()
    {
        ["Api"] = 9,
        ["Jobs"] = 8,
        ["Persistence"] = 7,
        ["Snapshots"] = 6,
        ["Captures"] = 5,
        ["Stores"] = 5,
        ["Images"] = 4,
        ["Tools"] = 3,
        ["Hypervisor"] = 2,
        ["Journal"] = 2,
        ["Host"] = 1,
        ["Configuration"] = 0,
        ["Errors"] = 0,
    };

    private static readonly Assembly Service = typeof(ServiceOptions).Assembly;

    private static readonly Assembly[] Bindings =
    [
        typeof(SnapshotApi.Libvirt.LibvirtException).Assembly, typeof(SnapshotApi.Nbd.NbdException).Assembly,
        typeof(SnapshotApi.Linux.LinuxFile).Assembly, typeof(SnapshotApi.Codecs.CodecException).Assembly,
    ];

    [Fact]
    public void Dependencies_point_downwards()
    {
        var wrong = new List<string>();
        foreach (string file in RepositoryFiles.Sources("src/SnapshotApi"))
        {
            string[] parts = Path.GetRelativePath(Path.Combine(RepositoryFiles.Root, "src/SnapshotApi"), file).Split('/');
            if (parts.Length == 1)
            {
                continue;
            }

            int layer = Assert.Contains(parts[0], Layers);
            string code = CommentPattern().Replace(File.ReadAllText(file), string.Empty);
            wrong.AddRange(ReferencePattern().Matches(code)
                .Select(m => m.Groups["folder"].Value)
                .Where(used => used != parts[0] && Layers[used] >= layer)
                .Distinct()
                .Select(used => $"{RepositoryFiles.Name(file)} uses {used}"));
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Bindings_know_nothing_of_the_service()
    {
        foreach (Assembly binding in Bindings)
        {
            Assert.DoesNotContain(binding.GetReferencedAssemblies(), a => a.Name is "snapshotapi");
        }
    }

    [Fact]
    public void Native_calls_stay_in_the_bindings()
    {
        string[] wrong = [.. RepositoryFiles.Sources("src/SnapshotApi").Concat(RepositoryFiles.Sources("src/SnapshotApi.Cli"))
            .Where(f => NativePattern().IsMatch(File.ReadAllText(f)))
            .Select(RepositoryFiles.Name)];

        Assert.Empty(wrong);
    }

    [Fact]
    public void Bindings_show_no_native_pointers()
    {
        const BindingFlags visible = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        string[] wrong =
        [
            .. from type in Bindings.SelectMany(b => b.GetExportedTypes())
               from member in type.GetMembers(visible)
               where TypesOf(member).Any(t => t == typeof(nint) || t == typeof(nuint) || t.IsPointer || t.IsFunctionPointer)
               where !typeof(Delegate).IsAssignableFrom(type)
               select $"{type.Name}.{member.Name}",
        ];

        Assert.Empty(wrong);
    }

    [Fact]
    public void Types_of_the_service_are_internal_and_sealed()
    {
        Type[] types = [.. Service.GetTypes().Where(t => t.Namespace?.StartsWith("SnapshotApi", StringComparison.Ordinal) == true && !IsGenerated(t))];

        Assert.NotEmpty(types);
        Assert.Empty(types.Where(t => t.IsPublic).Select(t => t.FullName));
        Assert.Empty(types
            .Where(t => t is { IsClass: true, IsSealed: false, IsAbstract: false } && !types.Any(other => other.BaseType == t))
            .Select(t => t.FullName));
    }

    [Fact]
    public void Methods_that_return_tasks_say_so()
    {
        string[] wrong =
        [
            .. from type in Service.GetTypes().Concat(Bindings.SelectMany(b => b.GetTypes()))
               where !IsGenerated(type)
               from method in OwnMethods(type)
               where typeof(Task).IsAssignableFrom(method.ReturnType) || IsValueTask(method.ReturnType)
               where !method.Name.EndsWith("Async", StringComparison.Ordinal)
               where !IsImplementation(type, method)
               select $"{type.FullName}.{method.Name}",
        ];

        Assert.Empty(wrong);
    }

    [Fact]
    public void Cancellation_comes_last()
    {
        string[] wrong =
        [
            .. from type in Service.GetTypes().Concat(Bindings.SelectMany(b => b.GetTypes()))
               where !IsGenerated(type)
               from method in OwnMethods(type)
               let parameters = method.GetParameters()
               where parameters.Any(p => p.ParameterType == typeof(CancellationToken)) && parameters[^1].ParameterType != typeof(CancellationToken)
               where !IsImplementation(type, method)
               select $"{type.FullName}.{method.Name}",
        ];

        Assert.Empty(wrong);
    }

    [Fact]
    public void A_file_holds_one_concept_is_named_after_it_and_is_short()
    {
        var wrong = new List<string>();
        foreach (string file in RepositoryFiles.Sources("src").Where(f => Path.GetFileName(f) is not ("Program.cs" or "AssemblyInfo.cs")))
        {
            string code = File.ReadAllText(file);
            string[] types = [.. TypePattern().Matches(code).Select(m => m.Groups["name"].Value)];
            if (!types.Contains(Path.GetFileName(file).Split('.')[0]) || code.Count(c => c == '\n') > MaxLines)
            {
                wrong.Add($"{RepositoryFiles.Name(file)}: {string.Join(", ", types)}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Lines_wrap()
    {
        string[] wrong =
        [
            .. RepositoryFiles.Sources("src").SelectMany(file => File.ReadLines(file)
                .Select((line, index) => (line, Place: $"{RepositoryFiles.Name(file)}:{index + 1}"))
                .Where(l => l.line.Length > MaxColumns)
                .Select(l => l.Place)),
        ];

        Assert.Empty(wrong);
    }

    /// <summary>A reader opens as few files as may be: a small type lives with the one that speaks of it.</summary>
    [Fact]
    public void A_small_type_has_a_file_of_its_own_only_for_three_users()
    {
        Dictionary<string, string> sources = RepositoryFiles.Sources("src")
            .Where(f => Path.GetFileName(f) is not "AssemblyInfo.cs")
            .ToDictionary(f => f, File.ReadAllText);

        Assert.Empty(
            from source in sources
            let types = TypePattern().Matches(source.Value)
            where types.Count == 1 && LinesFrom(source.Value, types[0].Index) < MinLines
            let user = new Regex($@"\b{types[0].Groups["name"].Value}\b")
            where sources.Count(other => other.Key != source.Key && user.IsMatch(other.Value)) < MinUsers
            select RepositoryFiles.Name(source.Key));
    }

    /// <summary>The call and its undo stand in one file, and nothing is journalled that nobody undoes.</summary>
    [Fact]
    public void Each_undo_has_one_owner()
    {
        Type[] owned = [.. Service.GetTypes().Where(t => t.IsClass)
            .SelectMany(t => t.GetInterfaces())
            .Where(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IUndo<>))
            .Select(i => i.GetGenericArguments()[0])];

        Assert.Equal(
            Service.GetTypes().Where(t => t.IsSubclassOf(typeof(UndoAction)) && !t.IsAbstract).OrderBy(t => t.Name), owned.OrderBy(t => t.Name));
    }

    [Fact]
    public void Names_say_what_a_thing_is()
    {
        string[] vague = ["Helper", "Helpers", "Manager", "Util", "Utils", "Utility", "Common"];

        Assert.Empty(Service.GetTypes().Concat(Bindings.SelectMany(b => b.GetTypes()))
            .Where(t => !IsGenerated(t) && vague.Any(v => t.Name.EndsWith(v, StringComparison.Ordinal)))
            .Select(t => t.FullName));
    }

    [Fact]
    public void Nothing_is_left_to_be_done()
    {
        Assert.Empty(RepositoryFiles.Sources("src").Concat(RepositoryFiles.Sources("tests"))
            .Where(f => Path.GetFileName(f) != "ConventionTests.cs" && LeftoverPattern().IsMatch(File.ReadAllText(f)))
            .Select(RepositoryFiles.Name));
    }

    [Fact]
    public void Event_ids_of_the_log_are_unique()
    {
        IEnumerable<int> ids =
            from type in Service.GetTypes()
            from method in OwnMethods(type)
            let message = method.GetCustomAttribute<LoggerMessageAttribute>()
            where message is not null
            select message.EventId;

        Assert.Distinct(ids);
    }

    [Fact]
    public void Migrations_are_numbered_without_gaps()
    {
        string[] names = [.. Service.GetManifestResourceNames()
            .Where(n => n.StartsWith("migrations/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

        Assert.NotEmpty(names);
        Assert.All(names, n => Assert.Matches("^migrations/[0-9]{4}_[a-z]+(_[a-z0-9]+)+[.]sql$", n));
        Assert.Equal(
            Enumerable.Range(1, names.Length).Select(i => $"{i:D4}"),
            names.Select(n => n["migrations/".Length..].Split('_')[0]));
    }

    [Fact]
    public void Operations_are_named_methods_that_document_their_errors()
    {
        RouteEndpoint[] operations = [.. service.Services.GetServices<EndpointDataSource>()
            .SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<IEndpointNameMetadata>() is not null)];

        Assert.True(operations.Length >= 14, $"only {operations.Length} operations were found");
        Assert.All(operations, o =>
        {
            var handler = Assert.IsAssignableFrom<MethodInfo>(o.Metadata.GetMetadata<MethodInfo>());
            Assert.True(handler is { IsStatic: true, IsPublic: true } && !IsGenerated(handler.DeclaringType!), $"{o.RoutePattern.RawText} is a lambda");
            Assert.True(
                o.RoutePattern.RawText!.StartsWith("/health", StringComparison.Ordinal) || o.Metadata.GetMetadata<ErrorCodes>() is not null,
                $"{o.RoutePattern.RawText} documents no errors");
        });
    }

    private static int LinesFrom(string code, int index) => code.AsSpan(index).Count('\n');

    private static IEnumerable<MethodInfo> OwnMethods(Type type) => type
        .GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
        .Where(m => !m.IsSpecialName && !m.Name.Contains('<') && !m.Name.Contains('.'));

    // What a base class or an interface of somebody else names is not ours to name.
    private static bool IsImplementation(Type type, MethodInfo method) =>
        method.GetBaseDefinition().DeclaringType != type
        || (!type.IsInterface && type.GetInterfaces()
            .Where(i => i.Assembly != type.Assembly)
            .Any(i => type.GetInterfaceMap(i).TargetMethods.Contains(method)));

    private static bool IsValueTask(Type type) =>
        type == typeof(ValueTask) || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>));

    private static bool IsGenerated(Type type) =>
        type.Name.Contains('<') || type.IsDefined(typeof(CompilerGeneratedAttribute)) || (type.DeclaringType is { } outer && IsGenerated(outer))
        || type.IsDefined(typeof(System.CodeDom.Compiler.GeneratedCodeAttribute));

    private static IEnumerable<Type> TypesOf(MemberInfo member) => member switch
    {
        MethodInfo method => method.GetParameters().Select(p => p.ParameterType).Append(method.ReturnType),
        ConstructorInfo constructor => constructor.GetParameters().Select(p => p.ParameterType),
        PropertyInfo property => [property.PropertyType],
        FieldInfo field => [field.FieldType],
        _ => [],
    };

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex CommentPattern();

    [GeneratedRegex(@"(?:using SnapshotApi\.|(?<![\w.>])(?:SnapshotApi\.)?)(?<folder>Api|Jobs|Persistence|Snapshots|Captures|Stores|Images|Tools|Hypervisor|Journal|Host|Configuration|Errors)(?:;|\.[A-Z])")]
    private static partial Regex ReferencePattern();

    [GeneratedRegex(@"LibraryImport|DllImport|\bunsafe\b")]
    private static partial Regex NativePattern();

    [GeneratedRegex(@"^(?:public|internal) (?:[a-z]+ )*(?:class|record struct|record|struct|interface|enum|delegate [\w<>?]+) (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"\b(?:TODO|FIXME|HACK|XXX)\b|NotImplementedException|Skip = """)]
    private static partial Regex LeftoverPattern();
}
