"""What a run costs: the guest (heartbeat, writes), the host (written bytes, extra disk), the processors."""

import os
import resource
import threading
import time


class Heartbeat(threading.Thread):
    """Follows a guest's serial log: the largest gaps between two heartbeats and between two finished writes, in seconds."""

    INTERVAL = 0.01

    def __init__(self, log):
        super().__init__(daemon=True)
        self.log = log
        self.beat = self.write = 0.0
        self.errors = 0
        self.ended = threading.Event()

    def run(self):
        with open(self.log, "rb", buffering=0) as file:
            file.seek(0, os.SEEK_END)
            last = {b"HB ": time.monotonic()}
            rest = b""
            while not self.ended.is_set():
                chunk = file.read()
                now = time.monotonic()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    kind = line[:3]
                    self.errors += line.startswith(b"WRITE ERROR")
                    if kind in (b"HB ", b"WR "):
                        self.note(kind, now - last.get(kind, now))
                        last[kind] = now
                time.sleep(self.INTERVAL)
            for kind, at in last.items():
                self.note(kind, time.monotonic() - at)

    def note(self, kind, gap):
        if kind == b"HB ":
            self.beat = max(self.beat, gap)
        else:
            self.write = max(self.write, gap)

    def stop(self):
        self.ended.set()
        self.join()


class DiskPeak(threading.Thread):
    """The most that files below some directories took on disk, in bytes above what they took at the start."""

    INTERVAL = 0.05

    def __init__(self, directories):
        super().__init__(daemon=True)
        self.directories = directories
        self.start_bytes = self.now()
        self.peak = 0
        self.ended = threading.Event()

    def now(self):
        total = 0
        for directory in self.directories:
            for parent, _, names in os.walk(directory):
                for name in names:
                    try:
                        total += os.lstat(os.path.join(parent, name)).st_blocks * 512
                    except FileNotFoundError:
                        pass
        return total

    def run(self):
        while not self.ended.wait(self.INTERVAL):
            self.peak = max(self.peak, self.now() - self.start_bytes)

    def stop(self):
        self.ended.set()
        self.join()


def written_by(pid):
    """Bytes that a process and the children it has waited for wrote into files, whether they reached the disk yet or not."""
    try:
        with open(f"/proc/{pid}/io") as file:
            fields = dict(line.split(": ") for line in file)
        return int(fields["write_bytes"]) - int(fields["cancelled_write_bytes"])
    except FileNotFoundError:
        return 0


def processor_of(pid):
    """Processor seconds of a process and the children it has waited for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    except FileNotFoundError:
        return 0.0


def processor_of_self():
    """Processor seconds of this process' children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Costs:
    """Everything of one run. With `pid` the work is another process' (the service); without, this process' children's."""

    def __init__(self, guest, directories, pid=None):
        self.guest = guest
        self.pid = pid
        self.heartbeat = Heartbeat(guest.log)
        self.disk = DiskPeak(directories)

    def __enter__(self):
        self.qemu = self.guest.qemu_pid()
        self.before = self.counters()
        self.heartbeat.start()
        self.disk.start()
        return self

    def counters(self):
        if self.pid:
            written, processor = written_by(self.pid), processor_of(self.pid)
        else:
            written, processor = written_by("self"), processor_of_self() + time.process_time()
        return written, processor, written_by(self.qemu), processor_of(self.qemu)

    def __exit__(self, *_):
        self.disk.stop()
        self.heartbeat.stop()
        after = self.counters()
        written, processor, qemu_written, qemu_processor = (a - b for a, b in zip(after, self.before))
        self.figures = {
            "stall": self.heartbeat.beat,
            "write_gap": self.heartbeat.write,
            "write_errors": self.heartbeat.errors,
            # A QEMU that ended meanwhile (cold) takes its counters along.
            "written": written + max(qemu_written, 0),
            "tool_written": written,
            "peak": self.disk.peak,
            "processor": processor + max(qemu_processor, 0.0),
        }
        return False
