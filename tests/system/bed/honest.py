# SPDX-License-Identifier: Apache-2.0
"""An honest HTTP/1.1 origin of files: what bed/liar.py is when it does not
lie. GET and HEAD with ranges and conditions, PROPFIND, bearer tokens."""
import email.utils
import http.server
import os
import re
import urllib.parse
from xml.sax.saxutils import escape

PIECE = 256 * 1024


class Plan:
    """An answer before it is sent: headers, and a body that is bytes or a
    piece of a file."""

    def __init__(self, status, headers=None, body=b"", file=None, start=0,
                 size=None):
        self.status = status
        self.headers = dict(headers or {})
        self.file = file
        self.start = start
        self.body = body
        self.size = len(body) if size is None else size
        self.headers.setdefault("Content-Length", str(self.size))

    def pieces(self, step=PIECE):
        if self.file is None:
            for at in range(0, self.size, step):
                yield self.body[at:at + step]
            return
        left = self.size
        with open(self.file, "rb") as file:
            file.seek(self.start)
            while left:
                got = file.read(min(step, left))
                if not got:
                    return
                left -= len(got)
                yield got

    def whole(self):
        return b"".join(self.pieces())

    def replace(self, body):
        """Another body, of which its length tells."""
        self.file, self.start = None, 0
        self.body, self.size = body, len(body)
        self.headers["Content-Length"] = str(self.size)


class Honest(http.server.BaseHTTPRequestHandler):
    """@var root    the folder of the files
    @var config  as Lying.config() says
    @var token   the bearer token of this request, or None
    @var sent    bytes of the body that went out
    """
    protocol_version = "HTTP/1.1"
    server_version = "Liar"
    timeout = 600
    root = None
    config = {"accept": None, "open": False, "etag": True,
              "conditions": True, "dav": True, "dates": True}

    def log_message(self, *args):
        pass

    def plan(self, whole=False):
        config, token = self.config, self.token
        if not config["open"] and (token is None or (
                config["accept"] is not None and
                token not in config["accept"])):
            code = "" if token is None else ', error="invalid_token"'
            return Plan(401, {"WWW-Authenticate":
                              'Bearer realm="lying"' + code})
        if self.command == "OPTIONS":
            return Plan(200, {"DAV": "1", "Allow":
                              "GET, HEAD, OPTIONS, PROPFIND"})
        name = urllib.parse.unquote_to_bytes(
            self.path.partition("?")[0].lstrip("/"))
        path = os.path.join(os.fsencode(self.root), name)
        try:
            stat = os.stat(path)
        except (OSError, ValueError):
            return Plan(404)
        if self.command == "PROPFIND":
            return self.propfind(path, stat) if config["dav"] else Plan(405)
        if self.command == "PUT":
            return Plan(405)
        if os.path.isdir(path):
            return Plan(403)
        return self.get(path, stat, whole)

    def etag(self, stat):
        kind = self.config["etag"]
        if not kind:
            return None
        text = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
        return "W/" + text if kind == "weak" else text

    def get(self, path, stat, whole):
        etag = self.etag(stat)
        headers = {"Content-Type": "application/octet-stream",
                   "Accept-Ranges": "bytes"}
        if etag:
            headers["ETag"] = etag
        if self.config["dates"]:
            headers["Last-Modified"] = email.utils.formatdate(
                stat.st_mtime, usegmt=True)
        size = stat.st_size
        span = (0, size)
        if self.config["conditions"]:
            if etag is not None and \
                    self.headers.get("If-Match", etag) not in (etag, "*"):
                return Plan(412)
            if etag is not None and \
                    self.headers.get("If-None-Match") == etag:
                return Plan(304, headers)
            if self.headers.get("If-Range", etag) != etag:
                whole = True
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)",
                             self.headers.get("Range", ""))
        if whole or not asked or asked[0] == "bytes=-" or \
                self.command != "GET":
            return Plan(200, headers, file=path, size=size)
        if asked[1] == "":
            span = (max(0, size - int(asked[2])), size)
        else:
            end = int(asked[2]) + 1 if asked[2] else size
            span = (int(asked[1]), min(end, size))
        if span[0] >= span[1]:
            return Plan(416, {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{size}"
        return Plan(206, headers, file=path, start=span[0],
                    size=span[1] - span[0])

    def propfind(self, path, stat):
        url = self.path.partition("?")[0]
        rows = [self.response(url, path, stat)]
        if self.headers.get("Depth") == "1" and os.path.isdir(path):
            base = url.rstrip("/") + "/"
            with os.scandir(path) as found:
                for entry in found:
                    rows.append(self.response(
                        base + urllib.parse.quote(entry.name), entry.path,
                        entry.stat()))
        body = '<?xml version="1.0" encoding="utf-8"?>\n' \
            '<D:multistatus xmlns:D="DAV:">' + "".join(rows) + \
            "</D:multistatus>"
        return Plan(207, {"Content-Type": "application/xml; charset=utf-8"},
                    body.encode())

    def response(self, url, path, stat):
        props = ""
        if os.path.isdir(path):
            url = url.rstrip("/") + "/"
            props += "<D:resourcetype><D:collection/></D:resourcetype>"
        else:
            props += "<D:resourcetype/><D:getcontentlength>" \
                f"{stat.st_size}</D:getcontentlength>"
            if self.etag(stat):
                props += f"<D:getetag>{escape(self.etag(stat))}</D:getetag>"
        if self.config["dates"]:
            when = email.utils.formatdate(stat.st_mtime, usegmt=True)
            props += f"<D:getlastmodified>{when}</D:getlastmodified>"
        return f"<D:response><D:href>{escape(url)}</D:href><D:propstat>" \
            f"<D:prop>{props}</D:prop><D:status>HTTP/1.1 200 OK</D:status>" \
            "</D:propstat></D:response>"

    # Sending.

    def head(self, plan):
        self.send_response(plan.status)
        for name, value in plan.headers.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    self.send_header(name, one)
        self.end_headers()

    def send(self, plan, stop=None, step=PIECE, every=0):
        """@param stop  send so many bytes of the body and return False"""
        self.head(plan)
        if self.command == "HEAD":
            return stop is None
        for piece in plan.pieces(step):
            if every and self.sent:
                # Between pieces: behind the last one the next request may
                # come, of which wait() would take a byte.
                self.wait(every)
            if stop is not None and self.sent + len(piece) > stop:
                self.push(piece[:stop - self.sent])
                return False
            self.push(piece)
        return stop is None

    def push(self, data):
        self.wfile.write(data)
        self.sent += len(data)

    def wait(self, seconds):
        raise NotImplementedError
