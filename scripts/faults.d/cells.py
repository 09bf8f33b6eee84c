"""The matrix as data: captures, their instants, faults, and what may come of it.

A cell is named CAPTURE/INSTANT/FAULT. An instant is a point of the service's journal or pipeline (`added:end-backup`: that intent is
durable, its call not made yet; `#2`: the second such), or `uploading~N`: a random instant of the copying in that step, or `found`: before
the snapshot is asked for, so that the service may refuse it (`refused:CODE`).
"""

import fnmatch
from dataclasses import dataclass

import actors

# A copy at this rate takes some seconds.
SLOW = 12 << 20
ONE_FILE_SYSTEM = (("Stores__Directory__Path", "{work}/images"),)


@dataclass(frozen=True)
class Capture:
    name: str
    request: dict
    guest: tuple = ("a", "b")    # which guests it takes turns with
    before: str = "running"      # what the guest is when it is found: running, paused, off, frozen (by another tool), ioerror
    settings: tuple = ()         # of the service, beside its usual ones
    release: str = ""            # of an agent that hangs, when the job has ended: what was begun fails, or happens late


@dataclass(frozen=True)
class Fault:
    name: str
    action: str = "pause"        # what the service does at the instant: pause, kill, throw
    act: object = actors.nothing
    ends: tuple = ("succeeded",)
    first: object = None         # what happens in the copy, long before the instant


@dataclass(frozen=True)
class Cell:
    capture: Capture
    instant: str
    fault: Fault
    ends: tuple                  # patterns
    says: str = ""               # what a warning or the error of the job must say, as a regular expression

    @property
    def name(self):
        return f"{self.capture.name}/{self.instant}/{self.fault.name}"


CAPTURES = {c.name: c for c in (
    Capture("cold", {"mode": "cold"}),
    Capture("cold-paused", {"mode": "cold"}, before="paused"),
    Capture("cold-off", {"mode": "cold"}, before="off"),
    # Not the one that libvirt starts with the host: a host that reboots would start it beside its internal snapshot.
    Capture("cold-internal", {"mode": "cold", "internalSnapshot": True}, guest=("b",)),
    Capture("mirror", {"mode": "mirror"}),
    Capture("mirror-frozen", {"mode": "mirror", "quiesce": "required"}),
    Capture("mirror-two", {"mode": "mirror", "disks": "all"}, guest=("two",)),
    Capture("mirror-two-frozen", {"mode": "mirror", "disks": "all", "quiesce": "required"}, guest=("two",)),
    Capture("mirror-pair", {"mode": "mirror", "disks": "all"}, guest=("pair",)),
    Capture("mirror-pair-paused", {"mode": "mirror", "disks": "all"}, guest=("pair",), before="paused"),
    Capture("backup-pair", {"mode": "backup", "disks": "all"}, guest=("pair",)),
    Capture("cold-pair", {"mode": "cold", "disks": "all"}, guest=("pair",)),
    # Of the guests that take turns it is the one that libvirt starts with the host.
    Capture("rebase", {"mode": "mirror", "blockRebase": True}, guest=("a",)),
    Capture("backup", {"mode": "backup"}),
    Capture("backup-frozen", {"mode": "backup", "quiesce": "required"}),
    Capture("backup-two", {"mode": "backup", "disks": "all"}, guest=("two",)),
    Capture("backup-two-frozen", {"mode": "backup", "disks": "all", "quiesce": "required"}, guest=("two",)),
    Capture("backup-flaky", {"mode": "backup", "disks": ["vdb"]}, guest=("flaky",)),
    Capture("backup-glance", {"mode": "backup", "store": "glance"}),
    Capture("mirror-glance", {"mode": "mirror", "store": "glance"}),
    Capture("cold-glance", {"mode": "cold", "store": "glance"}),
    Capture("backup-spool", {"mode": "backup", "store": "glance", "compression": "zstd"}),
    Capture("backup-zstd", {"mode": "backup", "compression": "zstd"}),
    Capture("backup-vmdk", {"mode": "backup", "format": "vmdk"}),
    Capture("cold-transient", {"mode": "cold"}, guest=("transient",)),
    Capture("mirror-transient", {"mode": "mirror"}, guest=("transient",)),
    Capture("backup-transient", {"mode": "backup"}, guest=("transient",)),
    Capture("cold-cdrom", {"mode": "cold"}, guest=("cdrom",)),
    Capture("backup-cdrom", {"mode": "backup"}, guest=("cdrom",)),
    Capture("cold-shmem", {"mode": "cold"}, guest=("shmem",)),
    Capture("auto-shmem", {"mode": "auto"}, guest=("shmem",)),
    Capture("cold-raw", {"mode": "cold"}, guest=("raw",)),
    Capture("mirror-raw", {"mode": "mirror"}, guest=("raw",)),
    Capture("backup-raw", {"mode": "backup"}, guest=("raw",)),
    # An agent that does not come back from a freeze; what it has begun fails when the job has ended, or is done then, late.
    Capture("mirror-hung", {"mode": "mirror"}, guest=("hung",), release="late"),
    Capture("mirror-hung-fails", {"mode": "mirror"}, guest=("hung",), release="fails"),
    Capture("backup-hung", {"mode": "backup"}, guest=("hung",), release="late"),
    Capture("backup-hung-fails", {"mode": "backup"}, guest=("hung",), release="fails"),
    Capture("backup-hung-required", {"mode": "backup", "quiesce": "required"}, guest=("hung",), release="late"),
    # An agent that says that it froze no file system.
    Capture("mirror-lying", {"mode": "mirror"}, guest=("lying",)),
    Capture("backup-lying", {"mode": "backup"}, guest=("lying",)),
    Capture("mirror-lying-required", {"mode": "mirror", "quiesce": "required"}, guest=("lying",)),
    Capture("backup-lying-required", {"mode": "backup", "quiesce": "required"}, guest=("lying",)),
    # A guest that another tool has frozen.
    Capture("mirror-of-frozen", {"mode": "mirror"}, before="frozen"),
    Capture("backup-of-frozen", {"mode": "backup"}, before="frozen"),
    Capture("mirror-of-frozen-required", {"mode": "mirror", "quiesce": "required"}, before="frozen"),
    Capture("backup-of-frozen-required", {"mode": "backup", "quiesce": "required"}, before="frozen"),
    # A guest that QEMU has paused for a write error of its own, on a disk that is not captured.
    Capture("cold-ioerror", {"mode": "cold", "disks": ["vda"]}, guest=("flaky",), before="ioerror"),
    Capture("mirror-ioerror", {"mode": "mirror", "disks": ["vda"]}, guest=("flaky",), before="ioerror"),
    Capture("backup-ioerror", {"mode": "backup", "disks": ["vda"]}, guest=("flaky",), before="ioerror"),
    # The work directory and the store on one small file system.
    *(Capture(f"{mode}-one-fs", {"mode": mode}, settings=ONE_FILE_SYSTEM) for mode in ("cold", "mirror", "backup")),
    # Disks that are served by an I/O thread.
    *(Capture(f"{mode}-{guest}", {"mode": mode}, guest=(guest,)) for guest in ("iothread", "scsi") for mode in ("cold", "mirror", "backup", "auto")),
)}

