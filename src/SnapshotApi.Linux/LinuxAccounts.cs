using System.Runtime.InteropServices;

namespace SnapshotApi.Linux;

/// <summary>Users and groups of this host, as libc finds them: files, LDAP, systemd.</summary>
public static unsafe class LinuxAccounts
{
    // No entry of a sane directory is longer; a group of thousands may be.
    private const int LongestEntryBytes = 1 << 20;

    /// <summary>The user that this process runs as.</summary>
    public static uint OwnUser => NativeMethods.GetEffectiveUser();

    /// <summary>The primary group that this process runs with.</summary>
    public static uint OwnGroup => NativeMethods.GetEffectiveGroup();

    /// <summary>The name of a user; null when none has that number.</summary>
    public static string? FindUserName(uint user)
    {
        for (int length = 4096; length <= LongestEntryBytes; length *= 4)
        {
            var buffer = new byte[length];
            fixed (byte* bytes = buffer)
            {
                passwd_entry entry;
                passwd_entry* result;
                int error = NativeMethods.GetPasswdById(user, &entry, bytes, (nuint)length, &result);
                if (error != Errno.ERANGE)
                {
                    return error == 0 && result is not null ? Marshal.PtrToStringUTF8(entry.pw_name) : null;
                }
            }
        }

        return null;
    }

    /// <summary>A user by name: its number and that of its primary group; null when there is none.</summary>
    public static (uint User, uint Group)? FindUser(string name)
    {
        for (int length = 4096; length <= LongestEntryBytes; length *= 4)
        {
            var buffer = new byte[length];
            fixed (byte* bytes = buffer)
            {
                passwd_entry entry;
                passwd_entry* result;
                int error = NativeMethods.GetPasswdByName(name, &entry, bytes, (nuint)length, &result);
                if (error != Errno.ERANGE)
                {
                    return error == 0 && result is not null ? (entry.pw_uid, entry.pw_gid) : null;
                }
            }
        }

        return null;
    }

    /// <summary>A group by name; null when there is none.</summary>
    public static uint? FindGroup(string name)
    {
        for (int length = 4096; length <= LongestEntryBytes; length *= 4)
        {
            var buffer = new byte[length];
            fixed (byte* bytes = buffer)
            {
                group_entry entry;
                group_entry* result;
                int error = NativeMethods.GetGroupByName(name, &entry, bytes, (nuint)length, &result);
                if (error != Errno.ERANGE)
                {
                    return error == 0 && result is not null ? entry.gr_gid : null;
                }
            }
        }

        return null;
    }
}
