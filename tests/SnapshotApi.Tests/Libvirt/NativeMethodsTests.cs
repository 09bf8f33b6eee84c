using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SnapshotApi.Libvirt;
using SnapshotApi.Libvirt.Interop;

namespace SnapshotApi.Tests.Libvirt;

public sealed class NativeMethodsTests
{
    public static TheoryData<string, string> Imports()
    {
        // An import that is marshalled is there twice: as declared, and as the generator made it.
        HashSet<(string, string)> imports = [];
        foreach (MethodInfo method in typeof(NativeMethods).GetMethods(
            BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.DeclaredOnly))
        {
            if (method.GetCustomAttribute<LibraryImportAttribute>() is LibraryImportAttribute import)
            {
                imports.Add((import.LibraryName, import.EntryPoint ?? method.Name));
            }
            else if (method.GetCustomAttribute<DllImportAttribute>() is DllImportAttribute native)
            {
                imports.Add((native.Value, native.EntryPoint ?? method.Name));
            }
        }

        return new TheoryData<string, string>(imports);
    }

    [Theory]
    [MemberData(nameof(Imports))]
    public void Imported_symbol_exists(string library, string symbol)
    {
        nint handle = NativeLibrary.Load(library);

        Assert.NotEqual(nint.Zero, NativeLibrary.GetExport(handle, symbol));
    }

    [Fact]
    public void All_imports_are_seen()
    {
        Assert.True(Imports().Count >= 60, $"{Imports().Count} imports");
    }

    [Fact]
    public void Structs_have_the_sizes_and_offsets_of_the_headers()
    {
        Assert.Equal(80, Unsafe.SizeOf<virError>());
        Assert.Equal(96, Unsafe.SizeOf<virTypedParameter>());
        Assert.Equal(32, Unsafe.SizeOf<virDomainBlockJobInfo>());
        Assert.Equal(24, Unsafe.SizeOf<virDomainBlockInfo>());
        Assert.Equal(16, Unsafe.SizeOf<virDomainControlInfo>());
        Assert.Equal(8, Marshal.OffsetOf<virError>(nameof(virError.message)));
        Assert.Equal(16, Marshal.OffsetOf<virError>(nameof(virError.level)));
        Assert.Equal(80, Marshal.OffsetOf<virTypedParameter>(nameof(virTypedParameter.type)));
        Assert.Equal(88, Marshal.OffsetOf<virTypedParameter>(nameof(virTypedParameter.ul)));
    }

    [Fact]
    public unsafe void Typed_parameters_are_read_as_they_are_written()
    {
        virTypedParameter* parameters = stackalloc virTypedParameter[5];
        TypedParameters.Set(ref parameters[0], NativeMethods.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH, ulong.MaxValue);
        TypedParameters.Set(ref parameters[1], "granularity", 0ul);
        parameters[1].type = virTypedParameter.VIR_TYPED_PARAM_UINT;
        parameters[1].ui = 65536;
        TypedParameters.Set(ref parameters[2], "success", 0ul);
        parameters[2].type = virTypedParameter.VIR_TYPED_PARAM_BOOLEAN;
        parameters[2].b = 1;
        TypedParameters.Set(ref parameters[3], "operation", 0ul);
        parameters[3].type = virTypedParameter.VIR_TYPED_PARAM_INT;
        parameters[3].i = (int)DomainJobOperation.Backup;
        TypedParameters.Set(ref parameters[4], "of a later libvirt", 1ul);
        parameters[4].type = 99;

        DomainJobStats stats = new(DomainJobType.Completed, TypedParameters.Read(parameters, 5));

        Assert.Equal(4, stats.Parameters.Count);
        Assert.Equal(ulong.MaxValue, stats.Parameters["bandwidth"]);
        Assert.Equal(65536u, stats.Parameters["granularity"]);
        Assert.Equal(true, stats.Parameters["success"]);
        Assert.Equal(DomainJobOperation.Backup, stats.Operation);
    }

    [Fact]
    public void No_public_member_shows_a_native_pointer()
    {
        Type[] native = [typeof(nint), typeof(nuint), typeof(void*), typeof(byte*), typeof(CULong)];

        IEnumerable<string> leaks =
            from type in typeof(LibvirtConnection).Assembly.GetExportedTypes()
            from method in type.GetMethods(
                BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
            where native.Contains(method.ReturnType)
                || method.GetParameters().Any(p => native.Contains(p.ParameterType))
            // The runtime gives every delegate a constructor of that kind, and it is no method of ours.
            select $"{type.Name}.{method.Name}";

        Assert.Empty(leaks);
    }
}
