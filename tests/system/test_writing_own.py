#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The server has a file, and its answer is lost; the file is changed here and
sent again. What stands there by then is our own earlier version: that is no
conflict. What somebody else wrote is one, and so is what is too large to be
compared, with a line that says so."""
import os
import re
import signal
import subprocess

import bed
from bed import content
from bed.procs import slow
from bed.writing import SERVERS, WritingCase

MIB = 1 << 20
OLD = b"old content\n" * 100
FIRST = b"what the server has\n" * 3000
NEXT = b"what it was changed to\n" * 5000
LAST = b"and changed once more\n" * 4000
THEIRS = b"theirs\n" * 50

# Writes a file on one descriptor and closes it once for each word on stdin:
# the bytes are in the file of that name. Tells what each close said. After it
# it begins with the next at once, so that nothing is sent in between.
WRITER = r"""
import errno, os, sys
path, *places = sys.argv[1:]
fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
for place in places:
    with open(place, "rb") as file:
        data = file.read()
    os.ftruncate(fd, len(data))
    done = 0
    while done < len(data):
        done += os.pwrite(fd, data[done:], done)
    print("written", flush=True)
    sys.stdin.readline()
    try:
        os.close(os.dup(fd))
        print("0", flush=True)
    except OSError as problem:
        print(errno.errorcode[problem.errno], flush=True)