LOST = ("failed:server_stopped", "failed:hypervisor_error", "failed:copy_source_failed", "failed:state_conflict")
AWAY = ("succeeded", "failed:hypervisor_unavailable", "failed:hypervisor_error", "failed:copy_source_failed")
REFUSED = ("refused:*", "failed:state_conflict", "failed:unsupported_disk", "failed:server_busy")
# A guest whose QEMU hangs may keep its own job from running again.
HUNG = ("succeeded", "failed:server_busy", "failed:state_conflict", "failed:hypervisor_*", "failed:timed_out", "failed:abandoned")

FAULTS = {f.name: f for f in (
    Fault("killed", "kill"),
    Fault("killed-destroyed", "kill", actors.destroyed),
    Fault("killed-shut-down", "kill", actors.shut_down),
    Fault("killed-undefined", "kill", actors.undefined),
    Fault("killed-libvirtd-restarted", "kill", actors.libvirtd_restarted),
    Fault("killed-database-restarted", "kill", actors.database_restarted),
    Fault("killed-resumed", "kill", actors.resumed),
    Fault("killed-qemu-stopped", "kill", actors.qemu_stopped_at_start, HUNG),
    Fault("killed-paused-by-scratch", "kill", actors.space_again(actors.nothing), first=actors.pause_by_scratch),
    Fault("killed-paused-by-scratch-libvirtd-restarted", "kill", actors.space_again(actors.libvirtd_restarted), first=actors.pause_by_scratch),
    *(Fault(f"check-killed-{name}", act=actors.killed_in_check(point)) for name, point in (
        ("made", "added:remove-canary"), ("saved", "undoing:resume"), ("mirrored", "added:abort-block-job"), ("backed-up", "added:end-backup"),
        ("removed", "undoing:remove-canary"))),
    Fault("untouched"),
    Fault("disk-full", "throw", ends=("failed:no_space",)),
    Fault("terminated", act=actors.terminated),
    Fault("cancelled", act=actors.cancelled, ends=("cancelled",)),
    Fault("second-service", act=actors.second_service),
    Fault("delivered-twice", act=actors.delivered_twice),
    Fault("database-restarted", act=actors.database_restarted),
    Fault("database-away", act=actors.database_away(8)),
    Fault("database-away-3min", act=actors.database_away(180)),
    Fault("libvirtd-restarted", act=actors.libvirtd_restarted, ends=AWAY),
    Fault("libvirtd-away", act=actors.libvirtd_away(8), ends=AWAY),
    Fault("libvirtd-hangs", act=actors.libvirtd_hangs, ends=AWAY),
    Fault("qemu-hangs", act=actors.qemu_hangs, ends=("succeeded", "failed:timed_out")),
    Fault("host-rebooted", act=actors.host_rebooted),
    Fault("qemu-killed", act=actors.qemu_killed, ends=LOST),
    Fault("destroyed", act=actors.destroyed, ends=LOST),
    Fault("shut-down", act=actors.shut_down, ends=LOST),
    Fault("reset", act=actors.reset),
    Fault("paused", act=actors.paused),
    Fault("resumed", act=actors.resumed),
    Fault("paused-and-resumed", act=actors.paused_and_resumed),
    Fault("started", act=actors.started, ends=actors.STARTED),
    Fault("started-early", act=actors.started_early, ends=("succeeded", "failed:state_conflict")),
    Fault("started-late", act=actors.started_late),
    Fault("libvirtd-away-and-started", act=actors.libvirtd_away_and_started, ends=actors.STARTED),
    Fault("five-at-once", act=actors.five_at_once),
    Fault("undefined", act=actors.undefined),
    Fault("foreign-copy", act=actors.foreign_copy, ends=("failed:server_busy", "failed:hypervisor_error")),
    Fault("foreign-backup", act=actors.foreign_backup, ends=("failed:server_busy", "failed:hypervisor_error")),
    Fault("foreign-save", act=actors.foreign_save),
    Fault("foreign-snapshot", act=actors.foreign_snapshot, ends=("failed:state_conflict",)),
    Fault("foreign-thaw", act=actors.foreign_thaw, ends=("failed:quiesce_failed",)),
    Fault("autostart-switched", act=actors.autostart_switched),
    Fault("foreign-abort", act=actors.foreign_abort, ends=("failed:state_conflict", "failed:hypervisor_error", "failed:copy_source_failed")),
    Fault("foreign-freeze", act=actors.foreign_freeze),
    Fault("committed", act=actors.committed, ends=("succeeded", "failed:state_conflict", "failed:copy_source_failed")),
    Fault("cdrom-removed", act=actors.missing("cdrom.iso"), ends=REFUSED),
    Fault("kernel-removed", act=actors.missing("vmlinuz"), ends=REFUSED),
    Fault("disk-deleted", act=actors.missing("vda.qcow2")),
    Fault("disk-replaced", act=actors.disk_replaced),
    Fault("other-runs", act=actors.other_runs, ends=REFUSED),
    Fault("work-full", act=actors.work_full, ends=("failed:no_space",)),
    Fault("space-short", act=actors.space_short, ends=("failed:no_space",)),
    Fault("space-short-beside", act=actors.space_short_beside, ends=("failed:no_space",)),
    Fault("scratch-full", act=actors.scratch_full, ends=("failed:no_space", "failed:copy_source_failed")),
    Fault("store-full", act=actors.store_full, ends=("failed:no_space",)),
    Fault("store-refuses", act=actors.store("refuse"), ends=("failed:store_failed",)),
    Fault("store-refuses-file", act=actors.store("refuse-file"), ends=("failed:store_failed",)),
    Fault("store-refuses-for-2s", act=actors.store("refuse-file", 2)),
    Fault("store-cuts", act=actors.store("cut")),
    Fault("store-cuts-always", act=actors.store("cut-always"), ends=("failed:store_failed",)),
    Fault("store-stalls", act=actors.store("stall"), ends=("failed:timed_out",)),
    Fault("store-stalls-for-3s", act=actors.store("stall", 3)),
    Fault("store-fills", act=actors.store("full"), ends=("failed:quota_exceeded",)),
    Fault("store-lies", act=actors.store("lie"), ends=("failed:image_rejected",)),
    Fault("killed-in-stall", act=actors.killed_in_stall),
    Fault("read-error", act=actors.read_error, ends=("failed:copy_source_failed",)),
    Fault("clock-forward", act=actors.clock(7200)),
    Fault("clock-back", act=actors.clock(-7200)),
)}

