"""The guests of the matrix, as libvirt and their serial line show them."""

import json
import os
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
    def __init__(self, lab, connect, name, disk_xml=None):
        self.lab, self.connect, self.name = lab, connect, name
        self.directory = os.path.join(lab, "guests", name)
        self.log = os.path.join(self.directory, "serial.log")
        with open(os.path.join(self.directory, "uuid")) as file:
            self.id = file.read().strip()
        self.definition = self.inactive()

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

    def power(self):
        try:
            domain = self.domain
            if not domain.isActive():
                return "saved" if domain.hasManagedSaveImage() else "off"
            return STATES.get(domain.state()[0], "other")
        except (Unmet, libvirt.libvirtError):
            return "gone"

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

    def ask_agent(self, command, seconds=5):
        try:
            return json.loads(libvirt_qemu.qemuAgentCommand(self.domain, json.dumps({"execute": command}), seconds, 0))["return"]
        except libvirt.libvirtError as e:
            raise Unmet(f"the agent of {self.name}: {e}") from None

    def ask_qemu(self, command):
        return json.loads(libvirt_qemu.qemuMonitorCommand(self.domain, json.dumps({"execute": command}), 0))["return"]

    def has_agent(self):
        channel = xml.etree.ElementTree.fromstring(self.domain.XMLDesc(0)).find(".//channel/target[@name='org.qemu.guest_agent.0']")
        return channel is not None and channel.get("state") == "connected"

    def fill_top_layer(self, mebibytes):
        """Data of its own above its base; returns when it is on the disk."""
        self.run(f"dd if=/dev/urandom of=/mnt/vda/lab/top bs=1M count={mebibytes} conv=fsync 2>/dev/null; echo TOP >/dev/ttyS0")

        def is_done():
            with open(self.log, "rb") as file:
                return b"TOP" in file.read()
        until(f"{self.name} has filled its top layer", is_done, 60, 0.2)

    def run(self, script):
        """Runs a script in the guest; returns at once."""
        command = {"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", script]}}
        libvirt_qemu.qemuAgentCommand(self.domain, json.dumps(command), 5, 0)

    def write(self, mebibytes):
        """Lets the guest overwrite what a snapshot reads; returns at once."""
        self.run(f"dd if=/dev/urandom of=/mnt/vda/lab/top bs=1M count={mebibytes} conv=notrunc,fsync 2>/dev/null")

    def write_errors(self):
        with open(self.log, "rb") as file:
            return file.read().count(b"WRITE ERROR")

    # Back to how it was ---------------------------------------------------------------------------------------------

    def restore(self):
        """Whatever somebody has done to it: it runs, as it was defined."""
        if self.inactive() is None:
            self.connect().defineXML(self.definition)
        domain = self.domain
        if domain.isActive() and domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
            domain.resume()
        if not domain.isActive():
            with open(self.log, "rb") as file:
                verdicts = file.read().count(b"DISK OK")
            if domain.hasManagedSaveImage():
                domain.managedSaveRemove()
            domain.create()
            self.wait_for_verdict(verdicts)
            until(f"the agent of {self.name} is connected", self.has_agent, 30)
        self.wait_for_beat()

    def wait_for_verdict(self, seen, seconds=180):
        def verdict():
            with open(self.log, "rb") as file:
                content = file.read()
            if b"DISK BAD" in content:
                raise RuntimeError(f"{self.name}: DISK BAD")
            return content.count(b"DISK OK") > seen
        until(f"{self.name} has booted", verdict, seconds)


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
