"""What holds after every cell, whatever happened in it."""

import fnmatch
import glob
import hashlib
import json
import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree

import libvirt

from service import Unmet, until
from world import process_ids


def require(condition, text):
    if not condition:
        raise Unmet(text)
    return True


def power(guest, wanted):
    return require(guest.power() == wanted, f"the guest is {guest.power()}, not {wanted}")


def definition(guest, wanted):
    now = guest.inactive()
    if wanted == "changed":
        return require(now is not None, "the persistent definition is gone")
    if wanted != "gone":
        return require(now == guest.definition, "the persistent definition is " + (
            "gone" if now is None else "there of a guest that had none" if guest.definition is None else "another"))
    return require(now is None, "the definition is back that somebody has removed")


# What a guest is beside its definition -------------------------------------------------------------------------------------------

def title_of(domain):
    try:
        return domain.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, 0)
    except libvirt.libvirtError:
        return None


PASSING = {"source": ("index",), "backingStore": ("index",), "console": ("tty",), "graphics": ("port", "websocket"), "target": ("state",)}


def without_passing_things(live):
    """
    The live XML without what QEMU and libvirt number anew at each start, restore or block job: ids, indexes of nodes, terminals, sockets
    below the directory of the domain's id, security labels that libvirt makes, aliases (a libvirtd that is started anew has lost one), the
    order of devices, and whether an agent is connected just now.
    """
    live.attrib.pop("id", None)
    for parent in live.iter():
        for child in list(parent):
            if child.tag in ("seclabel", "alias") or (child.tag == "source" and parent.tag in ("channel", "console") and "path" in child.attrib):
                parent.remove(child)
        for name in PASSING.get(parent.tag, ()):
            parent.attrib.pop(name, None)
    def text(element):
        return xml.etree.ElementTree.canonicalize(xml.etree.ElementTree.tostring(element, encoding="unicode"), strip_text=True)
    devices = live.find("devices")
    devices[:] = sorted(devices, key=text)
    return text(live)


def chains(live):
    """Each disk's files, the top one first."""
    found = {}
    for disk in live.findall(".//disk"):
        paths, layer = [], disk
        while layer is not None:
            source = layer.find("source")
            if source is not None:
                paths.append(source.get("file") or source.get("dev") or source.get("protocol"))
            layer = layer.find("backingStore")
        found[disk.find("target").get("dev")] = paths
    return found


def facts(guest):
    """
    What `dominfo`, `dumpxml`, `domblkinfo` and `domblklist` tell of a guest that a capture must not change. Its messages are left out: that
    QEMU's monitor was used directly, as this program does, taints it. So is what grows while it runs: processor time, allocation of disks.
    """
    domain = guest.domain
    known = {
        "whether it is persistent": bool(domain.isPersistent()), "autostart": bool(domain.autostart()) if domain.isPersistent() else None,
        "title": title_of(domain), "maximum memory": domain.maxMemory(), "operating system type": domain.OSType(),
    }
    if domain.isActive():
        live = guest.live()
        _, _, memory, cpus, _ = domain.info()
        known |= {
            "memory": memory, "cpus": cpus, "chains": chains(live),
            "capacities": {target: domain.blockInfo(target)[0] for target, paths in chains(live).items() if paths},
            "live definition": without_passing_things(live), "reason for which it is paused": guest.pause_reason(),
        }
    return known


def difference(before, now):
    """Where two texts part."""
    before, now = str(before), str(now)
    at = len(os.path.commonprefix((before, now)))
    return f"...{before[max(0, at - 60):at + 100]}... became ...{now[max(0, at - 60):at + 100]}..."


def unchanged(guest, found, after):
    """What was found is there, but for what somebody else has changed."""
    if after.get("power") == "gone" or after.get("definition"):
        return True
    now = facts(guest)
    skipped = set(after.get("skipped", ()))
    if after.get("foreign"):
        skipped |= {"live definition", "chains"}
    if after.get("power") != found["power"]:
        skipped |= {"reason for which it is paused"}
    for name in found["facts"].keys() & now.keys() - skipped:
        before = found["facts"][name]
        require(now[name] == before, f"the guest's {name} is another: {difference(before, now[name])}")
    return True


