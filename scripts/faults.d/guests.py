"""The guests of the matrix, as libvirt and their serial line show them."""

import json
import os
import socket
import subprocess
import time
import xml.etree.ElementTree

import libvirt
import libvirt_qemu

from service import Unmet, until

URI = "qemu:///system"
SECURE = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
STATES = {
    libvirt.VIR_DOMAIN_RUNNING: "running", libvirt.VIR_DOMAIN_BLOCKED: "running", libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "stopping", libvirt.VIR_DOMAIN_SHUTOFF: "off", libvirt.VIR_DOMAIN_CRASHED: "crashed",
}
AGENT, CONTROL = "org.qemu.guest_agent.0", "lab.control"

libvirt.registerErrorHandler(lambda *_: None, None)


class Libvirt:
    """A connection that outlives its libvirtd."""

    def __init__(self):
        self.connection = None

    def __call__(self):
        try:
            if self.connection is not None and self.connection.isAlive():
                self.connection.getLibVersion()
                return self.connection
        except libvirt.libvirtError:
            pass
        try:
            self.connection = libvirt.open(URI)
        except libvirt.libvirtError as e:
            raise Unmet(f"libvirt does not answer: {e}") from None
        return self.connection


class Guest:
    def __init__(self, lab, connect, name):
        self.lab, self.connect, self.name = lab, connect, name
        self.directory = os.path.join(lab, "guests", name)
        self.log = os.path.join(self.directory, "serial.log")
        with open(os.path.join(self.directory, "uuid")) as file:
            self.id = file.read().strip()
        self.remember()
        # What a fault has done beside the guest, newest last; restore() takes it back.
        self.mends = []

    def remember(self):
        """As it is defined now is how every cell is to leave it."""
        self.definition = self.inactive()
        self.autostart = self.definition is not None and bool(self.domain.autostart())

    @property
    def domain(self):
        try:
            return self.connect().lookupByUUIDString(self.id)
        except libvirt.libvirtError as e:
            raise Unmet(f"{self.name}: {e}") from None

    def inactive(self):
        """The persistent definition; None when there is none."""
        try:
            domain = self.domain
        except Unmet:
            return None
        return domain.XMLDesc(SECURE) if domain.isPersistent() else None

    def live(self):
        return xml.etree.ElementTree.fromstring(self.domain.XMLDesc(0))

    def power(self):
        try:
            domain = self.domain
            if not domain.isActive():
                return "saved" if domain.hasManagedSaveImage() else "off"
            return STATES.get(domain.state()[0], "other")
        except (Unmet, libvirt.libvirtError):
            return "gone"

    def pause_reason(self):
        """Why it is paused, as libvirt has it; None when it is not."""
        state, reason = self.domain.state()
        return reason if state == libvirt.VIR_DOMAIN_PAUSED else None

    def qemu_pid(self):
        with open(f"/run/libvirt/qemu/{self.name}.pid") as file:
            return int(file.read())

    # Its inside -----------------------------------------------------------------------------------------------------

    def beats(self, since=None):
        size = os.path.getsize(self.log)
        return size if since is None else size > since

    def wait_for_beat(self, seconds=20):
        size = self.beats()
        until(f"the heart of {self.name} beats", lambda: self.beats(size), seconds)

    def count(self, text):
        """How often its serial line has said that."""
        with open(self.log, "rb") as file:
            return file.read().count(text)

    def ask_agent(self, command, seconds=5, **arguments):
        asked = {"execute": command, **({"arguments": arguments} if arguments else {})}
        try:
            return json.loads(libvirt_qemu.qemuAgentCommand(self.domain, json.dumps(asked), seconds, 0))["return"]
        except libvirt.libvirtError as e:
            raise Unmet(f"the agent of {self.name}: {e}") from None

    def ask_qemu(self, command):
        return json.loads(libvirt_qemu.qemuMonitorCommand(self.domain, json.dumps({"execute": command}), 0))["return"]

    def channel(self, name):
        return self.live().find(f".//channel/target[@name='{name}']/..")

    def has_agent(self):
        channel = self.channel(AGENT)
        return channel is not None and channel.find("target").get("state") == "connected"

    def finds_agent(self, seconds=20):
        """Whether libvirt has its agent, for which it gets the time; also of a guest that has no channel for one."""
        deadline = time.monotonic() + seconds
        while self.channel(AGENT) is not None and not self.has_agent():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True

    def seconds_behind(self):
        """How far its clock is behind the host's."""
        return time.time() - self.ask_agent("guest-get-time") / 1e9

    def set_clock(self):
        if self.power() == "running" and self.has_agent() and abs(self.seconds_behind()) > 1:
            self.ask_agent("guest-set-time", time=time.time_ns())

    def fill_top_layer(self, mebibytes):
        """Data of its own above its base; returns when it is on the disk."""
        told = self.count(b"TOP")
        self.run(f"dd if=/dev/urandom of=/mnt/vda/lab/top bs=1M count={mebibytes} conv=fsync 2>/dev/null; echo TOP >/dev/ttyS0")
        until(f"{self.name} has filled its top layer", lambda: self.count(b"TOP") > told, 60, 0.2)

    def mark(self, text, mebibytes=16):
        """The first part of that data becomes this text, over and over; returns when it is on the disk."""
        told = self.count(b"MARKED")
        self.run(f"yes {text:-<63} | dd of=/mnt/vda/lab/top bs=1M count={mebibytes} iflag=fullblock conv=notrunc,fsync 2>/dev/null; echo MARKED >/dev/ttyS0")
        until(f"{self.name} has marked its disk", lambda: self.count(b"MARKED") > told, 60, 0.1)

    def run(self, script):
        """Runs a script in the guest; returns at once."""
        if self.control(f"({script}) & :"):
            return
        command = {"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", script]}}
        libvirt_qemu.qemuAgentCommand(self.domain, json.dumps(command), 5, 0)

    def control(self, line):
        """Runs a line of the shell by the channel of a guest whose agent can't; False if it has no such channel."""
        channel = self.channel(CONTROL)
        if channel is None:
            return False
        with socket.socket(socket.AF_UNIX) as host:
            host.settimeout(30)
            host.connect(channel.find("source").get("path"))
            host.sendall(line.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"done\n"):
                piece = host.recv(4096)
                if not piece:
                    raise Unmet(f"{self.name} has hung up")
                answer += piece
        return True

    def write(self, mebibytes):
        """Lets the guest overwrite what a snapshot reads; returns at once."""
        self.run(f"dd if=/dev/urandom of=/mnt/vda/lab/top bs=1M count={mebibytes} conv=notrunc,fsync 2>/dev/null")

    def write_errors(self):
        return self.count(b"WRITE ERROR")

    # Back to how it was ---------------------------------------------------------------------------------------------

    def restore(self):
        """Whatever somebody has done to it: it runs, as it was defined, thawed."""
        while self.mends:
            self.mends.pop()()
        if self.definition is None:
            if self.power() == "gone":
                with open(os.path.join(self.directory, "domain.xml")) as file:
                    self.boot(lambda: self.connect().createXML(file.read()))
        else:
            if self.inactive() is None:
                self.connect().defineXML(self.definition)
            if bool(self.domain.autostart()) != self.autostart:
                self.domain.setAutostart(self.autostart)
        domain = self.domain
        if domain.isActive() and domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
            domain.resume()
        if not domain.isActive():
            if domain.hasManagedSaveImage():
                domain.managedSaveRemove()
            self.boot(domain.create)
        self.thaw()
        self.wait_for_beat()

    def thaw(self):
        """Also of somebody else's freeze, which has served its purpose."""
        if self.has_agent() and self.ask_agent("guest-fsfreeze-status") == "frozen":
            self.ask_agent("guest-fsfreeze-thaw")

    def boot(self, start):
        verdicts = self.count(b"DISK OK")
        start()
        self.wait_for_verdict(verdicts)
        if self.channel(AGENT) is not None:
            until(f"the agent of {self.name} is connected", self.has_agent, 30)

    def wait_for_verdict(self, seen, seconds=180):
        def verdict():
            if self.count(b"DISK BAD"):
                raise RuntimeError(f"{self.name}: DISK BAD")
            return self.count(b"DISK OK") > seen
        until(f"{self.name} has booted", verdict, seconds)


