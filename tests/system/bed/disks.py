# SPDX-License-Identifier: Apache-2.0
"""Disks that fill up, go and fail: a file system in a file, and fault_shim.c
in front of one process's system calls."""
import errno
import os
import struct

import bed
from bed import mount

MIB = 1 << 20
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OFF, WRITES_FAIL, WRITES_ARE_SHORT, READS_FAIL, READS_LIE, KILL_BEFORE, \
    KILL_WITHIN = range(7)


class Disk:
    """A file system of its own, as small as a test wants it."""

    def __init__(self, folder, megabytes, *options):
        self.image = folder + "/image"
        self.place = folder + "/disk"
        os.mkdir(self.place)
        with open(self.image, "wb") as file:
            file.truncate(megabytes * MIB)
        mount.run(["mkfs.ext4", "-q", "-F", *options, self.image])
        self.attach()

    def attach(self):
        mount.run(["mount", "-o", "loop", self.image, self.place])

    def break_off(self):
        """As the kernel does when it finds an error: read-only, at once."""
        mount.run(["mount", "-o", "remount,abort", self.place])

    def repair(self):
        """Where it was is a directory like any, until it is back."""
        mount.run(["umount", "-l", self.place])
        bed.wait_for(lambda: not mount.run(
            ["losetup", "-j", self.image]).stdout,
            "the file system to be let go of", 30)
        self.assert_mended(mount.run(["e2fsck", "-fy", self.image],
                                     check=False))
        self.attach()

    @staticmethod
    def assert_mended(done):
        assert done.returncode < 4, done.stdout

    def detach(self):
        mount.run(["umount", "-l", self.place], check=False)

    def fill(self, name="filler"):
        """Not a byte is left."""
        with open(f"{self.place}/{name}", "ab", buffering=0) as file:
            for size in (MIB, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as problem:
                    if problem.errno != errno.ENOSPC:
                        raise

    def empty(self, name="filler"):
        os.unlink(f"{self.place}/{name}")


class Faults:
    """fault_shim.c in front of one mount."""

    def __init__(self, folder, cache_dir):
        self.control = folder + "/control"
        self.seen_file = folder + "/seen"
        library = folder + "/fault.so"
        mount.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-shared", "-fPIC",
                   "-O1", "-o", library, HERE + "/fault_shim.c", "-ldl"])
        self.set(OFF)
        self.env = {"LD_PRELOAD": library, "FAULT_DIR": cache_dir,
                    "FAULT_CONTROL": self.control,
                    "FAULT_SEEN": self.seen_file}

    def set(self, mode, per_mille=0, error=0, nth=0):
        with open(self.control + ".new", "wb") as file:
            file.write(struct.pack("=IIII", mode, per_mille, error, nth))
        os.rename(self.control + ".new", self.control)

    def seen(self):
        try:
            return os.path.getsize(self.seen_file)
        except FileNotFoundError:
            return 0
