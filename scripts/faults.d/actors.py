"""The faults: what somebody, or something, does while a run stands at its instant.

A fault may return what it leaves behind: {"power": ..., "definition": "gone"}; without, the guest is to be as it was found. "ends" are
the ends of the job that are right after this, "qemu": "same" says that the guest is not to have been stopped and started, "note" is told
beside the outcome. What it has changed beside the guest, the guest's mends take back.
"""

import os
import shutil
import signal
import threading
import time
import uuid
import xml.etree.ElementTree

import libvirt

import checks
from service import Unmet, until
from world import process_ids

BACKUP = """<domainbackup mode='pull'><server transport='unix' socket='{directory}/other.sock'/>
<disks><disk name='vda' backup='yes' type='file'><scratch file='{directory}/other.scratch'/></disk></disks></domainbackup>"""
COPY = "<disk type='file'><driver type='qcow2'/><source file='{directory}/other.copy'/></disk>"


def nothing(world, guest, job):
    pass


# The service ------------------------------------------------------------------------------------------------------------

def terminated(world, guest, job):
    world.service.process.send_signal(signal.SIGTERM)
    # Whoever is told to stop in the middle of something does not stand still for ever.
    time.sleep(0.3)
    world.service.release()
    world.service.wait_for_end(60)


def cancelled(world, guest, job):
    status, _ = world.service.call("DELETE", f"/jobs/{job}")
    if status not in (202, 409):
        raise Unmet(f"DELETE: {status}")


def killed_in_check(point):
    """The node proves its captures, and is killed at an instant of that; its next start takes the canary away."""
    def act(world, guest, job):
        service = world.service
        service.order(point, "kill")
        status, answer = service.call("POST", "/nodes/faults/check")
        if status != 202:
            raise Unmet(f"POST check: {status} {answer}")
        until(f"the check comes to {point}", lambda: service.was_hit, 120, 0.02)
        service.wait_for_end()
        service.start()
        service.release()
        service.wait_until_ready()
        left = lambda: [d.name() for d in world.connect().listAllDomains() if d.name().startswith("snapshotapi-canary-faults-")]
        until("no canary is left", lambda: not left(), 30)
    return act


def second_service(world, guest, job):
    """Another service with the same work directory: it refuses to start."""
    port = str(int(world.service.port) + 1)
    second = world.service.spawn(Urls=f"http://127.0.0.1:{port}")
    if second.wait(60) == 0:
        raise Unmet("a second service ran on the node")


def delivered_twice(world, guest, job):
    """Hangfire takes the delivery for lost and makes it again, to another worker."""
    world.sql("UPDATE hangfire.jobqueue SET fetchedat = NULL")
    time.sleep(2.5)


# What it needs ----------------------------------------------------------------------------------------------------------

def database_restarted(world, guest, job):
    world.stop_postgres()
    world.start_postgres()


def database_away(seconds):
    def act(world, guest, job):
        world.stop_postgres()
        world.service.release()
        time.sleep(seconds)
        world.start_postgres()
    return act


def libvirtd_restarted(world, guest, job):
    world.kill_libvirtd()
    world.start_libvirtd()


def libvirtd_away(seconds):
    def act(world, guest, job):
        world.kill_libvirtd()
        world.service.release()
        time.sleep(seconds)
        world.start_libvirtd()
    return act


