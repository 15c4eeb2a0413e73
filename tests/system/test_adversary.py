#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A shared mount among users who mean harm: what they try, and that it gives
them nothing of anybody else's and costs nobody else anything."""
import errno
import os
import shutil
import subprocess
import sys
import time

import bed
from bed.actor import Actor, drop, write_private
from bed.issuer import AUDIENCE

BYTES = 100000
ADA, BOB, EVE = 2001, 2002, 2003
REFUSED = (errno.EACCES, errno.EKEYREJECTED)

# Be told of what others open in a directory.
WATCH = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
fd = held["watch"] = libc.inotify_init1(os.O_NONBLOCK)
if libc.inotify_add_watch(fd, {path!r}.encode(), 0xfff) < 0:
    raise OSError(ctypes.get_errno(), "inotify_add_watch")
"""
EVENTS = """
import os
try:
    answer = repr(os.read(held["watch"], 65536))
except BlockingIOError:
    answer = ""
"""


# Many readers, of files that no server gives.
HANG = """
import os, threading
def read(path):
    try:
        with open(path, "rb", buffering=0) as file:
            file.read(1000)
    except OSError:
        pass  # the mount has ended
for i in range({count}):
    threading.Thread(target=read, args=({path!r} + str(i),),
                     daemon=True).start()
"""

# A setuid program that makes its ids one, as many do, before it touches what
# its caller named.
SETUID = """
import os, sys
os.setresgid({uid}, {uid}, {uid})
os.setresuid({uid}, {uid}, {uid})
try:
    print(len(open(sys.argv[1], "rb").read(10)))
except OSError as error:
    print(error.errno)