STEPS = {
    "cold": ("planning", "saving", "cloning", "resuming", "measuring", "uploading", "publishing", "cleaning_up"),
    "mirror": ("planning", "mirroring", "measuring", "uploading", "publishing", "cleaning_up"),
    "backup": ("planning", "backup_beginning", "measuring", "uploading", "publishing", "cleaning_up"),
}
OUTCOME = ("concluding:outcome", "concluded:outcome", "deleting:outcome")


def around(*names, instants=("adding", "added", "undoing", "undone", "settled")):
    return [f"{instant}:{name}" for name in names for instant in instants]


def steps(*names):
    return [f"step:{name}" for name in names]


CELLS = []


def add(captures, instants, faults, ends=None, says=""):
    for capture in captures.split():
        for instant in instants.split() if isinstance(instants, str) else instants:
            for fault in faults.split():
                CELLS.append(Cell(CAPTURES[capture], instant, FAULTS[fault], tuple(ends or FAULTS[fault].ends), says))


# The service dies: at every journalled step, before and after; at every step of the pipeline; at random in the copy. ---------------
add("cold", around("delete-file", "resume", "end-process", "delete-remote-image", instants=("adding", "added")), "killed")
add("cold", around("delete-file", "resume", "end-process", instants=("undoing", "undone", "settled")), "killed")
add("mirror", around("delete-file", "abort-block-job", "end-process"), "killed")
add("mirror", around("delete-remote-image", instants=("adding", "added")), "killed")
add("rebase", around("redefine", "abort-block-job"), "killed")
add("backup", around("delete-file", "end-backup"), "killed")
add("backup", around("delete-remote-image", instants=("adding", "added")), "killed")
add("mirror-frozen backup-frozen", around("thaw"), "killed")
add("mirror-two", around("unpause") + ["added:abort-block-job#2", "settled:abort-block-job"], "killed")
add("cold-internal", around("remove-internal-snapshot") + ["undoing:resume", "undone:resume"], "killed")
add("cold-paused", ["added:resume", "undone:resume", "step:cloning"], "killed")
add("cold-off", ["added:delete-file", "added:end-process", "step:uploading"], "killed")
add("backup-glance", around("delete-remote-image", instants=("adding", "added")) + ["step:publishing", "uploading~1"], "killed")
add("backup-spool", around("end-process", instants=("adding", "added")) + ["step:preparing", "step:uploading", "step:publishing"], "killed")
add("backup-zstd backup-vmdk", "added:end-process uploading~1", "killed")
for name, of in STEPS.items():
    add(name, steps(*of) + list(OUTCOME) + ["uploading~1", "uploading~2"], "killed")
