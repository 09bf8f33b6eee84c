#!/usr/bin/python3
"""sink.py PORT - a place to send images to, which speaks as much of Glance's protocol as an upload needs.

An image whose record has the property `sink` = `null` is thrown away, unread by the kernel unless it comes in chunks; any other is
hashed as Glance does: MD5 and SHA-512, piece by piece of 64 KiB, in one thread. Keeps no image. Prints `listening` when it does.
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
    rbufsize = 0  # nothing of a body is read with its head
    disable_nagle_algorithm = True  # else the body of an answer waits for the acknowledgement of its head

    def answer(self, status, body=None):
        content = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        if content:
            self.send_header("Content-Type", "application/json")
        if status != 204:
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
        if self.path == "/v2/schemas/image":
            return self.answer(200, {"name": "image", "properties": {}, "additionalProperties": {}})
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
        changes, record = json.loads(self.body()), self.record()
        if record is None:
            return self.answer(404)
        record.update({change["path"].lstrip("/"): change["value"] for change in changes if change["op"] != "remove"})
        return self.answer(200, record)

    def do_DELETE(self):
        existed = RECORDS.pop(self.path.split("/")[3], None)
        self.answer(204 if existed else 404)

    def do_PUT(self):
        record = self.record()
        if record is None:
            self.close_connection = True
            return self.answer(404)
        record["status"] = "saving"
        hashes = () if record.get("sink") == "null" else (hashlib.md5(), hashlib.sha512())
        if self.headers.get("Transfer-Encoding") == "chunked":
            done, is_whole = self.take_chunks(hashes)
        else:
            length = int(self.headers["Content-Length"])
            read_into, buffer = (self.stream().readinto, PIECE) if hashes else (self.discard_into, DISCARD)
            done = self.take(read_into, length, bytearray(buffer), hashes)
            is_whole = done == length
        if not is_whole:
            record["status"] = "queued"
            self.close_connection = True
            return self.answer(400)
        record["status"], record["size"] = "active", done
        if hashes:
            record.update(checksum=hashes[0].hexdigest(), os_hash_algo="sha512", os_hash_value=hashes[1].hexdigest())
        return self.answer(204)

    def stream(self):
        return self.connection.makefile("rb")

    def discard_into(self, view):
        return self.connection.recv_into(view, len(view), socket.MSG_TRUNC)

    def take(self, read_into, length, buffer, hashes):
        """Takes a part of known length; returns how much of it came."""
        view, done = memoryview(buffer), 0
        while done < length:
            count = read_into(view[:min(len(view), length - done)])
            if not count:
                break
            for one in hashes:
                one.update(view[:count])
            done += count
        return done

    def take_chunks(self, hashes):
        """Takes a body of chunks; returns how much came, and whether its end did."""
        stream, buffer, done = self.stream(), bytearray(PIECE), 0
        while length := int(stream.readline() or "0", 16):
            count = self.take(stream.readinto, length, buffer, hashes)
            done += count
            if count < length or stream.readline() != b"\r\n":
                return done, False
        return done, stream.readline() == b"\r\n"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    print("listening", flush=True)
    server.serve_forever()
