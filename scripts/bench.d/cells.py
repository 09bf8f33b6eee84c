"""What is compared with what, and which ratio of medians (ours to the peer's) is promised."""

import statistics
from dataclasses import dataclass, field

import peers

SIZES = {"2G": ("2G", "400M"), "20G": ("20G", "5G")}


@dataclass
class Cell:
    """One table: a guest, a place to send to, and the tools that are run in turn."""

    name: str
    store: str | None            # hash, glance, null; None: the file itself is what is wanted
    tools: dict                  # name -> function of peers.py; None stands for ours
    request: dict = field(default_factory=dict)
    guest: tuple = ()            # further arguments of `lab guest`
    fill: int = 0                # MiB that are written into the top layer first
    measure: str = "seconds"     # the figure that is compared
    limits: dict = field(default_factory=dict)  # (peer, size) -> (ratio, seconds on top)
    ours: dict = field(default_factory=dict)    # peer -> which of ours it is compared with, if not "ours"
    checks: tuple = ()           # of ours alone, or of ours and the peers


@dataclass
class Check:
    """A figure that has a limit of its own."""

    name: str
    value: callable              # of {tool: runs}
    limit: float
    unit: str = "s"


def middle(runs, value):
    return statistics.median(value(run) for run in runs)


def both(ratio_2g, ratio_20g, extra_2g=0.0):
    return {"2G": (ratio_2g, extra_2g), "20G": (ratio_20g, 0.0)}


def limits(**peers_limits):
    return {(peer, size): limit for peer, sizes in peers_limits.items() for size, limit in sizes.items()}


SINK_TOOLS = {"ours": None, "same bytes": peers.same_bytes, "backup+convert+curl": peers.backup_convert, "nova": peers.nova_live}
SINK_LIMITS = limits(**{
    "same bytes": both(1.15, 1.10, 0.3),
    "backup+convert+curl": both(0.95, 0.95),
    "nova": both(0.60, 0.88),
})
# Nobody else asks the guest's agent to freeze its file systems; that takes it about 50 ms here.
LIVE = {"quiesce": "never"}
NO_STALL = Check("longest heartbeat gap", lambda runs: middle(runs["ours"], lambda run: run["stall"]), 0.3)
# What a guest overwrites while it is read goes into a scratch file: an idle one overwrites next to nothing.
NO_WRITING = Check("MiB that the service wrote", lambda runs: max(run["tool_written"] for run in runs["ours"]) / (1 << 20), 16, "MiB")
INSTANT_COLD = Check(
    "guest down beyond save and restore", lambda runs: middle(runs["ours"], lambda run: run["down"] - run["save"] - run["restore"]), 0.3)
SMALL_ZSTD = Check(
    "size against convert -c",
    lambda runs: middle(runs["ours"], lambda run: run["size"]) / middle(runs["convert -c zstd"], lambda run: run["size"]), 1.05, "")
COLD_TOOLS = {"ours": None, "nova": peers.nova_cold}
# For the base image, the top layer and its copy; it takes what is in it.
ROOM = ("--fs-size", "24G")

CELLS = [
    Cell("hash", "hash", {**SINK_TOOLS, "virtnbdbackup": peers.virtnbdbackup}, request=LIVE, limits=SINK_LIMITS, checks=(NO_STALL, NO_WRITING)),
    Cell("glance", "glance", SINK_TOOLS, request=LIVE, limits=SINK_LIMITS, checks=(NO_STALL, NO_WRITING)),
    Cell(
        "null", "null",
        {"ours": None, "ours, sending": None, "nbdcopy null:": peers.nbdcopy_null, "backup+convert+curl": peers.backup_convert, "nova": peers.nova_live},
        limits=limits(**{
            "nbdcopy null:": both(1.15, 1.15, 0.3),
            "backup+convert+curl": both(1.10, 0.75),
            "nova": both(0.40, 0.45),
        }),
        # Who sends is compared with who sends; who only reads, with who only reads.
        ours={"backup+convert+curl": "ours, sending", "nova": "ours, sending"},
        checks=(NO_STALL, NO_WRITING)),
    Cell(
        "directory", None, {"ours": None, "backup+convert+sha256sum": peers.backup_convert}, request=LIVE,
        limits=limits(**{"backup+convert+sha256sum": both(0.95, 0.75)})),
    Cell(
        "zstd", None, {"ours": None, "convert -c zstd": peers.convert_zstd}, request={**LIVE, "compression": "zstd"},
        limits=limits(**{"convert -c zstd": {"20G": (0.5, 0.0)}}), checks=(SMALL_ZSTD,)),
    Cell("cold-xfs", "hash", COLD_TOOLS, request={"mode": "cold"}, guest=("--fs", "xfs", *ROOM), measure="down", checks=(INSTANT_COLD,)),
    Cell(
        "cold-ext4", "hash", COLD_TOOLS, request={"mode": "cold"}, guest=("--fs", "ext4", *ROOM), fill=1024, measure="down",
        limits=limits(nova={"2G": (0.75, 0.0), "20G": (0.5, 0.0)})),
]