add("mirror rebase", "mirroring~1 mirroring~2", "killed")

# A spool that is whole ends the capture before the image is sent: what happens to the guest then is no loss of it.
add("backup-spool", around("end-backup", instants=("undoing", "undone", "settled")), "killed")
add("backup-spool", "undoing:end-backup step:uploading", "libvirtd-away terminated reset")
add("backup-spool", "undoing:end-backup step:uploading", "destroyed", ends=("succeeded",))

# It dies, and before it is back something else happens. -------------------------------------------------------------------------
add("mirror rebase", "added:abort-block-job mirroring~1", "killed-destroyed killed-shut-down killed-libvirtd-restarted")
add("backup", "added:end-backup uploading~1", "killed-destroyed killed-libvirtd-restarted killed-database-restarted")
add("backup", "uploading~1", "killed-shut-down")
add("rebase", "added:redefine", "killed-destroyed killed-libvirtd-restarted")
add("cold", "step:cloning", "killed-libvirtd-restarted killed-database-restarted")
add("cold", "step:cloning", "killed-undefined", ends=("failed:server_not_found",))
add("mirror", "mirroring~1", "killed-undefined")
add("backup-frozen", "added:end-backup", "killed-libvirtd-restarted")

# The journal can't be written. --------------------------------------------------------------------------------------------------
add("cold", around("delete-file", "resume", "end-process", "delete-remote-image", instants=("adding",)), "disk-full")
add("mirror", around("abort-block-job", "end-process", instants=("adding",)) + ["concluding:outcome"], "disk-full")
add("rebase", around("redefine", "abort-block-job", instants=("adding",)), "disk-full")
add("backup", around("end-backup", "delete-remote-image", instants=("adding",)) + ["concluding:outcome"], "disk-full")
add("backup-frozen", around("thaw", "end-backup", instants=("adding",)), "disk-full")