def hang(pids, seconds, world):
    """Processes that do not answer for a while, but are there."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    world.service.release()
    time.sleep(seconds)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def libvirtd_hangs(world, guest, job):
    hang(world.libvirtd_pids(), 6, world)


def qemu_hangs(world, guest, job):
    hang([guest.qemu_pid()], 12, world)


def host_rebooted(world, guest, job):
    was_saved = guest.power() == "saved"
    starts = guest.inactive() is not None and bool(guest.domain.autostart())
    world.reboot_host()
    # A guest that was saved when the power failed is resumed by the journal; others are off, unless libvirt starts them with the host: not
    # one that is undefined for the moment at which a block job begins.
    return {"power": "running" if was_saved or starts else "off"}


# The guest --------------------------------------------------------------------------------------------------------------

def off(guest):
    """What becomes of it when it ends."""
    return {"power": "gone" if guest.definition is None else "off"}


def qemu_killed(world, guest, job):
    os.kill(guest.qemu_pid(), signal.SIGKILL)
    until("the guest is off", lambda: guest.power() in ("off", "gone"))
    return off(guest)


def destroyed(world, guest, job):
    guest.domain.destroy()
    return off(guest)


def shut_down(world, guest, job):
    guest.domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
    # One that is not defined at the moment is gone with its end; the journal has its definition. While a backup job is at work, libvirt 9.0
    # calls a guest "in shutdown" for 30 s after its QEMU has ended.
    until("the guest is off", lambda: guest.power() in ("off", "gone"), 60)
    return off(guest)


def reset(world, guest, job):
    guest.domain.reset()
    return {"agent": "rebooted"}


def paused(world, guest, job):
    guest.domain.suspend()
    return {"power": "paused"}


def resumed(world, guest, job):
    """Also of one that somebody found paused and lets run, whoever has paused it."""
    if guest.power() == "paused":
        guest.domain.resume()
    return {"power": "running"}


def paused_and_resumed(world, guest, job):
    guest.domain.suspend()
    time.sleep(0.5)
    guest.domain.resume()


STARTED = ("failed:state_conflict", "failed:hypervisor_error")


def started(world, guest, job):
    """Either the start is refused, for the disk is locked while it is copied, or the copy is not used."""
    if not attempt(guest.domain.create):
        return {"ends": ("succeeded",), "note": "the start was refused"}
    return {"power": "running", "ends": STARTED, "note": "started"}


def started_early(world, guest, job):
    """Before anything was copied: to tell that it is not what was asked for, and to save it as it is now, are both right."""
    guest.domain.create()
    return {"power": "running", "not by": guest.qemu_pid()}


def started_late(world, guest, job):
    """The copy is there."""
    guest.domain.create()
    return {"power": "running"}


def libvirtd_away_and_started(world, guest, job):
    """No event tells of the start: libvirtd was away, and the service did not look."""
    world.service.process.send_signal(signal.SIGSTOP)
    try:
        libvirtd_restarted(world, guest, job)
        return started(world, guest, job)
    finally:
        world.service.process.send_signal(signal.SIGCONT)


def undefined(world, guest, job):
    flags = libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    if guest.power() == "saved":
        guest.domain.undefineFlags(flags | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
        return {"power": "gone", "definition": "gone"}
    guest.domain.undefineFlags(flags)
    return {"definition": "gone"}


# Its agent --------------------------------------------------------------------------------------------------------------

def foreign_freeze(world, guest, job):
    """Another tool's: it is its own to end."""
    guest.domain.fsFreeze()
    return {"freeze": "frozen"}


# Its disks and what else it needs ---------------------------------------------------------------------------------------

def take_away(guest, path):
    """A file of the guest's is gone for whoever looks for it by its path; whoever has it open, has it."""
    pid, kept = guest.qemu_pid() if guest.power() == "running" else None, f"{path}.kept"
    os.rename(path, kept)

    def mend():
        # A guest that was started since has another file, if any.
        if guest.power() in ("running", "paused") and guest.qemu_pid() != pid:
            guest.domain.destroy()
        elif guest.power() == "saved":
            guest.domain.managedSaveRemove()
        os.rename(kept, path)
    guest.mends.append(mend)
    return kept


def missing(name):
    def act(world, guest, job):
        take_away(guest, os.path.join(guest.directory, name))
        return {"qemu": "same"}
    return act


def disk_replaced(world, guest, job):
    """cp disk new; mv new disk: what QEMU has open is another file from now on."""
    path = os.path.join(guest.directory, "vda.qcow2")
    kept = take_away(guest, path)
    shutil.copy2(kept, path)
    shutil.chown(path, os.stat(kept).st_uid, os.stat(kept).st_gid)
    return {"qemu": "same"}


def other_runs(world, guest, job):
    """Another definition runs on the same disk."""
    definition = xml.etree.ElementTree.fromstring(guest.definition)
    definition.find("name").text += "-other"
    definition.find("uuid").text = str(uuid.uuid4())
    for kind in ("serial", "console"):
        definition.find(f".//{kind}/source").set("path", os.path.join(guest.directory, "other.log"))
    other = guest.connect().createXML(xml.etree.ElementTree.tostring(definition, encoding="unicode"))
    guest.mends.append(lambda: attempt(other.destroy))


