#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which token goes with what when reading and writing have different ones, and
what becomes of a file that no token may look at."""
import errno
import os

import bed
from bed.writing import WritingCase

# What XRootD asks for before it knows these scopes.
WLCG = {"wlcg.ver": "1.0", "ver": None}
CREATED = b"made with a token for that alone" * 100


class Apart(WritingCase):
    """token_file reads, token_write_file writes."""

    def begin(self, server, name, reading, writing, **more):
        m = self.make_writable(server, name, self.bed.token(reading), **more)
        path = m.folder + "/token-write"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600),
                  "w") as file:
            file.write(self.bed.token(writing))
        m.options["token_write_file"] = path
        m.argv[m.argv.index("-o") + 1] = m.option_text()
        return m.start()

    def work(self, m):
        os.mkdir(m.at("d"))
        self.assertEqual(self.put(m.at("d/new"), CREATED), ("done", "0"))
        self.assertEqual(self.put(m.at("d/old"), b"first"), ("done", "0"))
        self.assertEqual(self.put(m.at("d/old"), b"second"), ("done", "0"))
        os.rename(m.at("d/old"), m.at("d/moved"))
        with open(m.at("d/new"), "rb") as file:
            self.assertEqual(file.read(), CREATED)
        self.assertEqual(sorted(os.listdir(m.at("d"))), ["moved", "new"])
        self.assert_same(m, {"d": None, "d/new": CREATED,
                             "d/moved": b"second"})
        self.assertEqual(m.status()["writing"]["drafts"]["unverified"], 0)

    def test_nginx(self):
        self.bed.nginx  # before the mark
        mark = self.bed.nginx.mark()
        m = self.begin("nginx", "apart-n", "read:/", "write:/apart-n")
        self.work(m)
        seen = {}
        for request in self.bed.nginx.requests(mark):
            seen.setdefault(request["method"], set()).add(request["scope"])
        for method in ("PUT", "MKCOL", "MOVE"):
            self.assertEqual(seen[method], {"write:/apart-n"}, method)
        self.assertEqual(seen["PROPFIND"], {"read:/"})

    def test_xrootd(self):
        m = self.begin("xrootd", "apart-x", "read:/", "write:/apart-x")
        self.work(m)


class Blind(WritingCase):
    """A token that may write and not look, and no other."""

    def check(self, name, scope, again):
        m = self.writable("xrootd", name, self.bed.token(scope, **WLCG),
                          base_path=self.bed.base)
        self.assertEqual(self.put(m.at("new"), CREATED), ("done", "0"))
        self.assert_same(m, {"new": CREATED})
        drafts = m.status()["writing"]["drafts"]
        self.assertEqual(drafts["unverified"], 1)
        self.assertEqual(drafts["unsent_files"], 0)
        m.wait_log("unverified")
        self.assertEqual(self.put(m.at("new"), b"again"), again)
        self.no_leftovers(m.disk)
        with self.assertRaises(PermissionError):
            os.listdir(m.path)
        return m

    def test_it_may_create(self):
        m = self.check("blind-create", "storage.create:/blind-create",
                       ("open", "EACCES"))
        with open(m.disk + "/theirs", "wb") as file:
            file.write(b"theirs")
        self.assertEqual(self.put(m.at("theirs"), b"ours"),
                         ("close", "EEXIST"))
        self.assert_same(m, {"new": CREATED, "theirs": b"theirs"})
        self.assertEqual([one["state"] for one in self.unsent(m)],
                         ["conflict"])

    def test_it_may_modify(self):
        m = self.check("blind-modify", "storage.modify:/blind-modify",
                       ("done", "0"))
        self.assert_same(m, {"new": b"again"})
        self.assertEqual(m.status()["writing"]["drafts"]["unverified"], 2)


if __name__ == "__main__":
    bed.main(deadline=300)