# It is told to end, or its user cancels. ----------------------------------------------------------------------------------------
add("cold", steps("saving", "cloning", "uploading", "publishing"), "terminated")
add("cold-internal", steps("uploading"), "terminated")
add("mirror", steps("mirroring", "uploading") + ["added:abort-block-job"], "terminated")
add("rebase", "added:redefine", "terminated")
add("backup", steps("backup_beginning", "uploading", "publishing"), "terminated")
add("backup-frozen", "added:end-backup", "terminated")
add("backup-spool", "step:preparing", "terminated")
add("cold", steps("saving", "cloning", "uploading"), "cancelled")
add("mirror", steps("mirroring", "uploading") + ["added:abort-block-job", "mirroring~1"], "cancelled")
add("rebase", "added:redefine", "cancelled")
add("backup", steps("planning", "uploading") + ["added:end-backup", "uploading~1"], "cancelled")
add("backup-frozen", "added:thaw", "cancelled")
add("backup-glance backup-spool", "step:uploading", "cancelled")

# PostgreSQL. --------------------------------------------------------------------------------------------------------------------
add("cold", "step:cloning step:uploading", "database-restarted database-away")
add("mirror", "step:mirroring step:publishing", "database-restarted database-away")
add("backup", "step:planning step:uploading concluding:outcome", "database-restarted database-away")
add("backup", "uploading~1", "database-away-3min")

# libvirtd. ----------------------------------------------------------------------------------------------------------------------
add("cold", "step:saving step:cloning step:uploading", "libvirtd-restarted libvirtd-away")
add("mirror", "step:mirroring mirroring~1 undoing:abort-block-job step:uploading", "libvirtd-restarted libvirtd-away")
add("rebase", "undoing:redefine", "libvirtd-restarted libvirtd-away")
add("backup", "step:backup_beginning uploading~1 step:cleaning_up", "libvirtd-restarted libvirtd-away")
add("backup-frozen", "added:end-backup", "libvirtd-restarted libvirtd-hangs")
add("cold", "step:saving step:cloning", "libvirtd-hangs")
add("mirror", "mirroring~1", "libvirtd-hangs qemu-hangs")
add("backup", "uploading~1", "libvirtd-hangs qemu-hangs")

# The host. ----------------------------------------------------------------------------------------------------------------------
add("cold", "step:cloning step:uploading", "host-rebooted")
add("mirror", "mirroring~1 step:uploading", "host-rebooted")
add("rebase", "undoing:redefine", "host-rebooted")
add("backup", "added:end-backup step:uploading step:publishing", "host-rebooted")
add("cold-internal", "step:uploading", "host-rebooted")

# The guest. ---------------------------------------------------------------------------------------------------------------------
add("mirror", "added:abort-block-job mirroring~1 undoing:abort-block-job", "qemu-killed destroyed")
add("mirror", "mirroring~1", "shut-down")
add("mirror", "step:uploading step:publishing", "destroyed shut-down", ends=("succeeded",))
add("rebase", "undoing:redefine mirroring~1", "destroyed")
add("backup", "added:end-backup step:uploading uploading~1", "qemu-killed destroyed")
add("backup", "uploading~1", "shut-down")
add("backup-frozen", "added:end-backup", "destroyed")
add("cold", "step:uploading", "qemu-killed destroyed shut-down", ends=("succeeded",))
add("mirror", "mirroring~1", "reset paused")
add("backup", "uploading~1", "reset paused")
add("cold", "step:saving step:uploading", "reset paused")
add("cold-paused", "step:saving step:uploading", "resumed")
add("mirror", "mirroring~1 step:uploading", "undefined")
add("backup", "uploading~1 step:uploading", "undefined")
add("rebase", "mirroring~1", "undefined")
add("cold", "step:uploading", "undefined")
add("cold", "step:cloning", "undefined", ends=("succeeded", *LOST, "failed:server_not_found"))
add("cold", "step:cloning", "started")
add("cold-off", "step:cloning", "started")

