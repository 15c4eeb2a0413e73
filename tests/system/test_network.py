#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The network of a laptop: it is not there yet, it goes and comes, it gives
another address, it knows no names, it shows a login page; and the laptop
sleeps. Nothing hangs, nothing wrong is kept, and the mount comes back by
itself."""
import errno
import os
import socket
import subprocess
import threading
import time
import unittest

import bed
from bed import content, mount, space
from bed.procs import slow

HERE = os.path.dirname(os.path.abspath(__file__))
SIZE = 3 << 20
TIMEOUT = 2 * max(1.0, slow)
NAME = "origin.bed.test"
NEAR, BEFORE, AFTER = "10.77.0.1", "10.77.0.2", "10.77.0.3"
# Until all is well again, once it can be.
SOON = 4 * max(1.0, slow)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def code_of(call):
    try:
        call()
        return 0
    except OSError as error:
        return error.errno


class Forwarder:
    """A port of all addresses before one of 127.0.0.1."""

    def __init__(self, port):
        self.to = port
        self.listening = socket.socket()
        self.listening.bind(("0.0.0.0", 0))
        self.listening.listen(64)
        self.port = self.listening.getsockname()[1]
        self.peers = []  # whence connections came
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, peer = self.listening.accept()
            except OSError:
                return
            self.peers.append(peer[0])
            far = socket.create_connection(("127.0.0.1", self.to))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=ends,
                                 daemon=True).start()

    @staticmethod
    def carry(source, target):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is gone already


@unittest.skipUnless(space.own_network(), "no network of its own")
class Network(bed.Case):
    @classmethod
    def setUpClass(cls):
        for name in ("a.bin", "b.bin", "c.bin"):
            cls().bed.put("net/" + name, SIZE)

    def begin(self, url=None, **options):
        options = {"timeout": f"{TIMEOUT:.0f}s", "attr_ttl": "1s",
                   "negative_ttl": "1s", **options}
        return self.mount(url or self.bed.nginx.url, self.bed.token(),
                          **options)

    def read(self, m, name):
        with open(m.at("net", name), "rb") as file:
            self.assertEqual(file.read(),
                             content.stream("net/" + name, 0, SIZE))

    def code(self, m, name):
        """The errno of a read, or 0 when all is right; never late."""
        began = time.monotonic()
        code = code_of(lambda: self.read(m, name))
        self.assertLess(time.monotonic() - began,
                        TIMEOUT + 2 * max(1.0, slow))
        return code

    def comes_back(self, m, name, within=SOON):
        began = time.monotonic()
        bed.wait_for(lambda: self.code(m, name) == 0, "right bytes", 30)
        self.assertLess(time.monotonic() - began, within)

    def unplug(self):
        ip("link", "set", "lo", "down")
        self.addCleanup(ip, "link", "set", "lo", "up")

    def test_that_a_mount_starts_without_a_network(self):
        url = self.bed.nginx.url
        self.unplug()
        m = self.begin(url)
        self.assertIn(self.code(m, "a.bin"),
                      (errno.EHOSTUNREACH, errno.ETIMEDOUT))
        ip("link", "set", "lo", "up")
        self.comes_back(m, "a.bin")

    def test_that_a_link_may_go_and_come_under_readers(self):
        m = self.begin()
        self.read(m, "a.bin")
        slow_one = self.bed.between("slow-net", self.bed.nginx)
        slow_one.lie("drip", size=1 << 16, every=0.05, method="GET")
        n = self.begin(slow_one.url)
        os.stat(n.at("net/b.bin"))
        codes = []
        reader = threading.Thread(
            target=lambda: codes.append(self.code(n, "b.bin")))
        reader.start()
        time.sleep(0.5)
        self.unplug()
        time.sleep(1.5)
        # What is known is read meanwhile, and what is not says why.
        self.read(m, "a.bin")
        self.assertIn(self.code(m, "c.bin"),
                      (errno.EHOSTUNREACH, errno.ETIMEDOUT))
        ip("link", "set", "lo", "up")
        slow_one.heal()
        reader.join()
        self.assertIn(codes[0], (0, errno.EHOSTUNREACH, errno.ETIMEDOUT))
        self.comes_back(n, "b.bin")
        self.comes_back(m, "c.bin")

    def names(self, *lines):
        """What names this machine knows."""
        with open("/etc/hosts", "w") as file:
            file.write("".join(line + "\n" for line in
                               ("127.0.0.1 localhost", *lines)))

    def keep_names(self):
        with open("/etc/hosts") as file:
            before = file.read()

        def put_back():
            with open("/etc/hosts", "w") as file:
                file.write(before)
        self.addCleanup(put_back)

    def test_that_a_name_may_be_unknown_for_a_while(self):
        url = self.bed.nginx.url.replace("localhost", NAME)
        self.keep_names()
        self.names()
        m = self.begin(url)
        self.assertEqual(self.code(m, "b.bin"), errno.EHOSTUNREACH)
        self.assertIn("Could not resolve host", m.log_text())
        self.names("127.0.0.1 " + NAME)
        self.comes_back(m, "b.bin", 7 * max(1.0, slow))

    def move(self, before, after):
        """The machine's address, as seen from NEAR, is another one."""
        if after not in subprocess.run(
                ["ip", "address"], capture_output=True, text=True,
                check=True).stdout:
            ip("address", "add", after + "/32", "dev", "lo")
        ip("route", "replace", "local", NEAR, "dev", "lo", "src", after,
           "table", "local")
        if before:
            ip("address", "del", before + "/32", "dev", "lo")

    def test_that_an_address_may_change(self):
        near = Forwarder(self.bed.nginx.port)
        self.addCleanup(near.listening.close)
        ip("address", "add", NEAR + "/32", "dev", "lo")
        self.addCleanup(ip, "address", "del", NEAR + "/32", "dev", "lo")
        self.move(None, BEFORE)
        self.keep_names()
        self.names(f"{NEAR} {NAME}")
        m = self.begin(f"https://{NAME}:{near.port}{self.bed.base}",
                       cache_size="0")
        self.read(m, "a.bin")
        self.assertEqual(set(near.peers), {BEFORE})
        with open(m.at("net/b.bin"), "rb", buffering=0) as file:
            want = content.stream("net/b.bin", 0, SIZE)
            self.assertEqual(file.read(4096), want[:4096])
            self.move(BEFORE, AFTER)
            self.addCleanup(ip, "address", "del", AFTER + "/32", "dev", "lo")
            # Nothing is heard any more on connections of the old address.
            began = time.monotonic()
            self.assertEqual(os.pread(file.fileno(), 4096, 2 << 20),
                             want[2 << 20:(2 << 20) + 4096])
            self.comes_back(m, "c.bin")
            self.assertLess(time.monotonic() - began, SOON)
        self.assertIn(AFTER, near.peers)

    def test_that_a_portal_poisons_nothing(self):
        near = self.bed.between("portal", self.bed.nginx)
        m = self.begin(near.url)
        self.read(m, "a.bin")
        mark = near.mark()
        for fault, codes in (("wrong name", (errno.EHOSTUNREACH,)),
                             ("login page", (errno.EIO,))):
            near.refuse()
            near.fault(fault)
            near.accept()
            self.assertIn(self.code(m, "b.bin"), codes, fault)
            self.assertIn(code_of(lambda: os.listdir(m.at("net"))),
                          (0, *codes), fault)
            if fault == "wrong name":
                self.read(m, "a.bin")
                self.assertEqual(near.requests(mark), [])
            near.heal()
            self.comes_back(m, "b.bin" if fault == "login page" else "c.bin",
                            7 * max(1.0, slow))
            self.assertEqual(sorted(os.listdir(m.at("net"))),
                             ["a.bin", "b.bin", "c.bin"])
            self.assertEqual(os.stat(m.at("net/b.bin")).st_size, SIZE)

    @unittest.skipIf(slow > 1, "a sanitizer wants to be loaded first")
    def test_that_it_wakes_up_after_a_sleep(self):
        """Connections of before are silent: their other ends have forgotten
        them."""
        library = os.path.join(self.dir, "sleep_shim.so")
        mount.run(["cc", "-shared", "-fPIC", "-O1", "-o", library,
                   HERE + "/sleep_shim.c", "-ldl"])
        slept = os.path.join(self.dir, "slept")
        near = self.bed.between("sleeper", self.bed.nginx)
        m = self.begin(near.url, cache_size="0", env={
            "LD_PRELOAD": library, "SLEPT": slept})
        self.read(m, "a.bin")
        near.lie("stall", path=".*b.bin", method="GET", times=1)
        codes = []
        reader = threading.Thread(
            target=lambda: codes.append(self.code(m, "b.bin")))
        reader.start()
        bed.wait_for(lambda: any(one["lie"] for one in near.requests()),
                     "the stall")
        began = time.monotonic()
        with open(slept + ".new", "w") as file:
            file.write("3600\n")
        os.rename(slept + ".new", slept)
        reader.join()
        self.assertEqual(codes, [0])
        self.assertLess(time.monotonic() - began, SOON)
        m.wait_log("network has changed")


if __name__ == "__main__":
    bed.main(deadline=600)
