#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: each way in which a server or the way to it fails, at the
nearest cache, at all caches, at the origin and everywhere, under a program
that reads on, reads here and there, opens, or lists.

While a good server is left the program gets right bytes at once; else the
errno of the table within `timeout`. Never wrong bytes, never a hang, never a
token to who is not the server; and when all is well again the same mount is.
"""
import concurrent.futures
import errno
import itertools
import os
import queue
import sys
import threading
import time

import bed
from bed import space
from bed.nginx import Nginx
from bed.procs import slow
from cells import OPERATIONS, PLACES, Files, Operation, Stand

LONG = "BED_LONG" in os.environ
# MATRIX="503/all,slow/near": these alone.
ONLY = os.environ.get("MATRIX")
STANDS = 5
TIMEOUT = 6 * max(1.0, slow)
# Seconds until right bytes come.
SOON = 2 * max(1.0, slow)
SOON_HOLE = 5 * max(1.0, slow)
AGAIN = 20 * max(1.0, slow)  # until all is well after the end of a fault
WRONG_SIZE = 1000

GOOD = "right bytes, soon"
LATE = "right bytes, within the timeout"
WORD = "what the origin says now, soon"
HOST, TIME, IO = errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EIO
GONE, DENIED, STALE = errno.ENOENT, errno.EACCES, errno.ESTALE
# Whether there was a connection already, the black hole does not tell.
HOLE = HOST, TIME
# What a program gets. Where caches fail, near or all, that is GOOD always.
TABLE = [
    #                       at the origin, caches are well     everywhere
    # fault                 reads   opens   lists              reads
    ("refused",             GOOD,   HOST,   HOST,              HOST),
    ("black hole",          GOOD,   HOLE,   HOLE,              HOLE),
    ("wrong name",          GOOD,   HOST,   HOST,              HOST),
    ("expired",             GOOD,   HOST,   HOST,              HOST),
    ("stall before header", GOOD,   TIME,   TIME,              TIME),
    ("stall in mid-body",   GOOD,   TIME,   TIME,              TIME),
    ("reset in mid-body",   GOOD,   TIME,   TIME,              LATE),
    ("truncation",          GOOD,   TIME,   TIME,              LATE),
    ("slow",                GOOD,   GOOD,   LATE,              TIME),
    ("500",                 GOOD,   IO,     IO,                IO),
    ("502",                 GOOD,   IO,     IO,                IO),
    ("503",                 GOOD,   IO,     IO,                IO),
    ("429",                 GOOD,   IO,     IO,                IO),
    ("404",                 GOOD,   GONE,   GONE,              GONE),
    ("403",                 GOOD,   DENIED, DENIED,            DENIED),
    ("wrong size",          GOOD,   WORD,   WORD,              STALE),
    ("wrong bytes",         GOOD,   IO,     IO,                IO),
    ("stale",               GOOD,   WORD,   WORD,              STALE),
    ("login page",          GOOD,   IO,     IO,                IO),
    ("restart",             GOOD,   LATE,   LATE,              LATE),
]
FAULTS = [row[0] for row in TABLE]
# Where each fault is in the short run: a third of the matrix.
SHORT = dict(zip(FAULTS, itertools.cycle(("near", "origin", "caches",
                                          "all"))))
# Beside them, where most time is lost.
ALSO = [("black hole", "caches")]


def expected(fault, place, operation):
    row = TABLE[FAULTS.index(fault)][1:]
    if place in ("near", "caches"):
        return GOOD
    if place == "all":
        return row[3]
    return row[{"open": 1, "listing": 2}.get(operation, 0)]


def operations(place):
    """Attributes are the origin's; where it fails with all others it does
    as alone."""
    return OPERATIONS[:2] if place == "all" else OPERATIONS


class Cell:
    """One mount, one program, one fault."""

    def __init__(self, test, stand, fault, place, operation):
        self.name = f"{fault}, {place}, {operation}"
        self.fault = fault
        self.want = expected(fault, place, operation)
        more = {"longer": WRONG_SIZE if fault == "wrong size" else 0,
                "old": fault == "stale"} if self.want == WORD else {}
        options = {"immutable": True} if fault == "wrong bytes" else {}
        if fault == "wrong bytes" and operation != "listing":
            # What is compared before anybody gets it: all that is fetched at
            # once.
            more["name"] = "small.bin" if operation == "sequential" \
                else "block.bin"
        self.m = test.new_mount(stand.url, server=stand.caches,
                                timeout=f"{TIMEOUT:.0f}s", cache_size="0",
                                attr_ttl="1s", **options)
        self.then = Operation(self.m, operation, **more)
        self.result = None

    def begin(self):
        self.m.start()
        self.then.prepare()

    def run(self):
        self.result = self.then.do()

    @property
    def limit(self):
        if self.want in (GOOD, WORD):
            return SOON_HOLE if self.fault == "black hole" else SOON
        return TIMEOUT

    def problem(self):
        """@return what is wrong with the cell, whether time alone is"""
        code, seconds, wrong = self.result
        if wrong:
            return wrong, False
        want = self.want if isinstance(self.want, tuple) else (
            self.want if isinstance(self.want, int) else 0,)
        if code not in want:
            # XRootD 5.5.3 now and then gives no byte when several ask it for
            # checksums at once: that is its own fault, and time's.
            stalls = self.fault == "wrong bytes" and code == TIME
            return (f"{errno.errorcode.get(code, 'right bytes')}, not "
                    f"{[errno.errorcode.get(one, 'right') for one in want]}, "
                    f"after {seconds:.1f} s"), stalls
        if self.want not in (GOOD, WORD):
            seconds = self.then.longest
        if seconds > self.limit + 0.3:
            return f"after {seconds:.1f} s, not {self.limit:.1f}", True
        return None, False

    def recover(self):
        """The same mount, without the fault."""
        self.then.close()
        last = Operation(self.m, self.then.kind, name=self.then.name)
        end = time.monotonic() + AGAIN
        while True:
            try:
                last.prepare()
                got = last.do()
            except OSError as error:
                got = error.errno, 0, None
            last.close()
            if got[0] == 0 and got[2] is None:
                return None
            if time.monotonic() > end:
                return f"not well after the fault: {got}"
            time.sleep(0.1)


class Matrix(bed.Case):
    deadline = 850

    def setUp(self):
        self.lock = threading.Lock()
        self.files = Files(self.bed)
        self.token = self.bed.token()
        self.stale = self.bed.servers.get("stale") or self.bed.add(
            Nginx(self.bed, "stale", data=self.files.age(self.bed.base)))

    def new_mount(self, source, **options):
        with self.lock:
            return self.make_mount(source, self.token, **options)

    def group(self, stand, fault, place):
        """@return (name, what is wrong, whether time alone is) of its cells"""
        cells = [Cell(self, stand, fault, place, one)
                 for one in operations(place)]
        for cell in cells:
            cell.begin()
        stand.begin(fault, place)
        marks = [(one, one.mark()) for one in stand.at(place)
                 if fault in ("wrong name", "expired")]
        with concurrent.futures.ThreadPoolExecutor(len(cells)) as pool:
            running = [pool.submit(cell.run) for cell in cells]
            stand.go_on(fault, place)
            for one in running:
                one.result()
        found = [(cell.name, *cell.problem()) for cell in cells]
        for one, mark in marks:
            asked = [(each["path"], each["token"] is not None)
                     for each in one.requests(mark)]
            if asked:
                found.append((f"{fault}, {place}", f"asked: {asked}", False))
        stand.heal()
        for cell in cells:
            found.append((cell.name, cell.recover(), False))
            cell.m.close()
        return [one for one in found if one[1]]

    def work(self, stand, groups):
        """In a thread that stays: what it starts ends with it."""
        found = []
        while True:
            try:
                fault, place = groups.get_nowait()
            except queue.Empty:
                return found
            stand.heal()
            began = time.monotonic()
            bad = self.group(stand, fault, place)
            late = [one[0] for one in bad if one[2]]
            print(f"{time.monotonic() - began:5.1f} s  {fault}, {place}"
                  f"{': ' + str(bad) if bad else ''}", file=sys.stderr)
            found += [(fault, place)] if late and len(late) == len(bad) \
                else bad

    def run_groups(self, pool, stands, groups):
        waiting = queue.Queue()
        for one in groups:
            waiting.put(one)
        done = [pool.submit(self.work, one, waiting) for one in stands]
        return [one for each in done for one in each.result()]

    def run_all(self, server, groups):
        """The machine is shared: who was only late has another chance, with
        nobody beside it."""
        stands = [Stand(self.bed, i, server, self.stale)
                  for i in range(min(STANDS, len(groups)))]
        with concurrent.futures.ThreadPoolExecutor(len(stands)) as pool:
            found = self.run_groups(pool, stands, groups)
            late = [one for one in found if len(one) == 2]
            found = [one for one in found if len(one) == 3]
            for one in late:
                again = self.run_groups(pool, stands[:1], [one])
                found += [each if len(each) == 3 else (*each, "late again")
                          for each in again]
        self.assertEqual(found, [])

    def groups(self):
        """Those that take longest come first, or nearly so."""
        if ONLY:
            return [tuple(one.split("/")) for one in ONLY.split(",")]
        return [(fault, place) for place in reversed(PLACES)
                for fault in FAULTS
                if LONG or SHORT[fault] == place or (fault, place) in ALSO]

    def test_of_a_server_with_validators(self):
        if not space.own_network():
            self.skipTest("black holes want a network of their own")
        self.run_all(self.bed.nginx, [one for one in self.groups()
                                      if one[0] != "wrong bytes"])

    def test_of_a_server_with_checksums(self):
        """Only these tell wrong bytes from right ones."""
        self.run_all(self.bed.xrootd, [
            ("wrong bytes", place) for place in
            (PLACES if LONG else PLACES[:3])])


if __name__ == "__main__":
    bed.main(deadline=900)