# As long as a look at the clock by the agent may take, with guests that wait for a processor.
LATE_SECONDS = 3.0


def clock(guest, job, service_ahead=0):
    """A guest that was off for a while has the time again, that of the service, or the job says that it has not."""
    if guest.power() != "running" or not guest.has_agent():
        return True
    behind = guest.seconds_behind() + service_ahead
    told = any(re.search(r"clock.*\d", warning) for warning in job["warnings"])
    return require(abs(behind) <= LATE_SECONDS or told, f"the guest's clock is {behind:.1f} s behind, and the job does not say so: {job['warnings']}")


def no_job_of_ours(guest, foreign=None):
    """Nothing that we began is on the guest; what another tool began still is."""
    domain = guest.domain
    if domain.isActive():
        mirrors = xml.etree.ElementTree.fromstring(domain.XMLDesc(0)).findall(".//disk/mirror")
        try:
            backup = domain.backupGetXMLDesc()
        except libvirt.libvirtError:
            backup = None
        require(bool(mirrors) == (foreign == "copy"), "a block job is left" if mirrors else "the block job of another tool is gone")
        require((backup is not None) == (foreign == "backup"), "a backup job is left" if backup else "the backup job of another tool is gone")
        if foreign is None:
            require(domain.jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_NONE, "a domain job is left")
            require(not guest.ask_qemu("query-block-exports"), "QEMU exports a disk")
    return True


def thawed(guest, wanted="thawed"):
    found = guest.ask_agent("guest-fsfreeze-status")
    return require(found == wanted, f"the guest is {found}, not {wanted}")


def agent_after_reset(world, guest):
    """libvirt 9.0 has lost the agent of a guest that was reset during a backup job, anybody's, until libvirtd is started anew."""
    until("the agent is connected again", guest.has_agent, 60, 0.2)

    def lost_or_there():
        try:
            return guest.ask_agent("guest-ping") is not None
        except Unmet as e:
            if "disappeared" not in str(e):
                raise
            world.kill_libvirtd()
            world.start_libvirtd()
            raise
    until("the agent answers", lost_or_there, 60, 1)


def no_files(world, guest):
    left = [os.path.join(parent, name)
            for directory in (f"{world.work}/run", f"{world.work}/journal", f"{world.images}/.partial")
            for parent, directories, names in os.walk(directory) for name in names + directories]
    left += glob.glob(f"{guest.directory}/.snapshotapi-*")
    return require(not left, f"files are left: {', '.join(left)}")


def no_processes():
    left = process_ids({"qemu-nbd", "qemu-img"})
    return require(not left, f"processes are left: {', '.join(left.values())}")


def told_that_the_store_is_full(world):
    """As long as it is full, the service takes no jobs, and says why."""
    status, wrong = world.service.unready_parts()
    require(status == 503 and any("the directory store is full" in part for part in wrong), f"a full store is not told: {status} {wrong}")
    world.empty()


def ready(world):
    world.service.wait_until_ready(0.1, every_part=True)
    return True


def image(world, job):
    """The image of a job that succeeded is there, whole, and what the job says."""
    for disk in job["disks"]:
        made = disk["image"]
        require(made is not None, f"disk {disk['target']} of a job that succeeded has no image")
        if made["store"] == "glance":
            record = world.stub.records.get(made["id"])
            require(record is not None and record["status"] == "active", "the image is not active in the store")
            require(record["os_hash_value"] == made["digest"]["value"], "the store has another digest than the job")
            continue
        path = f"{world.images}/{made['id']}.{made['format']}"
        require(os.path.exists(path), f"the image of disk {disk['target']} is not in the store")
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        require(digest == made["digest"]["value"].lower(), "the image has another digest than the job says")
        if made["format"] == "qcow2":
            check = subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path], capture_output=True, text=True)
            require(check.returncode == 0, f"qemu-img check: {check.stderr.strip()}")
            facts = json.loads(subprocess.run(["qemu-img", "info", "--output=json", "-f", "qcow2", path], capture_output=True, check=True).stdout)
            require("backing-filename" not in facts, "the image has a backing file")
    return True


