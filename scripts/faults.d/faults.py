#!/usr/bin/python3
"""The driver of scripts/faults. See `scripts/faults --help`."""

import argparse
import collections
import json
import os
import random
import sys
import time
import traceback
import uuid
import zlib

import cells
from service import FINAL, Cut, Refused, Unmet, until

# So many cells of the same guests a worker takes at a time.
BATCH = 8


def say(text):
    print(f"faults: {text}", file=sys.stderr, flush=True)


class Matrix:
    def __init__(self, options):
        from world import World
        self.world = World(options.binary, options.share[0])
        self.options = options
        self.results = []

    # One cell -------------------------------------------------------------------------------------------------------

    def guest_for(self, cell):
        """They take turns, and a cell has the same in every run."""
        names = cell.capture.guest
        return self.world.guest(names[zlib.crc32(cell.name.encode()) % len(names)])

    def prepare(self, cell, guest):
        """The guest as the cell finds it, and the service ready and knowing it so. Returns what is found."""
        import checks
        world, service = self.world, self.world.service
        world.configure(dict(cell.capture.settings), cell.fault.name.startswith("clock"))
        # Another cell's reboot of the host has stopped it, too.
        guest.restore()
        if not guest.finds_agent():
            # libvirt 9.0 has lost it: another cell has started the guest, and its backup began before the agent came.
            world.kill_libvirtd()
            world.start_libvirtd()
        guest.set_clock()
        if hasattr(guest, "begin"):
            guest.begin()
        if cell.fault.name == "committed":
            # In the file that is committed to, and not in the layer above it, which the service copies.
            guest.mark("MARK-BEFORE")
            world.put_overlay(guest, commit=True)
        power = self.bring(guest, cell.capture.before)
        service.wait_until_ready(every_part=True)

        def known():
            status, server = service.call("GET", f"/servers/{guest.id}")
            return status == 200 and server["powerState"] == {"off": "shut_off"}.get(power, power)
        until("the service knows the guest as it is", known, 20)
        return {"power": power, "facts": checks.facts(guest), "pid": guest.qemu_pid() if power != "off" else None}

    def bring(self, guest, state):
        """Makes the guest what a cell finds; returns its power state."""
        if state == "paused":
            guest.domain.suspend()
        elif state == "off":
            guest.domain.destroy()
        elif state == "frozen":
            until(f"the agent of {guest.name} answers", lambda: guest.ask_agent("guest-ping") is not None, 60, 0.5)
            guest.domain.fsFreeze()
            return "running"
        elif state == "ioerror":
            with open(self.world.write_error, "w"):
                pass
            guest.run("dd if=/dev/urandom of=/mnt/vdb/lab/top bs=1M count=2 conv=fsync 2>/dev/null || echo WRITE ERROR >/dev/ttyS0")
            until("the guest is paused for its own error", lambda: guest.pause_reason() is not None, 30)
            return "paused"
        return state

    def reach(self, cell, job):
        """Waits until the run stands at its instant, or has died there."""
        service = self.world.service
        if "~" in cell.instant:
            step = cell.instant.split("~")[0]
            self.wait_for_copy(job, step)
            time.sleep(random.random())
            if (now := service.job(job))["step"] != step:
                raise RuntimeError(f"the copy was too fast: the job is in step {now['step']}")
            if cell.fault.action == "kill":
                service.kill()
            return

        # The last instant comes after the job is final; and a service that is asked all the time is busy with that.
        looked, final_since = 0, None

        def hit():
            nonlocal looked, final_since
            if service.was_hit:
                return True
            now = time.monotonic()
            if job is not None and service.is_alive and now - looked > 0.5:
                looked = now
                job_now = service.job(job)
                if job_now["status"] in FINAL:
                    final_since = final_since or now
                    if now - final_since > 5:
                        raise RuntimeError(f"the instant was never reached: the job is {job_now['status']} {job_now['error']}")
            return False
        until("the instant is reached", hit, 60 if cell.capture.release else 40, 0.02)
        if cell.fault.action == "kill":
            service.wait_for_end()

    def wait_for_copy(self, job, step):
        def copying():
            now = self.world.service.job(job)
            if now["status"] in FINAL:
                raise RuntimeError(f"the copy was not met: the job is {now['status']} {now['error']}")
            return now["step"] == step and now["progress"]["bytesDone"] > 0
        until("bytes are copied", copying, 30, 0.1)

    def run_cell(self, cell):
        import checks
        world, service = self.world, self.world.service
        guest = self.guest_for(cell)
        found = self.prepare(cell, guest)
        is_copy, is_found = "~" in cell.instant, cell.instant == "found"
        slow = is_copy or cell.fault.first is not None
        request = {**cell.capture.request, **({"bandwidthBytesPerSecond": cells.SLOW} if slow else {})}
        after = {"power": found["power"], **({"freeze": "frozen"} if cell.capture.before == "frozen" else {})}
        if cell.capture.name.startswith("cold"):
            # libvirt calls a guest that it restores and leaves paused "paused (migrating)", and has no call for another reason.
            after["skipped"] = ("reason for which it is paused",)
        if is_found:
            after |= cell.fault.act(world, guest, None) or {}
        elif not is_copy:
            service.order(cell.instant, cell.fault.action)
        key = str(uuid.uuid4())
        try:
            job = service.submit(guest.id, request, key)
        except Refused as e:
            # Nothing was begun: the guest is what it was, and so is its QEMU.
            said = checks.outcome({"status": "refused", "error": {"code": e.code, "message": e.detail}}, after.get("ends") or cell.ends)
            final = {"status": "refused", "error": {"code": e.code, "message": e.detail}, "warnings": [], "attempts": 0, "disks": []}
            return self.judge(cell, guest, found, {**after, "qemu": "same"}, final, said)
        except Cut:
            # Killed in the run before the answer to the POST was out. The caller asks again, once it is back.
            if slow or cell.fault.action != "kill":
                raise
            job = None
        if cell.fault.first is not None:
            self.wait_for_copy(job, "uploading")
            cell.fault.first(world, guest, job)
        if not is_found:
            self.reach(cell, job)
            after |= cell.fault.act(world, guest, job) or {}
        service.start()
        service.release()
        job = job or until("the POST is answered again", lambda: service.submit(guest.id, request, key), 60)
        if cell.capture.release and cell.fault.name != "untouched":
            final = guest.final(service, job, cell.capture.release == "fails")
        else:
            final = service.wait_final(job, 90)
        said = checks.outcome(final, after.get("ends") or cell.ends)
        return self.judge(cell, guest, found, after, final, said)

    def judge(self, cell, guest, found, after, final, said):
        """All that holds after a cell."""
        import checks
        world = self.world
        if cell.capture.release and guest.power() == "running":
            guest.release(cell.capture.release == "fails")
        checks.everything(world, guest, after, found)
        checks.only_images_of(world, [final])
        if cell.says:
            checks.told(final, cell.says)
        if final["status"] == "succeeded":
            checks.image(world, final)
            checks.require("not by" not in after or guest.qemu_pid() != after["not by"], "a guest that runs was copied as if it were off")
            if "pair" in cell.capture.guest:
                checks.one_instant(world, final)
            if cell.fault.name == "committed":
                checks.of_its_instant(world, final)
            # The clock of one that was found paused stood still before, for as long as whoever paused it liked.
            if "cold" in str(final["capture"]) and found["power"] != "paused":
                checks.clock(guest, final, after.get("service ahead", 0))
        self.forget(guest, after)
        return said + (f", {after['note']}" if "note" in after else ""), final

    def forget(self, guest, after):
        """Another tool's job has served its purpose."""
        if after.get("foreign") == "copy":
            guest.domain.blockJobAbort("vda", 0)
        elif after.get("foreign") == "backup":
            guest.domain.abortJob()

    def next_snapshot(self, guest):
        """The guest as it was, and a snapshot of it, which must succeed."""
        import checks
        world, service = self.world, self.world.service
        guest.restore()
        service.wait_until_ready()

        def submitted():
            return service.submit(guest.id, {"mode": "backup", "quiesce": "never" if hasattr(guest, "release") else "auto"})
        final = service.wait_final(until("the next snapshot is accepted", submitted, 15, 0.3))
        checks.outcome(final, ("succeeded",))
        checks.image(world, final)
        checks.everything(world, guest, {})
        self.delete_images()

    def delete_images(self):
        service = self.world.service
        for image in {name.split(".")[0] for name in os.listdir(self.world.images) if not name.startswith(".")} | set(self.world.stub.records):
            status, problem = service.call("DELETE", f"/images/{image}")
            if status not in (204, 404):
                raise Unmet(f"DELETE image: {status} {problem}")

    # All of them ----------------------------------------------------------------------------------------------------

    def try_cell(self, cell, number, total):
        started, said, final, problem = time.monotonic(), "", None, None
        log_start = os.path.getsize(self.world.service.log_path)
        try:
            random.seed(f"{self.options.seed} {cell.name}")
            said, final = self.run_cell(cell)
            self.world.mend()
            self.next_snapshot(self.guest_for(cell))
        except (Unmet, RuntimeError) as e:
            problem = str(e)
        except Exception as e:  # a defect of the matrix is a failed cell, not the end of the run
            problem = f"{type(e).__name__}: {e}\n{traceback.format_exc()}"
        seconds = time.monotonic() - started
        error = final["error"] if final else None
        self.results.append({
            "cell": cell.name, "passed": problem is None, "outcome": said, "reason": error and error["message"],
            "warnings": final["warnings"] if final else [], "attempts": final["attempts"] if final else None,
            "problem": problem, "seconds": round(seconds, 1)})
        print(f"{number:4}/{total} {'ok    ' if problem is None else 'FAILED'} {cell.name:62} {seconds:5.1f} s  {said}"
              + (f" ({error['message']})" if error else ""), flush=True)
        if problem is not None:
            print(f"            {problem}", flush=True)
            self.keep_log(cell, log_start)
            if self.options.keep:
                input("faults: everything is as the cell left it; Enter goes on ")
            self.recover()

    def keep_log(self, cell, start):
        if self.options.logs:
            os.makedirs(self.options.logs, exist_ok=True)
            with open(self.world.service.log_path, "rb") as log, open(os.path.join(self.options.logs, cell.name.replace("/", "+") + ".log"), "wb") as kept:
                log.seek(start)
                kept.write(log.read())

    def recover(self):
        """After a failed cell: whatever it takes for the next to begin from the beginning."""
        world = self.world
        try:
            world.service.kill()
            world.mend()
            world.start_over()
            for guest in world.guests.values():
                guest.restore()
            world.service.wait_until_ready()
        except Exception as e:  # the next cell says whether that matters
            say(f"could not mend: {e}")

    def run(self, selected):
        self.world.service.start()
        self.world.service.wait_until_ready()
        queue = Queue(selected * self.options.repeat, self.options.queue)
        while (batch := queue.take()) is not None:
            for number, cell in batch:
                self.try_cell(cell, number, queue.total)
            for name in set(self.world.guests) - queue.guests_to_come():
                self.world.retire(name)
        self.world.service.terminate()


