#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Threads that make, move and remove names in one tree at once, for
test_writing_storm.py.

    storms.py MOUNT SEED THREADS STEPS

Every file that is made has bytes of its own. Below `all` each thread takes any
name, of files and of directories, and nothing is ever replaced: so each file
that was made and not removed is there in the end, once. Below `own` each has
files of its own in directories that all make and remove: it knows what it will
be told, and what stands there.

Prints JSON: {"made": [bytes], "removed": count, "own": {name: bytes},
"wrong": [what no local file system answers]}.
"""
import errno
import json
import os
import random
import sys
import threading

from sides import rename_new

DIRECTORIES = ("all/d", "all/e", "all/d/f", "all/e/f")
FILES = tuple(f"{top}/{name}" for top in ("all", *DIRECTORIES)
              for name in "vwxyz")
SHARED = ("own/d", "own/e")
OWN = tuple(f"{top}/{name}" for top in ("own", *SHARED) for name in "ab")
# What each may be told where others are at work.
ANSWERS = {"make": ("EEXIST", "ENOENT"),
           "move": ("EEXIST", "ENOENT", "EINVAL"),
           "unlink": ("ENOENT",),
           "mkdir": ("EEXIST", "ENOENT"),
           "rmdir": ("ENOENT", "ENOTEMPTY")}


class Thread(threading.Thread):
    def __init__(self, top, number, seed, steps):
        super().__init__()
        self.top = top
        self.number = number
        self.draw = random.Random(f"{seed}/{number}")
        self.steps = steps
        self.made = []
        self.removed = 0
        self.own = {}
        self.wrong = []

    def at(self, name):
        return os.path.join(self.top, name)

    def mine(self, name):
        return f"{name}-{self.number}"

    def write(self, name, flags, text):
        fd = os.open(self.at(name), os.O_WRONLY | flags, 0o644)
        if flags & os.O_EXCL:
            self.made.append(text)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def tell(self, count, what, *told):
        self.wrong.append([self.number, count, what, *map(str, told)])

    def attempt(self, count, what, call, *names):
        """One step where others are. @return whether it was done"""
        try:
            call(*map(self.at, names))
            return True
        except OSError as problem:
            answer = errno.errorcode[problem.errno]
            if answer not in ANSWERS[what]:
                self.tell(count, what, *names, answer)
            return False

    def make(self, count, name):
        """Opening it may fail; what comes then must not."""
        known = len(self.made)
        try:
            self.write(name, os.O_CREAT | os.O_EXCL, f"{self.number}.{count}")
        except OSError as problem:
            answer = errno.errorcode[problem.errno]
            if len(self.made) > known or answer not in ANSWERS["make"]:
                self.tell(count, "make", name, answer)

    def among_all(self, count):
        draw = self.draw
        kind = draw.randrange(13)
        one, other = draw.choice(FILES), draw.choice(FILES)
        place, other_place = draw.choice(DIRECTORIES), draw.choice(DIRECTORIES)
        if kind < 5:
            self.make(count, one)
        elif kind < 8:
            self.attempt(count, "move", rename_new, one, other)
        elif kind < 10:
            self.removed += self.attempt(count, "unlink", os.unlink, one)
        elif kind < 11:
            self.attempt(count, "mkdir", os.mkdir, place)
        elif kind < 12:
            self.attempt(count, "rmdir", os.rmdir, place)
        else:
            self.attempt(count, "move", rename_new, place, other_place)

    def with_own(self, count):
        draw = self.draw
        kind = draw.randrange(10)
        one, other = (self.mine(draw.choice(OWN)) for _ in range(2))
        if kind < 1:
            self.attempt(count, "mkdir", os.mkdir, draw.choice(SHARED))
        elif kind < 2:
            self.attempt(count, "rmdir", os.rmdir, draw.choice(SHARED))
        else:
            what = "put" if kind < 6 else "move" if kind < 9 else "unlink"
            try:
                self.own_step(what, one, other, f"{self.number}.{count}")
                answer = 0
            except OSError as problem:
                answer = problem.errno
            if not self.is_right(what, one, other, answer):
                self.tell(count, what, one, other, answer)
            elif answer == 0:
                self.note(what, one, other, f"{self.number}.{count}")

    def own_step(self, what, one, other, text):
        if what == "put":
            self.write(one, os.O_CREAT | os.O_TRUNC, text)
        elif what == "move":
            os.rename(self.at(one), self.at(other))
        else:
            os.unlink(self.at(one))

    def is_right(self, what, one, other, answer):
        """What is not there cannot be moved or removed; and where nothing of
        its own keeps a directory, that may be gone."""
        kept = {os.path.dirname(name) for name in self.own} | {"own"}
        if answer == 0:
            return what == "put" or one in self.own
        target = {"put": one, "move": other}.get(what)
        return answer == errno.ENOENT and (
            (what != "put" and one not in self.own) or
            (target is not None and os.path.dirname(target) not in kept))

    def note(self, what, one, other, text):
        if what == "put":
            self.own[one] = text
        else:
            text = self.own.pop(one)
            if what == "move":
                self.own[other] = text

    def run(self):
        for count in range(self.steps):
            if self.draw.random() < 0.6:
                self.among_all(count)
            else:
                self.with_own(count)


def main():
    top, seed, threads, steps = sys.argv[1:]
    for name in ("all", "own", *DIRECTORIES):
        os.mkdir(os.path.join(top, name))
    threads = [Thread(top, number, seed, int(steps))
               for number in range(int(threads))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump({"made": sum((one.made for one in threads), []),
               "removed": sum(one.removed for one in threads),
               "own": {name: text for one in threads
                       for name, text in one.own.items()},
               "wrong": sum((one.wrong for one in threads), [])}, sys.stdout)


if __name__ == "__main__":
    main()
