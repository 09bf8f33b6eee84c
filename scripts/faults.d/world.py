"""Everything that a cell may break, and how it is mended: PostgreSQL, libvirtd, file systems, a disk with read errors, the host."""

import glob
import os
import secrets
import shutil
import signal
import subprocess

import libvirt

from guests import Guest, HungGuest, Libvirt, PairGuest
from service import Service, Unmet, until
from stub import Stub

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN = os.environ.get("SNAPSHOTAPI_LAB_RUN")
# What a mirror, or a cold capture, has to copy; at the rate of cells.SLOW that takes some seconds.
TOP_MIB = 32
# What `scripts/lab guest` makes them with, beside what they have in common. Those that are made off are changed before their first start.
GUESTS = {
    "a": ["--autostart", "--title", "Guest a of the fault matrix"],
    "two": ["--disks", "2"],
    "pair": ["--disks", "2", "--pair"],
    "flaky": ["--disks", "2", "--off"],
    "raw": ["--off"],
    "shmem": ["--off"],
    "iothread": ["--iothread"],
    "scsi": ["--scsi", "--iothread"],
    "transient": ["--transient"],
    "cdrom": ["--cdrom"],
    "hung": ["--agent", "hang", "--autostart"],
    "lying": ["--agent", "lie"],
    "writing": ["--writer", "512K"],
    "writing-too": ["--writer", "512K", "--autostart"],
    "writing-two": ["--writer", "512K", "--disks", "2", "--autostart"],
    "writing-hung": ["--writer", "512K", "--agent", "hang"],
}
KINDS = {"hung": HungGuest, "writing-hung": HungGuest, "pair": PairGuest}
WITHOUT_TOP = ("flaky", "shmem", "writing", "writing-too", "writing-two", "writing-hung")
HOST = {"libvirtd", "virtlogd", "qemu-system-x86", "qemu-nbd", "qemu-img"}


def run(*command, check=True):
    return subprocess.run(command, check=check, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def has_ended(stat):
    """Of /proc/PID/stat: a zombie whose threads are gone. While one of them still ends, the process holds its files and locks."""
    fields = stat.read().rsplit(")", 1)[1].split()
    return fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)


def process_ids(names):
    """Processes of those names that have not ended."""
    found = {}
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{path}/comm") as comm, open(f"{path}/cmdline") as arguments, open(f"{path}/stat") as stat:
                if comm.read().strip() in names and not has_ended(stat):
                    found[int(os.path.basename(path))] = arguments.read().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def alive(pid):
    return any(pid == other for other in process_ids_all())


def process_ids_all():
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{path}/stat") as stat:
                if not has_ended(stat):
                    yield int(os.path.basename(path))
        except (FileNotFoundError, ProcessLookupError):
            pass


