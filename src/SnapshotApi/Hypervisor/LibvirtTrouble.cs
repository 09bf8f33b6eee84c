using SnapshotApi.Libvirt;

namespace SnapshotApi.Hypervisor;

/// <summary>What libvirt's refusals mean: one sentence with libvirt's words and, where it is known, the cure.</summary>
internal static class LibvirtTrouble
{
    // QEMU's and the kernel's words, which libvirt passes on untranslated.
    private static readonly string[] DenialWords = ["Failed to bind socket", "Permission denied"];

    /// <summary>Why there is no connection to libvirt.</summary>
    /// <param name="failure">Of the last attempt to open one.</param>
    public static string NoConnection(Exception failure) => failure switch
    {
        DllNotFoundException => "libvirt's client library is not installed: install libvirt0 (Debian) or libvirt-libs",
        EntryPointNotFoundException =>
            "libvirt's client library is too old: this service needs libvirt 6.0 or newer",
        LibvirtException e => $"{Meaning(e)}; libvirt says: {HostText.Clean(e.NativeMessage)}",
        _ => $"libvirt does not answer: {HostText.Clean(failure.Message)}",
    };

    /// <summary>The host forbids what libvirt or its QEMU tried to do.</summary>
    public static bool IsDenial(LibvirtException e) => DenialWords.Any(e.NativeMessage.Contains);

    /// <summary>A call that failed, in libvirt's words.</summary>
    /// <param name="words">These, without paths of the host.</param>
    public static string Failed(LibvirtException e, string words) => IsDenial(e)
        ? $"{e.Function} failed: {words}: AppArmor, SELinux or the owner of a directory may forbid it"
        : $"{e.Function} failed: {words}";

    private static string Meaning(LibvirtException e)
    {
        bool Says(string words) => e.NativeMessage.Contains(words, StringComparison.OrdinalIgnoreCase);
        return e switch
        {
            { ErrorSource: LibvirtErrorSource.Auth } or { Code: LibvirtErrorCode.AuthUnavailable } =>
                "libvirt does not let this service's user in: run the service as root, or put its user into the group "
                + "libvirt",
            _ when Says("Permission denied") =>
                "this service may not use libvirt's socket: run it as root, or put its user into the group libvirt",
            // polkit decides, and answers over the system's bus.
            _ when Says("authentication") || Says("access denied") || Says("system bus") =>
                "libvirt does not let this service's user in: run the service as root, or put its user into the group "
                + "libvirt",
            _ when Says("No such file or directory") =>
                "libvirt's socket is not there: install libvirt-daemon-system, or start libvirtd",
            _ when Says("Connection refused") => "libvirt's daemon does not run: start libvirtd",
            _ when Says("no connection driver") =>
                "libvirt has no driver for Node__LibvirtUri: install that driver of its daemon, or correct the URI",
            _ => "libvirt does not answer",
        };
    }
}