"""


class Writer:
    """A process of its own: it inherits no descriptor of the mount."""

    def __init__(self, case, path, *contents):
        places = []
        for number, data in enumerate(contents):
            places.append(os.path.join(case.dir, f"content{number}"))
            with open(places[-1], "wb") as file:
                file.write(data)
        self.proc = subprocess.Popen(
            ["/usr/bin/python3", "-c", WRITER, path, *places],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        case.addCleanup(self.end)
        self.said("written")

    def said(self, wanted=None):
        got = self.proc.stdout.readline().decode().strip()
        if wanted is not None and got != wanted:
            raise AssertionError(f"{got!r}, not {wanted!r}")
        return got

    def close(self, last=False):
        """@return what close(2) said; the next content is written then."""
        self.proc.stdin.write(b"\n")
        self.proc.stdin.flush()
        got = self.said()
        if not last:
            self.said("written")
        return got

    def end(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        self.proc.kill()
        self.proc.wait()


def each_server(method):
    def run(self):
        for name in SERVERS:
            with self.subTest(name):
                method(self, name)
    run.__name__ = method.__name__
    return run


class Own(WritingCase):
    deadline = 300

    def begin(self, what, server, **more):
        """A mount with an old file f, seen once; and what is before it."""
        near = self.bed.between(f"near-{what}-{server}",
                                getattr(self.bed, server))
        self.addCleanup(near.heal)
        m = self.make_writable(server, f"own-{what}-{server}",
                               **{"timeout": f"{int(4 * max(1, slow))}s",
                                  **more})
        m.argv[m.argv.index(m.source)] = m.source = m.source.replace(
            getattr(self.bed, server).url, near.url)
        self.put_there(m, OLD)
        m.start()
        with open(m.at("f"), "rb") as file:
            self.assertEqual(file.read(), OLD)
        return m, near

    def put_there(self, m, data):
        """By somebody else, on the server's disk."""
        new = os.path.join(self.dir, "new-file")
        with open(new, "wb") as file:
            file.write(data)
        os.chmod(new, 0o666)
        content.touch(new)
        os.rename(new, m.disk + "/f")

    def swallow(self, server, near):
        """What is done is done, and nobody here hears of it."""
        if server == "xrootd":
            near.lie("mute", method="MOVE")
        else:
            near.lie("mute", method="PUT")
            # Before it nginx is looked at, and that is let through.
            near.lie("stall", method="PROPFIND|HEAD",
                     skip=1 if server == "nginx" else 0)

    def there(self, m):
        with open(m.disk + "/f", "rb") as file:
            return file.read()

    def lose(self, m, near, server, data, *more):
        """The server has `data`, and its writer was told that nobody knows.
        @return the writer, which has changed it since"""
        writer = Writer(self, m.at("f"), data, *more)
        self.swallow(server, near)
        self.assertEqual(writer.close(), "ETIMEDOUT")
        self.assertTrue(self.there(m) == data, "the server has it not")
        return writer

    def expect_sent(self, m, data):
        bed.wait_for(lambda: self.there(m) == data, "it to be sent", 40)
        self.wait_sent(m)
        self.assertNotIn("the server has another version", m.log_text())
        self.assertRegex(m.log_text(), r'msg="what stands on the server was '
                         r'sent by an earlier try; it is replaced" path="/f"')

    def expect_conflict(self, m, size):
        one, = self.unsent(m)
        self.assertEqual((one["state"], one["errno"], one["size_bytes"]),
                         ("conflict", "ESTALE", size), one)
        return one

    @each_server
    def test_changed_and_closed_again(self, server):
        m, near = self.begin("again", server)
        writer = self.lose(m, near, server, FIRST, NEXT)
        near.heal()
        self.assertEqual(writer.close(last=True), "0")
        self.assertTrue(self.there(m) == NEXT)
        self.expect_sent(m, NEXT)
        writer.end()
        self.no_leftovers(m.disk)
        m.stop()

    @each_server
    def test_killed_in_between(self, server):
        m, near = self.begin("killed", server)
        writer = self.lose(m, near, server, FIRST, NEXT)
        # Finished, and not sent.
        near.heal()
        near.fault("refused")
        self.assertIn(writer.close(last=True), ("EHOSTUNREACH", "ETIMEDOUT"))
        os.kill(m.pid, signal.SIGKILL)
        writer.end()
        m.crash()
        self.assertTrue(self.there(m) == FIRST)
        near.heal()
        m.start()
        self.expect_sent(m, NEXT)
        bed.wait_for(lambda: not m.status()["unsent"], "all to be removed", 30)
        self.no_leftovers(m.disk)
        m.stop()

    @each_server
    def test_two_are_lost(self, server):
        m, near = self.begin("two", server)
        writer = self.lose(m, near, server, FIRST, NEXT, LAST)
        self.assertEqual(writer.close(), "ETIMEDOUT")
        near.heal()
        self.assertIn(self.there(m), (FIRST, NEXT))
        self.assertEqual(writer.close(last=True), "0")
        self.expect_sent(m, LAST)
        writer.end()
        m.stop()

    @each_server
    def test_somebody_else_wrote_in_between(self, server):
        m, near = self.begin("else", server)
        # As long as what we sent, and another.
        theirs = THEIRS + bytes(len(FIRST) - len(THEIRS))
        writer = self.lose(m, near, server, FIRST, NEXT)
        self.put_there(m, theirs)
        near.heal()
        self.assertEqual(writer.close(last=True), "ESTALE")
        self.assertTrue(self.there(m) == theirs)
        one = self.expect_conflict(m, len(NEXT))
        self.assertNotIn("earlier try", one["why"])
        writer.end()
        self.no_leftovers(m.disk)
        m.stop()

    def test_what_is_too_large_to_be_compared(self):
        m, near = self.begin("large", "apache")
        first = content.stream("first", 0, 17 * MIB)
        writer = self.lose(m, near, "apache", first, NEXT)
        near.heal()
        self.assertEqual(writer.close(last=True), "ESTALE")
        self.assertTrue(self.there(m) == first)
        one = self.expect_conflict(m, len(NEXT))
        self.assertRegex(one["why"], re.escape(
            f"one that an earlier try of ours put there (its {len(first)} "
            "bytes are too many to be compared): look at it, then replace it, "
            "or send ours under another name"))
        writer.end()
        m.stop()


if __name__ == "__main__":
    bed.main(deadline=900)
