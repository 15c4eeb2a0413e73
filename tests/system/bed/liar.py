# SPDX-License-Identifier: Apache-2.0
"""The process behind bed/lying.py: what it answers, honest and lies.

bed/relay.py and bed/usher.py are made of it: another honest answer, the same
lies.
"""
import base64
import gzip
import os
import re
import select
import socket
import ssl
import struct
import sys
import time

from bed import stand
from bed.honest import PIECE, Honest, Plan


# Told while the body of the request is still on its way.
BEFORE_BODY = ("early", "interim_flood")
FLIPPED = bytes(one ^ 0xff for one in range(256))


def as_bytes(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return (value or "").encode()


def made_up(url, is_directory, size):
    """A response of a PROPFIND for what is not there."""
    kind = "<D:resourcetype><D:collection/></D:resourcetype>" \
        if is_directory else "<D:resourcetype/>" \
        f"<D:getcontentlength>{size}</D:getcontentlength>" \
        '<D:getetag>"1"</D:getetag>'
    return f"<D:response><D:href>{url}{'/' * is_directory}</D:href>" \
        f"<D:propstat><D:prop>{kind}<D:getlastmodified>" \
        "Sun, 06 Nov 1994 08:49:37 GMT</D:getlastmodified></D:prop>" \
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"


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
        try:
            if lie and lie["what"] in BEFORE_BODY:
                getattr(self, "lie_" + lie["what"])(**lie["args"])
                return
            self.go_on(lie and lie["what"] == "silent_100")
            self.request_body = self.take_body(headers)
            if lie:
                getattr(self, "lie_" + lie["what"])(**lie["args"])
            else:
                self.send(self.plan())
        except OSError:
            self.close_connection = True

    do_GET = do_HEAD = do_PROPFIND = do_OPTIONS = do_PUT = serve
    do_DELETE = do_MKCOL = do_MOVE = do_COPY = serve

    expected = False

    def handle_expect_100(self):
        """Said when the body is wanted: in serve()."""
        self.expected = True
        return True

    def go_on(self, silently):
        expected, self.expected = self.expected, False
        if expected and not silently:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def take_body(self, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self.take_chunk, b""))
        return self.rfile.read(int(headers.get("content-length", "0")))

    def take_chunk(self):
        """RFC 9112 section 7.1; of one that is cut nothing is passed on."""
        head = self.rfile.readline()
        if not head:
            self.close_connection = True
            raise ConnectionError("the client went away")
        size = int(head.partition(b";")[0], 16)
        chunk = self.rfile.read(size)
        if len(chunk) < size or not self.rfile.readline():
            self.close_connection = True
            raise ConnectionError("the client went away")
        return chunk

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

    def lie_lost(self):
        self.plan().whole()
        self.lie_reset()

    def lie_mute(self, seconds=3600):
        self.plan().whole()
        self.drop()
        self.wait(seconds)

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

    def lie_narrow(self, rate):
        plan = self.plan()
        self.head(plan)
        for piece in plan.pieces():
            self.wait(self.state.turn(len(piece) / rate))
            self.push(piece)

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
            plan.replace(bytes(data))
        self.send(plan)

    def lie_flip_all(self):
        plan = self.plan()
        plan.replace(plan.whole().translate(FLIPPED))
        self.send(plan)

    def lie_size(self, by):
        """As one who has another version: everything agrees with it."""
        plan = self.plan()
        said = re.fullmatch(r"(bytes .*/)(\d+)",
                            plan.headers.get("Content-Range") or "")
        if said:
            plan.headers["Content-Range"] = f"{said[1]}{int(said[2]) + by}"
        elif self.command == "PROPFIND":
            plan.replace(re.sub(
                rb"(getcontentlength>)(\d+)(<)",
                lambda m: m[1] + b"%d" % (int(m[2]) + by) + m[3],
                plan.whole()))
        elif plan.status == 200:
            size = int(plan.headers["Content-Length"]) + by
            if self.command != "HEAD":
                plan.replace((plan.whole() + b"#" * by)[:size])
            plan.headers["Content-Length"] = str(size)
        self.send(plan)

    def lie_headers(self, set=None, drop=()):
        plan = self.plan()
        plan.headers.update(set or {})
        for name in drop:
            plan.headers.pop(name, None)
        self.send(plan)

    def lie_gzip(self):
        plan = self.plan()
        plan.replace(gzip.compress(plan.whole()))
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

    def lie_forest(self, dirs, files, size=42):
        """A directory of directories of files, none of which is on a disk."""
        url = self.path.rstrip("/")
        parts = url.partition("/forest")[2].split("/")[1:]
        if len(parts) > 2 or self.command != "PROPFIND":
            self.send(Plan(404))
            return
        rows = [made_up(url, len(parts) < 2, size)]
        if self.headers.get("Depth") == "1" and len(parts) < 2:
            rows += [made_up(f"{url}/{'f' if parts else 'd'}{n}", not parts,
                             size) for n in range(files if parts else dirs)]
        self.send(Plan(207, {"Content-Type": "application/xml"}, (
            '<D:multistatus xmlns:D="DAV:">' + "".join(rows) +
            "</D:multistatus>").encode()))

    def lie_early(self, code, headers=None, after=0, reset=True):
        self.rfile.read(after)
        self.send(Plan(code, headers))
        self.drop()
        if reset:
            # What was sent is to arrive before the reset does.
            time.sleep(0.05)
            self.lie_reset()

    def lie_silent_100(self):
        self.send(self.plan())

    def lie_interim(self, times=2, code=100):
        self.wfile.write(b"HTTP/1.1 %d Wait\r\n\r\n" % code * times)
        self.send(self.plan())

    def lie_interim_flood(self, code=102, every=0):
        self.drop()
        while True:
            self.wfile.write(b"HTTP/1.1 %d Wait\r\n\r\n" % code)
            self.wait(every)

    def lie_raw(self, data=""):
        self.drop()
        self.wfile.write(as_bytes(data))


if __name__ == "__main__":
    stand.main(Handler, *sys.argv[1:])
