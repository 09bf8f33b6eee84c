"""The installed service, as its users and its administrator see it: snapshotctl, systemctl, the files."""

import json
import re

from guests import STORE, patiently
from machine import Unmet, until

UNIT = "snapshotapi.service"
WORK = "/var/lib/snapshotapi"


class Service:
    def __init__(self, machine):
        self.machine = machine

    # What users call ------------------------------------------------------------------------------------------------

    def ctl(self, arguments, seconds=300, **options):
        return self.machine.run(f"snapshotctl {arguments}", seconds, **options)

    def ctl_json(self, arguments, seconds=300, patient=True):
        answer = patiently(lambda: self.ctl(f"{arguments} --json", seconds, check=False), seconds if patient else 0)
        try:
            return json.loads(answer.out)
        except ValueError:
            raise Unmet(f"snapshotctl {arguments}: {answer.status}: {answer.said}") from None

    def health(self):
        """The parts that are not as they should be, by name."""
        document = self.ctl_json("health", 120, patient=False)
        if "parts" not in document:
            raise Unmet(f"no health: {document}")
        return {part["name"]: part.get("message") for part in document["parts"] if not part["isReady"]}

    def wait_until_ready(self, seconds=900):
        def is_ready():
            if wrong := self.health():
                raise Unmet(f"not ready: {wrong}")
            return True
        until("the service is ready", is_ready, seconds, 3)

    def node(self):
        document = self.ctl_json("nodes")
        nodes = document.get("items", document) if isinstance(document, dict) else document
        if not isinstance(nodes, list) or len(nodes) != 1:
            raise Unmet(f"one node is expected: {document}")
        return nodes[0]

    def wait_until_known(self, guest, seconds=300):
        until(f"the service knows {guest}", lambda: self.ctl(f"server {guest}", check=False).status == 0, seconds, 3)

    # Jobs -----------------------------------------------------------------------------------------------------------

    def begin(self, guest, mode, rate="64K"):
        """A job that is in its middle for as long as is wanted: it may read so fast and no faster."""
        disks = "--disks all" if guest.shape.disks > 1 else ""
        job = self.ctl_json(f"snapshot {guest.name} {guest.name}-{mode}-middle --mode {mode} {disks} --bandwidth {rate}")
        if "id" not in job:
            raise Unmet(f"the job of {guest.name} was refused: {job}")
        return job["id"]

    def job(self, job):
        return self.ctl_json(f"job {job}")

    def wait_for_middle(self, job, seconds=600):
        def is_in_it():
            now = self.job(job)
            if now["status"] in ("succeeded", "failed", "cancelled"):
                raise RuntimeError(f"the job has ended before its middle: {now['status']}: {now['error']}")
            return now["status"] == "running" and (now["progress"]["bytesDone"] or 0) > 0
        until("the job is in its middle", is_in_it, seconds, 2)

    def finish(self, job, seconds=1200):
        """It may read as fast as it can now; the job, which has succeeded."""
        self.ctl(f"limit {job} none", check=False)
        answer = patiently(lambda: self.ctl(f"job {job} --wait --json", seconds, check=False))
        try:
            document = json.loads(answer.out)
        except ValueError:
            raise Unmet(f"snapshotctl job --wait: {answer.status}: {answer.said}") from None
        if document.get("status") != "succeeded":
            raise Unmet(f"the job is {document.get('status')}: {document.get('error') or document}"[:600])
        return document

    # What the administrator sees --------------------------------------------------------------------------------------

    def at_rest(self):
        """Nothing of a job is left: no file but images and what the service keeps, no process, no socket with a guest."""
        left = self.machine.out(f"""
            find {WORK}/run {WORK}/journal -mindepth 1 2>/dev/null
            find {STORE}/.partial -mindepth 1 2>/dev/null
            find /var/lib/libvirt/qemu -name 'sa[0-9a-f]*' -type s
            find /var/lib/libvirt/images -name '.snapshotapi*'
            ps -C qemu-nbd,qemu-img -o args=
            true""", 120)
        if left:
            raise Unmet(f"left: {' '.join(left.split())}")
        return True

    def wait_for_rest(self, seconds=300):
        until("nothing of a job is left", self.at_rest, seconds, 3)

    def state(self):
        return self.machine.out(f"systemctl is-active {UNIT}", 120, check=False)

    def exposure(self, unit):
        said = self.machine.out(f"systemd-analyze security --no-pager {unit} | tail -n1", 300)
        return float(re.search(r":\s*([0-9.]+)", said).group(1))

    def log(self, since="-5 minutes"):
        return self.machine.out(f"journalctl -u {UNIT} --no-pager -o cat --since '{since}' | tail -n 40", 120, check=False)
