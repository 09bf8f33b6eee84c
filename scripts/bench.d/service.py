"""Our service as a process of its own, with one store; and the guests that are measured."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import xml.etree.ElementTree

FINAL = ("succeeded", "failed", "cancelled")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Guest:
    """A guest of the lab. Its reference image is the file that is sent when no more than sending is measured."""

    def __init__(self, connection, lab, name):
        self.connection = connection
        self.name = name
        self.directory = os.path.join(lab, "guests", name)
        self.log = os.path.join(self.directory, "serial.log")
        self.reference = os.path.join(lab, f"{name}.reference")

    @property
    def domain(self):
        return self.connection.lookupByName(self.name)

    def qemu_pid(self):
        with open(f"/run/libvirt/qemu/{self.name}.pid") as file:
            return int(file.read())

    def disk_path(self):
        for disk in xml.etree.ElementTree.fromstring(self.domain.XMLDesc(0)).iter("disk"):
            if disk.find("target").get("dev") == "vda":
                return disk.find("source").get("file")
        raise RuntimeError(f"{self.name} has no disk vda")

    def wait_for_heartbeat(self):
        size = os.path.getsize(self.log)
        for _ in range(600):
            if os.path.getsize(self.log) > size:
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not beat")


class Service:
    """snapshotapi, role all, in a directory of its own below the lab."""

    def __init__(self, lab, binary, store, endpoint=None, **settings):
        self.root = os.path.join(lab, f"service-{store}")
        self.work = os.path.join(self.root, "work")
        self.images = os.path.join(self.root, "images")
        self.store = "directory" if endpoint is None else "glance"
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        self.port = free_port()
        environment = {
            **os.environ,
            "Urls": f"http://127.0.0.1:{self.port}",
            "Socket__Path": "",
            "Auth__AdminKeyFile": "",
            "Auth__AllowAnonymousNetwork": "true",
            "Node__Name": "bench",
            "Node__WorkDirectory": self.work,
            "Stores__Directory__Path": self.images,
            "Stores__Default": self.store,
            **settings,
        }
        if endpoint:
            environment["Stores__Glance__Endpoint"] = endpoint
        self.log = open(os.path.join(self.root, "service.log"), "ab")
        self.process = subprocess.Popen([binary], env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        # `lab down` ends it, whatever becomes of this program.
        self.pid_file = os.path.join(lab, "run", f"bench-{store}.pid")
        with open(self.pid_file, "w") as file:
            file.write(f"{self.process.pid} snapshotapi\n")
        self.wait_until_ready()

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection(f"127.0.0.1:{self.port}", timeout=120)
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text.strip() else None

    def wait_until_ready(self):
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended with {self.process.returncode}; see {self.log.name}")
            try:
                if self.call("GET", "/health/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the service is not ready; see {self.log.name}")

    def wait_until_known(self, guest):
        for _ in range(300):
            if self.call("GET", f"/servers/{urllib.parse.quote(guest.name)}")[0] == 200:
                return
            time.sleep(0.1)
        raise RuntimeError(f"the service does not know {guest.name}")

    def submit(self, guest, **request):
        status, job = self.call("POST", f"/servers/{urllib.parse.quote(guest.name)}/snapshots", {"name": "bench", **request})
        if status != 202:
            raise RuntimeError(f"{guest.name}: {status} {job}")
        return job

    def wait(self, job):
        while job["status"] not in FINAL:
            status, job = self.call("GET", f"/jobs/{job['id']}?wait=30")
            if status != 200:
                raise RuntimeError(f"job: {status} {job}")
        if job["status"] != "succeeded":
            raise RuntimeError(f"job {job['id']} {job['status']}: {job['error']}")
        return job

    def snapshot(self, guest, **request):
        """Takes a snapshot; the figures are those of a client that waits for it."""
        started = time.monotonic()
        job = self.wait(self.submit(guest, **request))
        seconds = time.monotonic() - started
        image = job["disks"][0]["image"]
        figures = {"seconds": seconds, "image": image["id"], "size": image["sizeBytes"], "down": job["guestDowntimeMs"] / 1000}
        if job.get("downtime"):
            figures.update({part: job["downtime"][f"{part}Ms"] / 1000 for part in ("save", "copy", "restore")})
        return figures

    def path_of(self, image):
        """The file of an image in the directory store."""
        return next(os.path.join(self.images, name) for name in os.listdir(self.images) if name.startswith(image) and not name.endswith(".json"))

    def delete(self, image):
        status, problem = self.call("DELETE", f"/images/{image}")
        if status not in (204, 404):
            raise RuntimeError(f"DELETE: {status} {problem}")

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        os.unlink(self.pid_file)
        shutil.rmtree(self.root, ignore_errors=True)


class NullService:
    """The node side of the service with a store that keeps nothing: no service can promise what it can't compare."""

    def __init__(self, lab, binary):
        self.root = os.path.join(lab, "service-null")
        self.work = os.path.join(self.root, "work")
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        self.process = subprocess.Popen(
            [binary, "snapshot-to-nowhere", self.work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_known(self, guest):
        pass

    def snapshot(self, guest, sink=None):
        line = f"{guest.domain.UUIDString()} {sink}" if sink else guest.domain.UUIDString()
        started = time.monotonic()
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError("snapshot-to-nowhere ended; its reason is on standard error")
        return {"seconds": time.monotonic() - started, "size": int(answer[1])}

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
        shutil.rmtree(self.root, ignore_errors=True)
