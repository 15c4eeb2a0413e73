#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A cache that now and then stalls: its readers get what it is late with from
another one, and little is asked for twice. Counted, not timed: the times are
in bench/ (the row "tail")."""
import hashlib
import json
import re
import sys
import time

import bed
from bed import content, mount
from bed.procs import slow

BLOCK = 65536
READS = 600
SLOW_READS = 150
EVERY = 40  # one answer in so many of the nearest cache stalls
STALL_S = 2
# Of any answer: a read takes its time on a machine with nothing to do too.
USUAL_S = 0.005
# What a server is left for when no second one is asked.
PATIENCE_S = 1
# Reads blocks of a file in an order of chance, each once, and tells how many
# took so long as only a stall takes.
READER = """
import hashlib, json, os, random, sys, time
path, count, block, long = sys.argv[1], *map(float, sys.argv[2:])
fd = os.open(path, os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
places = list(range(os.fstat(fd).st_size // int(block)))
random.Random(1).shuffle(places)
late = 0
got = {}
for place in places[:int(count)]:
    began = time.monotonic()
    data = os.pread(fd, int(block), place * int(block))
    late += time.monotonic() - began >= long
    got[place] = hashlib.sha256(data).hexdigest()
print(json.dumps({"late": late, "got": got}))
"""


class Tail(bed.Case):
    def setUp(self):
        self.origin = self.bed.lying
        self.near = self.bed.another_lying("near")
        self.next = self.bed.another_lying("next")
        for server in (self.origin, self.near, self.next):
            server.honest()
            server.config(accept=None)

    def read(self, m, name, count=READS):
        got = json.loads(mount.run([
            sys.executable, "-c", READER, m.at(name), str(count), str(BLOCK),
            str(PATIENCE_S)], 120).stdout)
        with open(f"{self.bed.data}{self.bed.base}/{name}", "rb") as file:
            for place, want in got["got"].items():
                file.seek(int(place) * BLOCK)
                data = file.read(BLOCK)
                self.assertEqual(hashlib.sha256(data).hexdigest(), want)
        return got["late"]

    def test_that_what_is_late_is_asked_of_another(self):
        self.bed.put("tail/a.bin", 2 * READS * BLOCK)
        for nth in range(1, READS // EVERY):
            self.near.lie("stall", seconds=STALL_S, path=".*/tail/a.bin",
                          method="GET", times=1, skip=nth * EVERY)
        for server in (self.near, self.next):
            server.lie("delay", seconds=USUAL_S, method="GET")
        m = self.mount(self.origin.url, "a-token", cache_size="0",
                       server=f"{self.near.url};{self.next.url}",
                       timeout="30s")
        marks = self.near.mark(), self.next.mark()
        late = self.read(m, "tail/a.bin")
        counters = m.counters()
        stalls = sum(one["lie"] == "stall"
                     for one in self.near.requests(marks[0]))
        # While it is late the other cache is asked, so there are not many.
        self.assertGreaterEqual(stalls, 2)
        # Most of them: other things may be late on a busy machine, and have
        # been paid for.
        self.assertLessEqual(late, stalls // 2, counters)
        self.assertGreaterEqual(counters["fetch_hedges_won"], stalls - late)
        self.assertLessEqual(counters["fetch_hedge_bytes"] * 20,
                             counters["fetch_received_bytes"])
        # What the servers have sent says the same.
        sent = [sum(one["sent"] for one in server.requests(mark)
                    if one["method"] == "GET") for server, mark in
                zip((self.near, self.next), marks)]
        self.assertLessEqual(sum(sent), READS * BLOCK * 1.06)
        self.seen(m)

    def seen(self, m):
        """What status and explain say of it."""
        servers = m.status()["servers"]
        self.assertGreater(servers[1]["hedges"], 0)
        self.assertEqual(sum(one["hedges_won"] for one in servers),
                         m.counters()["fetch_hedges_won"])
        self.assertEqual(sum(one["hedge_bytes"] for one in servers),
                         m.counters()["fetch_hedge_bytes"])
        text = m.command("status", m.path).stdout
        self.assertRegex(text, r"\(cache\) (up|resting), .* MB/s a transfer")
        self.assertIn("times for what another was late with", text)
        told = json.loads(m.command(
            "explain", "--json", m.at("tail/a.bin")).stdout)
        # That which stalled may have been tried last, in vain.
        self.assertEqual(len(told["caches"]), 2)
        self.assertIn(told["caches"][0]["status"], (206, None))
        for one in told["caches"]:
            self.assertTrue(re.fullmatch(r"20.*Z", one["at"]), one)

    def test_that_it_is_not_done_where_all_are_slow(self):
        """Each answer takes its time: nothing is late, nothing is asked
        twice but by chance."""
        self.bed.put("tail/b.bin", 2 * READS * BLOCK)
        for server in (self.near, self.next):
            server.lie("delay", seconds=0.03, path=".*/tail/b.bin",
                       method="GET")
        m = self.mount(self.origin.url, "a-token", cache_size="0",
                       server=f"{self.near.url};{self.next.url}",
                       timeout="30s")
        self.read(m, "tail/b.bin", SLOW_READS)
        counters = m.counters()
        self.assertLessEqual(counters["fetch_hedge_bytes"] * 20,
                             counters["fetch_received_bytes"])


class Striped(bed.Case):
    """A large file from caches of which each alone is the limit."""

    def test_that_both_are_used(self):
        size, rate = 96 << 20, 12_000_000
        path = self.bed.put("tail/large.bin", size)
        caches = [self.bed.another_lying(name) for name in ("near", "next")]
        for server in (self.bed.lying, *caches):
            server.honest()
            server.config(accept=None)
        for server in caches:
            server.lie("narrow", rate=rate, method="GET")
        m = self.mount(self.bed.lying.url, "a-token", cache_size="0",
                       server=";".join(one.url for one in caches),
                       timeout="60s")
        marks = [one.mark() for one in (*caches, self.bed.lying)]
        began = time.monotonic()
        got = mount.run(["sha256sum", m.at("tail/large.bin")], 120)
        took = time.monotonic() - began
        self.assertEqual(got.stdout.split()[0], content.sha256(path))
        sent = [sum(one["sent"] for one in server.requests(mark)
                    if one["method"] == "GET") for server, mark in
                zip((*caches, self.bed.lying), marks)]
        # It takes a moment until it is known that it helps. One alone would
        # need eight seconds, however fast the machine.
        self.assertGreater(min(sent[:2]), size * 0.15, sent)
        if slow <= 1:
            self.assertLess(took, 0.8 * size / rate, sent)
        self.assertEqual(sent[2], 0)
        self.assertLess(sum(sent), size * 1.06)


if __name__ == "__main__":
    bed.main(deadline=300)
