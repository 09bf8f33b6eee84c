"""scripts/faults --kills N: kill -9 of the service at random instants of snapshots of guests that write all the time."""

import os
import random
import subprocess
import time

import cells
import checks
from service import Unmet, until
from world import SCRIPTS, World

# What is taken of which guests, and how it may end.
ORDINARY = (("writing", "writing-too"), ("cold", "mirror", "rebase", "backup", "backup-frozen", "mirror-frozen"), ("succeeded",))
# Every third kill is one of these, in turn. A backup of a guest that may be frozen is not begun.
SPECIAL = (
    (("writing-two",), ("mirror-two-frozen",), ("succeeded",)),
    (("writing-hung",), ("mirror-hung", "mirror-hung-fails", "backup-hung", "backup-hung-fails"), ("succeeded", "failed:quiesce_failed")),
)
# Longer than a run takes: some are killed after its end, while nothing happens, or while the service starts.
LONGEST_SECONDS = 5.0
# With an agent that hangs it takes longer, by the time after which a freeze is given up.
LONGEST_HUNG_SECONDS = 12.0
# Against hanging only: on two busy processors without KVM an image took more than two minutes to be checked.
LONGEST_BOOT_SECONDS = 600


class Kills:
    def __init__(self, options):
        self.options = options
        self.world = World(options.binary, options.share[0])
        self.results = []

    def run(self):
        service = self.world.service
        service.start()
        service.wait_until_ready()
        for number in range(1, self.options.kills + 1):
            names, captures, ends = SPECIAL[number // 3 % 2] if number % 3 == 0 else ORDINARY
            guest = self.only(names[number % len(names)])
            capture = cells.CAPTURES[random.choice(captures)]
            delay = random.random() * (LONGEST_HUNG_SECONDS if capture.release else LONGEST_SECONDS)
            started = time.monotonic()
            said, problem = "", None
            try:
                said = self.kill_once(guest, capture, delay, ends)
            except (Unmet, RuntimeError) as e:
                problem = str(e)
            self.results.append({"kill": number, "capture": capture.name, "after": round(delay, 2), "passed": problem is None,
                                 "outcome": said, "problem": problem, "seconds": round(time.monotonic() - started, 1)})
            print(f"{number:4}/{self.options.kills} {'ok    ' if problem is None else 'FAILED'} {capture.name:18} {guest.name:26} "
                  f"killed after {delay:4.1f} s  {said}{problem or ''}", flush=True)
            if problem is not None:
                break
        service.terminate()

    def only(self, name):
        """That guest, writing, while the others stand still: without KVM they would take most of the processors."""
        guest = self.world.guest(name)
        for other in self.world.guests.values():
            if other is not guest and other.power() == "running":
                other.domain.suspend()
        if guest.power() == "paused":
            guest.domain.resume()
        written = self.blocks(guest)
        until(f"{guest.name} writes", lambda: self.blocks(guest) > written, 60)
        return guest

    def kill_once(self, guest, capture, delay, ends):
        world, service = self.world, self.world.service
        before = self.blocks(guest)
        service.wait_until_ready(every_part=True)
        found = {"power": "running", "facts": checks.facts(guest), "pid": None}
        job = until("the job is let in", lambda: service.submit(
            guest.id, {**capture.request, "bandwidthBytesPerSecond": random.choice((cells.SLOW, 4 * cells.SLOW))}))
        time.sleep(delay)
        service.kill()
        time.sleep(random.choice((0, 0, 1.0)))
        service.start()
        service.wait_until_ready()
        final = guest.final(service, job, capture.release == "fails") if capture.release else service.wait_final(job, 90)
        said = checks.outcome(final, ends)
        if capture.release:
            guest.release(capture.release == "fails")
        checks.everything(world, guest, {}, found)
        checks.only_images_of(world, [final])
        until(f"{guest.name} writes on", lambda: self.blocks(guest) > before, 20)
        if guest.count(b"DISK OK") != 1:
            raise Unmet("the guest was booted anew")
        if capture.release:
            # It hangs again the next time.
            guest.thaw()
        if final["status"] != "succeeded":
            return f"{said} in run {final['attempts']}"
        checks.image(world, final)
        self.boot_beside_none(final)
        for image in checks.images_of([final]):
            status, problem = service.call("DELETE", f"/images/{image}")
            if status != 204:
                raise Unmet(f"DELETE image: {status} {problem}")
        return f"{said} in run {final['attempts']}, boots"

    def boot_beside_none(self, job):
        """Boots the image while all guests stand still: its check needs the processors."""
        running = [guest for guest in self.world.guests.values() if guest.power() == "running"]
        for guest in running:
            guest.domain.suspend()
        try:
            self.boot(job)
        finally:
            for guest in running:
                guest.domain.resume()
        for guest in running:
            written = self.blocks(guest)
            until(f"{guest.name} writes after its pause", lambda: self.blocks(guest) > written, 60)

    def boot(self, job):
        """The images as a new guest, which checks its file systems, its files and every block that was written."""
        disks = sorted(job["disks"], key=lambda disk: disk["target"])
        images = [option for disk in disks
                  for option in ("--boot-image", f"{self.world.images}/{disk['image']['id']}.{disk['image']['format']}")]
        lab = os.path.join(SCRIPTS, "lab")
        booted = subprocess.run([lab, "guest", f"{self.world.prefix}-boot", *images, "--no-agent", "--memory", "192M", "--beats", "2",
                                 "--timeout", str(LONGEST_BOOT_SECONDS)],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True)
        subprocess.run([lab, "guest", f"{self.world.prefix}-boot", "--remove"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        if booted.returncode != 0 or "DISK OK" not in booted.stdout:
            raise Unmet(f"the image of job {job['id']} does not boot: {booted.stdout}{booted.stderr}")

    @staticmethod
    def blocks(guest):
        """How many blocks the guest has written and synced."""
        with open(guest.log, "rb") as log:
            return sum(line.startswith(b"WR ") for line in log)
