#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One writable mount for two users: each writes with their own token, what is
unsent of one is nobody else's, and it is sent as theirs, by the next mount
too."""
import errno
import json
import os
import random
import unittest

import bed
from bed.actor import Actor, drop, write_private
from bed.mount import run
from bed.writing import WritingCase, tree

# Of this run alone: where tokens lie, /tmp/bt_uUID, is the machine's.
ADA = random.randrange(100_000, 2_000_000_000)
BOB, EVE = ADA + 1, ADA + 2
NAMES = {ADA: "ada", BOB: "bob"}


class Shared(WritingCase):
    """One server; see below."""
    server = None

    @classmethod
    def setUpClass(cls):
        if cls is Shared:
            raise unittest.SkipTest("of one server each")

    def setUp(self):
        os.chmod(self.dir, 0o755)
        self.actors = []
        self.addCleanup(lambda: [actor.end() for actor in self.actors])

    def begin(self, name, **more):
        disk = self.place(f"{name}-{self.server}")
        for user in NAMES.values():
            os.mkdir(f"{disk}/{user}")
            os.chmod(f"{disk}/{user}", 0o777)
        self.top = os.path.basename(disk)
        return self.again(disk, **more)

    def again(self, disk, **more):
        below = os.path.relpath(disk, self.bed.data + self.bed.base)
        m = self.mount(f"{getattr(self.bed, self.server).url}/{below}", None,
                       allow_other=True, rw=True, timeout="5s",
                       spool_dir=f"{self.dir}/spool",
                       base_path=self.bed.base, **more)
        os.chmod(m.folder, 0o755)
        m.disk = disk
        return m

    def actor(self, uid):
        name = f"{self.top}/{NAMES[uid]}"
        actor = Actor(self.dir, uid, self.bed.token(
            f"read:/{name} write:/{name}"))
        self.actors.append(actor)
        return actor

    def write(self, actor, path, data, close=True):
        return actor.code("python", (
            "import os\n"
            f"fd = os.open({path!r}, os.O_CREAT | os.O_RDWR, 0o644)\n"
            f"os.write(fd, {data!r})\n" +
            ("os.close(fd)\n" if close else f"held[{path!r}] = fd\n")))

    def status_of(self, uid, m):
        """What `status` tells this user."""
        return json.loads(run(
            drop(uid) + [m.argv[0], "status", "--json", m.path],
            30, env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}).stdout)

    def test_each_writes_with_their_own_token(self):
        m = self.begin("own")
        ada, bob = self.actor(ADA), self.actor(BOB)
        for actor, name in ((ada, "ada"), (bob, "bob")):
            self.assertEqual(self.write(actor, m.at(name, "f"),
                                        name.encode()), 0)
            self.assertEqual(actor.code("python", (
                f"import os; os.mkdir({m.at(name, 'd')!r}); "
                f"os.rename({m.at(name, 'f')!r}, {m.at(name, 'd/g')!r})")), 0)
            self.assertEqual(self.write(actor, m.at(name, "d/g"), b"AGAIN"),
                             0)
        self.assertEqual(tree(m.disk), {
            "ada": None, "ada/d": None, "ada/d/g": b"AGAIN",
            "bob": None, "bob/d": None, "bob/d/g": b"AGAIN"})
        for actor, other in ((ada, "bob"), (bob, "ada")):
            self.assertIn(self.write(actor, m.at(other, "x"), b"x"),
                          (errno.EACCES, errno.ENOENT))
            self.assertIn(actor.code("python", (
                f"import os; os.unlink({m.at(other, 'd/g')!r})")),
                (errno.EACCES, errno.ENOENT))
        self.assertEqual(len(tree(m.disk)), 6)

    def test_what_is_unsent_is_seen_by_its_user_alone(self):
        m = self.begin("unseen")
        both = f"read:/{self.top} write:/{self.top}"
        ada, bob = self.actor(ADA), self.actor(BOB)
        for actor in (ada, bob):
            actor.set_token(self.bed.token(both))
        for actor, data in ((ada, b"ada's"), (bob, b"bobs")):
            self.assertEqual(self.write(actor, m.at("same"), data, False), 0)
        for actor, uid, size in ((ada, ADA, 5), (bob, BOB, 4)):
            self.assertEqual(actor.do("stat", m.at("same")), size)
            self.assertEqual(actor.do("read", m.at("same")), size)
            self.assertIn("same", actor.do("list", m.path))
            told = self.status_of(uid, m)
            self.assertEqual(
                [one["path"] for one in told["writing"]["drafts"]["files"]],
                ["/same"])
        # Nobody else: a third user with the right to look.
        eve = Actor(self.dir, EVE, self.bed.token(both))
        self.actors.append(eve)
        self.assertEqual(eve.code("stat", m.at("same")), errno.ENOENT)
        self.assertNotIn("same", eve.do("list", m.path))
        self.assertEqual(
            self.status_of(EVE, m)["writing"]["drafts"]["files"], [])

    def test_the_next_mount_sends_what_each_left(self):
        """Their processes have gone: with what another one of Ada's has, and
        for Bob with what lies in the well-known place."""
        m = self.begin("next", write="back")
        ada, bob = self.actor(ADA), self.actor(BOB)
        for name in ("ada", "bob"):  # the server can write nothing
            os.chmod(f"{m.disk}/{name}", 0o555)
        for actor, name in ((ada, "ada"), (bob, "bob")):
            self.assertEqual(self.write(actor, m.at(name, "f"),
                                        name.encode()), 0)
        self.assertEqual(len(self.unsent(m)), 2)
        m.crash()
        for actor in (ada, bob):
            actor.end()
        self.actors.clear()
        for name in ("ada", "bob"):
            os.chmod(f"{m.disk}/{name}", 0o777)
        self.assertEqual([name for name in tree(m.disk) if "/" in name], [])
        m = self.again(m.disk, write="back")
        # Neither is known, nor guessed at.
        bed.wait_for(lambda: len([one for one in self.unsent(m)
                                  if one["errno"] == "ENOKEY"]) == 2,
                     "both to lack a token", 20)
        self.assertEqual([name for name in tree(m.disk) if "/" in name], [])
        again = self.actor(ADA)
        self.assertEqual(again.do("read", m.at("ada/f")), 3)
        bed.wait_for(lambda: "ada/f" in tree(m.disk), "what Ada left", 20)
        self.assertNotIn("bob/f", tree(m.disk))
        place = f"/tmp/bt_u{BOB}"
        write_private(place, BOB, self.bed.token(
            f"read:/{self.top}/bob write:/{self.top}/bob"))
        self.addCleanup(os.unlink, place)
        # A look of two seconds ago is as good as a new one.
        bed.wait_for(lambda: m.command("flush", m.path, "--timeout", "20s",
                                       check=False).returncode == 0,
                     "what Bob left", 20)
        self.assertEqual(
            {name: data for name, data in tree(m.disk).items() if data},
            {"ada/f": b"ada", "bob/f": b"bob"})
        self.wait_sent(m)

    def test_what_a_process_leaves_is_sent_when_it_has_gone(self):
        """Its token ends while the server refuses; another process of the
        user's has one."""
        m = self.begin("gone", write="back", fsync="spool")
        life = 6 if bed.slow <= 1 else 20
        ada = Actor(self.dir, ADA, self.bed.token(
            f"read:/{self.top}/ada write:/{self.top}/ada", lifetime=life))
        os.chmod(f"{m.disk}/ada", 0o555)
        self.assertEqual(self.write(ada, m.at("ada/f"), b"left"), 0)
        ada.end()
        bed.wait_for(lambda: any(one["errno"] in ("ENOKEY", "EKEYEXPIRED")
                                 for one in self.unsent(m)),
                     "the token to end, and a try after that",
                     30 * max(1, bed.slow))
        os.chmod(f"{m.disk}/ada", 0o777)
        self.assertEqual(tree(m.disk)["ada"], None)
        self.actor(ADA).do("list", m.at("ada"))
        # Each pause between tries is twice the one before.
        bed.wait_for(lambda: "ada/f" in tree(m.disk), "it to be sent",
                     30 * max(1, bed.slow))

    def test_the_spool_has_room_for_each(self):
        """A user that fills their share leaves the other one's."""
        m = self.begin("room", write="back", spool_size="4M")
        ada, bob = self.actor(ADA), self.actor(BOB)
        for name in ("ada", "bob"):
            os.chmod(f"{m.disk}/{name}", 0o555)
        codes = [self.write(ada, m.at(f"ada/{i}"), b"x" * (1 << 20))
                 for i in range(6)]
        self.assertIn(errno.ENOSPC, codes)
        self.assertEqual(codes[0], 0)
        self.assertEqual(self.write(bob, m.at("bob/f"), b"y" * 100000), 0)
        for name in ("ada", "bob"):
            os.chmod(f"{m.disk}/{name}", 0o777)


for word in ("nginx", "xrootd"):
    globals()[word.capitalize()] = type(
        word.capitalize(), (Shared,), {"server": word})

if __name__ == "__main__":
    bed.main(deadline=900)
