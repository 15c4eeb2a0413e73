#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 in front of every step of writing, and at random under load. What a
call had promised is kept: a file whose close returned success stands on the
server, whole; one whose fsync did is there or listed in the spool; nothing on
the server is ever a part or a mixture; nothing in the spool is lost."""
import glob
import os
import random
import re
import shutil
import signal
import subprocess
import time
import unittest

import bed
from bed import content
from bed.cutter import Cutter
from bed.disks import HERE, KILL_BEFORE, KILL_WITHIN, Faults
from bed.procs import Failed, slow
from bed.writing import AGAIN, PUT, SERVERS, TEMPORARY, WritingCase, tree
from writers import data_of

LONG = os.environ.get("BED_LONG") == "1"
ROUNDS = 200 if LONG else 40
# In front of every step; of the short run each so-and-so-manieth.
STRIDE = 1 if LONG else 9
STEPS_MAX = 1000
unless_sanitized = unittest.skipIf(
    slow > 1, "a sanitizer wants to be in front itself")


class Owed:
    """What the log of a writer (writers.py) says of each name.

    @var may    {name: versions that may stand there}; None: absence
    @var must   {name: the last version that close promised}, not touched since
    @var kept   {(name, version)} that fsync promised and no close
    """

    def __init__(self, text, before):
        self.may = {name: {version} for name, version in before.items()}
        self.must = dict(before)
        self.kept = set()
        for line in text.splitlines():
            word, *rest = line.split(" ")
            if hasattr(self, word):
                getattr(self, word)(*rest)

    def of(self, name):
        return self.may.setdefault(name, {None})

    def begun(self, name, version):
        self.of(name).add(version)
        self.must.pop(name, None)

    def closed(self, name, version):
        self.may[name] = {version}
        self.must[name] = version
        self.kept.discard((name, version))

    def synced(self, name, version):
        self.kept.add((name, version))

    def going(self, name):
        self.of(name).add(None)
        self.must.pop(name, None)

    def gone(self, name):
        self.may[name] = {None}
        self.must[name] = None

    def moving(self, old, new):
        self.of(new).update(self.of(old))
        self.of(old).add(None)
        self.must.pop(old, None)
        self.must.pop(new, None)

    def moved(self, old, new):
        self.may[new] = self.may[old] - {None}
        self.may[old] = {None}
        self.must[old] = None
        if len(self.may[new]) == 1:
            self.must[new], = self.may[new]


def tree_names(top):
    return [name for _, _, files in os.walk(top) for name in files]


class Crash(WritingCase):
    deadline = 3000 if LONG else 300

    def assert_owed(self, disk, owed, settled, where):
        """What stands on the server's disk is what may; `settled`: what must
        stand there does."""
        # Apache has a body under such a name until it has seen its end.
        bed.wait_for(lambda: not any(
            os.path.basename(name).startswith(".davfs.tmp")
            for name in tree_names(disk)), "Apache to throw away", 20)
        there = {name: data for name, data in tree(disk).items()
                 if data is not None and TEMPORARY not in name}
        for name in set(there) | set(owed.may):
            may = owed.may.get(name, set())
            data = there.get(name)
            fits = [version for version in may if
                    (data is None and version is None) or
                    (data is not None and version is not None and
                     data == data_of(version))]
            self.assertTrue(
                fits, f"{where}: {name}: {len(data or b'')} bytes that are "
                f"none of {sorted(map(str, may))}")
        if not settled:
            return
        for name, version in owed.must.items():
            data = there.get(name)
            self.assertTrue(
                data == (None if version is None else data_of(version)),
                f"{where}: {name} is not {version}")

    def assert_kept(self, m, disk, owed, where):
        """What fsync promised is on the server or in the spool, with all its
        bytes."""
        there = tree(disk)
        spooled = {}
        for one in self.unsent(m):
            name = one["server_path"].split("/", 3)[-1]
            spooled.setdefault(name, []).append(one)
        for name, version in owed.kept:
            data = data_of(version)
            if there.get(name) == data or version not in owed.may[name]:
                continue  # sent; or overwritten by what was closed later
            sizes = [one["size_bytes"] for one in spooled.get(name, [])]
            self.assertIn(len(data), sizes,
                          f"{where}: {name} {version} is nowhere")

    def recover(self, m):
        """The next mount of that source sends what was to be sent."""
        m.start()
        try:
            bed.wait_for(lambda: not self.owing(m),
                         "what was unsent to be sent", 30)
        except Failed as problem:
            raise Failed(f"{problem}: {self.owing(m)}") from None

    def owing(self, m):
        return [one for one in m.status()["unsent"]
                if one["state"] != "aside"]

    def write(self, what, m, seed):
        return subprocess.Popen(
            ["/usr/bin/python3", "-B", HERE + "/writers.py", what, m.path,
             self.dir + "/promised", str(seed)],
            stderr=subprocess.DEVNULL)

    def promised(self):
        with open(self.dir + "/promised") as file:
            return file.read()

    def fresh(self, m):
        """The server's directory as it is before each round."""
        subprocess.run(["find", m.disk, "-mindepth", "1", "-delete"],
                       check=True)
        shutil.rmtree(m.folder + "/spool", ignore_errors=True)
        before = {"old": "before-old:9000", "target": "before-target:300",
                  "doomed": "before-doomed:10"}
        for name, version in before.items():
            path = os.path.join(m.disk, name)
            with open(path, "wb") as file:
                file.write(data_of(version))
            os.chmod(path, 0o666)
            bed.content.touch(path)
        open(self.dir + "/promised", "w").close()
        return before

    def killed_at(self, m, faults, mode, nth):
        """One round; False: it ended before that step."""
        before = self.fresh(m)
        faults.set(mode, nth=nth)
        m.env.update(faults.env, FAULT_SOCKETS="1")
        try:
            m.start()
            # Without a mount it would write to the directory below.
            self.write("steps", m, nth).wait(60)
        except Failed:
            self.assertFalse(m.running())  # killed as it began
        where = f"{self.id()} step {nth} mode {mode}"
        died = not m.running()
        owed = Owed(self.promised(), before)
        self.assert_owed(m.disk, owed, False, where)
        if not died:
            self.assertIn("done", self.promised(), where)
            m.stop()
        else:
            m.crash()
            for name in faults.env:
                m.env.pop(name)
            self.recover(m)
            self.assert_owed(m.disk, owed, True, where + ", recovered")
            self.assert_kept(m, m.disk, owed, where)
            self.assertEqual(self.temporaries(m), [], where)
            m.stop()
        return died

    def each_step(self, server):
        m = self.make_writable(server, f"steps-{server}")
        faults = Faults(self.dir, m.folder + "/spool")
        nth = random.Random().randrange(1, STRIDE + 1)
        died = 0
        while nth < STEPS_MAX:
            # Half of a change done, each second time.
            mode = KILL_WITHIN if died % 2 else KILL_BEFORE
            if not self.killed_at(m, faults, mode, nth):
                break
            died += 1
            nth += STRIDE
        self.assertLess(nth, STEPS_MAX)
        self.assertGreater(died, 50 // STRIDE)

    def at_random(self, server, rounds):
        draw = random.Random()
        m = self.make_writable(server, f"random-{server}")
        for turn in range(rounds):
            before = self.fresh(m)
            m.start()
            writers = [self.write("load", m, f"{turn}x{n}") for n in range(3)]
            time.sleep(draw.uniform(0.05, 0.8) * max(1.0, slow))
            # The mount stays, dead, until nobody writes any more: behind it
            # is a directory like any. The kernel is told nothing before.
            os.kill(m.pid, signal.SIGKILL)
            for one in writers:
                one.wait(30)
            m.crash()
            owed = Owed(self.promised(), before)
            where = f"{self.id()} round {turn}"
            self.assert_owed(m.disk, owed, False, where)
            self.recover(m)
            self.assert_owed(m.disk, owed, True, where + ", recovered")
            self.assert_kept(m, m.disk, owed, where)
            self.assertEqual(self.temporaries(m), [], where)
            m.stop()

    # What was sent under another name.

    def temporaries(self, m):
        return glob.glob(f"{m.disk}/**/{TEMPORARY}*", recursive=True)

    def through(self, m, place):
        """Its mount goes by another port."""
        m.argv[m.argv.index(m.source)] = m.source = re.sub(
            r":\d+/", f":{place.port}/", m.source)
        return m

    def fresh_name(self, server):
        self.count = getattr(self, "count", 0) + 1
        return f"{server}-{self.count}"

    def in_put(self, server):
        """The upload has begun, and never ends.
        @return a mount, whether it is there, what ends it"""
        line = Cutter(getattr(self.bed, server).port)
        self.addCleanup(line.close)
        m = self.make_writable(server, self.fresh_name(server))
        line.stall(after=2 << 20)
        return self.through(m, line), lambda: line.cuts > 0, line.heal

    def in_move(self, server):
        """It has ended, and waits for its name."""
        name = self.fresh_name(server)
        near = self.bed.between("near-" + name, getattr(self.bed, server))
        self.addCleanup(near.heal)
        m = self.make_writable(server, name)
        near.lie("stall", method="MOVE")
        return (self.through(m, near), lambda: self.temporaries(m),
                near.heal)

    def whole_again(self, m, is_there, heal, send):
        """Whatever it was killed in, the next who sends it leaves nothing."""
        data = content.stream("killed", 0, 5 << 20)
        m.start()
        # It is told an error, or nothing: the mount is gone.
        with subprocess.Popen(
                ["/usr/bin/python3", "-c", PUT, m.at("f"), str(AGAIN), ""],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as writer:
            writer.stdin.write(data)
            writer.stdin.close()
            bed.wait_for(is_there, "it to be on its way", 30)
            os.kill(m.pid, signal.SIGKILL)
        m.crash()
        heal()
        send(m)
        self.assertEqual(self.temporaries(m), [])
        self.assert_same(m, {"f": data})
        self.assertEqual(m.status()["unsent"], [])
        m.stop()

    def by_mount(self, m):
        m.start()
        bed.wait_for(lambda: not m.status()["unsent"],
                     "all to be sent, and removed", 30)

    def by_flush(self, m):
        m.command("flush", "-o", f"ca_file={self.bed.ca.cert},spool_dir="
                  f"{m.options['spool_dir']}")
        self.assertEqual(self.temporaries(m), [])
        m.start()

    @unless_sanitized
    def test_killed_in_mid_upload(self):
        for server, how, send in (
                ("xrootd", self.in_put, self.by_mount),
                ("xrootd", self.in_put, self.by_flush),
                ("xrootd", self.in_move, self.by_mount),
                ("nginx", self.in_put, self.by_mount),
                ("nginx", self.in_move, self.by_flush)):
            with self.subTest(f"{server} {how.__name__} {send.__name__}"):
                self.whole_again(*how(server), send)


for word in SERVERS:
    def each_step(self, server=word):
        self.each_step(server)

    def at_random(self, server=word):
        self.at_random(server, ROUNDS // len(SERVERS) + 1)
    setattr(Crash, f"test_kill_at_each_step_{word}",
            unless_sanitized(each_step))
    setattr(Crash, f"test_kill_at_random_{word}", at_random)


if __name__ == "__main__":
    bed.main(deadline=9000 if LONG else 900)
