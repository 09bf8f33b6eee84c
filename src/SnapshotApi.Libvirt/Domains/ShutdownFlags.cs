namespace SnapshotApi.Libvirt;

/// <summary><c>virDomainShutdownFlagValues</c> and <c>virDomainRebootFlagValues</c>, which are alike: by which way the guest is asked.</summary>
[Flags]
public enum ShutdownFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>The ACPI power button.</summary>
    AcpiPowerButton = 1u << 0,

    /// <summary>The guest agent.</summary>
    GuestAgent = 1u << 1,

    /// <summary>The init control of a container.</summary>
    InitControl = 1u << 2,

    /// <summary>A signal to init of a container.</summary>
    Signal = 1u << 3,

    /// <summary>Paravirtualised control.</summary>
    Paravirt = 1u << 4,
}
