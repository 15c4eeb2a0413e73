# SPDX-License-Identifier: Apache-2.0
"""The test case, and main() of a test file."""
import fcntl
import faulthandler
import glob
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest

from bed import mount, space
from bed.bed import Bed
from bed.procs import slow

PREFIX = "bearerfs-bed-"
FOLDER = "BED_FOLDER"


class Case(unittest.TestCase):
    """A test with a folder (self.dir), the bed (self.bed) and mounts that
    are ended whatever happens. When it fails, logs are printed.

    @var deadline  seconds (scaled for sanitizers) after which the mounts of
                   a test are aborted in the kernel, which fails the test
    """
    deadline = 180
    the_bed = None

    @property
    def bed(self):
        if Case.the_bed is None:
            Case.the_bed = Bed(os.environ[FOLDER])
        return Case.the_bed

    def run(self, result=None):
        self.dir = tempfile.mkdtemp(prefix="test-", dir=os.environ[FOLDER])
        os.chmod(self.dir, 0o755)
        self.mounts = []
        timer = threading.Timer(self.deadline * max(1.0, slow), self.late)
        timer.daemon = True
        timer.start()
        before = len(result.failures) + len(result.errors)
        try:
            return super().run(result)
        finally:
            timer.cancel()
            if len(result.failures) + len(result.errors) > before:
                self.tell()
            shutil.rmtree(self.dir, ignore_errors=True)

    def late(self):
        print(f"\n{self.id()}: not done after its {self.deadline} s",
              file=sys.stderr, flush=True)
        faulthandler.dump_traceback()
        for one in self.mounts:
            one.abort(f"aborted after the {self.deadline} s of a test")

    def tell(self):
        print(f"\n===== logs of {self.id()}", file=sys.stderr)
        for one in self.mounts:
            print(one.log() + one.findings(), file=sys.stderr)
        if Case.the_bed:
            print(Case.the_bed.logs(), file=sys.stderr)
        print(f"===== end of logs of {self.id()}", file=sys.stderr,
              flush=True)

    def make_mount(self, source, token=None, **more):
        """A Mount that is not started yet; arguments as Mount's."""
        folder = os.path.join(self.dir, f"mount{len(self.mounts)}")
        os.makedirs(folder)
        made = mount.Mount(self.bed, folder, source, token, **more)
        self.mounts.append(made)
        self.addCleanup(made.close)
        return made

    def mount(self, source, token=None, **more):
        """A running Mount."""
        return self.make_mount(source, token, **more).start()


def lock(folder):
    file = open(os.path.join(folder, "lock"), "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def sweep():
    """Remove the folders of runs that were killed."""
    for path in glob.glob(os.path.join("/tmp", PREFIX + "*")):
        try:
            if os.stat(path).st_uid != os.geteuid() or \
                    os.stat(path).st_mtime > time.time() - 60:
                continue
            with open(os.path.join(path, "lock"), "w") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # in use, or not ours


def enter(deadline):
    """Be in a space and a folder of one's own, at most `deadline` seconds.

    The first call in a process starts the program again in there and exits
    with its status; in there it returns the folder.
    """
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(143))
    # What a shell runs in the background ignores it, with all that it starts;
    # tests end readers by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if space.inside():
        faulthandler.register(signal.SIGUSR1)
        os.umask(0o022)
        space.prepare(os.environ[FOLDER])
        return os.environ[FOLDER]
    sweep()
    folder = tempfile.mkdtemp(prefix=PREFIX, dir="/tmp")
    held = lock(folder)
    os.chmod(folder, 0o755)
    os.environ[FOLDER] = folder
    script = os.path.abspath(sys.argv[0])
    try:
        status = space.run_inside(
            [sys.executable, "-B", "-u", script, *sys.argv[1:]], deadline)
    finally:
        if "BED_KEEP" in os.environ:
            print("kept:", folder, file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        held.close()
    sys.exit(status)


def main(deadline=600, setup=None):
    """Run the tests of the calling file in a space of their own.

    @param deadline  seconds for the whole file, scaled for sanitizers
    @param setup     called in the space before the tests
    """
    enter(deadline * max(1.0, slow))
    if setup:
        setup()
    try:
        unittest.main(module="__main__", verbosity=2)
    finally:
        if Case.the_bed:
            Case.the_bed.stop()
