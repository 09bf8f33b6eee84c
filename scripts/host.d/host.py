"""The acceptance on a stock host: see `scripts/host --help`."""

import argparse
import dataclasses
import fnmatch
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from checks import CHECKS
from guests import SHAPES, Guest, write_data
from machine import Machine, Unmet, until
from service import Service


@dataclasses.dataclass(frozen=True)
class Packages:
    """Names of the files in the payload, and the version that they are of."""
    service: str
    client: str
    former: str
    version: str


class Guests(dict):
    """The guests by name; one is made when it is first asked for. A start takes a while under emulation."""

    def __init__(self, machine):
        super().__init__()
        self.machine = machine

    def __missing__(self, name):
        guest = Guest(self.machine, next(shape for shape in SHAPES if shape.name == name))
        guest.make()
        self[name] = guest
        return guest


class Host:
    """What the checks know: the machine, its guests, the service on it, and what earlier checks have noted."""

    def __init__(self, release, machine, packages):
        self.release, self.machine, self.packages = release, machine, packages
        self.service = Service(machine)
        self.guests = Guests(machine)
        self.files_before, self.images = set(), []
        self._denials, self._told = [], 0

    def prepare(self):
        """What is on the host before us: users whose guests are theirs, and a guest that runs."""
        self.machine.run("useradd -u 2001 -M vmone; useradd -u 2002 -M vmtwo", 120)
        # Guests without an operating system obey no shutdown: the host would wait for each of them.
        self.machine.run("echo ON_SHUTDOWN=suspend >>/etc/default/libvirt-guests", 60)
        until("the guest has booted", lambda: self.guests["plain"].found()[0][0].startswith("running"), 60)

    def note_denials(self):
        """What AppArmor has denied since the last look, but for what a check has provoked; a reboot forgets it."""
        lines = self.machine.out("dmesg | grep 'apparmor=\"DENIED\"' || true", 120).splitlines()
        self._denials += [line for line in lines if line not in self._denials]

    def denials(self):
        """Those that no check has been told of yet."""
        new, self._told = self._denials[self._told:], len(self._denials)
        return new

    def forgive_denials(self):
        self.note_denials()
        self._told = len(self._denials)


def former_package(package, directory, version):
    """The same package, as if it were an older one."""
    with tempfile.TemporaryDirectory(dir=directory) as tree:
        subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
        control = os.path.join(tree, "DEBIAN", "control")
        with open(control) as file:
            lines = file.read().splitlines()
        with open(control, "w") as file:
            file.write("\n".join(f"Version: {version}" if line.startswith("Version:") else line for line in lines) + "\n")
        name = f"snapshotapi_{version}_amd64.deb"
        subprocess.run(["dpkg-deb", "-b", "--root-owner-group", "-Zgzip", "-z1", tree, os.path.join(directory, name)], check=True, stdout=subprocess.DEVNULL)
    return name


def make_payload(packages, directory):
    """The packages, an older one, and the guests' data."""
    os.makedirs(directory)
    names = {}
    for name in ("snapshotapi", "snapshotctl"):
        found = glob.glob(os.path.join(packages, f"{name}_*_amd64.deb"))
        if len(found) != 1:
            raise SystemExit(f"host: one package {name} is expected in {packages}, not {len(found)}")
        names[name] = os.path.basename(shutil.copy(found[0], directory))
    version = subprocess.run(["dpkg-deb", "-f", os.path.join(directory, names["snapshotapi"]), "Version"], check=True, capture_output=True, text=True).stdout.strip()
    former = former_package(os.path.join(directory, names["snapshotapi"]), directory, version.split("-")[0] + "~former")
    write_data(directory)
    return Packages(names["snapshotapi"], names["snapshotctl"], former, version)


def chosen(patterns, release):
    """The checks whose name matches, and those that others build on."""
    def matches(name):
        return not patterns or any(fnmatch.fnmatchcase(name, pattern if "*" in pattern else f"*{pattern}*") for pattern in patterns)
    checks = [check for check in CHECKS if check.release in (None, release)]
    if not any(matches(check.name) for check in checks):
        raise SystemExit(f"host: no check matches {' or '.join(patterns)}; see 'scripts/host --list'")
    return [check for check in checks if check.always or matches(check.name)]


def perform(host, check):
    """Runs one; what it has to say, or why it failed."""
    started = time.monotonic()
    try:
        said, ok = check.run(host) or "", True
    except (Unmet, RuntimeError, subprocess.SubprocessError, KeyError, TypeError, ValueError) as e:
        said, ok = f"{e}" if isinstance(e, (Unmet, RuntimeError)) else traceback.format_exc().strip()[-800:], False
    seconds = time.monotonic() - started
    print(f"{'ok  ' if ok else 'FAIL'} {seconds:6.0f} s  {check.name:<32} {said}", flush=True)
    return {"check": check.name, "ok": ok, "seconds": round(seconds, 1), "said": said}


def write_log(host, check, directory):
    """What the machine and the service say, for whoever looks for the reason."""
    if not directory:
        return
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, check.name.replace("/", "-") + ".log"), "w") as file:
        for script in ("journalctl -u snapshotapi -u snapshotapi-api -o short-iso --no-pager | tail -n 200", "journalctl -u libvirtd --no-pager | tail -n 40",
                       "dmesg | tail -n 40", "virsh list --all", "snapshotctl nodes --json; snapshotctl health --json; snapshotctl jobs --json"):
            file.write(f"\n$ {script}\n{host.machine.run(script, 120, check=False).out}")


def stay(machine):
    print(f"\nThe machine is up. A shell:\n  {' '.join(machine.ssh)} root@127.0.0.1\nIt ends with Ctrl-C here.", flush=True)
    machine.process.wait()


def interrupted(signum, frame):
    raise SystemExit(128 + signum)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("release", type=int, nargs="?")
    parser.add_argument("--base")
    parser.add_argument("--directory")
    parser.add_argument("--packages")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--json")
    parser.add_argument("--logs")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{check.name:<32} {(check.run.__doc__ or '').strip().splitlines()[0] if check.run.__doc__ else ''}".rstrip() for check in CHECKS))
        return 0
    signal.signal(signal.SIGTERM, interrupted)
    checks = chosen(options.only, options.release)
    results, machine = [], Machine(options.base, options.directory)
    try:
        packages = make_payload(options.packages, os.path.join(options.directory, "payload"))
        started = time.monotonic()
        machine.start(os.path.join(options.directory, "payload"))
        host = Host(options.release, machine, packages)
        host.prepare()
        print(f"Debian {options.release} is up, with a guest, after {time.monotonic() - started:.0f} s", flush=True)
        for check in checks:
            results.append(perform(host, check))
            if check.name.startswith("broken/"):
                host.forgive_denials()
            else:
                host.note_denials()
            if not results[-1]["ok"]:
                write_log(host, check, options.logs)
                if check.always:
                    break
        if options.keep:
            stay(machine)
    except KeyboardInterrupt:
        if not options.keep:
            raise
    finally:
        machine.end()
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"release": options.release, "checks": results}, file, indent=2)
    failed = [result["check"] for result in results if not result["ok"]]
    for name in failed:
        print(f"failed: {name}")
    print(f"\n{len(results) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
