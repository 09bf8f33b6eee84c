"""A Debian host under emulation: starts from the cached image, is driven by ssh, leaves nothing."""

import contextlib
import dataclasses
import os
import shlex
import shutil
import subprocess
import sys


sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab.d"))
import waiting  # noqa: E402
from waiting import Unmet, free_port  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command in the machine said, and with which status it ended."""
    status: int
    out: str
    err: str

    @property
    def said(self):
        return (self.err.strip() or self.out.strip())[-600:]


def until(what, condition, seconds=300.0, interval=2.0):
    """With patience: everything is emulated."""
    return waiting.until(what, condition, seconds, interval)


class Machine:
    """
    One emulated host. Its disk is a layer over the base image, its network reaches nobody, and a second disk carries what it is given.
    It dies with the process that started it.
    """

    MEMORY_MIB = 4096

    def __init__(self, base, directory):
        self.base, self.directory = base, directory
        self.port, self.process = free_port(), None
        self.log = os.path.join(directory, "serial.log")
        self.ssh = [
            "ssh", "-F", "none", "-i", os.path.join(base, "key"), "-p", str(self.port),
            "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "ConnectTimeout=60", "-o", "ServerAliveInterval=30", "-o", "ServerAliveCountMax=20"]
        # A handshake takes seconds under emulation: all calls share one connection, which a process of its own keeps.
        self.shared, self.connection = ["-o", f"ControlPath={directory}/ssh"], None

    def start(self, payload):
        """Boots it; payload is a directory, which it sees, read-only, at /mnt."""
        self.make_disks(payload)
        self.process = subprocess.Popen([
            "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-name", "snapshotapi-host",
            "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2", "-m", str(self.MEMORY_MIB),
            "-display", "none", "-monitor", "none", "-serial", f"file:{self.log}", "-device", "virtio-rng-pci",
            "-kernel", os.path.join(self.base, "vmlinuz"), "-initrd", os.path.join(self.base, "initrd"),
            "-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0",
            "-drive", f"file={self.directory}/disk.qcow2,format=qcow2,if=virtio,cache=unsafe",
            "-drive", f"file={self.directory}/payload.raw,format=raw,if=virtio,readonly=on",
            "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22", "-device", "virtio-net-pci,netdev=net",
        ], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(f"{self.directory}/qemu.log", "wb"), start_new_session=True)
        self.wait_for_boot()

    def make_disks(self, payload):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", os.path.join(self.base, "disk.raw"),
                        f"{self.directory}/disk.qcow2"], check=True)
        used = sum(os.path.getsize(os.path.join(parent, name)) for parent, _, names in os.walk(payload) for name in names)
        with open(f"{self.directory}/payload.raw", "wb") as file:
            file.truncate(used + used // 8 + (32 << 20))
        subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "payload", "-d", payload, f"{self.directory}/payload.raw"], check=True)

    def wait_for_boot(self, former=None, seconds=1200):
        """Until it answers, with another boot than the former one, and has started all it starts by itself."""
        def is_up():
            if self.process.poll() is not None:
                with open(f"{self.directory}/qemu.log") as log:
                    raise RuntimeError(f"the machine has ended with {self.process.returncode}: {log.read()[-500:]}")
            return self.boot_id(fresh=True) not in (None, former)
        until("the machine is up", is_up, seconds, 5)
        self.connect()
        self.run("mountpoint -q /mnt || mount -o ro /dev/disk/by-label/payload /mnt", 120)
        until("the machine has booted", lambda: self.run("systemctl is-system-running", 120, check=False).out.strip() in ("running", "degraded"), seconds, 5)
        until("libvirt answers", lambda: self.run("virsh -q version", 120, check=False).status == 0, 600, 5)

    def boot_id(self, fresh=False):
        shared = [] if fresh else self.shared
        try:
            answer = subprocess.run([*self.ssh, *shared, "root@127.0.0.1", "cat /proc/sys/kernel/random/boot_id"],
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    def run(self, script, seconds=300, user="root", text=None, check=True):
        """
        Runs a script of bash there. The end of ssh would not end what runs in the machine: there, too, it has its limit.
        """
        bounded = f"timeout -k 10 {seconds} bash -c {shlex.quote(script)}"
        if user != "root":
            bounded = f"cd / && exec runuser -u {user} -- {bounded}"
        try:
            done = subprocess.run([*self.ssh, *self.shared, "root@127.0.0.1", bounded], input=text or "", capture_output=True, text=True,
                                  timeout=seconds + 180, errors="replace")
        except subprocess.TimeoutExpired:
            raise Unmet(f"no end within {seconds} s of: {script.strip().splitlines()[0][:100]}") from None
        answer = Answer(done.returncode, done.stdout, done.stderr)
        if check and answer.status != 0:
            raise Unmet(f"status {answer.status} of '{script.strip().splitlines()[0][:100]}': {answer.said}")
        return answer

    def out(self, script, seconds=300, **options):
        return self.run(script, seconds, **options).out.strip()

    def connect(self):
        self.disconnect()
        self.connection = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.ssh, *self.shared, "-M", "-N", "root@127.0.0.1"],
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("the connection is there", lambda: os.path.exists(f"{self.directory}/ssh"), 120, 0.2)

    def disconnect(self):
        if self.connection is not None:
            self.connection.kill()
            self.connection.wait()
            self.connection = None
        with contextlib.suppress(FileNotFoundError):
            os.remove(f"{self.directory}/ssh")

    def reboot(self):
        """As an administrator does; what runs gets its time to stop."""
        former = self.boot_id()
        self.run("systemctl reboot", 120, check=False)
        self.disconnect()
        self.wait_for_boot(former)

    def end(self):
        self.disconnect()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
