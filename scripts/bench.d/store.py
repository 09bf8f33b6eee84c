"""Where the peers send images to: Glance, or a sink that speaks like it."""

import http.client
import json
import subprocess
import time
import urllib.parse

import glanceclient

NOVA_PROPERTIES = {"image_type": "snapshot", "image_location": "snapshot", "image_state": "available", "owner_id": "bench"}


class Store:
    """One image service.

    kind is `hash`, `null`, or `glance`; endpoint its address.
    """

    def __init__(self, kind, endpoint):
        self.kind = kind
        self.endpoint = endpoint
        self.host = urllib.parse.urlparse(endpoint).netloc
        self.client = glanceclient.Client("2", endpoint=endpoint, token="none")

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

    def put_with_glanceclient(self, path):
        """
        Sends a file as Nova does (nova/image/glance.py, update): looks, sets the properties, sends chunked, 64 KiB read, 64 KiB sent, looks
        again. Returns the image's id.
        """
        image = self.create("nova")
        self.client.images.get(image)
        self.client.images.update(image, **NOVA_PROPERTIES)
        with open(path, "rb") as file:
            self.client.images.upload(image, file)
        if (status := self.client.images.get(image)["status"]) != "active":
            raise RuntimeError(f"image {image} is {status}")
        return image

    def delete(self, image):
        self.call("DELETE", f"/v2/images/{image}")
        # Glance removes the file within the call; a moment's calm keeps its work out of the next run.
        time.sleep(0.2)