# Other tools. -------------------------------------------------------------------------------------------------------------------
add("mirror", "added:abort-block-job", "foreign-copy")
add("rebase", "adding:redefine added:abort-block-job", "foreign-copy")
add("backup", "step:backup_beginning", "foreign-backup")
# Between the freeze and our own call: libvirt lets us wait until the freeze is over.
add("backup", "added:end-backup", "foreign-backup", ends=("failed:server_busy", "failed:hypervisor_error", "failed:timed_out"))
add("backup", "step:uploading", "foreign-copy foreign-backup", ends=("succeeded",))
add("mirror", "mirroring~1", "foreign-copy foreign-backup", ends=("succeeded",))
add("cold", "step:saving adding:unpause adding:resume", "foreign-snapshot")
add("mirror", "step:mirroring adding:abort-block-job added:abort-block-job", "foreign-snapshot")
add("backup", "adding:end-backup", "foreign-snapshot", ends=("succeeded",))
add("backup-frozen", "adding:end-backup", "foreign-thaw")
add("mirror-frozen", "adding:unpause", "foreign-thaw")
add("rebase", "adding:redefine added:redefine", "autostart-switched")
# Not of a mirror: one that is paused within its freeze can be thawed only when it goes on.
add("cold", "adding:unpause", "paused")
add("cold", "step:saving adding:resume", "disk-replaced", ends=("failed:state_conflict", "failed:copy_source_failed"))
add("mirror", "mirroring~1", "foreign-save")
# Who was quicker than we are: what he has saved is his to start.
add("cold", "step:saving added:unpause added:resume", "foreign-save", ends=("failed:state_conflict",))
add("backup", "uploading~1", "foreign-save")
add("cold", "step:uploading", "foreign-copy foreign-backup foreign-save", ends=("succeeded",))
add("mirror", "step:mirroring mirroring~1", "second-service delivered-twice")
add("backup", "added:end-backup step:uploading", "second-service delivered-twice")
add("cold", "step:cloning", "second-service delivered-twice")

# Space. -------------------------------------------------------------------------------------------------------------------------
add("cold", "step:planning step:saving", "work-full")
# What is copied is copied while memory is saved.
add("cold", "step:cloning", "work-full", ends=("succeeded", "failed:no_space"))
add("mirror", "step:planning step:mirroring mirroring~1", "work-full")
add("rebase", "mirroring~1", "work-full")
add("backup", "step:planning step:backup_beginning added:end-backup step:uploading", "work-full")
add("backup backup-two", "uploading~1", "scratch-full")
add("backup-spool", "step:preparing preparing~1", "work-full")
add("cold mirror backup", "step:uploading", "store-full")
add("backup", "uploading~1 step:publishing", "store-full", ends=("succeeded", "failed:no_space"))
add("backup-zstd backup-vmdk", "uploading~1", "store-full")

# Stores. ------------------------------------------------------------------------------------------------------------------------
add("backup-glance cold-glance", "step:planning", "store-refuses")
add("backup-glance", "step:uploading", "store-refuses-file store-cuts-always store-lies")
add("backup-glance mirror-glance cold-glance backup-spool", "step:uploading", "store-cuts store-stalls store-fills")
add("backup-glance mirror-glance", "step:uploading", "store-refuses-for-2s store-stalls-for-3s killed-in-stall")

# The clock. ---------------------------------------------------------------------------------------------------------------------
add("cold", "step:cloning", "clock-forward clock-back")
add("mirror", "mirroring~1", "clock-forward clock-back")
add("backup", "uploading~1 step:publishing", "clock-forward clock-back")

# Two disks: with a freeze, with CPUs that stand still meanwhile, and of one instant. --------------------------------------------------
add("mirror-two-frozen", around("thaw", "unpause"), "killed")
add("mirror-two-frozen", "undoing:abort-block-job#2", "killed terminated killed-destroyed killed-libvirtd-restarted killed-resumed")
add("mirror-two-frozen", "added:thaw added:unpause undoing:abort-block-job undoing:abort-block-job#2", "cancelled")
add("mirror-two-frozen", around("unpause", instants=("adding",)), "disk-full")
add("mirror-two-frozen", "added:unpause", "terminated libvirtd-restarted libvirtd-hangs qemu-killed destroyed")
add("mirror-two-frozen", "undoing:abort-block-job", "foreign-abort")
add("backup-two-frozen", around("thaw", "end-backup", instants=("added", "undoing", "undone")), "killed")
add("backup-two-frozen", "added:end-backup", "cancelled terminated libvirtd-restarted destroyed")
add("mirror-pair", "step:mirroring mirroring~1", "paused paused-and-resumed")
add("mirror-pair", "mirroring~1", "untouched")
add("mirror-pair", "undoing:abort-block-job#2", "killed")
add("mirror-pair-paused", "step:mirroring mirroring~1", "resumed")
add("mirror-pair-paused", "mirroring~1", "untouched")
add("backup-pair cold-pair", "uploading~1", "untouched")
add("backup-pair", "added:end-backup", "paused-and-resumed")

