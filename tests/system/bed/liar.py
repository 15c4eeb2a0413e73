# SPDX-License-Identifier: Apache-2.0
"""The process behind bed/lying.py: records, orders from the test, lies."""
import base64
import gzip
import http.server
import json
import os
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time

from bed.honest import PIECE, Honest, Plan


class State:
    """What is shared by the connections, under one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lies = []
        self.requests = []
        self.connections = 0
        self.release = threading.Event()

    def record(self, entry):
        """Note a request; return the lie for it, if any."""
        with self.lock:
            entry["number"] = len(self.requests)
            self.requests.append(entry)
            for lie in self.lies:
                if not fits(lie, entry):
                    continue
                lie["seen"] += 1
                if lie["seen"] <= lie["skip"]:
                    continue
                if lie["times"] is not None and \
                        lie["seen"] > lie["skip"] + lie["times"]:
                    continue
                entry["lie"] = lie["what"]
                return lie
        return None

    def command(self, order):
        what = order["do"]
        with self.lock:
            if what == "lie":
                if not hasattr(Handler, "lie_" + order["what"]):
                    raise ValueError("no such lie: " + order["what"])
                self.lies.append(dict(order, seen=0))
            elif what == "honest":
                self.lies.clear()
                self.release.set()
                self.release = threading.Event()
            elif what == "config":
                Honest.config.update(order["settings"])
            elif what == "requests":
                return self.requests[order["since"]:]
            elif what == "count":
                return len(self.requests)
            else:
                raise ValueError("no such order: " + what)
        return None


def fits(lie, entry):
    if lie["path"] is not None and \
            not re.fullmatch(lie["path"], entry["path"]):
        return False
    if lie["method"] is not None and \
            entry["method"] not in lie["method"].split("|"):
        return False
    return lie["ranged"] is None or \
        lie["ranged"] == ("range" in entry["headers"])


def as_bytes(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return (value or "").encode()


class Handler(Honest):
    state = None

    def setup(self):
        super().setup()
        with self.state.lock:
            self.state.connections += 1
            self.number = self.state.connections
        self.entry = {}

    def serve(self):
        headers = {k.lower(): v for k, v in self.headers.items()}
        found = re.fullmatch(r"[Bb]earer +(.*)",
                             headers.get("authorization", ""))
        self.token = found[1] if found else None
        self.sent = 0
        self.entry = {
            "time": time.time(), "method": self.command, "path": self.path,
            "headers": headers, "token": self.token,
            "connection": self.number, "lie": None, "status": None,
            "sent": 0, "tls": isinstance(self.connection, ssl.SSLSocket)}
        lie = self.state.record(self.entry)
        self.skip_body(headers)
        try:
            if lie:
                getattr(self, "lie_" + lie["what"])(**lie["args"])
            else:
                self.send(self.plan())
        except OSError:
            self.close_connection = True

    do_GET = do_HEAD = do_PROPFIND = do_OPTIONS = do_PUT = serve

    def skip_body(self, headers):
        left = int(headers.get("content-length", "0"))
        while left > 0:
            got = self.rfile.read(min(left, PIECE))
            if not got:
                return
            left -= len(got)

    def head(self, plan):
        self.entry["status"] = plan.status
        super().head(plan)

    def push(self, data):
        super().push(data)
        self.entry["sent"] = self.sent

    def wait(self, seconds):
        """Until then, or the client goes, or honest(): then raise."""
        release = self.state.release
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if release.is_set():
                raise ConnectionError("released")
            if select.select([self.connection], [], [], 0)[0]:
                if self.connection.recv(1) == b"":
                    raise ConnectionError("the client went away")
            time.sleep(min(0.02, max(0, end - time.monotonic())))

    def drop(self):
        self.close_connection = True

    def lie_truncate(self, at=0):
        self.send(self.plan(), at)
        self.drop()

    def lie_reset(self, at=None):
        if at is not None:
            self.send(self.plan(), at)
        self.drop()
        sock = self.connection
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        fd = sock.detach()
        os.close(fd)

    def lie_close(self):
        self.drop()

    def lie_stall(self, at=None, seconds=3600):
        if at is not None:
            self.send(self.plan(), at)
        self.drop()
        self.wait(seconds)

    def lie_delay(self, seconds):
        self.wait(seconds)
        self.send(self.plan())

    def lie_drip(self, size=1, every=0.5):
        self.send(self.plan(), step=size, every=every)

    def lie_full(self):
        self.send(self.plan(whole=True))

    def lie_content_range(self, value=None):
        plan = self.plan()
        plan.headers["Content-Range"] = value
        self.send(plan)

    def lie_surplus(self, bytes=1, declared=False):
        plan = self.plan()
        if declared:
            plan.headers["Content-Length"] = str(plan.size + bytes)
        self.send(plan)
        self.push(b"#" * bytes)
        if not declared:
            self.drop()

    def lie_short(self, bytes=1):
        plan = self.plan()
        plan.size = max(0, plan.size - bytes)
        plan.headers["Content-Length"] = str(plan.size)
        self.send(plan)

    def lie_flip(self, at=0):
        plan = self.plan()
        if plan.start <= at < plan.start + plan.size:
            data = bytearray(plan.whole())
            data[at - plan.start] ^= 0xff
            plan.file, plan.body = None, data
        self.send(plan)

    def lie_headers(self, set=None, drop=()):
        plan = self.plan()
        plan.headers.update(set or {})
        for name in drop:
            plan.headers.pop(name, None)
        self.send(plan)

    def lie_gzip(self):
        plan = self.plan()
        plan.body, plan.file = gzip.compress(plan.whole()), None
        plan.size = len(plan.body)
        plan.headers["Content-Length"] = str(plan.size)
        plan.headers["Content-Encoding"] = "gzip"
        self.send(plan)

    def lie_redirect(self, to, status=302):
        self.send(Plan(status, {"Location": to}))

    def lie_loop(self, status=302):
        path, _, number = self.path.partition("?")
        turn = int(number or "0") + 1
        self.send(Plan(status, {"Location": f"{path}?{turn}"}))

    def lie_status(self, code, headers=None, body=""):
        self.send(Plan(code, headers, as_bytes(body)))

    def lie_body(self, status=200, headers=None, body=""):
        self.send(Plan(status, headers, as_bytes(body)))

    def lie_endless_headers(self):
        self.drop()
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        number = 0
        while True:
            self.wfile.write(b"".join(
                b"X-More-%d: and more\r\n" % (number + i)
                for i in range(100)))
            number += 100

    def lie_long_header(self, size=1 << 20):
        plan = self.plan()
        plan.headers["X-Long"] = "a" * size
        self.send(plan)

    def lie_endless_body(self, status=207, headers=None, head="", repeat=""):
        self.drop()
        plan = Plan(status, headers)
        plan.headers.pop("Content-Length")
        self.head(plan)
        self.push(as_bytes(head))
        piece = as_bytes(repeat)
        piece *= max(1, PIECE // max(1, len(piece)))
        while piece:
            self.push(piece)

    def lie_raw(self, data=""):
        self.drop()
        self.wfile.write(as_bytes(data))


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    tls = None

    def finish_request(self, request, client):
        try:
            request.settimeout(600)
            if self.tls:
                request = self.tls.wrap_socket(request, server_side=True)
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().finish_request(request, client)
        except OSError:
            pass  # a client that went away
        finally:
            request.close()

    def handle_error(self, request, client):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client)


def obey(state, path):
    """Orders from the test, one connection and one line each."""
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen(16)
        while True:
            connection, _ = sock.accept()
            with connection, connection.makefile("rw") as stream:
                try:
                    value = {"value": state.command(
                        json.loads(stream.readline()))}
                except (ValueError, KeyError) as error:
                    value = {"error": repr(error)}
                stream.write(json.dumps(value) + "\n")


def main(root, port, http_port, cert, key, control):
    Honest.root = os.path.realpath(root)
    Handler.state = state = State()
    secure = Listener(("127.0.0.1", int(port)), Handler, False)
    secure.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.tls.load_cert_chain(cert, key)
    plain = Listener(("127.0.0.1", int(http_port)), Handler, False)
    threading.Thread(target=obey, args=(state, control), daemon=True).start()
    for server in (secure, plain):
        server.server_bind()
        server.server_activate()
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    secure.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
