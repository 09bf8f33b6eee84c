"""The faults: what somebody, or something, does while a run stands at its instant.

A fault may return what it leaves behind: {"power": ..., "definition": "gone"}; without, the guest is to be as it was found.
"""

import os
import shutil
import signal
import threading
import time

import libvirt

from service import Unmet, until

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
    world.reboot_host()
    # A guest that was saved when the power failed is resumed by the journal; others are off, for nobody has started them.
    return {"power": "running" if was_saved else "off"}


# The guest --------------------------------------------------------------------------------------------------------------

def qemu_killed(world, guest, job):
    os.kill(guest.qemu_pid(), signal.SIGKILL)
    until("the guest is off", lambda: guest.power() == "off")
    return {"power": "off"}


def destroyed(world, guest, job):
    guest.domain.destroy()
    return {"power": "off"}


def shut_down(world, guest, job):
    guest.domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
    # One that is not defined at the moment is gone with its end; the journal has its definition. While a backup job is at work, libvirt 9.0
    # calls a guest "in shutdown" for 30 s after its QEMU has ended.
    until("the guest is off", lambda: guest.power() in ("off", "gone"), 60)
    return {"power": "off"}


def reset(world, guest, job):
    guest.domain.reset()
    return {"agent": "rebooted"}


def paused(world, guest, job):
    guest.domain.suspend()
    return {"power": "paused"}


def resumed(world, guest, job):
    guest.domain.resume()
    return {"power": "running"}


def started(world, guest, job):
    guest.domain.create()
    return {"power": "running"}


def undefined(world, guest, job):
    flags = libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    if guest.power() == "saved":
        guest.domain.undefineFlags(flags | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
        return {"power": "gone", "definition": "gone"}
    guest.domain.undefineFlags(flags)
    return {"definition": "gone"}


# Other tools ------------------------------------------------------------------------------------------------------------

def attempt(call):
    """Other tools may be refused: then there is nothing of theirs to be left alone."""
    try:
        call()
        return True
    except libvirt.libvirtError:
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


def foreign_save(world, guest, job):
    return {"power": "saved"} if attempt(lambda: guest.domain.managedSave()) else None


# Space and stores -------------------------------------------------------------------------------------------------------

def work_full(world, guest, job):
    world.fill(world.work)


def scratch_full(world, guest, job):
    """No space for scratch, and a guest that overwrites: it is paused by QEMU, unless the backup was ended before."""
    world.service.release()
    world.fill(world.work)
    guest.write(16)


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
    return act
