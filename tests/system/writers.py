#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writers that tell what they were promised, for test_writing_crash.py.

    writers.py steps|load MOUNT LOG SEED

Each line of LOG is written before (begun) or after (closed, synced, gone) a
call has returned, so that what a killed mount owed is known:

    begun NAME VERSION      these bytes may be on the server from now on
    synced NAME VERSION     fsync(2) returned 0
    closed NAME VERSION     close(2) returned 0
    going NAME              it may be gone, or
    gone NAME               is for certain
    moving FROM TO          FROM's bytes may stand under TO; `moved`: do

The bytes of a version are known from its name: see data_of().
"""
import hashlib
import os
import random
import sys

SIZES = (1, 700, 5000, 65536, 200001, 1500000)


def data_of(version):
    """Bytes of a version "<anything>:<size>"."""
    size = int(version.rsplit(":", 1)[1])
    one = hashlib.shake_256(version.encode()).digest(min(size, 65521))
    return (one * (size // len(one) + 1))[:size] if size else b""


class Log:
    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(self, *words):
        os.write(self.fd, (" ".join(words) + "\n").encode())


class Writer:
    def __init__(self, top, log):
        self.top = top
        self.log = log

    def write(self, name, version, flags, sync=False, pieces=3):
        """One open, some writes, perhaps an fsync, one close."""
        data = data_of(version)
        self.log.say("begun", name, version)
        fd = os.open(os.path.join(self.top, name), os.O_WRONLY | flags, 0o644)
        try:
            step = max(1, len(data) // pieces)
            for at in range(0, len(data), step):
                os.pwrite(fd, data[at:at + step], at)
            if sync:
                os.fsync(fd)
                self.log.say("synced", name, version)
        finally:
            os.close(fd)  # raises when it was not sent
        self.log.say("closed", name, version)

    def move(self, old, new):
        self.log.say("moving", old, new)
        os.rename(os.path.join(self.top, old), os.path.join(self.top, new))
        self.log.say("moved", old, new)

    def remove(self, name):
        self.log.say("going", name)
        os.unlink(os.path.join(self.top, name))
        self.log.say("gone", name)


def steps(writer, seed):
    """All that has steps, once."""
    new = os.O_CREAT | os.O_EXCL
    again = os.O_CREAT | os.O_TRUNC
    writer.write("new", f"{seed}n:5000", new)
    writer.write("old", f"{seed}o:200001", again, sync=True)
    writer.write("temp", f"{seed}t:70000", new, sync=True)
    writer.move("temp", "target")
    os.mkdir(os.path.join(writer.top, "d"))
    writer.write("d/in", f"{seed}d:1", new)
    writer.remove("doomed")
    writer.write("new", f"{seed}m:1500000", again)


def load(writer, seed):
    """Until the mount is gone."""
    draw = random.Random(seed)
    for turn in range(10 ** 9):
        name = f"w{seed}-{draw.randrange(12)}"
        version = f"{seed}v{turn}:{draw.choice(SIZES)}"
        kind = draw.randrange(10)
        if kind < 7:
            writer.write(name, version, os.O_CREAT | os.O_TRUNC,
                         sync=kind == 0)
        elif kind < 9:
            writer.write(name + ".part", version, os.O_CREAT | os.O_TRUNC)
            writer.move(name + ".part", name)
        elif os.path.exists(os.path.join(writer.top, name)):
            writer.remove(name)


def main():
    what, top, log, seed = sys.argv[1:]
    writer = Writer(top, Log(log))
    try:
        {"steps": steps, "load": load}[what](writer, seed)
    except OSError as problem:
        writer.log.say("failed", str(problem.errno))
        sys.exit(1)
    writer.log.say("done")


if __name__ == "__main__":
    main()
