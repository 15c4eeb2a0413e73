#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does a mount on an XRootD redirector show all files of the cluster, and give
the token to the servers that redirect_hosts names and to no others? And what
is changed there, is it changed on all of them?"""
import errno
import glob
import os

import bed
from bed import content, mount, space
from bed.changer import Changer

SIZES = {"one": 1, "block": 65536, "more": 65537, "some": 300001,
         "large": 3 << 20, "sub/below": 1000, "sub/next": 70000}


class Case(bed.Case):
    @classmethod
    def setUpClass(cls):
        one = cls().bed
        for name, size in SIZES.items():
            one.cluster.put("alice/" + name, size)
        cls.token = one.token("read:/alice")

    def hosts(self):
        """The servers as a user names them: each, without a port."""
        return ";".join(sorted({space.address(number) for number in
                                range(len(self.bed.cluster.servers))}))

    def on(self, **options):
        options.setdefault("redirect_hosts", self.hosts())
        return self.mount(self.bed.cluster.url + "/alice", self.token,
                          **options)

    def code(self, call, *args):
        with self.assertRaises(OSError) as caught:
            call(*args)
        return caught.exception.errno


class Reading(Case):
    def test_that_all_files_are_right_and_found(self):
        m = self.on()
        # By name first: what no listing has told is asked for.
        for name in ("some", "more"):
            self.assertEqual(os.stat(m.at(name)).st_size, SIZES[name])
        names = [name for name in SIZES if "sub/" not in name] + ["sub"]
        if space.own_network():
            self.assertEqual(sorted(os.listdir(m.path)), sorted(names))
            self.assertEqual(sorted(os.listdir(m.at("sub"))),
                             ["below", "next"])
        for name in SIZES:
            got = mount.run(["sha256sum", m.at(name)]).stdout.split()[0]
            self.assertEqual(got, content.sha256(
                self.bed.cluster.path("alice/" + name)), name)
        self.assertEqual(self.code(os.stat, m.at("none")), errno.ENOENT)

    def test_that_a_token_goes_to_no_host_that_is_not_named(self):
        m = self.on(redirect_hosts="*.other.bed.test")
        self.assertEqual(self.code(os.listdir, m.path), errno.EACCES)
        m.wait_log("name the host")

    def test_that_no_target_is_kept(self):
        """A server that has come back on another port is found there."""
        cluster = self.bed.cluster
        cluster.put("alice/moving", 200000)
        server = cluster.servers[cluster.files["alice/moving"]]
        m = self.on()
        want = content.stream("alice/moving", 0, 200000)
        with open(m.at("moving"), "rb", buffering=0) as file:
            self.assertEqual(file.read(10), want[:10])
            port = server.port
            server.stop()
            server.start()
            self.assertNotEqual(server.port, port)
            bed.wait_for(cluster.joined, "the server to log in again")
            file.seek(0)
            self.assertEqual(file.read(200000), want)


class Changing(Case):
    def test_that_a_file_that_is_replaced_is_there_once(self):
        servers = self.bed.cluster.servers
        for server in servers:
            path = server.data + "/exp/written"
            os.makedirs(path)
            os.chmod(path, 0o777)
        one = Changer(self.bed, self.bed.cluster.url, self.dir + "/changer",
                      self.bed.token("read:/ write:/"),
                      redirect=[server.host for server in servers])
        for turn in range(6):
            data = content.stream(f"turn{turn}", 0, 5000 + turn)
            got = one.publish("/exp/written/f", data,
                              "any" if turn else "absent")
            self.assertEqual(got.code, "0", got)
            found = []
            for server in servers:
                place = server.data + "/exp/written"
                self.assertEqual(set(os.listdir(place)) - {"f"}, set())
                for path in glob.glob(place + "/f"):
                    with open(path, "rb") as file:
                        found.append(file.read())
            self.assertEqual(found, [data], turn)
        self.assertEqual(one.close(), 0)


if __name__ == "__main__":
    bed.main(deadline=600)
