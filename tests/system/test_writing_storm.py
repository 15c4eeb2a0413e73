#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names that several threads change at once in one tree of one mount
(storms.py): each file that a thread was told of stands where it was told,
nothing stands twice, nothing is lost, and the server has what the mount
shows."""
import json
import os
import random
import tempfile

import bed
from bed.disks import HERE
from bed.procs import slow
from bed.writing import SERVERS, WritingCase, tree

LONG = os.environ.get("BED_LONG") == "1"
# To see again what failed; threads are never the same twice.
SEED = os.environ.get("BED_SEED")
THREADS = 8
STEPS = 150
ROUNDS = 20 if LONG else 1


class Storm(WritingCase):
    deadline = 1200 if LONG else 300

    def storm(self, top, seed):
        """@return what the threads say"""
        steps = max(20, int(STEPS / max(1.0, slow)))
        done = bed.mount.run(
            ["/usr/bin/python3", "-B", HERE + "/storms.py", top, str(seed),
             str(THREADS), str(steps)], 100)
        return json.loads(done.stdout)

    def assert_kept(self, told, there, where):
        """`there`: {name: bytes} of all files."""
        self.assertEqual(told["wrong"], [], where)
        of_all = sorted(data.decode() for name, data in there.items()
                        if name.startswith("all/"))
        self.assertEqual(len(of_all), len(set(of_all)), (where, of_all))
        self.assertLessEqual(set(of_all), set(told["made"]), where)
        self.assertEqual(len(of_all), len(told["made"]) - told["removed"],
                         where)
        self.assertEqual({name: data.decode() for name, data in there.items()
                          if name.startswith("own/")}, told["own"], where)

    def on(self, server, **options):
        first = int(SEED or random.randrange(1 << 30))
        for seed in range(first, first + ROUNDS):
            m = self.writable(server, f"{self._testMethodName}-{seed}",
                              **options)
            told = self.storm(m.path, seed)
            shown = tree(m.path)
            m.command("flush", m.path)
            self.assert_kept(told, {
                name: data for name, data in shown.items()
                if data is not None}, f"seed {seed}")
            self.assert_same(m, shown)
            self.assertEqual(self.unsent(m), [])
            self.no_leftovers(m.disk)
            m.stop()

    def test_a_local_directory_passes(self):
        """What is asserted is what a local file system does."""
        with tempfile.TemporaryDirectory(dir=self.dir) as top:
            self.assert_kept(self.storm(top, random.randrange(1 << 30)), {
                name: data for name, data in tree(top).items()
                if data is not None}, "local")


for word in SERVERS:
    setattr(Storm, f"test_{word}", lambda self, server=word: self.on(server))
    setattr(Storm, f"test_{word}_back",
            lambda self, server=word: self.on(server, write="back"))

if __name__ == "__main__":
    bed.main(deadline=3600 if LONG else 900)
