#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens that are missing, ended, refused, replaced: the errno that the
program gets, the line that says why, and that nobody notices a renewal.
BED_LONG=1: the end of a token on each server."""
import base64
import errno
import json
import os
import threading
import time

import bed

LONG = "BED_LONG" in os.environ
BYTES = 200000
# Of a token that ends while a test looks on.
LIFE = 8 if bed.slow <= 1 else 24


def opened(path):
    """0, or the errno of opening and reading a file once."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.read(1)
        return 0
    except OSError as error:
        return error.errno


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode),
              "w") as file:
        file.write(text)
    os.chmod(path, mode)


def claims(token):
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class Case(bed.Case):
    def url(self):
        return self.bed.nginx.url

    def put(self, name, size=BYTES):
        self.bed.put(name, size)
        return self.bed.data + "/exp/" + name


class Found(Case):
    """Where the token is, and what it is like there."""

    def test_that_a_token_may_come_later(self):
        self.put("alice/a.bin")
        m = self.mount(self.url(), None, timeout="5s",
                       token_file=self.dir + "/later")
        self.assertEqual(opened(m.at("alice/a.bin")), errno.ENOKEY)
        self.assertEqual(m.status()["token"]["state"], "missing")
        write(m.options["token_file"], self.bed.token())
        bed.wait_for(lambda: opened(m.at("alice/a.bin")) == 0,
                     "the token to be found", 30)

    def test_that_a_file_open_to_others_is_refused_with_its_cure(self):
        self.put("alice/a.bin")
        path = self.dir + "/open"
        write(path, self.bed.token(), 0o644)
        m = self.mount(self.url(), None, timeout="5s", token_file=path)
        self.assertEqual(opened(m.at("alice/a.bin")), errno.ENOKEY)
        cure = f"chmod 600 {path}"
        m.wait_log(cure)
        self.assertIn(cure, m.status()["token"]["problem"])
        os.chmod(path, 0o600)
        bed.wait_for(lambda: opened(m.at("alice/a.bin")) == 0,
                     "the cure to work", 30)

    def test_that_no_kind_of_file_hangs_the_mount(self):
        fifo = self.dir + "/fifo"
        os.mkfifo(fifo, 0o600)
        huge = self.dir + "/huge"
        write(huge, "")
        os.truncate(huge, 2 << 30)
        for path in (fifo, huge, "/dev/zero", self.dir):
            m = self.mount(self.url(), None, timeout="5s", token_file=path)
            self.assertEqual(opened(m.at("alice/a.bin")), errno.ENOKEY,
                             path)
            self.assertIn(path, m.status()["token"]["problem"])
            m.stop()

    def test_that_an_ended_token_is_told(self):
        self.put("alice/a.bin")
        m = self.mount(self.url(), self.bed.token(lifetime=-10),
                       timeout="3s")
        self.assertEqual(opened(m.at("alice/a.bin")), errno.EKEYEXPIRED)
        m.wait_log("ended at")
        self.assertEqual(m.status()["token"]["state"], "expired")

    def test_that_a_newer_token_is_waited_for(self):
        self.put("alice/a.bin")
        m = self.mount(self.url(), self.bed.token(lifetime=-10),
                       timeout="60s")
        timer = threading.Timer(2, m.set_token, [self.bed.token()])
        timer.start()
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        timer.join()

    def test_that_condors_json_is_read(self):
        self.put("alice/a.bin")
        creds = self.dir + "/creds"
        os.mkdir(creds, 0o755)
        write(creds + "/scitokens.use", json.dumps(
            {"access_token": self.bed.token(), "expires_in": 60}))
        m = self.mount(self.url(), None, env={"_CONDOR_CREDS": creds})
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        self.assertEqual(m.status()["token"]["source"],
                         creds + "/scitokens.use")

    def test_that_of_condors_files_the_path_decides(self):
        """Each for a directory of its own: the right one goes at once, so
        that the server refuses none."""
        creds = self.dir + "/creds"
        os.mkdir(creds, 0o755)
        for name in ("alice", "bob", "carol", "dave"):
            self.put(name + "/a.bin")
        for file, scope in (("scitokens", "read:/carol"),
                            ("a_one", "read:/alice"),
                            ("b_two", "storage.read:/bob")):
            write(f"{creds}/{file}.use", self.bed.token(scope))
        m = self.mount(self.url(), None, env={"_CONDOR_CREDS": creds},
                       base_path=self.bed.base)
        mark = self.bed.nginx.mark()
        for _ in range(2):
            for name in ("alice", "bob", "carol"):
                self.assertEqual(opened(m.at(name, "a.bin")), 0)
        self.assertEqual([line for line in self.bed.nginx.requests(mark)
                          if line["status"] in (401, 403)], [])
        self.assertEqual(sorted(os.listdir(m.path)),
                         ["alice", "bob", "carol"])
        self.assertEqual(opened(m.at("dave", "a.bin")), errno.EACCES)
        m.wait_log("with 'read:/dave'")
        token = m.status()["token"]
        self.assertEqual([token["source"]] + [
            other["source"] for other in token["others"]], [
            f"{creds}/{file}.use" for file in ("scitokens", "a_one",
                                               "b_two")])
        # One is taken away, another put there: without a new mount.
        os.unlink(creds + "/b_two.use")
        write(creds + "/c_new.use", self.bed.token("read:/dave"))
        bed.wait_for(lambda: opened(m.at("dave", "a.bin")) == 0,
                     "the new file to be found", 30)

    def test_that_a_token_for_writing_is_apart(self):
        self.put("alice/a.bin")
        other = self.dir + "/writing"
        write(other, self.bed.token("write:/out"))
        m = self.mount(self.url(), self.bed.token("read:/alice"),
                       token_write_file=other)
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        token = m.status()["token"]
        self.assertEqual(token["source"], m.token_file)
        self.assertEqual(token["scope"], "read:/alice")
        self.assertEqual(token["writing"]["source"], other)
        self.assertEqual(token["writing"]["scope"], "write:/out")
        self.assertEqual(token["others"], [])

    def test_that_the_environment_is_wiped(self):
        self.put("alice/a.bin")
        token = self.bed.token()
        m = self.mount(self.url(), None, env={"BEARER_TOKEN": token})
        self.assertEqual(opened(m.at("alice/a.bin")), 0)
        with open(f"/proc/{m.pid}/environ", "rb") as file:
            self.assertNotIn(token.encode(), file.read())
        with open(f"/proc/{m.pid}/cmdline", "rb") as file:
            self.assertNotIn(token.encode(), file.read())

    def test_that_a_token_on_its_own_mount_is_not_looked_for(self):
        """Looking would ask the mount, which would ask for a token."""
        m = self.make_mount(self.url(), None, timeout="5s")
        link = self.dir + "/link"
        os.symlink(m.at("alice/token"), link)
        m.env["BEARER_TOKEN_FILE"] = link
        m.start()
        self.assertEqual(opened(m.at("alice/a.bin")), errno.ENOKEY)
        m.wait_log("lies on the mount")

    def test_that_a_storm_without_a_token_costs_few_looks(self):
        m = self.mount(self.url(), None, timeout="5s",
                       token_file=self.dir + "/none")
        begin = time.monotonic()
        for i in range(500):
            self.assertEqual(opened(m.at(f"alice/{i}")), errno.ENOKEY)
        # A look finds no file to read; two looks a second are the most.
        self.assertLess(time.monotonic() - begin, 60)
        self.assertEqual(m.counters()["tokens_reads"], 0)
        self.assertEqual(m.counters()["fetch_requests"], 0)


