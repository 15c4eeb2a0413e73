#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Changing things on real servers: is what was sent what stands there, does
the old file survive whatever happens on the way, and is everything that goes
wrong told as what it is? Without a mount: fetch/change.h by itself."""
import collections
import glob
import os
import time

import bed
from bed import content
from bed.changer import Changer
from bed.cutter import Cutter
from bed.nginx import Nginx

SMALL = 5000
OLD = b"old content\n" * 100
LARGE = (8 << 20) + 777
SERVERS = ("xrootd", "nginx", "apache")
# What is asked of a server for one small file, at most.
BUDGET = {"xrootd": {"any": 3, "absent": 4, "same": 4},
          "nginx": {"any": 2, "absent": 3, "same": 3},
          "apache": {"any": 2, "absent": 2, "same": 2}}


Scene = collections.namedtuple("Scene", "name place line one path version")


class Case(bed.Case):
    def place(self, name):
        """A directory of the data that the servers may write to."""
        path = os.path.join(self.bed.data, "exp/alice", name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)
        return f"/exp/alice/{name}"

    def disk(self, path):
        return self.bed.data + path

    def on_disk(self, path):
        with open(self.disk(path), "rb") as file:
            return file.read()

    def old(self, path, data=OLD):
        self.bed.put(path[len("/exp/"):], data=data)
        os.chmod(self.disk(path), 0o666)
        return data

    def changer(self, url, token=None, write_token=None, **more):
        token = token or self.bed.token("read:/ write:/")
        one = Changer(self.bed, url, os.path.join(
            self.dir, f"changer{time.monotonic_ns()}"), token, write_token,
            **more)
        self.addCleanup(lambda: self.assertEqual(one.close(), 0))
        return one

    def no_leftovers(self, place):
        self.assertEqual(
            glob.glob(self.disk(place) + "/.bearerfs-upload-*"), [])


def each_server(method):
    """One test a server."""
    def run(self):
        for name in SERVERS:
            with self.subTest(name):
                method(self, name, getattr(self.bed, name))
    run.__name__ = method.__name__
    return run


class Good(Case):
    @each_server
    def test_that_what_is_sent_stands_there(self, name, server):
        place = self.place("good-" + name)
        one = self.changer(server.url)
        for size in (0, 1, SMALL, 64 * 1024, 64 * 1024 + 1, LARGE):
            path = f"{place}/f{size}"
            data = content.stream(path, 0, size)
            for condition in ("absent", "any"):
                got = one.publish(path, data, condition)
                self.assertEqual((got.code, got.sent), ("0", True), got)
                self.assertEqual(self.on_disk(path), data)
                self.assertEqual(got.size, size)
                self.assertEqual(got.mtime, int(os.stat(
                    self.disk(path)).st_mtime))
                wanted = "checksum" if name == "xrootd" and size > 1 << 20 \
                    else "size"
                self.assertEqual(got.proof, wanted)
            # The version told is the one that a look tells.
            seen = one.stat(path)
            self.assertEqual((seen.size, seen.mtime), (size, got.mtime))
            data = content.stream("more", 0, SMALL)
            got = one.publish(path, data, "same",
                              (seen.size, seen.mtime, seen.etag))
            self.assertEqual(got.code, "0", got)
            self.assertEqual(self.on_disk(path), data)
        self.no_leftovers(place)

    @each_server
    def test_that_a_conflict_keeps_the_others_file(self, name, server):
        place = self.place("conflict-" + name)
        one = self.changer(server.url)
        path = place + "/f"
        data = self.old(path)
        seen = one.stat(path)
        version = (seen.size, seen.mtime, seen.etag)
        got = one.publish(path, b"new", "absent")
        self.assertEqual(got.code, "EEXIST", got)
        self.assertEqual(self.on_disk(path), data)
        other = self.old(path, b"another\n")
        got = one.publish(path, b"new", "same", version)
        self.assertEqual(got.code, "ESTALE", got)
        self.assertEqual(self.on_disk(path), other)
        os.unlink(self.disk(path))
        got = one.publish(path, b"new", "same", version)
        self.assertEqual(got.code, "ESTALE", got)
        self.assertFalse(os.path.exists(self.disk(path)))
        os.mkdir(self.disk(path))
        for condition in ("any", "absent"):
            got = one.publish(path, b"new", condition)
            self.assertIn(got.code, ("EISDIR", "EEXIST"), got)
        self.assertTrue(os.path.isdir(self.disk(path)))
        self.no_leftovers(place)

    @each_server
    def test_directories_and_names(self, name, server):
        place = self.place("dirs-" + name)
        one = self.changer(server.url)
        names = ["d", "sp ace", "per%20cent", "a&b<c>", "h#ash", "ü", "+",
                 "café", "blank ", "back\\slash"]
        for word in names:
            path = f"{place}/{word}"
            self.assertEqual(one.change("mkcol", path).code, "0", path)
            self.assertEqual(one.change("mkcol", path).code, "EEXIST", path)
            file = f"{path}/{word}"
            self.assertEqual(one.publish(file, b"data").code, "0", file)
            self.assertEqual(one.names(path), [word])
            self.assertEqual(one.change("rmdir", path).code, "ENOTEMPTY")
            self.assertEqual(one.move(file, file + "2").code, "0", file)
            self.assertEqual(one.change("delete", file).code, "ENOENT")
            self.assertEqual(
                one.move(path, path + "-moved", "dir").code, "0", path)
            file = f"{path}-moved/{word}2"
            self.assertEqual(one.stat(file).size, 4)
            self.assertEqual(one.change("delete", file).code, "0", file)
            self.assertEqual(one.change("rmdir", path + "-moved").code, "0")
        self.assertEqual(one.names(place), [])
        self.assertEqual(one.change("rmdir", place + "/none").code, "ENOENT")

    @each_server
    def test_that_moves_and_removals_take_no_more_than_they_say(
            self, name, server):
        place = self.place("moves-" + name)
        one = self.changer(server.url)
        for word in ("a", "b"):
            self.assertEqual(one.publish(f"{place}/{word}", word.encode())
                             .code, "0")
        self.assertEqual(one.change("mkcol", place + "/d").code, "0")
        self.assertEqual(one.publish(place + "/d/x", b"x").code, "0")
        a, b, d = (f"{place}/{word}" for word in "abd")
        self.assertEqual(one.move(a, b, replace=False).code, "EEXIST")
        self.assertEqual(one.move(a, d).code, "EISDIR")
        self.assertEqual(one.change("delete", d).code, "EISDIR")
        self.assertEqual(self.on_disk(d + "/x"), b"x")
        self.assertEqual(one.move(d, b, "dir").code, "ENOTDIR")
        self.assertEqual(one.move(a, b).code, "0")
        self.assertEqual(self.on_disk(b), b"a")
        self.assertEqual(one.move(a, b).code, "ENOENT")
        got = one.move(b, a, what="copy", replace=False)
        self.assertEqual(got.code, "EOPNOTSUPP" if name == "xrootd" else "0")
        if name != "xrootd":
            self.assertEqual(self.on_disk(a), b"a")
            got = one.move(b, a, what="copy", replace=False)
            self.assertEqual(got.code, "EEXIST")

    @each_server
    def test_that_what_was_left_is_hidden_and_goes(self, name, server):
        place = self.place("left-" + name)
        one = self.changer(server.url)
        left = f"{place}/d/.bearerfs-upload-{'0' * 32}"
        self.assertEqual(one.change("mkcol", place + "/d").code, "0")
        self.assertEqual(one.publish(left, b"x").code, "0")
        self.assertEqual(one.names(place + "/d"), [])
        self.assertEqual(one.change("rmdir", place + "/d").code, "0")
        self.assertFalse(os.path.exists(self.disk(place + "/d")))

    def test_that_a_time_is_kept_where_it_can_be(self):
        place = self.place("times")
        then = 1234567890
        for name in SERVERS:
            one = self.changer(getattr(self.bed, name).url)
            got = one.publish(f"{place}/{name}", b"x", mtime=then)
            self.assertEqual(got.code, "0")
            self.assertEqual(got.mtime == then, name == "nginx", name)

    def test_that_a_small_file_costs_few_requests(self):
        for name in SERVERS:
            place = self.place("budget-" + name)
            near = self.bed.between("near-" + name, getattr(self.bed, name))
            one = self.changer(near.url)
            self.assertEqual(one.publish(place + "/first", b"x").code, "0")
            for condition, budget in BUDGET[name].items():
                path = f"{place}/{condition}"
                version = None
                if condition == "same":
                    self.old(path)
                    seen = one.stat(path)
                    version = (seen.size, seen.mtime, seen.etag)
                mark = near.mark()
                got = one.publish(path, b"x" * SMALL, condition, version)
                self.assertEqual((got.code, got.proof), ("0", "size"), got)
                asked = [r["method"] for r in near.requests(mark)]
                self.assertLessEqual(len(asked), budget, (name, condition,
                                                          asked))

    @each_server
    def test_many_at_once(self, name, server):
        place = self.place("many-" + name)
        one = self.changer(server.url)
        begun = {}
        for number in range(100):
            size = (number * 37 % 7) * 50000
            path = f"{place}/{number}"
            begun[path] = (content.stream(path, 0, size), one.begin_publish(
                path, content.stream(path, 0, size), "absent"))
        for path, (data, number) in begun.items():
            got = one.published(number)
            self.assertEqual(got.code, "0", got)
            self.assertEqual(self.on_disk(path), data)
        self.no_leftovers(place)


class Broken(Case):
    """The line breaks."""

    def line(self, server):
        line = Cutter(server.port)
        self.addCleanup(line.close)
        return line, f"https://localhost:{line.port}/exp"

    def scenes(self, what):
        """Each server behind a line, with an old file to be replaced."""
        made = []
        for name in SERVERS:
            place = self.place(f"{what}-{name}")
            line, url = self.line(getattr(self.bed, name))
            one = self.changer(url, timeout=1)
            path = place + "/f"
            self.old(path)
            seen = one.stat(path)
            self.assertEqual(one.publish(place + "/first", b"x").code, "0")
            made.append(Scene(name, place, line, one, path,
                              (seen.size, seen.mtime, seen.etag)))
        return made

    def test_that_the_old_file_survives_an_aborted_upload(self):
        scenes = self.scenes("aborted")
        new = content.stream("new", 0, LARGE)
        for condition in ("any", "same"):
            begun = []
            for s in scenes:
                s.line.cut(after=2 << 20)
                begun.append(s.one.begin_publish(s.path, new, condition,
                                                 s.version))
            for s, number in zip(scenes, begun):
                got = s.one.published(number)
                self.assertEqual(self.on_disk(s.path), OLD)
                self.assertIn(got.code, ("ETIMEDOUT", "EIO", "EBUSY"),
                              (s.name, got))
                self.assertGreaterEqual(s.line.cuts, 2)
                s.line.heal()
        for s in scenes:
            s.line.cut(after=2 << 20, times=2)
            got = s.one.publish(s.path, new, "same", s.version)
            self.assertEqual(got.code, "0", (s.name, got))
            self.assertEqual(self.on_disk(s.path), new)
            self.assertEqual(
                [n for n in sorted(os.listdir(self.disk(s.place)))
                 if not n.startswith(".bearerfs-upload")], ["f", "first"])

    def test_that_a_stalled_upload_ends_in_time(self):
        scenes = self.scenes("stalled")
        new = os.path.join(self.dir, "new")
        content.write(new, "new", 32 << 20)
        began = time.monotonic()
        for cancelled in (False, True):
            begun = []
            for s in scenes:
                s.line.stall(after=2 << 20)
                begun.append(s.one.begin_publish(s.path, new))
            time.sleep(0.3)
            for s, number in zip(scenes, begun):
                if cancelled:
                    s.one.begin("cancel", number)
            for s, number in zip(scenes, begun):
                got = s.one.published(number)
                self.assertIn(got.code, ("ETIMEDOUT", "ECANCELED")
                              if cancelled else ("ETIMEDOUT",), (s.name, got))
                self.assertEqual(self.on_disk(s.path), OLD)
        self.assertLess(time.monotonic() - began, 60 * max(1, bed.slow))

    @each_server
    def test_that_a_lost_answer_is_found_out(self, name, server):
        place = self.place("lost-" + name)
        near = self.bed.between("near-" + name, server)
        self.addCleanup(near.heal)
        one = self.changer(near.url)
        self.assertEqual(one.publish(place + "/first", b"x").code, "0")
        for method in ("PUT", "MOVE"):
            for condition in ("any", "absent", "same"):
                path = f"{place}/{method}-{condition}"
                version = None
                if condition == "same":
                    self.old(path)
                    seen = one.stat(path)
                    version = (seen.size, seen.mtime, seen.etag)
                near.lie("lost", method=method, times=1)
                data = content.stream(path, 0, SMALL)
                got = one.publish(path, data, condition, version)
                self.assertEqual(got.code, "0", (method, condition, got))
                self.assertEqual(self.on_disk(path), data)
                near.heal()
        self.no_leftovers(place)
        path = f"{place}/first"
        for words in (("mkcol", place + "/d"), ("rmdir", place + "/d"),
                      ("delete", path)):
            method = "MKCOL" if words[0] == "mkcol" else "DELETE"
            near.lie("lost", method=method, times=1)
            self.assertEqual(one.change(*words).code, "0", words)
            near.heal()
        self.assertEqual(one.publish(path, b"x").code, "0")
        near.lie("lost", method="MOVE", times=1)
        self.assertEqual(one.move(path, path + "2", replace=False).code, "0")

    @each_server
    def test_that_a_server_that_is_gone_for_a_while_is_waited_for(
            self, name, server):
        place = self.place("gone-" + name)
        near = self.bed.between("near-" + name, server)
        self.addCleanup(near.heal)
        one = self.changer(near.url)
        self.assertEqual(one.publish(place + "/first", b"x").code, "0")
        near.fault("refused")
        number = one.begin_publish(place + "/f", b"y" * SMALL, "absent")
        time.sleep(0.5)
        near.heal()
        got = one.published(number)
        self.assertEqual(got.code, "0", got)
        self.assertEqual(self.on_disk(place + "/f"), b"y" * SMALL)


class Refused(Case):
    @each_server
    def test_that_statuses_are_told_as_what_they_are(self, name, server):
        place = self.place("status-" + name)
        near = self.bed.between("near-" + name, server)
        self.addCleanup(near.heal)
        one = self.changer(near.url, timeout=3)
        path = place + "/f"
        data = self.old(path)
        for status, wanted in ((409, "ENOENT"), (413, "EFBIG"),
                               (507, "EDQUOT"), (501, "EOPNOTSUPP")):
            near.lie("status", method="PUT", code=status)
            got = one.publish(path, b"new")
            self.assertEqual(got.code, wanted, (status, got))
            self.assertEqual(self.on_disk(path), data)
            self.assertIn(str(status), got.why)
            near.heal()
        near.lie("status", method="MOVE" if name == "xrootd" else "PUT",
                 code=423)
        self.assertEqual(one.publish(path, b"new").code, "EBUSY")
        near.heal()
        # Once is made up for; busy is waited for.
        for status in (401, 403, 500, 502, 503, 429):
            near.lie("status", method="PUT", code=status, times=1)
            got = one.publish(path, b"new")
            self.assertEqual(got.code, "0", (status, got))
            near.heal()
        self.no_leftovers(place)

    def test_a_real_lock_and_a_real_limit(self):
        place = self.place("real")
        path = place + "/f"
        data = self.old(path)
        apache = self.bed.apache
        token = self.bed.token("read:/ write:/")
        lock = bed.ask(
            f"{apache.url}{path[4:]}", token, method="LOCK",
            headers={"Timeout": "Second-600",
                     "Content-Type": "application/xml"},
            body=b'<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:">'
            b"<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/>"
            b"</D:locktype></D:lockinfo>")
        self.assertEqual(lock.status, 200)
        got = self.changer(apache.url).publish(path, b"new")
        self.assertEqual(got.code, "EBUSY", got)
        self.assertEqual(self.on_disk(path), data)
        tight = self.bed.add(Nginx(self.bed, "nginx-tight",
                                   extra="client_max_body_size 1m;"))
        got = self.changer(tight.url).publish(path, b"n" * (2 << 20))
        self.assertEqual(got.code, "EFBIG", got)
        self.assertEqual(self.on_disk(path), data)

    def test_that_a_token_renewed_in_the_middle_goes_on(self):
        for name in ("xrootd", "nginx"):
            place = self.place("renewed-" + name)
            one = self.changer(getattr(self.bed, name).url,
                               self.bed.token("read:/", lifetime=3600))
            got = one.publish(place + "/f", b"x")
            self.assertIn(got.code, ("EACCES", "EKEYREJECTED"), got)
            one.set_token(self.bed.token("read:/ write:/"))
            got = one.publish(place + "/f", b"x")
            self.assertEqual(got.code, "0", got)

    def test_that_a_writing_token_of_its_own_does(self):
        for name in ("xrootd", "nginx"):
            place = self.place("apart-" + name)
            one = self.changer(
                getattr(self.bed, name).url, self.bed.token("read:/"),
                self.bed.token("storage.modify:/", **{"wlcg.ver": "1.0",
                                                      "ver": None}))
            for condition in ("absent", "any"):
                got = one.publish(place + "/f", b"x" * SMALL, condition)
                self.assertEqual((got.code, got.proof), ("0", "size"), got)
            self.assertEqual(one.change("delete", place + "/f").code,
                             "EACCES" if name == "xrootd" else "0")

    def test_that_who_may_only_create_replaces_nothing(self):
        for name in ("xrootd", "nginx"):
            place = self.place("create-" + name)
            scopes = {"wlcg.ver": "1.0", "ver": None}
            create = self.bed.token("storage.create:/", **scopes)
            for tokens in ((self.bed.token("read:/"), create), (create,)):
                one = self.changer(getattr(self.bed, name).url, *tokens)
                path = f"{place}/f{len(tokens)}"
                got = one.publish(path, b"x" * SMALL, "absent")
                self.assertEqual(got.code, "0", (name, got))
                self.assertEqual(
                    got.proof,
                    "size" if len(tokens) == 2 else "unverified")
                for condition in ("absent", "any"):
                    got = one.publish(path, b"other", condition)
                    self.assertEqual(got.code, "EEXIST", (name, got))
                self.assertEqual(self.on_disk(path), b"x" * SMALL)
            self.no_leftovers(place)


if __name__ == "__main__":
    bed.main(deadline=900)
