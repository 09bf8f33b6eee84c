"""What people use today, step by step. Each takes (guest, store, directory) and returns the figures it knows itself."""

import json
import os
import subprocess
import time

import libvirt
from oslo_concurrency import processutils

# What `qemu-img info` may use (nova/privsep/qemu.py).
NOVA_QEMU_IMG_LIMITS = processutils.ProcessLimits(cpu_time=30, address_space=1 << 30)
# How often Nova looks whether its block job is done (nova/virt/libvirt/driver.py, _live_snapshot).
NOVA_POLL_SECONDS = 0.5


def convert(arguments, destination):
    subprocess.run(["qemu-img", "convert", *arguments, "-O", "qcow2", destination], check=True)


class Backup:
    """A backup job in pull mode with its export on a unix socket below a directory that QEMU may write to."""

    def __init__(self, guest, directory):
        self.guest = guest
        self.socket = os.path.join(directory, "nbd.sock")
        self.uri = f"nbd+unix:///vda?socket={self.socket}"
        self.xml = f"""<domainbackup mode='pull'><server transport='unix' socket='{self.socket}'/><disks>
            <disk name='vda' backup='yes' type='file' exportname='vda'><driver type='qcow2'/>
            <scratch file='{directory}/scratch'/></disk></disks></domainbackup>"""

    def __enter__(self):
        self.guest.domain.backupBegin(self.xml, None)
        return self

    def __exit__(self, *_):
        self.guest.domain.abortJob()
        return False


def nova_image_info(path, *arguments):
    """Nova's qemu_img_info (nova/privsep/qemu.py), through the library that Nova calls: it limits the child by an interpreter of its own."""
    command = ["env", "LC_ALL=C", "LANG=C", "qemu-img", "info", path, "--force-share", "--output=json", *arguments]
    return json.loads(processutils.execute(*command, prlimit=NOVA_QEMU_IMG_LIMITS)[0])


def nova_create_delta(disk, delta):
    """The destination of the mirror: get_disk_size, get_disk_backing_file and create_image of nova/virt/libvirt/utils.py, each of which looks anew."""
    size = nova_image_info(disk, "-f", "qcow2")["virtual-size"]
    backing = nova_image_info(disk, "-f", "qcow2").get("full-backing-filename")
    options = []
    if backing is not None:
        base = nova_image_info(backing)
        options = ["-o", f"backing_file={backing},backing_fmt={base['format']},cluster_size={base['cluster-size']}"]
    processutils.execute("env", "LC_ALL=C", "LANG=C", "qemu-img", "create", "-f", "qcow2", *options, delta, str(size))


def nova_live(guest, store, directory):
    """Nova's live snapshot: undefine, blockRebase (shallow copy), abort, define, convert, upload with Glance's client in pieces of 64 KiB."""
    domain, disk = guest.domain, guest.disk_path()
    delta, out = os.path.join(directory, "delta"), os.path.join(directory, "out")
    started = time.monotonic()
    xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    nova_create_delta(disk, delta)
    os.chmod(delta, 0o666)
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    try:
        domain.blockRebase(
            "vda", delta, 0,
            libvirt.VIR_DOMAIN_BLOCK_REBASE_COPY | libvirt.VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT | libvirt.VIR_DOMAIN_BLOCK_REBASE_SHALLOW)
        # Nova's is_job_complete: cur == end, and end not 0.
        while True:
            job = domain.blockJobInfo("vda", 0)
            if job and job["end"] and job["cur"] == job["end"]:
                break
            time.sleep(NOVA_POLL_SECONDS)
        domain.blockJobAbort("vda", 0)
    finally:
        guest.connection.defineXML(xml)
    convert(["-t", "none", "-f", "qcow2", delta], out)
    os.unlink(delta)
    image = store.put_with_glanceclient(out)
    return {"seconds": time.monotonic() - started, "image": image}


def nova_cold(guest, store, directory):
    """Nova's cold snapshot: managedSave, convert the whole disk, start, upload as above."""
    domain, disk = guest.domain, guest.disk_path()
    out = os.path.join(directory, "out")
    started = time.monotonic()
    domain.managedSave(0)
    saved = time.monotonic()
    convert(["-t", "none", "-f", "qcow2", disk], out)
    converted = time.monotonic()
    domain.create()
    restored = time.monotonic()
    image = store.put_with_glanceclient(out)
    return {
        "seconds": time.monotonic() - started, "image": image, "down": restored - started,
        "save": saved - started, "copy": converted - saved, "restore": restored - converted,
    }


def backup_convert(guest, store, directory):
    """Backup job, qemu-img convert of its export, then curl, or sha256sum where the file itself is what is wanted."""
    out = os.path.join(directory, "out")
    started = time.monotonic()
    with Backup(guest, directory) as backup:
        convert(["-f", "raw", backup.uri], out)
    if store is None:
        subprocess.run(["sha256sum", out], check=True, stdout=subprocess.DEVNULL)
        return {"seconds": time.monotonic() - started}
    image = store.put_with_curl(out)
    return {"seconds": time.monotonic() - started, "image": image}


def virtnbdbackup(guest, store, directory):
    """virtnbdbackup, a full copy into a directory; sends nothing."""
    out = os.path.join(directory, "backup")
    started = time.monotonic()
    subprocess.run(
        ["virtnbdbackup", "-U", "qemu:///system", "-d", guest.name, "-l", "copy", "-o", out],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"seconds": time.monotonic() - started}


def same_bytes(guest, store, directory):
    """Only the sending: a finished image of this guest, from the page cache, with curl."""
    started = time.monotonic()
    image = store.put_with_curl(guest.reference)
    return {"seconds": time.monotonic() - started, "image": image}


def nbdcopy_null(guest, store, directory):
    """Only the reading: nbdcopy of the backup job's export to nowhere."""
    with Backup(guest, directory) as backup:
        started = time.monotonic()
        subprocess.run(["nbdcopy", backup.uri, "null:"], check=True)
        return {"seconds": time.monotonic() - started}


def convert_zstd(guest, store, directory):
    """qemu-img convert -c with zstd from the backup job's export."""
    out = os.path.join(directory, "out")
    with Backup(guest, directory) as backup:
        started = time.monotonic()
        convert(["-c", "-o", "compression_type=zstd", "-f", "raw", backup.uri], out)
        seconds = time.monotonic() - started
    return {"seconds": seconds, "size": os.path.getsize(out)}
