using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

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