class HungGuest(Guest):
    """Its agent does not come back from a freeze, until it is released."""

    def release(self, fails):
        """What was begun ends: it fails, or happens now, late. Returns when the agent answers again."""
        self.control(f"{'touch' if fails else 'rm -f'} /run/agent.fail; rm -f /run/agent.hang")
        until(f"the agent of {self.name} answers again", lambda: self.ask_agent("guest-fsfreeze-status"), 60, 0.2)

    def final(self, service, job, fails, patience=60):
        """
        The job as it ends. One that was begun anew while the guest may be frozen may wait for the agent: then it ends when the agent is
        released.
        """
        try:
            return service.wait_final(job, patience)
        except Unmet:
            self.release(fails)
            return service.wait_final(job, 90)

    def thaw(self):
        self.release(fails=True)
        super().thaw()
        self.control("rm -f /run/agent.fail; touch /run/agent.hang")


class PairGuest(Guest):
    """Writes growing numbers to two disks in turn, while it is wanted to."""

    def begin(self):
        told = self.count(b"PAIR ")
        self.run("killall -CONT pair")
        until(f"{self.name} writes pairs", lambda: self.count(b"PAIR ") > told + 2, 30)

    def thaw(self):
        super().thaw()
        self.run("killall -STOP pair")


class Gaps:
    """The longest time without a heartbeat of a guest, in seconds, while it is open."""

    def __init__(self, guest):
        self.guest = guest

    def __enter__(self):
        self.tail = subprocess.Popen(["tail", "-n0", "-F", self.guest.log], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.set_blocking(self.tail.stdout.fileno(), False)
        self.last, self.longest = time.monotonic(), 0.0
        return self

    def look(self):
        now = time.monotonic()
        if self.tail.stdout.read():
            self.longest = max(self.longest, now - self.last)
            self.last = now
        return max(self.longest, now - self.last)

    def __exit__(self, *_):
        self.look()
        self.tail.kill()
        self.tail.wait()
