"""Guests of the emulated host: 64 MiB, no operating system - their disk begins with instructions that halt - and known data."""

import dataclasses
import json
import os
import random
import time
import uuid

from machine import Unmet, until

MIB = 1 << 20
# What is on the first and on the second disk: bytes of data, in disks of this size.
DATA = (24 * MIB, 8 * MIB)
SIZE = 40 * MIB
IMAGES = "/var/lib/libvirt/images"
STORE = "/var/lib/snapshotapi/images"
# cli; hlt; and again: a processor that sleeps, where a BIOS without a disk to boot from spins.
BOOT_SECTOR = b"\xfa\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa"
MODES = ("backup", "mirror", "cold", "auto")


def write_data(directory):
    """The disks' contents, as they will be compared: data-0.raw, data-1.raw."""
    for n, used in enumerate(DATA):
        with open(os.path.join(directory, f"data-{n}.raw"), "wb") as file:
            file.write(BOOT_SECTOR)
            file.write(random.Random(n).randbytes(used - len(BOOT_SECTOR)))
            file.truncate(SIZE)


# snapshotctl: the service is away, or not able to serve.
AWAY = 5


def patiently(call, seconds=600):
    """What is slow for want of a processor times out somewhere else each time: it is asked again, as a user would."""
    deadline = time.monotonic() + seconds
    while (answer := call()).status == AWAY and time.monotonic() < deadline:
        time.sleep(5)
    return answer


@dataclasses.dataclass(frozen=True)
class Shape:
    """What distinguishes one guest from another."""
    name: str
    disks: int = 1
    bus: str = "virtio"
    iothread: bool = False
    label: str = ""

    @property
    def targets(self):
        return [("sd" if self.bus == "scsi" else "vd") + "ab"[n] for n in range(self.disks)]

    def path(self, target):
        return f"{IMAGES}/{self.name}-{target}.qcow2"

    def xml(self):
        thread = "iothread='1'" if self.iothread and self.bus == "virtio" else ""
        disks = "".join(f"""
            <disk type='file' device='disk'>
              <driver name='qemu' type='qcow2' {thread}/><source file='{self.path(target)}'/><target dev='{target}' bus='{self.bus}'/>
            </disk>""" for target in self.targets)
        if self.bus == "scsi":
            disks += f"<controller type='scsi' model='virtio-scsi'>{'''<driver iothread='1'/>''' if self.iothread else ''}</controller>"
        label = f"<seclabel type='static' model='dac' relabel='yes'><label>{self.label}</label></seclabel>" if self.label else ""
        return f"""
        <domain type='qemu'>
          <name>{self.name}</name><uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, self.name)}</uuid>
          <memory unit='MiB'>64</memory><vcpu>1</vcpu>{'<iothreads>1</iothreads>' if self.iothread else ''}
          <os><type arch='x86_64'>hvm</type></os><features><acpi/><apic/></features>
          <devices>{disks}<controller type='usb' model='none'/><memballoon model='none'/></devices>
          {label}
        </domain>"""


SHAPES = (
    Shape("plain"),
    Shape("threaded", iothread=True),
    Shape("scsi", bus="scsi"),
    Shape("scsi-threaded", bus="scsi", iothread=True),
    Shape("two", disks=2),
    # Users that nobody but these guests' QEMU has; in libvirt's directories Debian lets its group only, which is 64055.
    Shape("label-name", label="vmone:libvirt-qemu"),
    Shape("label-number", label="+2002:+64055"),
)


class Guest:
    """One of them, as libvirt shows it."""

    def __init__(self, machine, shape):
        self.machine, self.shape, self.name = machine, shape, shape.name

    def make(self):
        for n, target in enumerate(self.shape.targets):
            self.machine.run(f"qemu-img convert -q -f raw -O qcow2 /mnt/data-{n}.raw {self.shape.path(target)}", 300)
        self.machine.run("virsh -q define /dev/stdin", 120, text=self.shape.xml())
        self.machine.run(f"virsh -q start {self.name}", 300)

    def found(self):
        """What a live capture must not change; a cold one changes the process only."""
        text = self.machine.out(f"""
            virsh domstate --reason {self.name} | head -n1
            virsh dumpxml --inactive --security-info {self.name} | sha256sum
            virsh dominfo {self.name} | grep -iE '^(autostart|persistent|managed save)' | tr -s ' '
            cat /run/libvirt/qemu/{self.name}.pid 2>/dev/null || echo none""", 120)
        *rest, pid = text.splitlines()
        return rest, pid

    def as_found(self, found, cold=False):
        """Running, the same definition, no job, nothing saved; the same process where nothing has saved it."""
        (rest, pid), (now, now_pid) = found, self.found()
        # The reason of a guest that was saved is another one: restored.
        if now[1:] != rest[1:] or not now[0].startswith("running"):
            raise Unmet(f"{self.name} was {rest}, and is {now}")
        if not cold and pid != now_pid:
            raise Unmet(f"{self.name} has another QEMU: {pid} has become {now_pid}")
        job = self.machine.out(f"virsh domjobinfo {self.name} | head -n1", 120)
        if "None" not in job:
            raise Unmet(f"{self.name} has a job: {job}")
        live = self.machine.out(f"virsh dumpxml {self.name}", 120)
        if "<mirror" in live or "snapshotapi" in live:
            raise Unmet(f"something of ours is in the live definition of {self.name}")
        return True

    def snapshot(self, mode, *options, image=None):
        """Takes an image and waits for it; the job, which has succeeded."""
        found = self.found()
        disks = ["--disks", "all"] if self.shape.disks > 1 else []
        answer = patiently(lambda: self.machine.run(" ".join((
            "snapshotctl snapshot", self.name, image or f"{self.name}-{mode}", "--mode", mode, *disks, *options, "--poll", "--json")), 1500, check=False))
        try:
            job = json.loads(answer.out)
        except ValueError:
            raise Unmet(f"snapshotctl: {answer.status}: {answer.said}") from None
        if answer.status != 0 or job.get("status") != "succeeded":
            raise Unmet(f"the job of {self.name} is {job.get('status')}: {(job.get('error') or job)}"[:600])
        if mode in ("mirror", "backup", "cold") and job["capture"]["kind"] != mode:
            raise Unmet(f"the capture of {self.name} is {job['capture']['kind']}, not {mode}")
        self.images_are_right(job)
        until(f"{self.name} is as it was found", lambda: self.as_found(found, job["capture"]["kind"] == "cold"), 120, 3)
        return job

    def images_are_right(self, job):
        """Each disk's image is the disk, byte for byte."""
        if len(job["disks"]) != self.shape.disks:
            raise Unmet(f"{len(job['disks'])} disks of {self.name} were imaged, not {self.shape.disks}")
        for disk in job["disks"]:
            n, image = self.shape.targets.index(disk["target"]), disk["image"]
            file = f"{STORE}/{image['id']}.{image['format']}"
            self.machine.run(f"qemu-img compare -f {image['format']} -F raw {file} /mnt/data-{n}.raw", 300)
            digest = self.machine.out(f"sha256sum {file} | cut -d' ' -f1", 300)
            if digest != image["digest"]["value"].lower():
                raise Unmet(f"the image of {self.name} has another digest than the job says")
