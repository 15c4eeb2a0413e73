#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does `./bootstrap demo` hold, and leave nothing behind?"""
import glob
import os
import subprocess
import unittest

import bed

HERE = os.path.dirname(os.path.abspath(__file__))


class Demo(unittest.TestCase):
    def test_that_the_demo_holds_and_leaves_nothing(self):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("BED_") or name == "BED_SLOW"}
        before = processes()
        done = subprocess.run(
            ["/usr/bin/python3", "-B", HERE + "/demo.py"], env=env,
            stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=700 * max(1.0, bed.slow))
        print(done.stdout)
        self.assertEqual(done.returncode, 0)
        self.assertIn("All of it held.", done.stdout)
        folders = {"/".join(word.split("/")[:3])
                   for word in done.stdout.split()
                   if word.startswith("/tmp/bearerfs-bed-")}
        self.assertEqual(len(folders), 1)
        self.assertFalse(os.path.exists(folders.pop()))
        self.assertEqual(processes() - before, set())
        with open("/proc/self/mountinfo") as file:
            self.assertNotIn("fuse.bearerfs", file.read())


def processes():
    """All that can be seen: those of a nested space too."""
    return {path for path in glob.glob("/proc/[0-9]*")
            if not bed.procs.gone(int(path.split("/")[2]))}


if __name__ == "__main__":
    bed.main(deadline=900)