# The CPUs stop at the end of every mirror, and while a cold capture copies. ------------------------------------------------------------
add("mirror cold", around("unpause"), "killed")
add("mirror cold", "adding:unpause", "disk-full")
add("mirror cold", "added:unpause", "cancelled terminated destroyed libvirtd-restarted killed-destroyed")
add("mirror-frozen", "added:unpause", "killed cancelled")

# A guest that is paused because scratch space was full goes on, whoever dies between the two. -------------------------------------------
add("backup", around("resume-after-io-error"), "killed")
add("backup", "adding:resume-after-io-error", "disk-full")
add("backup", "undoing:end-backup undone:end-backup settled:end-backup undoing:resume-after-io-error undone:resume-after-io-error", "killed-paused-by-scratch")
add("backup", "undone:end-backup settled:end-backup", "killed-paused-by-scratch-libvirtd-restarted")

# A guest that is not defined. -----------------------------------------------------------------------------------------------------------
GONE = (*LOST, "failed:server_not_found")
add("cold-transient", "found", "untouched", ends=REFUSED)
add("mirror-transient", "added:abort-block-job", "killed destroyed", ends=("succeeded", *GONE))
add("backup-transient", "added:end-backup", "killed destroyed", ends=("succeeded", *GONE))
add("mirror-transient", "mirroring~1", "killed cancelled libvirtd-restarted paused")
add("backup-transient", "uploading~1", "killed cancelled libvirtd-restarted paused")
add("mirror-transient", "mirroring~1", "destroyed killed-destroyed", ends=GONE)
add("backup-transient", "uploading~1", "destroyed killed-destroyed", ends=GONE)
add("mirror-transient", "mirroring~1", "shut-down killed-shut-down", ends=GONE)
add("backup-transient", "uploading~1", "shut-down killed-shut-down", ends=GONE)
add("mirror-transient", "step:uploading", "destroyed", ends=("succeeded",))

# Somebody starts a guest that is off, unseen. -------------------------------------------------------------------------------------------
add("cold-off", "step:planning", "started-early")
add("cold-off", "added:delete-file", "started-early", ends=("succeeded", *actors.STARTED))
add("cold-off cold", "step:cloning", "libvirtd-away-and-started")
add("cold-off", "step:uploading", "started-late")
add("rebase", "added:abort-block-job undone:abort-block-job", "terminated")

# What the agent says, and who else freezes. ---------------------------------------------------------------------------------------------
NOT_FROZEN = ("succeeded", "failed:quiesce_failed")
for name in ("mirror", "backup"):
    add(f"{name}-hung {name}-hung-fails", "added:thaw", "untouched", ends=NOT_FROZEN)
    add(f"{name}-hung", "undoing:thaw", "killed terminated libvirtd-restarted", ends=NOT_FROZEN)
    add(f"{name}-hung", "undoing:thaw", "cancelled", ends=("cancelled", "failed:quiesce_failed"))
    add(f"{name}-hung", "undoing:thaw", "destroyed", ends=("failed:quiesce_failed", *LOST))
    add(f"{name}-lying", "added:thaw", "untouched", says="froze|frozen|file system|crash-consistent")
    add(f"{name}-lying-required", "added:thaw", "untouched", ends=("failed:quiesce_failed",))
    add(f"{name}-of-frozen", "step:uploading", "untouched", says="frozen|freeze|crash-consistent")
    add(f"{name}-of-frozen-required", "found", "untouched", ends=("refused:*", "failed:quiesce_failed"), says="frozen|freeze")
    add(f"{name}-of-frozen", "step:uploading", "killed")
    add(name, "added:thaw", "foreign-freeze", says="frozen|freeze|crash-consistent")
add("mirror-of-frozen", "added:abort-block-job", "killed")
add("backup-of-frozen", "added:end-backup", "cancelled")
add("backup-hung-required", "added:thaw", "untouched", ends=("failed:quiesce_failed",))

# QEMU hangs while the service starts; many at once. ---------------------------------------------------------------------------------------
add("backup", "added:end-backup uploading~1", "killed-qemu-stopped")
add("mirror", "mirroring~1", "killed-qemu-stopped")
add("backup-frozen", "undoing:thaw", "killed-qemu-stopped")
add("rebase", "undoing:redefine", "killed-qemu-stopped")
add("cold", "step:saving", "five-at-once")

# Space that work directory and store share. -------------------------------------------------------------------------------------------------
for name in ("cold", "mirror", "backup"):
    add(f"{name}-one-fs", "step:uploading", "space-short", says="^(?!.*the guest wrote)")
