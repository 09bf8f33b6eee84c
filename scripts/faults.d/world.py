"""Everything that a cell may break, and how it is mended: PostgreSQL, libvirtd, file systems, a disk with read errors, the host."""

import glob
import os
import secrets
import shutil
import signal
import subprocess
import time

import libvirt

from guests import Guest, Libvirt
from service import Service, Unmet, until
from stub import Stub

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN = os.environ["SNAPSHOTAPI_LAB_RUN"]
# What a mirror, or a cold capture, has to copy; at the rate of cells.SLOW that takes some seconds.
TOP_MIB = 32
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
        self.work, self.images = os.path.join(self.lab, "work"), os.path.join(self.lab, "store")
        self.connect = Libvirt()
        self.stub = Stub()
        self.service = Service(self.lab, binary, self.stub.endpoint)
        self.guests = {}

    # Guests ---------------------------------------------------------------------------------------------------------

    def guest(self, name):
        """The guest of that name, made when it is first wanted: a, b; two (disks); writing and writing-too; flaky (a disk with read errors)."""
        if name not in self.guests:
            made = f"{self.prefix}-{name}"
            more = {"two": ["--disks", "2"], "flaky": ["--disks", "2", "--off"], "writing": ["--writer", "512K"], "writing-too": ["--writer", "512K"]}.get(name, [])
            run(os.path.join(SCRIPTS, "lab"), "guest", made, "--disk-size", "512M", "--data", "36M", "--no-zeros", "--memory", "192M",
                "--beats", "2", *more)
            if name == "flaky":
                self.make_flaky(made)
            guest = self.guests[name] = Guest(self.lab, self.connect, made)
            until(f"the agent of {made} is connected", guest.has_agent, 60)
            if name in ("a", "b"):
                guest.fill_top_layer(TOP_MIB)
        return self.guests[name]

    def make_flaky(self, name):
        """vdb becomes a disk behind NBD, whose reads fail as long as a file is there."""
        directory = os.path.join(self.lab, "guests", name)
        raw, endpoint, self.read_error = (os.path.join(directory, f) for f in ("vdb.raw", "vdb.sock", "read-error"))
        domain = self.connect().lookupByName(name)
        definition = domain.XMLDesc(0)
        old = next(p for p in definition.split("<disk ")[1:] if "dev='vdb'" in p).split("</disk>")[0]
        source = old.split("<source file='")[1].split("'")[0]
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", source, raw)
        # --filter=error: https://libguestfs.org/nbdkit-error-filter.1.html
        self.flaky_server = subprocess.Popen(
            ["nbdkit", "--foreground", "--exit-with-parent", "--unix", endpoint, "--filter=error", "file", raw,
             "error-pread-rate=100%", f"error-pread-file={self.read_error}"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("nbdkit serves", lambda: os.path.exists(endpoint))
        os.chmod(endpoint, 0o666)
        new = (f"type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd'><host transport='unix' socket='{endpoint}'/>"
               "</source><target dev='vdb' bus='virtio'/>")
        self.connect().defineXML(definition.replace(old, new))
        domain.create()
        log = os.path.join(directory, "serial.log")

        def verdict():
            with open(log, "rb") as file:
                return b"DISK OK" in file.read()
        until(f"{name} has booted", verdict, 180)

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
    def fill(directory):
        """Takes all the free space of a file system, whoever else writes there."""
        with open(os.path.join(directory, ".balloon"), "wb") as file:
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

    # The clock ------------------------------------------------------------------------------------------------------

    def set_clock(self, is_faked):
        """The service with a wall clock that can be set (libfaketime), or without."""
        if is_faked == bool(self.service.extra):
            return
        self.clock = os.path.join(self.lab, "clock")
        with open(self.clock, "w") as file:
            file.write("+0s\n")
        self.service.extra = {} if not is_faked else {
            "LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "FAKETIME_TIMESTAMP_FILE": self.clock,
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its mend for the waits of an older glibc ends every wait of .NET's at once.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        self.service.terminate()
        self.service.start()
        self.service.wait_until_ready()

    # After a cell ---------------------------------------------------------------------------------------------------

    def mend(self):
        """Takes back what faults did to all but the guests."""
        self.stub.mode = "ok"
        self.empty()
        if "flaky" in self.guests and os.path.exists(self.read_error):
            os.unlink(self.read_error)
        if not process_ids({"libvirtd"}):
            self.start_libvirtd()
        if not process_ids({"postgres"}):
            self.start_postgres()
        self.service.withdraw()
        self.service.start()
        if self.service.extra:
            with open(self.clock, "w") as file:
                file.write("+0s\n")

    @staticmethod
    def end_if_mute(guest):
        """libvirt may have lost an agent for good, while it says that it is connected: only a new QEMU has one again."""
        if guest.power() == "running" and guest.has_agent():
            try:
                guest.ask_agent("guest-ping")
            except Unmet:
                guest.domain.destroy()

    def start_over(self):
        """Nothing of the past: only after a cell that failed, whose leftovers must not fail the next."""
        for guest in self.guests.values():
            try:
                domain = guest.domain
                if domain.isActive():
                    for call in (domain.abortJob, lambda: domain.blockJobAbort("vda", 0), lambda: domain.blockJobAbort("vdb", 0)):
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
