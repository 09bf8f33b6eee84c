#!/usr/bin/python3
"""sink.py PORT - a place to send images to, which speaks as much of Glance's protocol as an upload needs.

An image whose record has the property `sink` = `null` is thrown away unread by the kernel; any other is hashed as Glance
does: MD5 and SHA-512, piece by piece of 64 KiB, in one thread. Keeps no image. Prints `listening` when it does.
"""

import hashlib
import http.server
import json
import socket
import socketserver
import sys
import uuid

PIECE = 64 * 1024
DISCARD = 4 * 1024 * 1024
RECORDS = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rbufsize = 0  # the body is read from the socket itself

    def answer(self, status, body=None):
        content = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def record(self):
        return RECORDS.get(self.path.split("?")[0].split("/")[3]) if self.path.count("/") >= 3 else None

    def body(self):
        length = int(self.headers.get("Content-Length") or 0)
        content = b""
        while len(content) < length:
            content += self.connection.recv(length - len(content))
        return content

    def do_GET(self):
        if self.path.split("?")[0].rstrip("/") in ("", "/v2", "/v2/images"):
            return self.answer(200, {"images": [], "versions": []})
        record = self.record()
        return self.answer(404) if record is None else self.answer(200, record)

    def do_POST(self):
        fields = json.loads(self.body())
        record = {"os_hash_algo": None, "os_hash_value": None, "checksum": None, "size": None, "visibility": "private", **fields}
        record["id"] = fields.get("id") or str(uuid.uuid4())
        record["status"] = "queued"
        RECORDS[record["id"]] = record
        self.answer(201, record)

    def do_PATCH(self):
        self.body()
        self.answer(200, self.record())

    def do_DELETE(self):
        existed = RECORDS.pop(self.path.split("/")[3], None)
        self.answer(204 if existed else 404)

    def do_PUT(self):
        record = self.record()
        length = int(self.headers["Content-Length"])
        if record is None:
            return self.answer(404)
        record["status"] = "saving"
        done = (self.discard if record.get("sink") == "null" else self.digest)(length, record)
        record["status"], record["size"] = ("active", done) if done == length else ("queued", None)
        return self.answer(204 if done == length else 400)

    def discard(self, length, record):
        buffer, done = bytearray(DISCARD), 0
        while done < length:
            count = self.connection.recv_into(buffer, min(DISCARD, length - done), socket.MSG_TRUNC)
            if not count:
                break
            done += count
        return done

    def digest(self, length, record):
        md5, sha512 = hashlib.md5(), hashlib.sha512()
        buffer, done = bytearray(PIECE), 0
        view = memoryview(buffer)
        while done < length:
            count = self.connection.recv_into(view, min(PIECE, length - done))
            if not count:
                break
            md5.update(view[:count])
            sha512.update(view[:count])
            done += count
        record.update(checksum=md5.hexdigest(), os_hash_algo="sha512", os_hash_value=sha512.hexdigest())
        return done

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    print("listening", flush=True)
    server.serve_forever()
