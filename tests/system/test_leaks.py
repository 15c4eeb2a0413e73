#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is a token anywhere but in the header that was meant for a server?

Canary tokens are used in every way that brings one near an output; then all
outputs are searched for them: as they are, their signature alone, and both in
base64, base64url and percent form."""
import base64
import errno
import glob
import json
import os
import resource
import signal
import socket
import threading
import time
import urllib.parse

import bed
from bed import leaks, mount
from bed.leaks import found, read_all, tree

BYTES = 150000
# Files whose server does with the token what it should not.
NAMES = ("echo", "asked", "moved", "lost", "gone", "header", "listed",
         "broken")
LISTED = """<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response>
<D:href>{path}</D:href><D:propstat><D:prop><D:resourcetype/>
<D:getcontentlength>{size}</D:getcontentlength><D:getetag>"{etag}"</D:getetag>
</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
</D:multistatus>"""


def attempt(path):
    try:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 16):
                pass
        return 0
    except OSError as error:
        return error.errno


class Search(bed.Case):
    """Does the search find what is there?"""

    def test_every_spelling_is_found_where_it_is_planted(self):
        token = self.bed.token()
        signature = token.rsplit(".", 1)[-1]
        for text in token, signature:
            for before in b"", b"a", b"ab":
                for code in base64.b64encode, base64.urlsafe_b64encode:
                    self.assertTrue(found(
                        code(before + text.encode() + b"xy"), [token]))
            self.assertTrue(found(text.encode(), [token]))
            self.assertTrue(found(text.encode().hex().encode(), [token]))
        self.assertTrue(found(urllib.parse.quote(token, safe="").replace(
            ".", "%2E").encode(), [token]))
        self.assertEqual(found(self.bed.token().encode(), [token]), [])

    def test_a_token_is_found_in_what_a_mount_keeps(self):
        """Where the suite looks at the end of each of its tests."""
        m = self.make_mount(self.bed.lying.url, self.bed.token())
        signature = self.bed.given[-1].rsplit(".", 1)[-1].encode()
        self.assertEqual(leaks.of_mount(m), [])
        pack = m.options["cache_dir"] + "/pack"
        for at in 0, (64 << 20) - 40, leaks.PIECE - 40, 200 << 20:
            with open(pack, "wb") as file:
                file.truncate(256 << 20)
                file.seek(at)
                file.write(b"x" + signature + b"x")
            self.assertEqual(leaks.of_mount(m), [pack], at)
        with open(pack, "wb") as file:  # at the end of a piece
            file.write(b"x" * (leaks.PIECE - 40) + signature)
        self.assertEqual(leaks.of_mount(m), [pack])
        with open(pack, "wb") as file:
            file.write(b"x" * leaks.PIECE + signature[:-1])
        self.assertEqual(leaks.of_mount(m), [])
        with open(m.log_file, "w") as file:
            file.write("token=" + self.bed.given[-1])
        self.assertEqual(leaks.of_mount(m), [m.log_file])
        os.unlink(m.log_file)


class Leaks(bed.Case):
    def setUp(self):
        self.tokens = []
        self.bed.put("alice/a.bin", BYTES)
        self.bed.put("alice/b.bin", BYTES)
        for name in NAMES:
            self.bed.put(f"alice/{name}.bin", BYTES)

    def canary(self, **more):
        token = self.bed.token(**more)
        self.tokens.append(token)
        return token

    def outputs(self, m):
        """What others may see of a mount: name and bytes, one by one."""
        for path in tree(m.folder):
            if path not in (m.token_file, m.token_file + ".new"):
                yield path, read_all(path)
        for name in "comm", "status", "maps", "limits":
            yield f"/proc/PID/{name}", read_all(f"/proc/{m.pid}/{name}")
        # Of everybody: it may have children.
        for name in "cmdline", "environ":
            for path in glob.glob(f"/proc/[0-9]*/{name}"):
                yield path, read_all(path)
        paths = [m.path, *(m.at(f"alice/{name}.bin") for name in NAMES)]
        explained = [["explain", *form, path] for path in paths
                     for form in ([], ["--json"])]
        for words in (["status", m.path], ["status", m.path, "--json"],
                      *explained,
                      ["doctor", m.source, "-o", m.option_text()],
                      ["token", "show", "-o", m.option_text()],
                      ["token", "show", "--json", "-o", m.option_text()],
                      ["token", "path", "-o", m.option_text()]):
            done = mount.run([m.binary, *words], check=False, env=m.env)
            yield " ".join(words), (done.stdout + done.stderr).encode()
        for name in "alice", "alice/a.bin", "alice/listed.bin":
            for key in os.listxattr(m.at(name)):
                try:
                    yield f"{name}: {key}", os.getxattr(m.at(name), key)
                except OSError:
                    pass

    def check(self, m):
        seen = 0
        for what, data in self.outputs(m):
            self.assertEqual(found(data, self.tokens), [], what)
            seen += len(data)
        # The cache and the debug log are among them.
        self.assertGreater(seen, BYTES)

    def use(self, m):
        """Everything that a token is carried through."""
        lying, echo = self.bed.lying, self.tokens[-1]
        other = self.bed.another_lying("foreign")
        mark = other.mark()
        lying.lie("status", code=403, path=".*/echo.bin", headers={
            "X-Echo": "Bearer " + echo}, body="Bearer " + echo)
        lying.lie("status", code=401, path=".*/asked.bin", headers={
            "WWW-Authenticate": f'Bearer realm="{echo}", error="{echo}"'})
        lying.lie("status", code=500, path=".*/broken.bin", body=echo, times=2)
        lying.lie("body", status=207, path=".*/listed.bin", method="PROPFIND",
                  headers={"Content-Type": "application/xml"},
                  body=LISTED.format(path="/exp/alice/listed.bin",
                                     size=BYTES, etag=echo))
        lying.lie("headers", set={"ETag": f'"{echo}"'}, method="GET",
                  path=".*/listed.bin")
        lying.lie("redirect", path=".*/lost.bin", method="GET",
                  to=f"https://localhost:1/{echo}?authz={echo}")
        lying.lie("status", code=404, path=".*/gone.bin", body=echo)
        lying.lie("headers", set={"ETag": f'"{echo}"', "Digest": echo},
                  path=".*/header.bin")
        lying.lie("redirect", path=".*/moved.bin", method="GET",
                  to=other.url + "/alice/a.bin?authz=Bearer%20" + echo)
        lying.config(conditions=False)
        self.assertEqual(attempt(m.at("alice/a.bin")), 0)
        self.assertEqual(attempt(m.at("alice/listed.bin")), 0)
        os.listdir(m.at("alice"))
        for name in *NAMES, "nothing":
            attempt(m.at(f"alice/{name}.bin"))
        self.assertNotEqual(attempt(m.at("alice/echo.bin")), 0)
        for asked in other.requests(mark):
            self.assertIsNone(asked["token"], "the token went elsewhere")
            self.assertNotIn("authz", asked["path"])
        lying.config(conditions=True)
        lying.honest()

    def test_a_token_from_a_file(self):
        m = self.mount(self.bed.lying.url, self.canary(), log="debug",
                       timeout="5s")
        self.use(m)
        m.set_token(self.canary(rogue=True))
        attempt(m.at("alice/b.bin"))
        m.set_token(self.canary(lifetime=-5))
        attempt(m.at("alice/b.bin"))
        self.check(m)

    def test_a_token_from_the_environment(self):
        m = self.mount(self.bed.lying.url, None, log="debug", timeout="5s",
                       env={"BEARER_TOKEN": self.canary()})
        self.use(m)
        self.check(m)

    def test_an_opaque_one_and_one_in_json(self):
        opaque = "canary." + base64.b64encode(os.urandom(48)).decode().replace(
            "/", "_").replace("+", "-")
        self.tokens.append(opaque)
        m = self.mount(self.bed.lying.url, json.dumps(
            {"access_token": opaque, "expires_in": 60}), log="debug",
            timeout="5s")
        self.use(m)
        self.check(m)

    def test_an_agents_answer(self):
        path = os.path.join(self.dir, "agent")
        token = self.canary()
        # A good answer, then errors that carry the token.
        answers = [json.dumps({
            "status": "success", "access_token": token, "issuer": "i",
            "expires_at": int(time.time()) + 3600}), json.dumps(
            {"status": "failure", "error": token, "info": token}), token]
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        os.chmod(path, 0o600)
        listening.listen(8)
        self.addCleanup(listening.close)

        def serve():
            for turn in range(100):
                try:
                    end, _ = listening.accept()
                    with end:
                        end.recv(65536)
                        end.sendall(answers[min(turn, 2)].encode())
                except OSError:
                    return
        threading.Thread(target=serve, daemon=True).start()
        m = self.mount(self.bed.lying.url, None, log="debug", timeout="5s",
                       agent=path, account="acc")
        self.use(m)
        self.check(m)

    def test_servers_see_it_in_the_header_alone(self):
        token = self.canary()
        for server in self.bed.nginx, self.bed.apache, self.bed.xrootd:
            m = self.mount(server.url, token, log="debug")
            self.assertEqual(attempt(m.at("alice/a.bin")), 0)
            self.assertEqual(attempt(m.at("alice/none.bin")), errno.ENOENT)
            self.assertNotEqual(os.listdir(m.at("alice")), [])
        mark = self.bed.lying.mark()
        n = self.mount(self.bed.lying.url, self.tokens[-1], log="debug",
                       timeout="5s")
        self.use(n)
        for asked in self.bed.lying.requests(mark):
            headers = {k: v for k, v in asked["headers"].items()
                       if k != "authorization"}
            self.assertEqual(found(
                json.dumps([asked["path"], headers]).encode(),
                self.tokens), [])
        for server in self.bed.servers.values():
            for path in tree(server.folder):
                self.assertEqual(found(read_all(path), self.tokens), [], path)

    def test_where_a_redirect_may_take_it(self):
        """To a host of redirect_hosts, in the header: `authz=`, where
        directors and doors put it, is taken out of the address."""
        pool = self.bed.another_lying("pool")
        token, mark = self.canary(), pool.mark()
        self.addCleanup(self.bed.lying.honest)
        m = self.mount(self.bed.lying.url, token, log="debug", timeout="5s",
                       redirect_hosts="other.bed.test")
        for name, to in (
                ("a", pool.on("other.bed.test") +
                 f"/alice/a.bin?authz=Bearer%20{token}&pool=1"),
                ("b", pool.url + f"/alice/b.bin?x=1&authz={token}"),
                ("moved", pool.http_url + f"/alice/a.bin?authz={token}")):
            self.bed.lying.lie("redirect", path=f".*/{name}.bin",
                               method="GET", to=to)
            self.assertEqual(attempt(m.at(f"alice/{name}.bin")) == 0,
                             name == "a", name)
        asked = pool.requests(mark)
        self.assertIn(token, [one["token"] for one in asked])
        for one in asked:
            self.assertEqual(one["token"], token if
                             "other.bed.test" in one["headers"]["host"]
                             else None)
            self.assertTrue(one["tls"])
            self.assertEqual(found(one["path"].encode(), [token]), [])
        self.assertIn("pool=1", "".join(one["path"] for one in asked))
        self.check(m)

    def test_that_no_core_file_is_left(self):
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        m = self.mount(self.bed.lying.url, self.canary(), log="debug")
        self.assertEqual(attempt(m.at("alice/a.bin")), 0)
        with open(f"/proc/{m.pid}/limits") as file:
            core = [line.split() for line in file if "core file" in line][0]
        self.assertEqual(core[4:6], ["0", "0"])
        self.check(m)
        # Nor when somebody lifts the limit.
        mount.run(["prlimit", "--core=unlimited", "--pid", str(m.pid)],
                  check=False)  # needs CAP_SYS_RESOURCE
        os.kill(m.pid, signal.SIGABRT)
        bed.wait_for(lambda: not m.proc.running(), "the mount to abort", 30)
        for folder in m.folder, os.getcwd():
            self.assertEqual([name for name in os.listdir(folder)
                              if name.startswith("core")], [])
        for path in tree(m.folder):
            if not path.startswith(m.token_file):
                self.assertEqual(found(read_all(path), self.tokens), [], path)
        m.crash()

    def test_its_own_user_cannot_look_into_it(self):
        """As gcore, gdb and strace of that user would."""
        m = self.mount(self.bed.lying.url, self.canary(), user="nobody")
        for name in "mem", "environ", "maps":
            done = mount.run(["head", "-c", "1", f"/proc/{m.pid}/{name}"],
                             check=False, user="nobody")
            self.assertIn("Permission denied", done.stderr, name)
        done = mount.run(["strace", "-p", str(m.pid), "-o", "/dev/null"],
                         check=False, user="nobody")
        self.assertIn("Operation not permitted", done.stderr)


if __name__ == "__main__":
    bed.main(deadline=300)
