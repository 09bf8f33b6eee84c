"""Where the peers send images to: Glance, or a sink that speaks like it."""

import http.client
import json
import subprocess
import time
import urllib.parse

PIECE = 64 * 1024


class Store:
    """One image service.

    kind is `hash`, `null`, or `glance`; endpoint its address.
    """

    def __init__(self, kind, endpoint):
        self.kind = kind
        self.endpoint = endpoint
        self.host = urllib.parse.urlparse(endpoint).netloc

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.host, timeout=600)
        content = json.dumps(body) if body is not None else None
        connection.request(method, path, content, {"Content-Type": "application/json", "Accept": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        return json.loads(text) if text.strip() else None

    def create(self, name):
        fields = {"name": name, "disk_format": "qcow2", "container_format": "bare"}
        if self.kind == "null":
            fields["sink"] = "null"
        return self.call("POST", "/v2/images", fields)["id"]

    def require_active(self, image):
        record = self.call("GET", f"/v2/images/{image}")
        if record["status"] != "active":
            raise RuntimeError(f"image {image} is {record['status']}")

    def put_with_curl(self, path):
        """Sends a file as fast as there is a tool for it; returns the image's id."""
        image = self.create("curl")
        subprocess.run(
            ["curl", "-sf", "-X", "PUT", "-T", path, "-H", "Content-Type: application/octet-stream",
             "-o", "/dev/null", f"{self.endpoint}/v2/images/{image}/file"], check=True)
        self.require_active(image)
        return image

    def put_in_pieces(self, path, length):
        """Sends a file as Nova does: 64 KiB read, 64 KiB sent; returns the image's id."""
        image = self.create("nova")
        connection = http.client.HTTPConnection(self.host, timeout=600)
        connection.putrequest("PUT", f"/v2/images/{image}/file")
        connection.putheader("Content-Type", "application/octet-stream")
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                connection.send(piece)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"PUT: {answer.status}")
        self.require_active(image)
        return image

    def delete(self, image):
        self.call("DELETE", f"/v2/images/{image}")
        # Glance removes the file within the call; a moment's calm keeps its work out of the next run.
        time.sleep(0.2)
