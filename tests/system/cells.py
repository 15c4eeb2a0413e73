# SPDX-License-Identifier: Apache-2.0
"""One cell of the matrix of test_matrix.py: what a program does on a mount
while a server fails, how long that takes and what comes of it."""
import os
import random
import time

from bed import content
from bed.between import SOME

SIZE = 3_000_001
SMALL = 300_001   # fetched, and where checksums are told compared, as a whole
BLOCK = 60_001    # also where it is read in parts
ENTRIES = 60
PIECES = 12
FOLDER = "matrix"
OPERATIONS = ("sequential", "random", "open", "listing")
PLACES = ("near", "caches", "origin", "all")
# Of attributes, which are short.
EARLY = 200


class Files:
    """What the servers show, and what is right.

    @var sizes  of the names in the listing
    """

    def __init__(self, bed):
        for name, size in self.all():
            bed.put(f"{FOLDER}/{name}", size)
        self.old = bed.folder("old")

    @staticmethod
    def all():
        yield from (("warm.bin", SMALL), ("large.bin", SIZE),
                    ("small.bin", SMALL), ("block.bin", BLOCK))
        for name, size in Files.listing():
            yield f"list/{name}", size

    @staticmethod
    def listing():
        return [(f"entry-{i:03}.bin", 100 + i) for i in range(ENTRIES)]

    def age(self, base):
        """The same names and sizes, of a day before."""
        for name, size in self.all():
            path = f"{self.old}{base}/{FOLDER}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            content.write(path, "old " + name, size)
            content.touch(path, 2 * 86400)
        return self.old


def bytes_of(name, offset, size, old=False):
    seed = f"{FOLDER}/{name}"
    return content.stream("old " + name if old else seed, offset, size)


class Operation:
    """@var prepare  before the fault; @var do  after it: raises OSError, or
    AssertionError for what is wrong"""

    def __init__(self, m, kind, old=False, longer=0, name="large.bin"):
        self.m = m
        self.kind = kind
        self.old = old        # the origin says that the old ones are there
        self.longer = longer  # ... that files have so many bytes more
        self.name = name
        self.size = dict(Files.all())[name]
        self.fd = None
        self.longest = 0

    def path(self, *names):
        return self.m.at(FOLDER, *names)

    def prepare(self):
        """A mount that has been at work: connections are kept, waits and
        rates are known. But what only opens and lists comes new."""
        os.stat(self.path())
        if self.kind in ("sequential", "random"):
            with open(self.path("warm.bin"), "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass
            self.fd = os.open(self.path(self.name), os.O_RDONLY)

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def check(self, offset, got):
        want = bytes_of(self.name, offset, len(got), self.old)
        # What is behind the end of the file is the origin's to tell.
        known = max(0, min(len(got), self.size - offset))
        assert got[:known] == want[:known], \
            f"wrong bytes of {self.name} at {offset}"

    def timed(self, call, *args):
        """One system call: `timeout` is of each."""
        began = time.monotonic()
        try:
            return call(*args)
        finally:
            self.longest = max(self.longest, time.monotonic() - began)

    def sequential(self):
        offset = 0
        while got := self.timed(os.read, self.fd, 1 << 17):
            self.check(offset, got)
            offset += len(got)
        assert offset == self.size + self.longer, \
            f"{offset} bytes of {self.size}"

    def random(self):
        chosen = random.Random(self.name)
        for _ in range(PIECES):
            offset = chosen.randrange(self.size - 4096)
            got = self.timed(os.pread, self.fd, 4096, offset)
            assert len(got) == 4096, f"{len(got)} bytes of 4096"
            self.check(offset, got)

    def open(self):
        """Up to the first byte."""
        self.fd = self.timed(os.open, self.path(self.name), os.O_RDONLY)
        size = self.timed(os.fstat, self.fd).st_size
        assert size == self.size + self.longer, f"size {size}"
        got = self.timed(os.read, self.fd, 4096)
        assert got, "no byte"
        self.check(0, got)

    def listing(self):
        path = self.path("list")
        got = {name: os.stat(f"{path}/{name}").st_size
               for name in self.timed(os.listdir, path)}
        want = {name: size + self.longer for name, size in Files.listing()}
        assert got == want, f"another listing: {len(got)} of {len(want)}"

    def do(self):
        """@return the errno or 0, seconds in all, what is wrong or None"""
        began = time.monotonic()
        code, wrong = 0, None
        try:
            getattr(self, self.kind)()
        except OSError as error:
            code = error.errno
        except AssertionError as error:
            wrong = str(error)
        return code, time.monotonic() - began, wrong


class Stand:
    """Two caches and an origin that can fail, the origin's files behind all
    three."""

    def __init__(self, bed, number, server, stale):
        self.relays = {name: bed.between(f"{name}-{server.name}-{number}",
                                         server)
                       for name in ("near", "far", "origin")}
        self.stale = stale

    def at(self, place):
        return [self.relays[name] for name in
                {"near": ["near"], "caches": ["near", "far"],
                 "origin": ["origin"], "all": ["near", "far", "origin"]}
                [place]]

    @property
    def url(self):
        return self.relays["origin"].url

    @property
    def caches(self):
        return ";".join(self.relays[name].url for name in ("near", "far"))

    def begin(self, fault, place):
        """The fault is there when this returns, but for a restart, of which
        the first half is."""
        if fault == "restart":
            for one in self.at(place):
                one.stop()
            return
        for one in self.at(place):
            if fault in ("wrong name", "expired"):
                one.refuse()  # kept connections are beyond doubt
            method = "GET|PROPFIND" if fault == "wrong bytes" else None
            at = EARLY if place == "origin" else SOME
            one.fault(fault, method=method, stale=self.stale, at=at)
            if fault in ("wrong name", "expired"):
                one.accept()

    def go_on(self, fault, place):
        """While programs wait for it."""
        if fault == "restart":
            time.sleep(0.5)
            for one in self.at(place):
                one.start(one.port)

    def heal(self):
        for one in self.relays.values():
            if not one.proc.running():
                one.start(one.port)
            one.heal()