def content(world, disk):
    """The bytes of an image that are not holes."""
    made = disk["image"]
    with tempfile.TemporaryDirectory(dir=world.lab) as directory:
        raw = os.path.join(directory, "raw")
        subprocess.run(["qemu-img", "convert", "-f", made["format"], "-O", "raw", f"{world.images}/{made['id']}.{made['format']}", raw], check=True)
        with open(raw, "rb") as file:
            at, size, pieces = 0, os.path.getsize(raw), []
            while at < size:
                try:
                    at = os.lseek(file.fileno(), at, os.SEEK_DATA)
                except OSError:
                    break
                end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
                pieces.append(os.pread(file.fileno(), end - at, at))
                at = end
    return b"".join(pieces)


def one_instant(world, job):
    """A number that was written to two disks in turn is on both as it was at some instant: the first is ahead by one at most."""
    first, second = (max(int(n) for n in re.findall(rb"LAB-PAIR-(\d{12}) ", content(world, disk)))
                     for disk in sorted(job["disks"], key=lambda disk: disk["target"]))
    return require(first - second in (0, 1), f"the first disk is of number {first}, the second of {second}")


def of_its_instant(world, job):
    """What was written, and committed, after the instant is not in the image."""
    data = content(world, job["disks"][0])
    require(b"MARK-AFTER" not in data, "the image holds what was written after its instant")
    return require(b"MARK-BEFORE" in data, "the image lacks what was written before its instant")


def told(job, pattern):
    """A warning or the error of the job says so."""
    said = [*job["warnings"], *([job["error"]["message"]] if job["error"] else [])]
    return require(any(re.search(pattern, text, re.IGNORECASE) for text in said), f"the job does not say '{pattern}': {said}")


def images_of(jobs):
    return {disk["image"]["id"] for job in jobs if job["status"] == "succeeded" for disk in job["disks"]}


def only_images_of(world, jobs):
    """No store holds anything but the images of jobs that succeeded."""
    wanted = images_of(jobs)
    held = {name.split(".")[0] for name in os.listdir(world.images) if not name.startswith(".")} | set(world.stub.records)
    return require(held == wanted, f"in the stores are {sorted(held - wanted)} too many, {sorted(wanted - held)} too few")


def outcome(job, allowed):
    """The job is final in a way that the cell allows, and says why."""
    error = job["error"]
    said = job["status"] + (f":{error['code']}" if error else "")
    require(any(fnmatch.fnmatchcase(said, pattern) or job["status"] == pattern for pattern in allowed),
            f"the job is {said} ({error and error['message']}), not {' or '.join(sorted(allowed))}")
    if job["status"] != "succeeded":
        require(error and error["message"] and error["code"] != "internal_error", f"the job gives no true reason: {error}")
    elif job["attempts"] > 1:
        require(job["attempts"] == 2, f"{job['attempts']} attempts")
    return said


def everything(world, guest, after, found=None):
    """All of it; what is undone in the background may take its time."""
    wanted = after.get("power", "running")
    foreign = after.get("foreign")
    if world.free_bytes(world.images) < 4096:
        told_that_the_store_is_full(world)
    until("the service is at rest", lambda: ready(world), 40)
    until("power", lambda: power(guest, wanted), 20)
    until("definition", lambda: definition(guest, after.get("definition", "found")), 20)
    if wanted != "gone":
        # A backup whose guest was reset may end late: once it was there 50 s after its first abort. Why is not known.
        until("jobs", lambda: no_job_of_ours(guest, foreign), 90)
    if wanted == "running":
        if after.get("agent") == "rebooted":
            agent_after_reset(world, guest)
        until("agent", lambda: not guest.has_agent() or thawed(guest, after.get("freeze", "thawed")), 40)
        guest.wait_for_beat()
        require(guest.write_errors() == 0, "a write of the guest failed")
    if found is not None:
        until("what was found", lambda: unchanged(guest, found, after), 20)
        if found["pid"] is not None and after.get("qemu") == "same":
            require(guest.power() == wanted and guest.qemu_pid() == found["pid"], "QEMU is another")
    until("files", lambda: no_files(world, guest), 20)
    until("processes", no_processes, 20)
