#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A file that changes at the origin: the old version or the new one, or
ESTALE; never a mix, on servers with validators and without."""
import errno
import os
import random
import threading
import time

import bed
from bed import content
from bed.procs import slow

SIZE = 8 << 20
PIECE = 1 << 16


def fill(byte, size=SIZE):
    """A version is one byte again and again, so that a mix shows."""
    return bytes([byte]) * size


class Versions(bed.Case):
    deadline = 300

    def put(self, name, byte, size=SIZE, age=86400):
        self.bed.put(name, data=fill(byte, size), age=age)

    def pieces(self, file, size=SIZE):
        """What the file gives, in pieces at random places."""
        places = [n * PIECE for n in range(size // PIECE)]
        random.Random(7).shuffle(places)
        for place in places:
            yield os.pread(file, PIECE, place)

    def servers(self):
        return {"xrootd": self.bed.xrootd.url, "nginx": self.bed.nginx.url,
                "apache": self.bed.apache.url,
                "pages": self.bed.nginx.html_url}

    def test_that_open_sees_what_the_server_has(self):
        """Close-to-open: at most attr_ttl late."""
        for name, url in self.servers().items():
            path = f"versions/open-{name}.bin"
            self.put(path, 1, age=1000)
            m = self.mount(url, self.bed.token("read:/"), timeout="20s",
                           attr_ttl="1s")
            with open(m.at(path), "rb") as file:
                self.assertEqual(set(file.read()), {1}, name)
            number = os.stat(m.at(path)).st_ino
            self.put(path, 2, age=500)

            def changed():
                with open(m.at(path), "rb") as file:
                    got = set(file.read())
                self.assertIn(got, ({1}, {2}), name)
                return got == {2}

            bed.wait_for(changed, f"the new version from {name}", 30)
            # A version is an inode.
            self.assertNotEqual(os.stat(m.at(path)).st_ino, number, name)
            # Another size, too.
            self.put(path, 3, size=SIZE // 2 + 1, age=100)
            bed.wait_for(
                lambda: os.stat(m.at(path)).st_size == SIZE // 2 + 1,
                f"the new size from {name}", 30)
            with open(m.at(path), "rb") as file:
                self.assertEqual(set(file.read()), {3}, name)
            m.stop()

    def test_that_an_open_file_keeps_to_its_version(self):
        for name, url in self.servers().items():
            path = f"versions/held-{name}.bin"
            self.put(path, 1, age=1000)
            m = self.mount(url, self.bed.token("read:/"), timeout="20s",
                           attr_ttl="1s")
            file = os.open(m.at(path), os.O_RDONLY)
            self.assertEqual(os.pread(file, PIECE, 0), fill(1, PIECE))
            self.put(path, 2, age=500)
            stale = 0
            for number in range(SIZE // PIECE):
                try:
                    got = os.pread(file, PIECE, number * PIECE)
                except OSError as error:
                    self.assertEqual(error.errno, errno.ESTALE, name)
                    stale += 1
                    continue
                self.assertEqual(set(got), {1}, name)
            self.assertGreater(stale, 0, name)
            self.assertEqual(os.fstat(file).st_size, SIZE)
            os.close(file)
            # And the next open has the new one.
            with open(m.at(path), "rb") as again:
                self.assertEqual(set(again.read()), {2}, name)
            m.stop()

    def test_that_a_shorter_file_is_never_padded(self):
        for name, url in self.servers().items():
            path = f"versions/cut-{name}.bin"
            self.put(path, 1, age=1000)
            m = self.mount(url, self.bed.token("read:/"), timeout="20s",
                           attr_ttl="1s")
            file = os.open(m.at(path), os.O_RDONLY)
            self.assertEqual(os.pread(file, PIECE, 0), fill(1, PIECE))
            self.put(path, 2, size=SIZE // 4, age=500)
            for place in range(SIZE // 2, SIZE, PIECE):
                got = self.try_read(file, place)
                self.assertTrue(got in (errno.ESTALE, fill(1, PIECE)),
                                f"{name}: {got if isinstance(got, int) else 'bytes'}")
            os.close(file)
            m.stop()

    def try_read(self, file, place):
        try:
            return os.pread(file, PIECE, place)
        except OSError as error:
            return error.errno

    def test_that_a_file_that_changes_all_the_time_never_mixes(self):
        """Readers open, read at random and close while versions of the same
        size come and go; each has a time of its own."""
        for name, url in self.servers().items():
            path = f"versions/storm-{name}.bin"
            stop = threading.Event()
            self.put(path, 0, age=100_000)

            def writer():
                byte = 0
                while not stop.is_set():
                    byte = (byte + 1) % 250
                    self.put(path, byte, age=100_000 - byte * 10)
                    time.sleep(0.03)

            m = self.mount(url, self.bed.token("read:/"), timeout="20s",
                           attr_ttl="0s")
            thread = threading.Thread(target=writer)
            thread.start()
            whole = 0
            end = time.monotonic() + 5
            try:
                while time.monotonic() < end:
                    try:
                        file = os.open(m.at(path), os.O_RDONLY)
                    except OSError as error:
                        self.assertIn(error.errno,
                                      (errno.ESTALE, errno.EIO), name)
                        continue
                    try:
                        got = set()
                        for piece in self.pieces(file):
                            got |= set(piece)
                        self.assertEqual(len(got), 1, f"{name}: a mix")
                        whole += 1
                    except OSError as error:
                        self.assertIn(error.errno,
                                      (errno.ESTALE, errno.EIO), name)
                    finally:
                        os.close(file)
            finally:
                stop.set()
                thread.join()
            # Once it is quiet, the last version is read whole.
            with open(self.bed.data + "/exp/" + path, "rb") as file:
                last = set(file.read())

            def settled():
                with open(m.at(path), "rb") as file:
                    return set(file.read()) == last

            bed.wait_for(settled, f"the last version from {name}", 30)
            m.stop()

    def test_that_a_young_version_does_not_last(self):
        """Written this very second: another write may follow that looks the
        same, so nothing of it is given to an open that looks again (half a
        second later at the soonest)."""
        for name, url in self.servers().items():
            path = f"versions/young-{name}.bin"
            m = self.mount(url, self.bed.token("read:/"), timeout="20s",
                           attr_ttl="0s")
            done = 0
            for turn in range(40):
                now = int(time.time() + 0.5)
                for byte in (10 + turn, 60 + turn):
                    self.put(path, byte, size=SIZE // 8)
                    os.utime(self.bed.data + "/exp/" + path, (now, now))
                    time.sleep(0.6)
                    with open(m.at(path), "rb") as file:
                        got = set(file.read())
                    if byte < 60 and time.time() > now + 1.9:
                        break  # too slow a machine: it is no longer young
                    self.assertEqual(got, {byte}, f"{name}: turn {turn}")
                else:
                    done += 1
                if done == 2:
                    break
            self.assertGreater(done, 0, "never fast enough to try")
            m.stop()

    def test_that_a_removed_file_is_gone(self):
        for name, url in self.servers().items():
            path = f"versions/gone-{name}.bin"
            self.put(path, 1, size=1000)
            m = self.mount(url, self.bed.token("read:/"), timeout="20s",
                           attr_ttl="1s", negative_ttl="1s")
            with open(m.at(path), "rb") as file:
                self.assertEqual(len(file.read()), 1000)
            os.unlink(self.bed.data + "/exp/" + path)
            bed.wait_for(lambda: not os.path.exists(m.at(path)),
                         "the file to be gone", 30)
            with self.assertRaises(FileNotFoundError):
                os.close(os.open(m.at(path), os.O_RDONLY))
            self.put(path, 2, size=1000)
            bed.wait_for(lambda: os.path.exists(m.at(path)),
                         "the file to be back", 30)
            m.stop()

    def test_that_a_file_becomes_a_directory_and_back(self):
        data = self.bed.data + "/exp/versions/"
        for name, url in self.servers().items():
            m = self.mount(url, self.bed.token("read:/"), timeout="20s",
                           attr_ttl="1s", negative_ttl="1s")
            path = f"versions/kind-{name}"
            self.put(path, 1, size=10)
            self.assertTrue(os.path.isfile(m.at(path)))
            os.unlink(data + f"kind-{name}")
            self.put(path + "/in", 2, size=20)
            bed.wait_for(lambda: os.path.isdir(m.at(path)), "a directory")
            self.assertEqual(os.listdir(m.at(path)), ["in"])
            with open(m.at(path + "/in"), "rb") as file:
                self.assertEqual(file.read(), fill(2, 20))
            os.unlink(data + f"kind-{name}/in")
            os.rmdir(data + f"kind-{name}")
            self.put(path, 3, size=30)
            bed.wait_for(lambda: os.path.isfile(m.at(path)), "a file")
            with open(m.at(path), "rb") as file:
                self.assertEqual(file.read(), fill(3, 30))
            m.stop()


if __name__ == "__main__":
    bed.main(deadline=1200)
