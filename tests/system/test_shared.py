#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One mount for three users: does each see exactly what their own token
allows, whatever another has brought into the caches of the mount and of the
kernel, and does nobody feel what another is refused?"""
import base64
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time

import bed
from bed.actor import Actor, drop
from bed.issuer import AUDIENCE, Issuer

BYTES = 300000
ADA, BOB, EVE = 2001, 2002, 2003
REFUSED = (errno.EACCES, errno.EKEYREJECTED)

# One opens and hands the descriptor on; the other reads through it.
GIVE = r"""
import os, socket, sys
end = socket.socket(fileno=int(sys.argv[1]))
socket.send_fds(end, [b"x"], [os.open(sys.argv[2], os.O_RDONLY)])
end.recv(1)
"""
TAKE = r"""
import os, socket, sys
end = socket.socket(fileno=int(sys.argv[1]))
fd = socket.recv_fds(end, 1, 1)[1][0]
print(os.fstat(fd).st_size, len(os.pread(fd, 4096, 0)), flush=True)
try:
    print(os.open(sys.argv[2], os.O_RDONLY), "opened")
except OSError as error:
    print(error.errno, "refused")
end.send(b"y")
"""


class Sharing(bed.Case):
    server = "nginx"
    trusting = False

    def setUp(self):
        os.chmod(self.dir, 0o755)
        self.actors = []
        self.addCleanup(lambda: [actor.end() for actor in self.actors])
        for name in ("ada", "bob", "all"):
            self.bed.put(f"{name}/x.bin", BYTES)
            self.bed.put(f"{name}/sub/y.bin", BYTES)

    def begin(self, **more):
        options = {"allow_other": True, "timeout": "5s", "attr_ttl": "1h",
                   "negative_ttl": "1h", "base_path": self.bed.base}
        if self.trusting:
            options.update(issuer=self.bed.issuer.url, audience=AUDIENCE)
        options.update(more)
        m = self.mount(getattr(self.bed, self.server).url, None, **options)
        os.chmod(m.folder, 0o755)
        return m

    def actor(self, uid, scope=None, token=None, env=None):
        if scope is not None:
            token = self.bed.token(scope)
        actor = Actor(self.dir, uid, token, env)
        self.actors.append(actor)
        return actor

    def as_user(self, uid, script, first, path, end, env):
        return subprocess.Popen(
            drop(uid) + [sys.executable, "-c", script, first, path],
            env=env, text=True, stdout=subprocess.PIPE,
            pass_fds=[end.fileno()])

    def check_closed(self, actor, m, name, codes=REFUSED):
        """By no way whatever."""
        path = m.at(name)
        folder = os.path.dirname(path)
        for word in ("read", "stat", "peek", "hold", "xattr"):
            self.assertIn(actor.code(word, path), codes, word)
        self.assertFalse(actor.do("access", path))
        self.assertIn(actor.code("list", folder), codes)
        self.assertIn(actor.code("stat", folder), codes)
        self.assertIn(actor.code("sit", folder), codes)

    def test_each_sees_what_their_token_allows(self):
        m = self.begin()
        ada = self.actor(ADA, "read:/ada read:/all")
        bob = self.actor(BOB, "read:/bob read:/all")
        for _ in range(2):  # the second time all caches are warm
            for actor, own, other in ((ada, "ada", "bob"),
                                      (bob, "bob", "ada")):
                for name in (own, "all"):
                    for file in ("x.bin", "sub/y.bin"):
                        path = m.at(name, file)
                        self.assertEqual(actor.do("stat", path), BYTES)
                        self.assertEqual(actor.do("read", path), 4096)
                        self.assertEqual(actor.do("peek", path), 4096)
                    self.assertEqual(actor.do("list", m.at(name)),
                                     ["sub", "x.bin"])
                self.assertEqual(actor.do("list", m.path),
                                 sorted(["all", own]))
                self.check_closed(actor, m, other + "/x.bin")
                self.check_closed(actor, m, other + "/sub/y.bin")

    def test_what_is_cached_for_one_is_closed_to_another(self):
        m = self.begin()
        ada = self.actor(ADA, "read:/ada")
        path = m.at("ada/x.bin")
        for word in ("hold", "read", "peek"):
            ada.do(word, path)
        ada.do("list", m.at("ada"))
        eve = self.actor(EVE, "read:/eve")
        self.check_closed(eve, m, "ada/x.bin")
        # Who has no token, root too, is told so.
        for uid in (EVE + 1, 0):
            self.check_closed(self.actor(uid), m, "ada/x.bin",
                              (errno.ENOKEY,))
        # Ada has felt none of it.
        self.assertEqual(ada.do("go_on", path), 4096)
        self.assertEqual(ada.do("read", path), 4096)

    def test_a_working_directory_stays(self):
        m = self.begin()
        ada = self.actor(ADA, "read:/ada")
        eve = self.actor(EVE, "read:/eve")
        here = m.at("ada/sub")
        self.assertEqual(ada.do("sit", here), here)
        for _ in range(3):
            for path in (here, m.at("ada"), here + "/y.bin"):
                self.assertIn(eve.code("stat", path), REFUSED)
                self.assertIn(eve.code("sit", path),
                              REFUSED + (errno.ENOTDIR,))
            self.assertIn(eve.code("list", here), REFUSED)
            self.assertEqual(ada.do("where"), here)
            self.assertEqual(ada.do("list", "."), ["y.bin"])
            self.assertEqual(ada.do("read", "y.bin"), 4096)

    def test_the_end_of_a_token_is_felt_by_the_next_open(self):
        m = self.begin(timeout="2s")
        life = 6 if bed.slow <= 1 else 20
        path = m.at("ada/x.bin")
        ada = self.actor(ADA, token=self.bed.token("read:/ada",
                                                   lifetime=life))
        for word in ("read", "peek", "hold"):
            ada.do(word, path)
        time.sleep(life + 1)
        for word in ("read", "peek", "stat"):
            self.assertEqual(ada.code(word, path), errno.EKEYEXPIRED, word)
        self.assertEqual(ada.code("list", m.at("ada")), errno.EKEYEXPIRED)
        ada.set_token(self.bed.token("read:/ada"))
        bed.wait_for(lambda: ada.code("read", path) == 0,
                     "the newer token to be found", 30)

    def test_a_handle_that_is_handed_on_keeps_working(self):
        m = self.begin()
        ada = self.actor(ADA, "read:/ada")
        path = m.at("ada/x.bin")
        ends = socket.socketpair()
        run = [self.as_user(uid, script, str(end.fileno()), path, end, env)
               for uid, script, end, env in (
                   (ADA, GIVE, ends[0],
                    {"BEARER_TOKEN_FILE": ada.token_file}),
                   (EVE, TAKE, ends[1], {}))]
        text = run[1].communicate(timeout=60 * max(1, bed.slow))[0]
        run[0].communicate(timeout=60 * max(1, bed.slow))
        for end in ends:
            end.close()
        self.assertEqual(text.splitlines(), [
            f"{BYTES} 4096", f"{errno.ENOKEY} refused"])

    def test_a_users_own_issuer_opens_nothing_and_is_not_asked(self):
        m = self.begin()
        ada = self.actor(ADA, "read:/ada")
        ada.do("read", m.at("ada/x.bin"))
        own = self.bed.add(Issuer(self.bed, "own-" + type(self).__name__))
        token = own.token("read:/")
        with open(own.log) as file:
            before = file.read().count("GET /")
        eve = self.actor(EVE, token=token)
        self.check_closed(eve, m, "ada/x.bin")
        self.assertIn(eve.code("list", m.path), REFUSED)
        with open(own.log) as file:
            self.assertEqual(file.read().count("GET /"), before)


class Trusting(Sharing):
    """The same with a configured issuer."""
    trusting = True

    def test_what_the_scope_leaves_out_costs_no_request(self):
        m = self.begin()
        ada = self.actor(ADA, "read:/ada")
        ada.do("read", m.at("ada/x.bin"))
        eve = self.actor(EVE, "read:/eve")
        mark = self.bed.nginx.mark()
        self.check_closed(eve, m, "ada/x.bin", (errno.EACCES,))
        self.assertEqual(self.bed.nginx.requests(mark), [])
        # And one whose scope covers it opens what is here without any.
        bob = self.actor(BOB, "read:/ada/sub read:/ada/x.bin")
        self.assertEqual(bob.do("read", m.at("ada/x.bin")), 4096)
        self.assertEqual(self.bed.nginx.requests(mark), [])


class Real(Sharing):
    """XRootD, which answers 403 to everything and refuses even to stat what
    is above a token's reach."""
    server = "xrootd"


