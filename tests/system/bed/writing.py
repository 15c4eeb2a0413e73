# SPDX-License-Identifier: Apache-2.0
"""What tests of writable mounts share: a directory that the servers may write
to, a mount of it, and the comparison with what stands on the server's disk."""
import glob
import os

from bed import case
from bed.mount import run
from bed.procs import wait_for

SERVERS = ("nginx", "apache", "xrootd")
TEMPORARY = ".bearerfs-upload-"


def tree(top):
    """{relative path: bytes, or None for a directory} of all below `top`."""
    found = {}
    for place, names, files in os.walk(top):
        for name in names:
            found[os.path.relpath(os.path.join(place, name), top)] = None
        for name in files:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, top)] = file.read()
    return found


# Writes a file as programs do, and tells which call failed with what.
PUT = r"""
import errno, os, sys
path, flags, sync = sys.argv[1], int(sys.argv[2]), sys.argv[3]
data = sys.stdin.buffer.read()
stage = "open"
try:
    fd = os.open(path, flags, 0o644)
    stage = "write"
    try:
        while data:
            data = data[os.write(fd, data):]
        if sync:
            stage = "fsync"
            os.fsync(fd)
    except OSError:
        os.close(fd)
        raise
    stage = "close"
    os.close(fd)
    print("done 0")
except OSError as problem:
    # Python says ENOTSUP.
    print(stage, "EOPNOTSUPP" if problem.errno == errno.EOPNOTSUPP else
          errno.errorcode[problem.errno])
"""
AGAIN = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class WritingCase(case.Case):
    """Writable mounts of real servers."""

    def place(self, name):
        """A directory of the data that every server may write to: its disk
        path. Servers see it as <base>/<name>."""
        path = os.path.join(self.bed.data + self.bed.base, name)
        os.makedirs(path)
        os.chmod(path, 0o777)
        return path

    def make_writable(self, server, name, token=None, **more):
        """A Mount, not started, of a fresh place on a server of SERVERS;
        its `disk` is where the server keeps the files."""
        disk = self.place(name)
        return self.make_again(server, disk, token, **more)

    def make_again(self, server, disk, token=None, **more):
        """One more of a place that is there."""
        below = os.path.relpath(disk, self.bed.data + self.bed.base)
        url = getattr(self.bed, server).url \
            if isinstance(server, str) else server.url
        options = {"rw": True, **more}
        made = self.make_mount(
            f"{url}/{below}", token or self.bed.token("read:/ write:/"),
            **options)
        if "spool_dir" not in options:
            made.options["spool_dir"] = made.folder + "/spool"
            made.argv[made.argv.index("-o") + 1] = made.option_text()
        made.disk = disk
        return made

    def writable(self, server, name, token=None, **more):
        return self.make_writable(server, name, token, **more).start()

    def assert_same(self, mount, wanted, part=""):
        """The server's disk has just that: {relative path: bytes}."""
        self.assert_tree(os.path.join(mount.disk, part), wanted)

    def assert_tree(self, top, wanted):
        got = tree(top)
        self.assertEqual(sorted(got), sorted(wanted))
        for path, data in wanted.items():
            self.assertEqual(data is None, got[path] is None, path)
            # Not assertEqual: it would print the bytes.
            self.assertTrue(got[path] == data, f"{path}: other bytes: "
                            f"{len(got[path] or b'')}, not {len(data or b'')}")

    def no_leftovers(self, disk):
        self.assertEqual(glob.glob(f"{disk}/**/{TEMPORARY}*", recursive=True),
                         [])

    def unsent(self, mount):
        """The files that `status` lists of this mount's spool."""
        return [one for one in mount.status()["unsent"]
                if one["kind"] == "file"]

    def wait_sent(self, mount, deadline=30):
        wait_for(lambda: not self.unsent(mount), "all to be sent", deadline)

    def put(self, path, data, flags=AGAIN, sync=False, deadline=60):
        """Write a file in a process of its own: ("done", "0"), or the call
        that failed and its errno's name."""
        got = run(["/usr/bin/python3", "-c", PUT, path, str(flags),
                   "sync" if sync else ""], deadline, stdin=data, text=False)
        return tuple(got.stdout.decode().split())

    def sh(self, text, where=None, deadline=60, check=True, **more):
        return run(["sh", "-ec", text], deadline, check=check,
                   env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                        "HOME": where or self.dir, **more})