"""


class Adversary(bed.Case):
    def setUp(self):
        self.actors = []
        self.addCleanup(lambda: [actor.end() for actor in self.actors])
        for name in ("ada", "bob", "eve"):
            self.bed.put(f"{name}/x.bin", BYTES)
            self.bed.put(f"{name}/sub/y.bin", BYTES)

    def begin(self, **more):
        source = more.pop("source", None) or self.bed.nginx.url
        m = self.mount(source, None, **{
            "allow_other": True, "timeout": "5s", "attr_ttl": "1h",
            "negative_ttl": "1h", "base_path": self.bed.base, **more})
        os.chmod(m.folder, 0o755)
        return m

    def actor(self, uid, scope=None, **more):
        token = self.bed.token(scope) if scope else None
        actor = Actor(self.dir, uid, token, **more)
        self.actors.append(actor)
        return actor

    # What the kernel tells.

    def test_who_may_not_list_a_directory_cannot_watch_it(self):
        m = self.begin()
        ada = self.actor(ADA, "read:/ada")
        here = m.at("ada/sub")
        ada.do("sit", here)
        ada.do("hold", here + "/y.bin")
        for eve, codes in ((self.actor(EVE, "read:/eve"), REFUSED),
                           (self.actor(EVE + 1), (errno.ENOKEY,)),
                           (self.actor(0), (errno.ENOKEY,))):
            for path in (here, m.at("ada"), here + "/y.bin"):
                self.assertIn(
                    eve.code("python", WATCH.format(path=path)), codes)
            ada.do("read", here + "/y.bin")
            self.assertEqual(eve.do("python", EVENTS), "")
        # Who may list it may.
        ada.do("python", WATCH.format(path=here))
        ada.do("read", here + "/y.bin")
        self.assertIn("y.bin", ada.do("python", EVENTS))

    def test_who_may_see_a_directory_is_not_told_what_is_in_it(self):
        """XRootD lets everybody see the directories above what they may
        read, from 5.6 on."""
        lying = self.bed.lying
        self.addCleanup(lying.honest)
        m = self.begin(source=lying.url)
        bob = self.actor(BOB, env={"BEARER_TOKEN": "bobs"})
        self.assertEqual(bob.do("list", m.at("bob")), ["sub", "x.bin"])
        # With a slash, as those are asked for who want to list.
        lying.lie("status", path="/exp/bob/$", method="PROPFIND", code=403)
        eve = self.actor(EVE, env={"BEARER_TOKEN": "eves"})
        for _ in range(2):
            self.assertEqual(eve.code("stat", m.at("bob")), 0)
            self.assertEqual(eve.code("list", m.at("bob")), errno.EACCES)
        self.assertEqual(bob.do("list", m.at("bob")), ["sub", "x.bin"])

    def test_what_is_not_there_for_one_is_there_for_another(self):
        """Servers may say so in place of a refusal: it takes no directory out
        from under who sits in it, and is not what others are told."""
        lying = self.bed.lying
        self.addCleanup(lying.honest)
        m = self.begin(source=lying.url)
        ada = self.actor(ADA, env={"BEARER_TOKEN": "adas"})
        eve = self.actor(EVE, env={"BEARER_TOKEN": "eves"})
        here = m.at("ada/sub")
        self.assertEqual(ada.do("sit", here), here)
        lying.lie("status", path="/exp/ada.*", method="PROPFIND", code=404)
        for path in (here, m.at("ada"), here + "/y.bin"):
            self.assertEqual(eve.code("stat", path), errno.ENOENT)
        lying.honest()
        self.assertEqual(ada.do("where"), here)
        self.assertEqual(ada.do("list", "."), ["y.bin"])
        self.assertEqual(ada.do("read", "y.bin"), 4096)
        self.assertEqual(ada.do("read", here + "/y.bin"), 4096)

    # Who waits for whom.

    def test_readers_of_what_never_comes_keep_nobody_else_waiting(self):
        """As files that are on a tape: more of them than the kernel reads in
        the background, than the server is asked for, than there are buffers."""
        count = 130
        lying = self.bed.lying
        self.addCleanup(lying.honest)
        for i in range(count):
            self.bed.put(f"eve/tape/{i}", 1 << 20, seed="tape")
        for i in range(6):
            self.bed.put(f"ada/new/{i}", BYTES)
        m = self.begin(source=lying.url, timeout="60s",
                       issuer=self.bed.issuer.url, audience=AUDIENCE)
        ada = self.actor(ADA, "read:/ada")
        eve = self.actor(EVE, "read:/eve")
        # Known and kept: only the bytes are missing.
        self.assertEqual(len(eve.do("list", m.at("eve/tape"))), count)
        ada.do("read", m.at("ada/x.bin"))
        lying.lie("stall", path="/exp/eve/tape/.*", method="GET")
        before = m.counters()["fs_waiting"]
        eve.do("python", HANG.format(count=count, path=m.at("eve/tape/")))
        bed.wait_for(lambda: m.counters()["fs_waiting"] >= before + count,
                     "all of them to wait", 60)
        for i in range(6):
            for word, path in (("stat", "ada/sub/y.bin"),
                               ("read", f"ada/new/{i}"),
                               ("read", "ada/x.bin")):
                begun = time.monotonic()
                ada.do(word, m.at(path))
                took = time.monotonic() - begun
                self.assertLess(took, 5 * max(1.0, bed.slow), path)
        # Hers have waited all the while.
        self.assertGreaterEqual(m.counters()["fs_waiting"], before + count)

    # Whose word an environment is.

    def test_a_setuid_program_does_not_lend_its_users_files(self):
        """Its caller chose the environment: what root alone may read would be
        sent as a token."""
        m = self.begin()
        treasure = f"{self.dir}/treasure"
        program = f"{self.dir}/setuid"
        shutil.copy(os.path.realpath(sys.executable), program)
        for uid in (0, ADA):
            os.chown(program, uid, uid)
            os.chmod(program, 0o6755)
            write_private(treasure, uid, self.bed.token("read:/eve"))
            found = subprocess.run(
                drop(EVE) + [program, "-I", "-c", SETUID.format(uid=uid),
                             m.at("eve/x.bin")],
                env={"BEARER_TOKEN_FILE": treasure, "PYTHONHOME": "/usr"},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
            self.assertEqual(int(found.stdout), errno.ENOKEY)
        m.wait_log("is not believed")


if __name__ == "__main__":
    bed.main(deadline=600)
