namespace SnapshotApi.Libvirt;

/// <summary>Numbers of a domain job. Which ones there are depends on the job and on the versions of libvirt and QEMU.</summary>
/// <param name="Type">State of the job.</param>
/// <param name="Parameters">
/// Every parameter under its name in C (<c>VIR_DOMAIN_JOB_*</c>), as <see cref="int"/>, <see cref="uint"/>, <see cref="long"/>,
/// <see cref="ulong"/>, <see cref="double"/>, <see cref="bool"/> or <see cref="string"/>.
/// </param>
public sealed record DomainJobStats(DomainJobType Type, IReadOnlyDictionary<string, object> Parameters)
{
    /// <summary>What the job does; null when libvirt does not say.</summary>
    public DomainJobOperation? Operation
        => Parameters.TryGetValue("operation", out object? value) && value is int number ? (DomainJobOperation)number : null;

    /// <summary>Bytes to process.</summary>
    public ulong? DataTotalBytes => Number("data_total");

    /// <summary>Bytes processed.</summary>
    public ulong? DataProcessedBytes => Number("data_processed");

    /// <summary>Bytes left.</summary>
    public ulong? DataRemainingBytes => Number("data_remaining");

    /// <summary>Bytes of disks to process.</summary>
    public ulong? DiskTotalBytes => Number("disk_total");

    /// <summary>Bytes of disks processed.</summary>
    public ulong? DiskProcessedBytes => Number("disk_processed");

    /// <summary>Bytes of disks left.</summary>
    public ulong? DiskRemainingBytes => Number("disk_remaining");

    /// <summary>Backup in pull mode: bytes in use in the scratch files. libvirt >= 6.6.0.</summary>
    public ulong? DiskTempUsedBytes => Number("disk_temp_used");

    /// <summary>Backup in pull mode: size of the scratch files. libvirt >= 6.6.0.</summary>
    public ulong? DiskTempTotalBytes => Number("disk_temp_total");

    /// <summary>Of an ended job: whether it ended well.</summary>
    public bool? Success => Parameters.TryGetValue("success", out object? value) ? value as bool? : null;

    /// <summary>Of a failed job: libvirt's text.</summary>
    public string? ErrorMessage => Parameters.TryGetValue("errmsg", out object? value) ? value as string : null;

    private ulong? Number(string name) => Parameters.TryGetValue(name, out object? value) ? value as ulong? : null;
}
