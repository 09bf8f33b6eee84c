using System.Runtime.InteropServices;

namespace SnapshotApi.Linux;

/// <summary>pwd.h: <c>struct passwd</c> of 64-bit glibc and musl.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct passwd_entry
{
    public nint pw_name;
    public nint pw_passwd;
    public uint pw_uid;
    public uint pw_gid;
    public nint pw_gecos;
    public nint pw_dir;
    public nint pw_shell;
}