def committed(world, guest, job):
    """Another tool shortens the chain below what we read, after the guest has written on."""
    guest.mark("MARK-AFTER")
    guest.mends.append(lambda: guest.live().find(".//disk/source").get("file").endswith(".raw") and world.put_overlay(guest))
    if not attempt(lambda: world.commit(guest)):
        return {"note": "the commit was refused"}
    return {"definition": "changed", "note": "committed"}


# Other tools ------------------------------------------------------------------------------------------------------------

def attempt(call):
    """Other tools may be refused: then there is nothing of theirs to be left alone."""
    try:
        call()
        return True
    except (libvirt.libvirtError, RuntimeError):
        return False


def place(world):
    """A directory of such a tool, that QEMU may write to, empty."""
    directory = os.path.join(world.lab, "other")
    shutil.rmtree(directory, ignore_errors=True)
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    return directory


def foreign_copy(world, guest, job):
    directory = place(world)
    flags = libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
    if attempt(lambda: guest.domain.blockCopy("vda", COPY.format(directory=directory), {}, flags)):
        return {"foreign": "copy"}
    return None


def foreign_backup(world, guest, job):
    directory = place(world)
    if attempt(lambda: guest.domain.backupBegin(BACKUP.format(directory=directory), None)):
        return {"foreign": "backup"}
    return None


def foreign_abort(world, guest, job):
    """Another tool ends the last mirror of ours."""
    attempt(lambda: guest.domain.blockJobAbort(max(checks.chains(guest.live())), 0))


def foreign_save(world, guest, job):
    return {"power": "saved"} if attempt(lambda: guest.domain.managedSave()) else None


def foreign_snapshot(world, guest, job):
    """An external one: the guest writes into another file from now on."""
    overlay = os.path.join(place(world), "vda.overlay")

    def commit():
        if guest.live().find(".//disk/source").get("file") == overlay:
            guest.domain.blockCommit("vda", None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE | libvirt.VIR_DOMAIN_BLOCK_COMMIT_SHALLOW)
            until("the overlay is committed", lambda: guest.live().find(".//disk/mirror[@ready='yes']") is not None)
            guest.domain.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
        os.unlink(overlay)
        guest.remember()

    disks = f"<disk name='vda' snapshot='external' type='file'><source file='{overlay}'/></disk>"
    taken = attempt(lambda: guest.domain.snapshotCreateXML(
        f"<domainsnapshot><disks>{disks}</disks></domainsnapshot>",
        libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA))
    if not taken:
        return {"note": "the snapshot was refused"}
    guest.mends.append(commit)
    return {"definition": "changed"}


def foreign_thaw(world, guest, job):
    """Another tool ends a freeze of ours."""
    guest.domain.fsThaw()


def autostart_switched(world, guest, job):
    wanted = not guest.domain.autostart()
    guest.domain.setAutostart(wanted)
    guest.mends.append(lambda: checks.require(bool(guest.domain.autostart()) == wanted, "what another tool said of autostart was undone"))
    return {"skipped": ["autostart"]}


# Space and stores -------------------------------------------------------------------------------------------------------

def work_full(world, guest, job):
    world.fill(world.work)


def scratch_full(world, guest, job):
    """No space for scratch, and a guest that overwrites: it is paused by QEMU, unless the backup was ended before."""
    world.service.release()
    world.fill(world.work)
    guest.write(16)


def pause_by_scratch(world, guest, job):
    """The service does not look while the guest fills the space: QEMU has paused it when it looks again."""
    world.service.process.send_signal(signal.SIGSTOP)
    try:
        world.fill(world.work)
        guest.write(16)
        until("the guest is paused for want of space", lambda: guest.pause_reason() == libvirt.VIR_DOMAIN_PAUSED_IOERROR)
    finally:
        world.service.process.send_signal(signal.SIGCONT)


