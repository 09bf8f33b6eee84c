"""scripts/faults --scenario NAME: what one guest's trouble costs the others, in numbers."""

import collections
import os
import signal
import statistics
import subprocess
import time

import checks
from service import Unmet, until
from world import World

# What is asked for with trouble, and without, may take so many times as long.
LONGEST_RATIO = 1.2
# Below this a difference is that of two looks at a clock on a busy machine.
NOISE_SECONDS = 0.005
# Rounds without and with trouble take turns: machines are noisy.
ROUNDS, LISTS, SNAPSHOTS = 3, 40, 5
# By then libvirt has given up to wait for the lock of a domain, once.
STILL_SECONDS = 35
NEW_GUEST_SECONDS, START_SECONDS = 10, 15
LONGEST_FREEZE_MS = 1000
SMALL = {"mode": "backup", "quiesce": "never"}


class Scenarios:
    def __init__(self, options):
        self.options = options
        self.world = World(options.binary, options.share[0])
        # Leases and intervals as a node has them: what is promised is promised with those.
        service = self.world.service
        service.settings = {key: value for key, value in service.settings.items()
                            if not key.startswith(("Jobs__", "Faults__", "Node__InventoryInterval", "Node__FreezeTimeout"))}
        service.settings["RateLimit__SnapshotsPerMinute"] = "0"
        self.results = []

    def run(self):
        known = {"hung-guest": self.hung_guest, "hung-agent": self.hung_agent}
        for name in self.options.scenario:
            if name not in known:
                raise SystemExit(f"faults: no scenario '{name}'; there are {', '.join(known)}")
        self.world.service.start()
        self.world.service.wait_until_ready()
        for name in self.options.scenario:
            print(f"{name}:", flush=True)
            try:
                known[name]()
            except (Unmet, RuntimeError) as e:
                self.tell(name, False, str(e))
            finally:
                self.world.mend()
        self.world.service.terminate()

    def check(self, name, condition):
        try:
            passed, said = True, condition()
        except (Unmet, RuntimeError) as e:
            passed, said = False, str(e)
        self.tell(name, passed, said)

    def tell(self, name, passed, said):
        said = said if isinstance(said, str) else ""
        self.results.append({"check": name, "passed": passed, "said": said})
        print(f"{'ok    ' if passed else 'FAILED'} {name}  {said}", flush=True)

    # QEMU of one guest stands still -------------------------------------------------------------------------------------

    def hung_guest(self):
        world, service = self.world, self.world.service
        sick, well = world.guest("a"), world.guest("b")
        new = self.defined_later("c")
        until("the guests are known", lambda: self.is_known(sick) and self.is_known(well), 60)
        # The first of each kind compiles what the others use.
        self.measure(well)
        without, beside = collections.defaultdict(list), collections.defaultdict(list)
        for number in range(ROUNDS):
            self.measure(well, without)
            tool = self.stop(sick)
            try:
                time.sleep(STILL_SECONDS if number == ROUNDS - 1 else 1)
                self.measure(well, beside)
            finally:
                if number < ROUNDS - 1:
                    self.let_go(sick, tool)
        try:
            for what in without:
                self.check(f"{what} beside it", lambda: self.compare(statistics.median(without[what]), statistics.median(beside[what])))
            self.check("a guest that is defined meanwhile is let in", lambda: self.let_in(new))
            self.check("it is named", lambda: self.named(sick))
            self.check("nobody else is", lambda: self.not_named(well))
            service.kill()
            started = time.monotonic()
            service.start()
            self.check("a service that is started meanwhile is ready", lambda: self.ready_within(started))
            self.check("it takes a snapshot of another guest", lambda: self.snapshot(well))
            self.check("it names the one", lambda: self.named(sick))
        finally:
            self.let_go(sick, tool)
        self.check("nothing is wrong afterwards", lambda: service.wait_until_ready(60, every_part=True))
        self.check("the guest that stood still is captured", lambda: self.snapshot(sick))
        for guest in (sick, well):
            self.check(f"nothing is left on {guest.name}", lambda: checks.everything(world, guest, {}))

    @staticmethod
    def stop(guest):
        """QEMU stands still, and another tool waits for its monitor: it holds libvirt's lock of the domain meanwhile."""
        os.kill(guest.qemu_pid(), signal.SIGSTOP)
        return subprocess.Popen(["virsh", "-q", "-c", "qemu:///system", "domblkinfo", guest.name, "vda"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def let_go(guest, tool):
        os.kill(guest.qemu_pid(), signal.SIGCONT)
        tool.wait()

    def defined_later(self, name):
        """A guest whose files are there, and whose definition libvirt does not know yet."""
        guest = self.world.guest(name)
        guest.domain.destroy()
        guest.domain.undefine()
        return guest

    def is_known(self, guest):
        return self.world.service.call("GET", f"/servers/{guest.id}")[0] == 200

    def measure(self, guest, times=None):
        """How long it takes, in seconds."""
        times = collections.defaultdict(list) if times is None else times
        service = self.world.service
        for _ in range(LISTS):
            started = time.monotonic()
            status, _ = service.call("GET", "/servers")
            times["a list"].append(time.monotonic() - started)
            checks.require(status == 200, f"GET servers: {status}")
        for _ in range(SNAPSHOTS):
            started = time.monotonic()
            job = service.submit(guest.id, SMALL)
            times["a POST"].append(time.monotonic() - started)
            final = service.wait_final(job, 120)
            times["a snapshot"].append(time.monotonic() - started)
            self.discard(final)

    def discard(self, final):
        checks.outcome(final, ("succeeded",))
        for image in checks.images_of([final]):
            self.world.service.call("DELETE", f"/images/{image}")

    @staticmethod
    def compare(without, beside):
        said = f"{1000 * beside:.1f} ms, without {1000 * without:.1f} ms: ratio {beside / without:.2f}"
        checks.require(beside <= LONGEST_RATIO * without or beside - without < NOISE_SECONDS, said)
        return said

    def let_in(self, guest):
        started = time.monotonic()
        self.world.connect().defineXML(guest.definition)
        job = until("it is let in", lambda: self.world.service.submit(guest.id, {"mode": "cold"}), NEW_GUEST_SECONDS, 0.1)
        said = f"after {time.monotonic() - started:.1f} s"
        self.discard(self.world.service.wait_final(job, 60))
        return said

    def ready_within(self, started):
        self.world.service.wait_until_ready(START_SECONDS)
        return f"after {time.monotonic() - started:.1f} s"

    def snapshot(self, guest):
        started = time.monotonic()
        job = until("it is let in", lambda: self.world.service.submit(guest.id, SMALL), 30, 0.1)
        self.discard(self.world.service.wait_final(job, 120))
        return f"in {time.monotonic() - started:.1f} s"

    def named(self, guest):
        return until("it is named", lambda: next((p for p in self.world.service.unready_parts()[1] if guest.name in p), None), 60, 0.5)

    def not_named(self, guest):
        wrong = self.world.service.unready_parts()[1]
        return checks.require(not any(guest.name in part for part in wrong), f"it says {wrong}")

    # The agent of one guest hangs -----------------------------------------------------------------------------------------

    def hung_agent(self):
        world, service = self.world, self.world.service
        sick = world.guest("hung")
        well = [world.guest(name) for name in ("a", "b", "d", "e")]
        until("the guests are known", lambda: all(self.is_known(guest) for guest in (sick, *well)), 60)
        theirs = service.submit(sick.id, {"mode": "backup", "quiesce": "auto"})
        # Its freeze is asked for within moments; it is given up after Node__FreezeTimeout.
        until("its freeze is asked for", lambda: service.job(theirs)["step"] in ("backup_beginning", "mirroring"), 30)
        time.sleep(1)
        started = time.monotonic()
        jobs = {guest.name: service.submit(guest.id, {"mode": "backup", "quiesce": "required"}) for guest in well}
        for name, job in jobs.items():
            self.check(f"{name} is captured frozen", lambda: self.frozen_briefly(job, started))
        self.check("the one whose agent hangs says so", lambda: self.hung_job(theirs))
        self.check("it is ready for the others meanwhile", lambda: service.wait_until_ready(5))
        sick.release(fails=False)
        for guest in (sick, *well):
            self.check(f"nothing is left on {guest.name}", lambda: checks.everything(world, guest, {}))

    def frozen_briefly(self, job, started):
        final = self.world.service.wait_final(job, 120)
        checks.outcome(final, ("succeeded",))
        checks.require(final["consistency"] == "application", f"its image is {final['consistency']}")
        checks.require(final["freezeMs"] < LONGEST_FREEZE_MS, f"it was frozen for {final['freezeMs']} ms")
        self.discard(final)
        return f"frozen for {final['freezeMs']} ms, {time.monotonic() - started:.1f} s after all were asked for"

    def hung_job(self, job):
        final = self.world.service.wait_final(job, 180)
        checks.outcome(final, ("succeeded", "failed:quiesce_failed"))
        checks.told(final, "froze|frozen|freeze|thaw|quiesce")
        if final["status"] == "succeeded":
            checks.require(final["consistency"] == "crash", f"its image is {final['consistency']}")
            self.discard(final)
        return final["status"]