class Refused:
    """What servers do with tokens. That one has ended the mount sees by
    itself."""
    rejected = errno.EKEYREJECTED  # for a bad signature

    def test_that_cached_bytes_want_a_token_too(self):
        path = self.put("alice/a.bin")
        m = self.mount(self.url(), self.bed.token(lifetime=LIFE), timeout="3s",
                       attr_ttl="1h")
        with open(m.at("alice/a.bin"), "rb") as file:
            self.assertEqual(file.read(), read(path))
        bed.wait_for(lambda: m.status()["token"]["state"] == "expired",
                     "the token to end", 60)
        self.assertEqual(opened(m.at("alice/a.bin")), errno.EKEYEXPIRED)
        m.set_token(self.bed.token())
        bed.wait_for(lambda: opened(m.at("alice/a.bin")) == 0,
                     "the new token", 30)

    def test_that_a_bad_signature_is_rejected_and_a_good_one_heals(self):
        self.put("alice/a.bin")
        m = self.mount(self.url(), self.bed.token(rogue=True), timeout="5s")
        self.assertEqual(opened(m.at("alice/a.bin")), self.rejected)
        m.set_token(self.bed.token())
        bed.wait_for(lambda: opened(m.at("alice/a.bin")) == 0,
                     "the good token to be taken", 30)

    def test_that_a_scope_elsewhere_is_no_access(self):
        self.put("alice/a.bin")
        self.put("bob/b.bin")
        m = self.mount(self.url(), self.bed.token("read:/bob"), timeout="5s",
                       base_path="/exp")
        self.assertEqual(opened(m.at("alice/a.bin")), errno.EACCES)
        self.assertEqual(opened(m.at("bob/b.bin")), 0)
        m.set_token(self.bed.token("read:/alice"))
        bed.wait_for(lambda: opened(m.at("alice/a.bin")) == 0,
                     "the other token to be taken", 30)