def space_again(act):
    """There is space again before the fault itself, and before a service that was killed is back."""
    def first(world, guest, job):
        world.empty()
        return act(world, guest, job)
    return first


# The image of a guest, 75 MiB, fits, but not beside the reserve (service.py).
SHORT_BYTES = 88 << 20


def space_short(world, guest, job):
    world.fill(world.work, SHORT_BYTES)


def space_short_beside(world, guest, job):
    """Another guest's backup is at work, and needs no more than its scratch file has."""
    other = beside(world, guest)
    theirs = world.service.submit(other.id, {"mode": "backup", "store": "glance", "bandwidthBytesPerSecond": 12 << 20})
    until("the other is uploaded", lambda: world.service.job(theirs)["step"] == "uploading", 30)
    space_short(world, guest, job)
    world.service.release()
    finish(world, theirs)


def beside(world, guest):
    """An ordinary guest that is another."""
    other = world.guest("b" if guest is world.guests.get("a") else "a")
    other.restore()
    return other


def finish(world, job, seconds=90):
    """A job beside the cell's succeeds; its image is taken away."""
    final = world.service.wait_final(job, seconds)
    checks.outcome(final, ("succeeded",))
    checks.image(world, final)
    for image in checks.images_of([final]):
        status, problem = world.service.call("DELETE", f"/images/{image}")
        if status != 204:
            raise Unmet(f"DELETE image: {status} {problem}")
    return final


def qemu_stopped_at_start(world, guest, job):
    """QEMU answers nobody while the service starts: one guest's trouble is its own."""
    service, other, pid = world.service, beside(world, guest), guest.qemu_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        service.start()
        service.wait_until_ready(30)
        finish(world, until("the other guest is let in", lambda: service.submit(other.id, {"mode": "backup"}), 20), 60)
        until("the guest is named", lambda: any(guest.name in part for part in service.unready_parts()[1]), 60, 0.5)
    finally:
        os.kill(pid, signal.SIGCONT)


# libvirt cuts a connection that is deaf for so long.
DEAF_SECONDS = 25


def five_at_once(world, guest, job):
    """Five guests are saved at the same time, to storage that stands still for a while."""
    service = world.service
    log_start = os.path.getsize(service.log_path)
    others = [world.guest(name) for name in ("b" if guest is world.guests.get("a") else "a", "c", "d", "e")]
    for other in others:
        other.restore()
    saving, ended = set(), threading.Event()

    def stop_saves():
        while not ended.is_set():
            for pid in process_ids({"libvirt_iohelpe"}):
                os.kill(pid, signal.SIGSTOP)
                saving.add(pid)
            time.sleep(0.01)

    stopper = threading.Thread(target=stop_saves, daemon=True)
    stopper.start()
    theirs = [until("it is let in", lambda: service.submit(other.id, {"mode": "cold"}), 30) for other in others]
    service.release()
    time.sleep(DEAF_SECONDS)
    ended.set()
    stopper.join()
    for pid in process_ids({"libvirt_iohelpe"}):
        os.kill(pid, signal.SIGCONT)
    checks.require(len(saving) == 5, f"{len(saving)} guests were saved at once")
    for one in theirs:
        finish(world, one, 120)
    for other in others:
        other.wait_for_beat()
    with open(service.log_path, "rb") as log:
        log.seek(log_start)
        checks.require(b"connection was lost" not in log.read(), "a connection to libvirtd was lost")


def store_full(world, guest, job):
    world.fill(world.images)


def store(mode, seconds=None):
    def act(world, guest, job):
        world.stub.mode = mode
        if seconds:
            timer = threading.Timer(seconds, lambda: setattr(world.stub, "mode", "ok"))
            timer.daemon = True
            timer.start()
    return act


def killed_in_stall(world, guest, job):
    world.stub.mode = "stall"
    world.service.release()
    time.sleep(1)
    world.service.kill()
    world.stub.mode = "ok"


def read_error(world, guest, job):
    with open(world.read_error, "w"):
        pass


def clock(seconds):
    """The wall clock of the service jumps."""
    def act(world, guest, job):
        with open(world.clock, "w") as file:
            file.write(f"{seconds:+d}s\n")
        return {"service ahead": seconds}
    return act
