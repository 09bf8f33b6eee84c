"""An image store that speaks as much of Glance's protocol as an upload needs, and misbehaves when told to."""

import hashlib
import http.server
import json
import socketserver
import threading
import time
import uuid

PIECE = 64 * 1024


class Stub:
    """modes: ok; refuse (503 to everything); refuse-file (503 to the file); cut (the connection ends in mid-file, once); cut-always;
    stall (the file is not read any further, until the mode changes); full (413 in mid-file); lie (a digest of something else)."""

    def __init__(self):
        self.mode = "ok"
        self.records = {}
        self.lock = threading.Lock()
        stub = self

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

            def parse_request(self):
                parsed = super().parse_request()
                if parsed and stub.mode == "refuse":
                    self.body()
                    self.answer(503, {"message": "the store is closed"})
                    return False
                return parsed

            def handle_expect_100(self):
                if self.command == "PUT" and stub.mode == "refuse-file":
                    self.answer(503, {"message": "no files today"})
                    return False
                return super().handle_expect_100()

            def identity(self):
                parts = self.path.split("?")[0].split("/")
                return parts[3] if len(parts) > 3 else None

            def body(self):
                content = b""
                length = 0 if self.headers.get("Expect") else int(self.headers.get("Content-Length") or 0)
                while len(content) < length:
                    content += self.connection.recv(length - len(content))
                return content

            def do_GET(self):
                identity = self.identity()
                if identity is None:
                    return self.answer(200, {"images": list(stub.records.values()), "versions": []})
                record = stub.records.get(identity)
                return self.answer(404) if record is None else self.answer(200, record)

            def do_POST(self):
                fields = json.loads(self.body())
                record = {"os_hash_algo": None, "os_hash_value": None, "checksum": None, "size": None, "visibility": "private", **fields}
                record["id"] = fields.get("id") or str(uuid.uuid4())
                record["status"] = "queued"
                stub.records[record["id"]] = record
                self.answer(201, record)

            def do_PATCH(self):
                self.body()
                self.answer(200, stub.records.get(self.identity()))

            def do_DELETE(self):
                self.answer(204 if stub.records.pop(self.identity(), None) else 404)

            def do_PUT(self):
                record = stub.records.get(self.identity())
                length = int(self.headers["Content-Length"])
                if record is None:
                    return self.answer(404)
                record["status"] = "saving"
                digest, done = hashlib.sha512(), 0
                while done < length:
                    piece = self.connection.recv(min(PIECE, length - done))
                    if not piece:
                        break
                    digest.update(piece)
                    done += len(piece)
                    if done >= min(length // 2, 4 << 20) and not self.go_on(record):
                        return
                if done == length:
                    if stub.mode == "lie":
                        digest.update(b"!")
                    record.update(status="active", size=done, os_hash_algo="sha512", os_hash_value=digest.hexdigest())
                    self.answer(204)
                else:
                    record["status"] = "queued"

            def go_on(self, record):
                mode = stub.mode
                if mode in ("cut", "cut-always"):
                    if mode == "cut":
                        stub.mode = "ok"
                    record["status"] = "queued"
                    self.close_connection = True
                    self.connection.close()
                    return False
                if mode == "full":
                    record["status"] = "queued"
                    self.close_connection = True
                    self.answer(413, {"message": "the store is full"})
                    return False
                while stub.mode == "stall":
                    time.sleep(0.05)
                return True

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request, client_address):
                pass  # a client that is gone: the service was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
