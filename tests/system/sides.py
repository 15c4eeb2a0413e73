# SPDX-License-Identifier: Apache-2.0
"""What test_writing_model.py does on both sides: one random step after the
other, each in the same way on a mount and on a local directory. What a server
cannot keep (links, owners) is not in it."""
import ctypes
import errno
import fcntl
import mmap
import os
import stat
import time

NAMES = ("a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/f", "ü x")
FEW = ("a", "b", "d/a")
DIRECTORIES = ("", "d", "d/e")
FLAGS = (
    os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDONLY | os.O_CREAT,
    os.O_RDWR | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_APPEND,
    os.O_RDWR | os.O_CREAT | os.O_APPEND, os.O_RDWR | os.O_CREAT | os.O_EXCL,
    os.O_WRONLY | os.O_TRUNC)
RENAME_NOREPLACE = 1
libc = ctypes.CDLL(None, use_errno=True)


def rename_new(old, new):
    """rename(2) that replaces nothing."""
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new),
                      RENAME_NOREPLACE):
        raise OSError(ctypes.get_errno(), "renameat2")


class Side:
    """One of the two directories."""

    def __init__(self, top):
        self.top = top
        self.fds = []

    def at(self, name):
        return os.path.join(self.top, name)

    def fd(self, index):
        return self.fds[index % len(self.fds)]

    def is_directory(self, fd):
        return stat.S_ISDIR(os.fstat(fd).st_mode)

    # By descriptor.

    def open(self, name, flags):
        self.fds.append(os.open(self.at(name), flags, 0o644))
        return len(self.fds)

    def openat(self, index, name, flags):
        """Below what was opened, wherever that is now."""
        self.fds.append(os.open(os.path.basename(name), flags, 0o644,
                                dir_fd=self.fd(index)))
        return len(self.fds)

    def dup(self, index):
        self.fds.append(os.dup(self.fd(index)))
        return len(self.fds)

    def pwrite(self, index, data, at):
        return os.pwrite(self.fd(index), data, at)

    def write(self, index, data):
        return os.write(self.fd(index), data)

    def pread(self, index, size, at):
        return os.pread(self.fd(index), size, at)

    def seek(self, index, at):
        return os.lseek(self.fd(index), at, os.SEEK_SET)

    def truncate(self, index, size):
        return os.ftruncate(self.fd(index), size)

    def allocate(self, index, at, size):
        return os.posix_fallocate(self.fd(index), at, size)

    def copy(self, index, other, size, at, to):
        return os.copy_file_range(self.fd(index), self.fd(other), size, at,
                                  to)

    def store(self, index, data, at, sync):
        """Through a mapping of the whole file."""
        fd = self.fd(index)
        size = os.fstat(fd).st_size
        if self.is_directory(fd) or not size:
            return None
        with mmap.mmap(fd, size) as mapped:
            at %= size
            data = data[:size - at]
            mapped[at:at + len(data)] = data
            if sync:
                mapped.flush()
        return len(data)

    def sync(self, index):
        return os.fsync(self.fd(index))

    def size(self, index):
        fd = self.fd(index)
        return None if self.is_directory(fd) else os.fstat(fd).st_size

    def fchmod(self, index, mode):
        fd = self.fd(index)
        if self.is_directory(fd):
            return None  # of one that was removed the mount knows no more
        os.fchmod(fd, mode)
        return os.fstat(fd).st_mode & 0o777

    def futime(self, index, when):
        fd = self.fd(index)
        if self.is_directory(fd):
            return None
        os.utime(fd, (when, when))
        return os.fstat(fd).st_mtime

    def close(self, index):
        return os.close(self.fds.pop(index % len(self.fds)))

    # By name.

    def stat(self, name):
        got = os.lstat(self.at(name))
        directory = os.path.isdir(self.at(name))
        return directory, None if directory else got.st_size

    def read(self, name):
        with open(self.at(name), "rb") as file:
            return file.read()

    def list(self, name):
        return sorted(os.listdir(self.at(name)))

    def mkdir(self, name):
        return os.mkdir(self.at(name))

    def rmdir(self, name):
        return os.rmdir(self.at(name))

    def unlink(self, name):
        return os.unlink(self.at(name))

    def rename(self, old, new):
        return os.rename(self.at(old), self.at(new))

    def move(self, old, new):
        return rename_new(self.at(old), self.at(new))

    def resize(self, name, size):
        return os.truncate(self.at(name), size)

    def chmod(self, name, mode):
        os.chmod(self.at(name), mode)
        return os.stat(self.at(name)).st_mode & 0o777

    def utime(self, name, when):
        os.utime(self.at(name), (when, when))
        return os.stat(self.at(name)).st_mtime

    def age(self, pause):
        """What was just written is another version when it is looked at anew
        after a while, where the server tells no more of it than seconds: who
        has it open for reading stays with the one that they opened."""
        for fd in list(self.fds):
            if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                self.fds.remove(fd)
                os.close(fd)
        time.sleep(pause)

    def end(self):
        while self.fds:
            os.close(self.fds.pop())


def draw_step(draw, fds, deep=False):
    """(operation, arguments); what needs a descriptor only when there is. Deep
    sequences have few names, and much that goes through descriptors."""
    names = FEW if deep else NAMES
    name, other = draw.choice(names), draw.choice(names)
    flags = draw.choice(FLAGS)
    index, second = draw.randrange(100), draw.randrange(100)
    at = draw.choice((0, 1, 100, 4096, 65536, 70000, 200000))
    size = draw.choice((1, 5000, 70000, 1 << 20))
    data = draw.randbytes(draw.choice((0, 1, 10, 4096, 66000)))
    when = 1000000000 + at
    mode = draw.choice((0o644, 0o755, 0o600))
    steps = [("open", name, flags)] * 6 + [
        ("stat", name), ("read", name), ("list", draw.choice(DIRECTORIES)),
        ("mkdir", "d" if deep else name), ("rmdir", name), ("unlink", name),
        ("rename", name, other), ("move", name, other), ("resize", name, at),
        ("chmod", name, mode), ("utime", name, when)]
    if fds:
        steps += [("pwrite", index, data, at)] * 5 + [
            ("write", index, data), ("write", index, data),
            ("pread", index, 70000, at), ("pread", index, 70000, at),
            ("truncate", index, at), ("sync", index), ("size", index),
            ("store", index, data, at, draw.random() < 0.3),
            ("copy", index, second, size, draw.choice((0, 0, at)),
             draw.choice((0, 0, 70000))),
            ("allocate", index, at, size), ("seek", index, at),
            ("fchmod", index, mode), ("futime", index, when),
            ("dup", index), ("openat", index, name, flags),
            ("close", index), ("close", index), ("close", index),
            ("close", index)]
    if fds and deep:
        steps += [("pread", index, 70000, at), ("size", index),
                  ("pread", index, 300000, 0)] * 4
    return draw.choice(steps)


def do(side, step):
    """What it returned, or its errno."""
    try:
        return getattr(side, step[0])(*step[1:])
    except OSError as problem:
        return "errno", errno.errorcode[problem.errno]