add("backup-one-fs", "step:publishing", "killed")
add("backup-one-fs", "step:planning", "space-short", says="^(?!.*the guest wrote)")
add("backup-one-fs", "uploading~1", "space-short", ends=("succeeded", "failed:no_space"))
add("backup-one-fs", "step:uploading", "space-short-beside", says="^(?!.*the guest wrote)")

# A guest that is paused for an error of its own stays so. -----------------------------------------------------------------------------------
add("backup-ioerror mirror-ioerror", "step:uploading", "untouched killed cancelled")
add("backup-ioerror", "added:end-backup", "killed")
add("mirror-ioerror", "added:abort-block-job", "killed")
add("cold-ioerror", "found", "untouched", ends=("failed:state_conflict", "refused:state_conflict"))
# After those on the same guest: its own file system does not get over reads that fail, and its writes fail from then on.
add("backup-flaky", "step:measuring step:uploading uploading~1", "read-error")
add("backup-flaky", "step:uploading", "killed")

# Another tool commits below what we read. ---------------------------------------------------------------------------------------------------
add("cold-raw mirror-raw", "step:measuring step:uploading uploading~1", "committed")
add("backup-raw", "step:uploading", "committed")

# The service is killed while it proves its captures; a snapshot afterwards is none the worse. ----------------------------------------------
add("cold backup", "found", "check-killed-made check-killed-removed")
add("cold", "found", "check-killed-saved")
add("mirror", "found", "check-killed-mirrored")
add("backup", "found", "check-killed-backed-up")

# I/O threads: QEMU lives. -------------------------------------------------------------------------------------------------------------------
for name in ("iothread", "scsi"):
    add(f"backup-{name} auto-{name}", "uploading~1", "untouched killed cancelled")
    add(f"auto-{name}", "uploading~1 step:cleaning_up", "reset")
    add(f"mirror-{name}", "added:abort-block-job mirroring~1", "killed")
    add(f"mirror-{name}", "mirroring~1", "cancelled reset")
    add(f"cold-{name}", "step:cloning uploading~1", "killed")

# What a guest needs to start again, and who else has its disk. --------------------------------------------------------------------------------
add("cold-cdrom", "found", "untouched")
add("cold-cdrom", "found", "cdrom-removed", says="sda|CD-ROM|cdrom")
add("cold-cdrom", "step:planning", "cdrom-removed", says="sda|CD-ROM|cdrom")
add("backup-cdrom", "found", "cdrom-removed", ends=("succeeded",))
add("cold", "found step:planning", "kernel-removed", says="kernel|vmlinuz")
add("cold", "found step:planning", "disk-replaced", ends=REFUSED)
add("cold", "found step:planning", "disk-deleted", ends=(*REFUSED, "failed:copy_source_failed"))
add("mirror backup", "found", "disk-replaced disk-deleted")
add("cold-off", "found step:planning", "other-runs")
add("cold-shmem", "found", "untouched", ends=("refused:*", "failed:*"), says="shmem|migrat|device")
add("auto-shmem", "found", "untouched")

# A guest that is gone at the very end: the image is there, and the job tells. -----------------------------------------------------------------
add("backup", "step:cleaning_up", "destroyed qemu-killed", ends=("succeeded",), says="gone|off|stopped|ended")
add("mirror cold backup-transient", "step:cleaning_up", "destroyed", ends=("succeeded",), says="gone|off|stopped|ended")

QUICK = (
    "cold/added:resume/killed", "cold/step:cloning/killed", "mirror/added:abort-block-job/killed", "rebase/undoing:redefine/killed",
    "backup/added:end-backup/killed", "backup-frozen/undoing:thaw/killed", "backup-glance/step:publishing/killed", "backup/step:uploading/terminated",
    "mirror/mirroring~1/cancelled", "mirror/undoing:abort-block-job/destroyed", "backup/concluding:outcome/database-restarted",
    "mirror/mirroring~1/libvirtd-restarted", "backup/uploading~1/scratch-full", "backup/adding:end-backup/disk-full",
    "auto-iothread/uploading~1/killed", "mirror-two-frozen/added:unpause/cancelled", "backup-transient/uploading~1/destroyed",
    "backup-hung/added:thaw/untouched", "cold/found/disk-replaced",
)


def select(patterns=(), quick=False):
    if quick:
        return [next(c for c in CELLS if c.name == name) for name in QUICK]
    if not patterns:
        return CELLS
    return [c for c in CELLS if any(p in c.name or fnmatch.fnmatchcase(c.name, p) for p in patterns)]
