#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files that are opened, written and closed by name while others rename and
remove them: at the end everything stands where POSIX would have it, and the
server has just that."""
import os
import unittest

import bed
from bed import mount
from bed.procs import slow
from bed.writing import SERVERS, WritingCase

SECONDS = 20 if os.environ.get("BED_LONG") == "1" else 3

# argv: a directory, seconds. One file goes from name to name; who opens it by
# whichever it has, writes it. No open creates anything.
ONE_FILE = r"""
import errno, os, sys, threading, time
top, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
names = [os.path.join(top, name) for name in ("d/a", "d/b", "e/c")]
last, wrong, done = [b"first"], [], [0, 0]

def write():
    turn = 0
    while time.monotonic() < until:
        turn += 1
        for name in names:
            data = b"%06d" % turn
            flags = os.O_WRONLY | (os.O_TRUNC if turn % 2 else 0)
            try:
                fd = os.open(name, flags)
            except FileNotFoundError:
                continue
            except OSError as problem:
                wrong.append(("open", problem.errno))
                continue
            try:
                os.pwrite(fd, data, 0)
                os.ftruncate(fd, len(data))
                os.close(fd)
                last[0] = data
                done[0] += 1
            except OSError as problem:
                wrong.append(("write", problem.errno))

def rename():
    turn = 0
    while time.monotonic() < until:
        try:
            os.rename(names[turn % 3], names[(turn + 1) % 3])
            done[1] += 1
        except OSError as problem:
            wrong.append(("rename", problem.errno))
            break
        turn += 1
    last.append(names[turn % 3])

threads = [threading.Thread(target=write), threading.Thread(target=rename)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(last[0].decode(), os.path.relpath(last[1], top), done[0], done[1])
print(sorted(set(wrong), key=str))
"""

# A directory goes to and fro while files in it are made, written and removed
# by a path below a descriptor of it.
ONE_DIRECTORY = r"""
import os, sys, threading, time
top, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
os.mkdir(top + "/x")
fd = os.open(top + "/x", os.O_RDONLY | os.O_DIRECTORY)
wrong, left, done, at = [], {}, [0, 0], ["x"]

def write(who):
    turn = 0
    while time.monotonic() < until:
        turn += 1
        name = "%s%d" % (who, turn % 7)
        data = b"%s %d" % (who.encode(), turn)
        try:
            if turn % 5 == 4 and name in left:
                os.unlink(name, dir_fd=fd)
                del left[name]
            else:
                file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                               0o644, dir_fd=fd)
                os.write(file, data)
                os.close(file)
                left[name] = data
            done[0] += 1
        except OSError as problem:
            wrong.append((turn % 5, problem.errno))

def rename():
    while time.monotonic() < until:
        other = "y" if at[0] == "x" else "x"
        try:
            os.rename(f"{top}/{at[0]}", f"{top}/{other}")
            at[0] = other
            done[1] += 1
        except OSError as problem:
            wrong.append(("rename", problem.errno))
        time.sleep(0.02)

threads = [threading.Thread(target=write, args=(who,)) for who in "pq"]
threads.append(threading.Thread(target=rename))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(repr({f"{at[0]}/{name}": data for name, data in left.items()}))
print(at[0], done[0], done[1])
print(sorted(set(wrong), key=str))
"""


class Races(WritingCase):
    """One server; see below."""
    deadline = 200
    server = None

    @classmethod
    def setUpClass(cls):
        if cls is Races:
            raise unittest.SkipTest("of one server each")

    def begin(self, name, **more):
        """A mount whose looks take long, so that others come between."""
        server = getattr(self.bed, self.server)
        near = self.bed.between("near-" + self.server, server)
        self.addCleanup(near.heal)
        near.lie("delay", method="PROPFIND|HEAD|GET", seconds=0.01)
        m = self.make_writable(self.server, f"{self.server}-{name}", **more)
        m.argv[m.argv.index(m.source)] = m.source = m.source.replace(
            server.url, near.url)
        return m.start()

    def play(self, m, program):
        got = mount.run(["/usr/bin/python3", "-c", program, m.path,
                         str(SECONDS)], 60 + SECONDS * max(1, slow))
        self.assertEqual(got.stderr, "")
        return got.stdout.splitlines()

    def one_file(self, name, **more):
        m = self.begin(name, **more)
        for place in "de":
            os.mkdir(m.at(place))
        with open(m.at("d/a"), "wb") as file:
            file.write(b"first")
        (said, wrong) = self.play(m, ONE_FILE)
        data, name, writes, renames = said.split()
        self.assertEqual(wrong, "[]")
        self.assertGreater(min(int(writes), int(renames)), 5)
        self.wait_sent(m)
        wanted = {"d": None, "e": None, name: data.encode()}
        self.assert_same(m, wanted)
        self.assert_tree(m.path, wanted)
        self.no_leftovers(m.disk)

    def test_one_file(self):
        self.one_file("file")

    def test_one_file_sent_later(self):
        self.one_file("later", write="back")

    def test_one_directory(self):
        m = self.begin("directory")
        (left, said, wrong) = self.play(m, ONE_DIRECTORY)
        self.assertEqual(wrong, "[]")
        place, changes, renames = said.split()
        self.assertGreater(min(int(changes), int(renames)), 5)
        self.wait_sent(m)
        wanted = {place: None, **eval(left)}  # pylint: disable=eval-used
        self.assert_same(m, wanted)
        self.assert_tree(m.path, wanted)


for word in SERVERS:
    globals()[word.capitalize()] = type(
        word.capitalize(), (Races,), {"server": word})

if __name__ == "__main__":
    bed.main(deadline=600)
