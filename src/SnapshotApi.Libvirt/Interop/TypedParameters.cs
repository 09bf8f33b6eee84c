using System.Runtime.InteropServices;
using System.Text;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>Reads and writes libvirt's typed parameters.</summary>
internal static unsafe class TypedParameters
{
    /// <summary>Copies an array; nothing is freed.</summary>
    internal static Dictionary<string, object> Read(virTypedParameter* parameters, int count)
    {
        Dictionary<string, object> values = new(count, StringComparer.Ordinal);
        for (int index = 0; index < count; index++)
        {
            virTypedParameter* parameter = parameters + index;
            object? value = parameter->type switch
            {
                virTypedParameter.VIR_TYPED_PARAM_INT => parameter->i,
                virTypedParameter.VIR_TYPED_PARAM_UINT => parameter->ui,
                virTypedParameter.VIR_TYPED_PARAM_LLONG => parameter->l,
                virTypedParameter.VIR_TYPED_PARAM_ULLONG => parameter->ul,
                virTypedParameter.VIR_TYPED_PARAM_DOUBLE => parameter->d,
                virTypedParameter.VIR_TYPED_PARAM_BOOLEAN => parameter->b != 0,
                virTypedParameter.VIR_TYPED_PARAM_STRING => NativeCheck.BorrowedText(parameter->s),
                // A later libvirt may add a type whose size we cannot know: the parameter is left out.
                _ => null,
            };
            if (value is not null)
            {
                values[NativeCheck.BorrowedText(parameter->field)] = value;
            }
        }

        return values;
    }

    /// <summary>Fills one parameter of type <c>unsigned long long</c>.</summary>
    internal static void Set(ref virTypedParameter parameter, string name, ulong value)
    {
        parameter = default;
        parameter.type = virTypedParameter.VIR_TYPED_PARAM_ULLONG;
        parameter.ul = value;
        Span<byte> field = MemoryMarshal.CreateSpan(ref parameter.field[0], NativeMethods.VIR_TYPED_PARAM_FIELD_LENGTH);
        // The last byte stays zero: libvirt requires the terminator.
        Encoding.UTF8.GetBytes(name, field[..^1]);
    }
}

/// <summary><c>struct _virTypedParameter</c> of libvirt-common.h: a name and a tagged union.</summary>
[StructLayout(LayoutKind.Explicit, Size = 96)]
internal unsafe struct virTypedParameter
{
    internal const int VIR_TYPED_PARAM_INT = 1;
    internal const int VIR_TYPED_PARAM_UINT = 2;
    internal const int VIR_TYPED_PARAM_LLONG = 3;
    internal const int VIR_TYPED_PARAM_ULLONG = 4;
    internal const int VIR_TYPED_PARAM_DOUBLE = 5;
    internal const int VIR_TYPED_PARAM_BOOLEAN = 6;
    internal const int VIR_TYPED_PARAM_STRING = 7;

    [FieldOffset(0)]
    internal fixed byte field[NativeMethods.VIR_TYPED_PARAM_FIELD_LENGTH];

    [FieldOffset(80)]
    internal int type;

    [FieldOffset(88)]
    internal int i;

    [FieldOffset(88)]
    internal uint ui;

    [FieldOffset(88)]
    internal long l;

    [FieldOffset(88)]
    internal ulong ul;

    [FieldOffset(88)]
    internal double d;

    [FieldOffset(88)]
    internal sbyte b;

    [FieldOffset(88)]
    internal byte* s;
}
