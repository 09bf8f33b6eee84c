"""scripts/faults --flood N: N clients at once, for four guests; each wants one snapshot and asks until it is let in."""

import collections
import datetime
import random
import resource
import statistics
import threading
import time

import checks
from service import FINAL, Unmet
from world import World

GUESTS = ("c", "d", "e", "f")
# One that is refused asks again after so long, in seconds.
PATIENCE = (2.0, 20.0)
PROGRESS_SECONDS = 15
# What a runtime may keep for itself while it does the same again and again.
GROWTH, GROWTH_MIB = 1.10, 8
# So many looks at its memory, two a second, say something.
LONG_ENOUGH = 80


class Flood:
    def __init__(self, options):
        self.options = options
        self.world = World(options.binary, options.share[0])
        service = self.world.service
        # Nothing dies here: leases and intervals as a node has them.
        service.settings = {key: value for key, value in service.settings.items() if not key.startswith(("Jobs__", "Faults__"))}
        # All clients are one caller here.
        service.settings["RateLimit__SnapshotsPerMinute"] = "0"
        self.results = []
        self.jobs, self.failures, self.polls, self.memory = [], [], [], []
        self.refusals = []

    def run(self):
        world, service = self.world, self.world.service
        # Each client is a connection.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        service.start()
        self.guests = [world.guest(name) for name in GUESTS]
        service.wait_until_ready()
        started = time.monotonic()
        clients = [threading.Thread(target=self.client, args=(number,), daemon=True) for number in range(self.options.flood)]
        for client in clients:
            client.start()
        shown = started
        while any(client.is_alive() for client in clients):
            time.sleep(0.5)
            self.memory.append(self.resident_mib())
            if time.monotonic() - shown >= PROGRESS_SECONDS:
                shown = time.monotonic()
                print(f"{len(self.jobs):5}/{self.options.flood} done, {len(self.refusals)} refusals, {len(self.failures)} failures, "
                      f"{self.memory[-1]:.0f} MiB, {shown - started:.0f} s", flush=True)
        self.check("every client has its image", self.all_served)
        self.check("each guest one at a time", self.one_at_a_time)
        self.check("the database tells of each job", self.all_accounted_for)
        if len(self.memory) >= LONG_ENOUGH:
            self.check("memory is flat", self.memory_is_flat)
        else:
            print("       memory was not looked at: the run was too short", flush=True)
        for guest in self.guests:
            self.check(f"nothing is left on {guest.name}", lambda: checks.everything(world, guest, {}))
        self.check("no image but those that were asked for", lambda: checks.only_images_of(world, []))
        milliseconds = sorted(1000 * seconds for seconds in self.polls)
        if milliseconds:
            print(f"\n{len(milliseconds)} polls: median {statistics.median(milliseconds):.1f} ms, 95 % within {milliseconds[len(milliseconds) * 95 // 100]:.1f} ms, "
                  f"longest {milliseconds[-1]:.0f} ms; {len(self.jobs)} jobs in {time.monotonic() - started:.0f} s", flush=True)
        service.terminate()

    def check(self, name, condition):
        try:
            passed, said = True, condition()
        except (Unmet, RuntimeError) as e:
            passed, said = False, str(e)
        said = f"  {said}" if isinstance(said, str) else ""
        self.results.append({"check": name, "passed": passed, "said": said.strip()})
        print(f"{'ok    ' if passed else 'FAILED'} {name}{said}", flush=True)

    # One client -----------------------------------------------------------------------------------------------------

    def client(self, number):
        try:
            self.jobs.append(self.snapshot(self.guests[number % len(self.guests)], random.Random(self.options.seed + number)))
        except Exception as e:  # whatever it is: this client has no image
            self.failures.append(f"client {number}: {type(e).__name__}: {e}")

    def snapshot(self, guest, chance):
        service = self.world.service
        while True:
            status, answer = service.call("POST", f"/servers/{guest.id}/snapshots", {"name": "flood", "mode": "backup"})
            if status == 202:
                break
            if status != 409 or answer["code"] != "server_busy":
                raise Unmet(f"POST: {status} {answer}")
            self.refusals.append(guest.name)
            time.sleep(chance.uniform(*PATIENCE))
        job = answer
        while job["status"] not in FINAL:
            time.sleep(chance.uniform(0.05, 0.15))
            asked = time.monotonic()
            job = service.job(job["id"])
            self.polls.append(time.monotonic() - asked)
        checks.outcome(job, ("succeeded",))
        checks.image(self.world, job)
        for disk in job["disks"]:
            status, problem = service.call("DELETE", f"/images/{disk['image']['id']}")
            if status != 204:
                raise Unmet(f"DELETE image: {status} {problem}")
        return job

    # What holds at the end ------------------------------------------------------------------------------------------

    def all_served(self):
        checks.require(not self.failures, f"{len(self.failures)} have not: {'; '.join(self.failures[:5])}")
        checks.require(len({job["id"] for job in self.jobs}) == self.options.flood, "two clients share a job")
        return f"{len(self.jobs)} jobs, {len(self.refusals)} refusals before them"

    def one_at_a_time(self):
        runs = collections.defaultdict(list)
        for job in self.jobs:
            runs[job["server"]["id"]].append((self.instant(job["createdAt"]), self.instant(job["finishedAt"])))
        for server, of in runs.items():
            of.sort()
            for (_, end), (begin, _) in zip(of, of[1:]):
                checks.require(begin >= end, f"two jobs of {server} at once: one from {begin}, another until {end}")
        return ", ".join(str(len(of)) for of in runs.values())

    def all_accounted_for(self):
        found = self.world.sql("SELECT status || ' ' || count(*) FROM jobs GROUP BY status")
        checks.require(found == f"succeeded {self.options.flood}", f"the table has: {found}")
        return found

    def memory_is_flat(self):
        quarter = len(self.memory) // 4
        early, late = statistics.median(self.memory[quarter:2 * quarter]), statistics.median(self.memory[-quarter:])
        said = f"{early:.0f} MiB in the second quarter, {late:.0f} MiB in the last, {max(self.memory):.0f} MiB at most"
        checks.require(late <= early * GROWTH + GROWTH_MIB, said)
        return said

    @staticmethod
    def instant(text):
        return datetime.datetime.fromisoformat(text)

    def resident_mib(self):
        with open(f"/proc/{self.world.service.process.pid}/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))