class FromNginx(Refused, Case):
    pass


class FromApache(Refused, Case):
    """Apache does not know scopes of paths."""
    test_that_a_scope_elsewhere_is_no_access = None
    if not LONG:
        test_that_cached_bytes_want_a_token_too = None

    def url(self):
        return self.bed.apache.url


class FromXRootD(Refused, Case):
    """XRootD answers 403 to everything."""
    rejected = errno.EACCES
    if not LONG:
        test_that_cached_bytes_want_a_token_too = None

    def url(self):
        return self.bed.xrootd.url


class Renewed(Case):
    deadline = 180

    def renew(self, m, ended):
        """A short-lived token each 2 s, in each way in which renewers write."""
        turn = 0
        while not ended.wait(2):
            text = self.bed.token(lifetime=LIFE)
            turn += 1
            if turn % 3 == 0:
                m.set_token(text)  # by rename
            elif turn % 3 == 1:  # htgettoken
                os.unlink(m.token_file)
                time.sleep(0.2)
                write(m.token_file, text)
            else:
                write(m.token_file, text)

    def test_that_a_renewal_is_not_noticed(self):
        """Files that were never read, so that each one asks the server, for
        some lives of a token: not an error, and not one request with a
        token that had ended."""
        lying = self.bed.lying
        mark = lying.mark()
        paths = [f"alice/renew/{i}.bin" for i in range(400)]
        for i, path in enumerate(paths):
            self.put(path, 1000 + i)
        m = self.mount(lying.url, self.bed.token(lifetime=LIFE), timeout="30s",
                       attr_ttl="1s")
        ended = threading.Event()
        renewer = threading.Thread(target=self.renew, args=(m, ended))
        renewer.start()
        try:
            begin = time.monotonic()
            for path in paths:
                self.assertEqual(read(m.at(path)),
                                 read(self.bed.data + "/exp/" + path))
                time.sleep(0.06)
            self.assertGreater(time.monotonic() - begin, 16)
        finally:
            ended.set()
            renewer.join()
        self.assertGreater(m.counters()["tokens_renewals"], 2)
        seen = set()
        for request in lying.requests(mark):
            self.assertIsNotNone(request["token"], request)
            seen.add(request["token"])
            # A busy machine may lie between the choice and the server.
            self.assertLess(request["time"],
                            claims(request["token"])["exp"] + 5, request)
        self.assertGreater(len(seen), 3)


if __name__ == "__main__":
    bed.main(deadline=900)
