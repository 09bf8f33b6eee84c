"""The published service as a process that may die, and the orders at which instant it does."""

import http.client
import json
import os
import signal
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab.d"))
from waiting import Unmet, free_port, until  # noqa: E402

FINAL = ("succeeded", "failed", "cancelled")


class Refused(Unmet):
    """The service has answered a POST with no."""

    def __init__(self, status, problem):
        super().__init__(f"POST: {status} {problem and problem.get('code')}: {problem and problem.get('detail')}")
        self.code, self.detail = (problem or {}).get("code"), (problem or {}).get("detail")


class Cut(Unmet):
    """The service ended before it answered."""


class Service:
    """snapshotapi, role all. Its leases and intervals are short: a cell takes seconds."""

    def __init__(self, lab, binary, glance):
        self.lab, self.binary = lab, binary
        self.orders = os.path.join(lab, "orders")
        os.makedirs(self.orders, exist_ok=True)
        self.log_path = os.path.join(lab, "service.log")
        self.port = free_port()
        self.process = None
        self.extra = {}
        self.settings = {
            "Urls": f"http://127.0.0.1:{self.port}",
            "Socket__Path": "",
            "Auth__AdminKeyFile": "",
            "Auth__AllowAnonymousNetwork": "true",
            "Node__Name": "faults",
            "Node__WorkDirectory": os.path.join(lab, "work"),
            "Node__ReservedBytes": str(24 << 20),
            "Node__StallTimeout": "00:00:08",
            "Node__FreezeTimeout": "00:00:05",
            "Node__InventoryInterval": "00:00:02",
            "Node__MaxJobs": "8",
            "Node__CheckCaptures": "off",
            "Jobs__LeaseDuration": "00:00:05",
            "Jobs__SweepInterval": "00:00:01",
            "Jobs__HeartbeatInterval": "00:00:00.5",
            "Jobs__LostAfter": "00:00:03",
            "Jobs__MaxAttempts": "2",
            "Stores__Directory__Path": os.path.join(lab, "store"),
            "Stores__Glance__Endpoint": glance,
            "Faults__Directory": self.orders,
            "Faults__Armed": "true",
        }

    # The process ----------------------------------------------------------------------------------------------------

    @property
    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def spawn(self, **settings):
        with open(self.log_path, "ab") as log:
            return subprocess.Popen([self.binary], env={**os.environ, **self.settings, **self.extra, **settings},
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        if not self.is_alive:
            self.process = self.spawn()

    def unready_parts(self):
        """What /health/ready says is wrong. The service is ready for all guests but those that a part names."""
        status, body = self.call("GET", "/health/ready")
        return status, [f"{p['name']}: {p.get('message')}" for p in body["parts"] if not p["isReady"]]

    def wait_until_ready(self, seconds=60, every_part=False):
        """Ready is 200; with every part, no guest is in trouble either."""
        def is_ready():
            if not self.is_alive:
                raise RuntimeError(f"the service ended with {self.process.returncode}; see {self.log_path}")
            status, wrong = self.unready_parts()
            if status != 200 or (every_part and wrong):
                raise Unmet(f"{status} {', '.join(wrong)}")
            return True
        until("the service is ready", is_ready, seconds)

    def kill(self):
        if self.is_alive:
            self.process.kill()
            self.process.wait()

    def terminate(self, seconds=60):
        self.process.send_signal(signal.SIGTERM)
        self.wait_for_end(seconds)

    def wait_for_end(self, seconds=30):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Unmet(f"the service has not ended within {seconds} s") from None

    # HTTP -----------------------------------------------------------------------------------------------------------

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        except (ConnectionResetError, http.client.RemoteDisconnected) as e:
            raise Cut(f"{method} {path}: {e}") from None
        except (OSError, http.client.HTTPException) as e:
            raise Unmet(f"{method} {path}: {e}") from None
        finally:
            connection.close()
        return answer.status, json.loads(text) if text.strip() else None

    def submit(self, server, request, key=None):
        """The job's id. The same key gives the same job: a POST that was cut may be repeated with it."""
        status, job = self.call("POST", f"/servers/{server}/snapshots", {"name": "faults", **request}, {"Idempotency-Key": key} if key else None)
        if status != 202:
            raise Refused(status, job)
        return job["id"]

    def job(self, job_id):
        status, job = self.call("GET", f"/jobs/{job_id}")
        if status != 200:
            raise Unmet(f"GET job: {status} {job}")
        return job

    def events(self, job_id):
        return self.call("GET", f"/jobs/{job_id}/events")[1]

    def wait_final(self, job_id, seconds=60):
        def final():
            job = self.job(job_id)
            if job["status"] in FINAL:
                return job
            raise Unmet(f"it is {job['status']} in step {job['step']}")
        return until("the job is final", final, seconds, 0.1)

    # Orders ---------------------------------------------------------------------------------------------------------

    def order(self, point, action):
        self.withdraw()
        path = os.path.join(self.orders, "at")
        with open(path + ".new", "w") as file:
            file.write(f"{point} {action}\n")
        os.rename(path + ".new", path)

    @property
    def was_hit(self):
        return os.path.exists(os.path.join(self.orders, "hit"))

    def release(self):
        """The run goes on that waits at its instant."""
        self._remove("hit")

    def withdraw(self):
        self._remove("at")
        self._remove("hit")

    def _remove(self, name):
        try:
            os.unlink(os.path.join(self.orders, name))
        except FileNotFoundError:
            pass