class Renewed(bed.Case):
    """Tokens that live for seconds, of users who read all the time."""
    life = 8 if bed.slow <= 1 else 24
    files = 150

    def renew(self, actors, ended):
        while not ended.wait(2):
            for actor in actors:
                actor.set_token(self.bed.token(f"read:/{actor.name}",
                                               lifetime=self.life))

    def test_a_renewal_is_not_noticed(self):
        for name in ("late/ada", "late/bob"):
            for i in range(self.files):
                self.bed.put(f"{name}/{i}.bin", 1000 + i)
        lying = self.bed.lying
        m = self.mount(lying.url, None, allow_other=True, timeout="30s",
                       base_path=self.bed.base, attr_ttl="1s")
        os.chmod(m.folder, 0o755)
        actors = []
        for uid, name in ((ADA, "late/ada"), (BOB, "late/bob")):
            actor = Actor(self.dir, uid, self.bed.token(
                f"read:/{name}", lifetime=self.life))
            actor.name = name
            self.addCleanup(actor.end)
            actors.append(actor)
        mark = lying.mark()
        ended = threading.Event()
        renewer = threading.Thread(target=self.renew, args=(actors, ended))
        renewer.start()
        try:
            for i in range(self.files):
                for actor in actors:
                    self.assertEqual(
                        actor.code("read", m.at(actor.name, f"{i}.bin")), 0)
                time.sleep(0.12)
        finally:
            ended.set()
            renewer.join()
        seen = set()
        for request in lying.requests(mark):
            payload = json.loads(base64.urlsafe_b64decode(
                request["token"].split(".")[1] + "=="))
            # Each with their own, and none that had ended: but that a busy
            # machine may lie between the choice and the server.
            if "/ada" in request["path"]:
                self.assertEqual(payload["scope"], "read:/late/ada")
            if "/bob" in request["path"]:
                self.assertEqual(payload["scope"], "read:/late/bob")
            self.assertLess(request["time"], payload["exp"] + 5)
            seen.add(request["token"])
        # Those that live longer, since all is slow, are renewed less often.
        self.assertGreater(len(seen), 6 if bed.slow <= 1 else 3)


if __name__ == "__main__":
    bed.main(deadline=600)
