#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`bearerfs metrics`: what Prometheus reads of mounts and servers."""
import os
import re

import bed
from bed import mount
from bed.procs import free_port

SAMPLE = re.compile(r'(\w+)\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+)\} '
                    r'([0-9.eE+-]+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def read(text):
    """{family: [(labels, value)]}; fails on what the format does not allow."""
    found = {}
    family = kind = None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            if family in found or not line.split(" ", 3)[3]:
                raise ValueError(f"{family}: twice, or without a text")
            found[family] = []
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            if name != family or kind not in ("counter", "gauge") or \
                    (kind == "counter") != name.endswith("_total"):
                raise ValueError(line)
        else:
            got = SAMPLE.fullmatch(line)
            if not got or got[1] != family:
                raise ValueError(line)
            found[family].append((dict(LABEL.findall(got[2])),
                                  float(got[3])))
    return found


class Metrics(bed.Case):
    def value(self, found, name, **labels):
        got = [value for have, value in found[name]
               if labels.items() <= have.items()]
        self.assertEqual(len(got), 1, (name, labels))
        return got[0]

    def test_that_they_are_those_of_status(self):
        self.bed.put("m/a.bin", 500_000)
        near = self.bed.another_lying("near")
        near.honest()
        m = self.mount(self.bed.lying.url, "a-token", server=near.url,
                       cache_size="0")
        with open(m.at("m/a.bin"), "rb") as file:
            file.read()
        text = m.command("metrics", m.path).stdout
        found = read(text)
        status = m.status()
        for name in status["counters"]:
            names = {f"bearerfs_{name}", f"bearerfs_{name}_total"}
            self.assertEqual(len(names & found.keys()), 1, name)
        self.assertEqual(self.value(found, "bearerfs_fs_read_bytes_total"),
                         status["counters"]["fs_read_bytes"])
        for one in status["servers"]:
            for name, key in (("requests_total", "requests"),
                              ("received_bytes_total", "received_bytes"),
                              ("hedges_total", "hedges")):
                self.assertEqual(self.value(
                    found, f"bearerfs_server_{name}", role=one["role"],
                    server=one["url"], mountpoint=m.path), one[key])
            self.assertEqual(self.value(found, "bearerfs_server_up",
                                        role=one["role"]), 1)
        self.assertEqual(self.value(found, "bearerfs_info",
                                    source=m.source), 1)
        self.assertNotIn("a-token", text)
        self.assertNotIn("a.bin", text)

    def test_that_all_mounts_are_told_together(self):
        self.bed.put("m/a.bin", 500_000)
        first = self.mount(self.bed.lying.url, "a-token")
        # A name that has to be escaped.
        odd = self.make_mount(
            self.bed.lying.url, "a-token", cache_size="0",
            env={"XDG_RUNTIME_DIR": first.folder + "/run"},
            server=f"https://localhost:{free_port()}")
        odd.path = os.path.join(odd.folder, 'm"n\\t')
        os.makedirs(odd.path)
        odd.argv[odd.argv.index(os.path.join(odd.folder, "mnt"))] = odd.path
        mount.run(odd.argv[:-1] + ["-o", f"log_file={odd.folder}/log"],
                  env=odd.env)
        self.addCleanup(mount.run, [odd.binary, "umount", odd.path], 30,
                        True, odd.env)
        with open(odd.path + "/m/a.bin", "rb") as file:
            file.read()
        found = read(first.command("metrics", first.path).stdout)
        self.assertEqual(len(found["bearerfs_uptime_seconds"]), 1)
        # Mounts of other runs on this machine do not answer here.
        found = read(first.command("metrics", check=False).stdout)
        points = {labels["mountpoint"] for labels, _ in
                  found["bearerfs_uptime_seconds"]}
        escaped = odd.path.replace("\\", "\\\\").replace('"', '\\"')
        self.assertLessEqual({first.path, escaped}, points)
        self.assertEqual(self.value(found, "bearerfs_server_up",
                                    role="cache"), 0)

    def test_that_there_has_to_be_a_mount(self):
        got = mount.run([mount.binary(), "metrics", self.dir], check=False)
        self.assertEqual(got.returncode, 1)
        self.assertIn("no bearerfs mount there", got.stderr)
        self.assertEqual(got.stdout, "")


if __name__ == "__main__":
    bed.main(deadline=200)