class Queue:
    """
    The cells, in batches of the same guests; of several workers each takes the next batch that has its guests, so that few have all guests. A
    batch is taken by making a file.
    """

    def __init__(self, selected, directory):
        self.total, self.directory, self.left = len(selected), directory, []
        self.ours = None
        of_guests = collections.defaultdict(list)
        for cell in selected:
            of_guests[cell.capture.guest, cell.capture.settings].append(cell)
        number = 0
        for key, those in of_guests.items():
            for start in range(0, len(those), BATCH):
                batch = those[start:start + BATCH]
                self.left.append((key, f"{len(self.left)}", list(enumerate(batch, number + 1))))
                number += len(batch)

    def take(self):
        """The next batch, as pairs of number and cell; None: there is none."""
        # Where nobody is at work if not at one's own: those take longest that have waited.
        for wanted in (lambda key: key == self.ours, lambda key: self.ours is None or key[0] != self.ours[0], lambda key: True):
            for entry in [entry for entry in self.left if wanted(entry[0])]:
                self.left.remove(entry)
                if self.claim(entry[1]):
                    self.ours = entry[0]
                    return entry[2]
        return None

    def claim(self, name):
        if self.directory is None:
            return True
        try:
            os.close(os.open(os.path.join(self.directory, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return True
        except FileExistsError:
            return False

    def guests_to_come(self):
        """Whom this worker may need again."""
        names = {name for (guests, _), _, _ in self.left for name in guests}
        # The ordinary ones stand beside many.
        return names | ({"a", "b"} if names else set())


def print_table(results):
    rows = collections.defaultdict(lambda: collections.defaultdict(list))
    for result in sorted(results, key=lambda result: order(result["cell"])):
        capture, _, fault = result["cell"].split("/")
        rows[fault][capture.split("-")[0]].append(result)
    columns = ("cold", "mirror", "rebase", "backup", "auto")
    print(f"\n{'':28}" + "".join(f"{column:>10}" for column in columns) + "  outcomes")
    for fault, row in rows.items():
        outcomes = collections.Counter(r["outcome"] or "?" for results in row.values() for r in results)
        marks = [f"{sum(r['passed'] for r in row[c])}/{len(row[c])}" if row.get(c) else "" for c in columns]
        print(f"{fault:28}" + "".join(f"{mark:>10}" for mark in marks) + "  " + ", ".join(f"{n} {o}" for o, n in outcomes.most_common()))
    for result in results:
        if not result["passed"]:
            print(f"FAILED {result['cell']}: {result['problem'].splitlines()[0]}")
    distinct = len({r["cell"] for r in results})
    print(f"\n{distinct} distinct cells in {sum(r['seconds'] for r in results) / 60:.1f} minutes")


def print_kills(results):
    booted = sum("boots" in result["outcome"] for result in results)
    print(f"\n{len(results)} kills, {booted} images booted to DISK OK")


def order(name):
    return next(number for number, cell in enumerate(cells.CELLS) if cell.name == name)


def merge(options):
    """What the workers found, each in its own file, as one: the table, the file that was asked for, the closing line."""
    found = []
    for name in sorted(os.listdir(options.merge)):
        with open(os.path.join(options.merge, name)) as file:
            found.append(json.load(file))
    results = [result for worker in found for result in worker["results"]]
    if any("cell" in result for result in results):
        print_table(results)
    elif any("kill" in result for result in results):
        print_kills(results)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"seed": options.seed, "results": results}, file, indent=1)
    passed = sum(result["passed"] for result in results)
    print(f"{passed} passed, {len(results) - passed} failed", flush=True)
    return passed == len(results)


def part(text):
    """K/N: the K-th of N parts."""
    number, parts = (int(word) for word in text.split("/"))
    if not 1 <= number <= parts:
        raise ValueError(text)
    return number, parts


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--binary")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--part", type=part, default=(1, 1))
    parser.add_argument("--share", type=part, default=(1, 1))
    parser.add_argument("--merge")
    parser.add_argument("--queue")
    parser.add_argument("--scenario", action="append", default=[])
    parser.add_argument("--kills", type=int)
    parser.add_argument("--flood", type=int)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json")
    parser.add_argument("--logs")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if options.merge:
        sys.exit(0 if merge(options) else 1)
    selected = list({cell.name: cell for cell in cells.select(options.only, options.quick)}.values())
    number, parts = options.part
    selected = selected[len(selected) * (number - 1) // parts:len(selected) * number // parts]
    if options.list:
        print("\n".join(cell.name for cell in selected))
        return
    if not selected:
        say("no cell matches")
        sys.exit(64)
    worker, workers = options.share
    random.seed(options.seed + worker - 1)
    if options.kills:
        from kills import Kills
        # Of ten kills by three workers the first does four.
        options.kills = len(range(worker - 1, options.kills, workers))
        runner = Kills(options)
        runner.run()
    elif options.scenario:
        from scenarios import Scenarios
        runner = Scenarios(options)
        runner.run()
    elif options.flood:
        from flood import Flood
        runner = Flood(options)
        runner.run()
    else:
        runner = Matrix(options)
        runner.run(selected)
    with open(options.json, "w") as file:
        json.dump({"results": runner.results}, file)
    sys.exit(0 if all(result["passed"] for result in runner.results) else 1)


if __name__ == "__main__":
    main()
