using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SnapshotApi.Libvirt.Interop;

/// <summary>Checks of results, directly around the call: the thread's next call overwrites libvirt's error.</summary>
internal static unsafe class NativeCheck
{
    /// <summary>For functions that return -1 on failure.</summary>
    internal static int NotNegative(int result, [CallerArgumentExpression(nameof(result))] string call = "") =>
        result >= 0 ? result : throw LastError(NameOf(call));

    /// <summary>For functions that return a new object, or NULL.</summary>
    internal static T Valid<T>(T handle, [CallerArgumentExpression(nameof(handle))] string call = "")
        where T : SafeHandle
    {
        if (!handle.IsInvalid)
        {
            return handle;
        }

        LibvirtException error = LastError(NameOf(call));
        handle.Dispose();
        throw error;
    }

    /// <summary>For functions that return a text that the caller frees, or NULL. Frees it.</summary>
    internal static string OwnedText(byte* text, [CallerArgumentExpression(nameof(text))] string call = "")
    {
        if (text is null)
        {
            throw LastError(NameOf(call));
        }

        try
        {
            return BorrowedText(text);
        }
        finally
        {
            NativeMemory.Free(text);
        }
    }

    /// <summary>A text that stays libvirt's; null reads as empty.</summary>
    internal static string BorrowedText(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? string.Empty;

    /// <summary>Copies the calling thread's error.</summary>
    internal static LibvirtException LastError(string function)
    {
        virError* error = NativeMethods.virGetLastError();
        return error is null
            ? new(function, LibvirtErrorCode.None, LibvirtErrorSource.None, "libvirt recorded no error")
            : new(
                function, (LibvirtErrorCode)error->code, (LibvirtErrorSource)error->domain,
                BorrowedText(error->message));
    }

    // virDomainFree of NativeMethods.virDomainFree(...).
    private static string NameOf(string call) => call.Split('(')[0].Split('.')[^1].Trim();
}
