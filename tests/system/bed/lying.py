# SPDX-License-Identifier: Apache-2.0
"""A server that lies on request, for what no real server does on demand.

Unless told otherwise it is an honest HTTP/1.1 origin of the bed's files: GET
and HEAD with ranges, strong ETags, conditions, PROPFIND with getetag, 401
without a token (any bearer token will do, see config()). Lies are ordered
from the test; each request takes the first lie that fits it. All requests
are recorded, with the token if one came.

    lying.lie("truncate", at=1000, path="/exp/a", times=2)

It runs as a process of its own (bed/liar.py), told what to do over a Unix
socket, so that it keeps lying while the test hangs in the kernel.
"""
import base64
import json
import socket

from bed.procs import Server, free_port, python

# name: what the arguments mean
LIES = {
    "truncate": "at: close after so many bytes of the body",
    "reset": "at: TCP reset after so many bytes; None: before the header",
    "close": "the connection, instead of an answer",
    "lost": "what was asked for is done, and reset instead of answered",
    "mute": "what was asked for is done, and nothing is answered",
    "stall": "at: be silent after so many bytes; None: before the header; "
             "seconds: then close",
    "delay": "seconds: before the answer, which is honest",
    "drip": "size, every: the body in such pieces, so many seconds apart",
    "narrow": "rate: all bodies together at so many bytes a second",
    "full": "200 and the whole file, whatever range was asked for",
    "content_range": "value: that Content-Range, or none (None)",
    "surplus": "bytes: more body than asked for; declared: Content-Length "
               "says so too",
    "short": "bytes: less body, with a Content-Length that agrees",
    "flip": "at: this byte of the file is wrong",
    "flip_all": "each byte of the body is wrong",
    "headers": "set, drop: change the headers of an honest answer",
    "size": "by: the file is so many bytes longer (shorter: -1), whatever "
            "asks",
    "gzip": "the body compressed, although identity was asked for",
    "redirect": "to, status: somewhere else",
    "loop": "status: redirect to itself, for ever",
    "status": "code, headers, body",
    "body": "status, headers, body: any answer",
    "endless_headers": "header lines without an end",
    "long_header": "size: one header line of so many bytes",
    "endless_body": "status, headers, head, repeat: a body without an end",
    "forest": "dirs, files, size: below .../forest so many directories of so "
              "many files, made up",
    "early": "code, headers, after: this status when so many bytes of the "
             "request's body have come; reset: and no more is taken",
    "silent_100": "no 100 is said to Expect: 100-continue",
    "interim": "times, code: so many 1xx before the answer",
    "interim_flood": "code, every: 1xx for ever, so many seconds apart",
    "raw": "data: these bytes, then close",
}


class Lying(Server):
    name = "lying"
    program = "bed.liar"

    def __init__(self, bed, name=None, data=None):
        super().__init__(bed, name)
        self.data = data or bed.data
        self.cert, self.key = bed.ca.server(self.name)
        self.http_port = 0

    def on(self, host):
        """Its URL under another name of this machine (space.HOSTS)."""
        return f"https://{host}:{self.port}{self.bed.base}"

    @property
    def url(self):
        return self.on("localhost")

    @property
    def http_url(self):
        """The same without TLS: where a token must never be seen."""
        return f"http://localhost:{self.http_port}{self.bed.base}"

    @property
    def control(self):
        return self.folder + "/control"

    def launch(self):
        self.http_port = free_port()
        return python(self.program, [
            self.data, str(self.port), str(self.http_port), self.cert,
            self.key, self.control], self.log)

    def ready(self):
        # And takes orders: it does so before it serves.
        return self.serves_token()

    def tell(self, order, **args):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(60)
            sock.connect(self.control)
            sock.sendall(json.dumps({"do": order, **args}).encode() + b"\n")
            with sock.makefile() as answer:
                got = json.loads(answer.readline())
        if "error" in got:
            raise ValueError(got["error"])
        return got.get("value")

    def lie(self, what, path=None, method=None, times=None, skip=0,
            ranged=None, **args):
        """
        @param what    one of LIES, with its arguments as keywords; bytes and
                       str both do for bodies
        @param path    regular expression for the whole path as sent
        @param method  "GET" and so on, or several: "GET|HEAD"
        @param times   for so many requests (None: until honest())
        @param skip    after so many that fit
        @param ranged  True: only with Range; False: only without
        """
        if what not in LIES:
            raise ValueError(f"no such lie: {what}")
        for key, value in args.items():
            if isinstance(value, bytes):
                args[key] = {"b64": base64.b64encode(value).decode()}
        self.tell("lie", what=what, args=args, path=path, method=method,
                  times=times, skip=skip, ranged=ranged)

    def honest(self):
        """Forget all lies; end the stalls (their connections close)."""
        self.tell("honest")

    def config(self, **settings):
        """
        @param accept      list of tokens that are good; None: any
        @param open        True: answer without a token too
        @param etag        False: send none; "weak"
        @param conditions  False: ignore If-Match, If-None-Match, If-Range
        @param dav         False: PROPFIND is 405
        @param dates       False: no Last-Modified
        """
        self.tell("config", settings=settings)

    def refuse(self):
        """As if it had been killed: connections are cut, nobody listens."""
        self.tell("refuse")

    def accept(self):
        """Listen again, where it did."""
        self.tell("accept")

    def show(self, cert, key):
        """Another certificate, to new connections."""
        self.tell("show", cert=cert, key=key)

    def requests(self, since=0):
        """All requests from number `since`: dicts with number, time, method,
        path (as sent), headers (small letters), token (or None), connection,
        tls, lie, and when answered: status, sent (bytes of body)."""
        return self.tell("requests", since=since)

    def mark(self):
        """For requests(since)."""
        return self.tell("count")
