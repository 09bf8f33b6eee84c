"""What holds after every cell, whatever happened in it."""

import glob
import hashlib
import json
import os
import subprocess
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
    if wanted != "gone":
        return require(now == guest.definition, "the persistent definition is " + ("gone" if now is None else "another"))
    return require(now is None, "the definition is back that somebody has removed")


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


def thawed(guest):
    return require(guest.ask_agent("guest-fsfreeze-status") == "thawed", "the guest is frozen")


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


def ready(world):
    world.service.wait_until_ready(0.1)
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
    require(said in allowed or job["status"] in allowed, f"the job is {said} ({error and error['message']}), not {' or '.join(sorted(allowed))}")
    if job["status"] != "succeeded":
        require(error and error["message"] and error["code"] != "internal_error", f"the job gives no true reason: {error}")
    elif job["attempts"] > 1:
        require(job["attempts"] == 2, f"{job['attempts']} attempts")
    return said


def everything(world, guest, after):
    """All of it; what is undone in the background may take its time."""
    wanted = after.get("power", "running")
    foreign = after.get("foreign")
    until("the service is at rest", lambda: ready(world), 40)
    until("power", lambda: power(guest, wanted), 20)
    until("definition", lambda: definition(guest, after.get("definition", "found")), 20)
    if wanted != "gone":
        # A backup whose guest was reset may end late: once it was there 50 s after its first abort. Why is not known.
        until("jobs", lambda: no_job_of_ours(guest, foreign), 90)
    if wanted == "running":
        if after.get("agent") == "rebooted":
            agent_after_reset(world, guest)
        until("agent", lambda: not guest.has_agent() or thawed(guest), 40)
        guest.wait_for_beat()
        require(guest.write_errors() == 0, "a write of the guest failed")
    until("files", lambda: no_files(world, guest), 20)
    until("processes", no_processes, 20)