class World:
    def __init__(self, binary, worker):
        # Workers, and runs beside this one, share the host's cgroups, which libvirt names after the domains.
        self.prefix = f"faults{worker}-{secrets.token_hex(2)}"
        self.lab = os.environ["SNAPSHOTAPI_LAB"]
        self.work = os.path.join(self.lab, "work")
        self.connect = Libvirt()
        self.stub = Stub()
        self.service = Service(self.lab, binary, self.stub.endpoint)
        self.guests = {}
        self.settings = {}
        self.clock = self.read_error = self.write_error = None

    @property
    def images(self):
        """The directory store."""
        return self.settings.get("Stores__Directory__Path") or os.path.join(self.lab, "store")

    # Guests ---------------------------------------------------------------------------------------------------------

    def guest(self, name):
        """The guest of that name, made when it is first wanted; one without options of its own is an ordinary guest."""
        if name not in self.guests:
            made = f"{self.prefix}-{name}"
            run(os.path.join(SCRIPTS, "lab"), "guest", made, "--disk-size", "512M", "--data", "36M", "--no-zeros", "--memory", "192M",
                "--beats", "2", *GUESTS.get(name, []))
            change = {"flaky": self.make_flaky, "raw": self.make_raw, "shmem": self.make_shmem}.get(name)
            if change is not None:
                change(made)
            guest = self.guests[name] = KINDS.get(name, Guest)(self.lab, self.connect, made)
            until(f"the agent of {made} is connected", guest.has_agent, 60)
            if name not in WITHOUT_TOP:
                guest.fill_top_layer(TOP_MIB)
            if name == "raw":
                self.put_overlay(guest, commit=True)
            guest.thaw()
        return self.guests[name]

    def retire(self, name):
        """No cell needs it any more: an idle guest takes a fiftieth of a processor."""
        guest = self.guests.pop(name, None)
        if guest is not None:
            run(os.path.join(SCRIPTS, "lab"), "guest", guest.name, "--remove")
        if name == "flaky" and guest is not None:
            self.flaky_server.kill()
            self.flaky_server.wait()
        elif name == "shmem":
            for path in glob.glob(f"/dev/shm/{self.prefix}*"):
                os.unlink(path)

    def boot_changed(self, name, definition):
        """Starts a guest that was made off, with another definition."""
        self.connect().defineXML(definition)
        Guest(self.lab, self.connect, name).restore()

    def make_raw(self, name):
        """Its overlay lies on a raw file of its own, of which QEMU takes no lock that keeps others from writing."""
        directory = os.path.join(self.lab, "guests", name)
        base, raw, top = (os.path.join(directory, f"vda.{f}") for f in ("base.qcow2", "base.raw", "qcow2"))
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", base, raw)
        run("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", raw, top)
        self.boot_changed(name, self.connect().lookupByName(name).XMLDesc(0))

    @staticmethod
    def commit(guest):
        """What any tool does to shorten a chain: what the top layer holds goes into the raw file, which the guest goes on with."""
        domain = guest.domain
        domain.blockCommit("vda", None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)

        def is_ready():
            mirror = guest.live().find(".//disk/mirror[@job='active-commit']")
            if mirror is None:
                raise RuntimeError("the commit has ended")
            return mirror.get("ready") == "yes"
        until("the commit is ready", is_ready, 60)
        domain.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)

    def put_overlay(self, guest, commit=False):
        """An empty overlay on the raw file again, after a commit."""
        if commit:
            self.commit(guest)
        top = os.path.join(guest.directory, "vda.qcow2")
        if os.path.exists(top):
            os.unlink(top)
        guest.domain.snapshotCreateXML(
            f"<domainsnapshot><disks><disk name='vda' snapshot='external' type='file'><source file='{top}'/></disk></disks></domainsnapshot>",
            libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
        guest.remember()

    def make_shmem(self, name):
        """A device that forbids saving."""
        definition = self.connect().lookupByName(name).XMLDesc(0)
        self.boot_changed(name, definition.replace("</devices>", f"<shmem name='{name}'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem></devices>"))

    def make_flaky(self, name):
        """vdb becomes a disk behind NBD, whose reads, or writes, fail as long as a file is there; a write that fails stops the guest."""
        directory = os.path.join(self.lab, "guests", name)
        raw, endpoint, self.read_error, self.write_error = (
            os.path.join(directory, f) for f in ("vdb.raw", "vdb.sock", "read-error", "write-error"))
        domain = self.connect().lookupByName(name)
        definition = domain.XMLDesc(0)
        old = next(p for p in definition.split("<disk ")[1:] if "dev='vdb'" in p).split("</disk>")[0]
        source = old.split("<source file='")[1].split("'")[0]
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", source, raw)
        # --filter=error: https://libguestfs.org/nbdkit-error-filter.1.html
        self.flaky_server = subprocess.Popen(
            ["nbdkit", "--foreground", "--exit-with-parent", "--unix", endpoint, "--filter=error", "file", raw,
             "error-pread-rate=100%", f"error-pread-file={self.read_error}", "error-pwrite-rate=100%", f"error-pwrite-file={self.write_error}"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("nbdkit serves", lambda: os.path.exists(endpoint))
        os.chmod(endpoint, 0o666)
        new = ("type='network' device='disk'><driver name='qemu' type='raw' error_policy='stop' rerror_policy='report'/>"
               f"<source protocol='nbd'><host transport='unix' socket='{endpoint}'/></source><target dev='vdb' bus='virtio'/>")
        self.boot_changed(name, definition.replace(old, new))

    # PostgreSQL -----------------------------------------------------------------------------------------------------

    def postgres(self, *arguments):
        home = os.path.join(self.lab, "postgres")
        binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        with open(os.path.join(home, "port")) as file:
            port = file.read().strip()
        options = ["-l", f"{home}/log", "-o", f"-p {port} -k {home} -c listen_addresses=127.0.0.1"] if "start" in arguments else []
        subprocess.run(["runuser", "-u", "postgres", "--", f"{binaries}/pg_ctl", "-D", f"{home}/data", "-w", *options, *arguments],
                       check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def stop_postgres(self):
        self.postgres("-m", "immediate", "stop")

    def start_postgres(self):
        self.postgres("start")

    def sql(self, statement):
        home = os.path.join(self.lab, "postgres")
        with open(os.path.join(home, "port")) as file:
            port = file.read().strip()
        return run("runuser", "-u", "postgres", "--", "psql", "-qAt", "-h", home, "-p", port, "-d", "snapshots", "-c", statement).stdout.strip()

    # libvirtd -------------------------------------------------------------------------------------------------------

    def libvirtd_pids(self):
        return list(process_ids({"libvirtd"}))

    def kill_libvirtd(self):
        for pid in process_ids({"libvirtd"}):
            os.kill(pid, signal.SIGKILL)
            until("libvirtd is gone", lambda: not alive(pid))

    def start_libvirtd(self):
        run("setsid", "libvirtd", "-d", "-p", f"{RUN}/libvirtd.pid")
        until("libvirtd answers", lambda: self.connect(), 30)

    def reboot_host(self):
        """All processes gone at once, /run empty; the disks are what they were."""
        self.service.kill()
        for pid in process_ids(HOST):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until("all are gone", lambda: not process_ids(HOST))
        self.stop_postgres()
        for path in glob.glob("/run/libvirt/*"):
            shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)
        self.start_postgres()
        run("setsid", "virtlogd", "-d", "-f", f"{RUN}/virtlogd.conf", "-p", f"{RUN}/virtlogd.pid")
        self.start_libvirtd()

    # Space ----------------------------------------------------------------------------------------------------------

    @staticmethod
    def free_bytes(directory):
        facts = os.statvfs(directory)
        return facts.f_bavail * facts.f_frsize

    @classmethod
    def fill(cls, directory, leave_bytes=0):
        """Takes all the free space of a file system but so much, whoever else writes there."""
        with open(os.path.join(directory, ".balloon"), "wb") as file:
            if leave_bytes:
                os.posix_fallocate(file.fileno(), 0, max(1, cls.free_bytes(directory) - leave_bytes))
                return
            size, step = 0, 16 << 20
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
                except OSError:
                    step //= 16

    def empty(self):
        for directory in (self.work, self.images):
            try:
                os.unlink(os.path.join(directory, ".balloon"))
            except FileNotFoundError:
                pass

    # The service's settings -----------------------------------------------------------------------------------------

    def configure(self, settings, is_clock_faked=False):
        """The service with these settings, and with a wall clock that can be set (libfaketime), or without."""
        settings = {name: value.format(work=self.work) for name, value in settings.items()}
        if settings == self.settings and is_clock_faked == bool(self.clock):
            return
        self.settings = settings
        self.clock = os.path.join(self.lab, "clock") if is_clock_faked else None
        if is_clock_faked:
            with open(self.clock, "w") as file:
                file.write("+0s\n")
        os.makedirs(self.images, mode=0o700, exist_ok=True)
        self.service.extra = settings if not is_clock_faked else {
            **settings,
            "LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "FAKETIME_TIMESTAMP_FILE": self.clock,
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its mend for the waits of an older glibc ends every wait of .NET's at once.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        if self.service.is_alive:
            self.service.terminate()
        self.service.start()
        self.service.wait_until_ready()

    # After a cell ---------------------------------------------------------------------------------------------------

    def mend(self):
        """Takes back what faults did to all but the guests."""
        for pid in process_ids(HOST | {"libvirt_iohelpe"}):
            os.kill(pid, signal.SIGCONT)
        self.stub.mode = "ok"
        self.empty()
        for path in (self.read_error, self.write_error):
            if path is not None and os.path.exists(path):
                os.unlink(path)
        if not process_ids({"libvirtd"}):
            self.start_libvirtd()
        if not process_ids({"postgres"}):
            self.start_postgres()
        self.service.withdraw()
        self.service.start()
        if self.clock:
            with open(self.clock, "w") as file:
                file.write("+0s\n")

    @staticmethod
    def end_if_mute(guest):
        """libvirt may have lost an agent for good, while it says that it is connected: only a new QEMU has one again."""
        if guest.power() == "running" and guest.has_agent():
            try:
                if isinstance(guest, HungGuest):
                    guest.release(fails=True)
                guest.ask_agent("guest-ping")
            except Unmet:
                guest.domain.destroy()

    def start_over(self):
        """Nothing of the past: only after a cell that failed, whose leftovers must not fail the next."""
        for guest in self.guests.values():
            try:
                domain = guest.domain
                if domain.isActive():
                    for call in (domain.abortJob, *(lambda disk=disk: domain.blockJobAbort(disk, 0) for disk in ("vda", "vdb", "sda"))):
                        try:
                            call()
                        except libvirt.libvirtError:
                            pass
                    self.end_if_mute(guest)
            except Unmet:
                pass
        for pid in process_ids({"qemu-nbd", "qemu-img"}):
            os.kill(pid, signal.SIGKILL)
        self.service.kill()
        self.sql("UPDATE jobs SET status = 'failed', finished_at = now(), lease_expires_at = NULL WHERE status IN ('queued', 'running')")
        for directory in ("run", "journal"):
            shutil.rmtree(os.path.join(self.work, directory), ignore_errors=True)
        for name in os.listdir(self.images):
            path = os.path.join(self.images, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        self.stub.records.clear()
        self.service.start()
