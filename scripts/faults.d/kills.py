"""scripts/faults --kills N: kill -9 of the service at random instants of snapshots of guests that write all the time."""

import os
import random
import subprocess
import time

import cells
import checks
from service import Unmet, until
from world import SCRIPTS, World

CAPTURES = ("cold", "mirror", "rebase", "backup", "backup-frozen", "mirror-frozen")
# Longer than a run takes: some are killed after its end, while nothing happens, or while the service starts.
LONGEST_SECONDS = 5.0
# Against hanging only: on two busy processors without KVM an image took more than two minutes to be checked.
LONGEST_BOOT_SECONDS = 600


class Kills:
    def __init__(self, options):
        self.options = options
        self.world = World(options.binary, options.share[0])
        self.results = []

    def run(self):
        world, service = self.world, self.world.service
        service.start()
        guests = [world.guest(name) for name in ("writing", "writing-too")]
        for guest in guests:
            until(f"{guest.name} writes", lambda: self.blocks(guest) > 1, 60)
        service.wait_until_ready()
        for number in range(1, self.options.kills + 1):
            guest = guests[number % len(guests)]
            capture = cells.CAPTURES[random.choice(CAPTURES)]
            delay = random.random() * LONGEST_SECONDS
            started = time.monotonic()
            said, problem = "", None
            try:
                said = self.kill_once(guest, capture, delay)
            except (Unmet, RuntimeError) as e:
                problem = str(e)
            self.results.append({"kill": number, "capture": capture.name, "after": round(delay, 2), "passed": problem is None,
                                 "outcome": said, "problem": problem, "seconds": round(time.monotonic() - started, 1)})
            print(f"{number:4}/{self.options.kills} {'ok    ' if problem is None else 'FAILED'} {capture.name:16} {guest.name:20} "
                  f"killed after {delay:4.1f} s  {said}{problem or ''}", flush=True)
            if problem is not None:
                break
        service.terminate()

    def kill_once(self, guest, capture, delay):
        world, service = self.world, self.world.service
        before = self.blocks(guest)
        job = service.submit(guest.id, {**capture.request, "bandwidthBytesPerSecond": random.choice((cells.SLOW, 4 * cells.SLOW))})
        time.sleep(delay)
        service.kill()
        time.sleep(random.choice((0, 0, 1.0)))
        service.start()
        service.wait_until_ready()
        final = service.wait_final(job, 90)
        said = checks.outcome(final, ("succeeded",))
        checks.everything(world, guest, {})
        checks.only_images_of(world, [final])
        checks.image(world, final)
        until(f"{guest.name} writes on", lambda: self.blocks(guest) > before, 20)
        with open(guest.log, "rb") as log:
            if log.read().count(b"DISK OK") != 1:
                raise Unmet("the guest was booted anew")
        self.boot_beside_none(final)
        image = final["disks"][0]["image"]["id"]
        status, problem = service.call("DELETE", f"/images/{image}")
        if status != 204:
            raise Unmet(f"DELETE image: {status} {problem}")
        return f"{said} in run {final['attempts']}, boots"

    def boot_beside_none(self, job):
        """Boots the image while the guests stand still: without KVM they would take most of the processors that its check needs."""
        guests = self.world.guests.values()
        for guest in guests:
            guest.domain.suspend()
        try:
            self.boot(job)
        finally:
            for guest in guests:
                guest.domain.resume()
        for guest in guests:
            written = self.blocks(guest)
            until(f"{guest.name} writes after its pause", lambda: self.blocks(guest) > written, 60)

    def boot(self, job):
        """The image as a new guest, which checks its file system, its files and every block that was written."""
        image = job["disks"][0]["image"]
        path = f"{self.world.images}/{image['id']}.{image['format']}"
        lab = os.path.join(SCRIPTS, "lab")
        booted = subprocess.run([lab, "guest", f"{self.world.prefix}-boot", "--boot-image", path, "--no-agent", "--memory", "192M", "--beats", "2",
                                 "--timeout", str(LONGEST_BOOT_SECONDS)],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True)
        subprocess.run([lab, "guest", f"{self.world.prefix}-boot", "--remove"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        if booted.returncode != 0 or "DISK OK" not in booted.stdout:
            raise Unmet(f"image {image['id']} of job {job['id']} does not boot: {booted.stdout}{booted.stderr}")

    @staticmethod
    def blocks(guest):
        """How many blocks the guest has written and synced."""
        with open(guest.log, "rb") as log:
            return sum(line.startswith(b"WR ") for line in log)
