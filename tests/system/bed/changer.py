# SPDX-License-Identifier: Apache-2.0
"""tests/system/changer.c from Python: fetch/change.h in front of a server of
the bed, without a mount.

    one = Changer(self.bed, url, folder, token, write_token)
    got = one.publish("/exp/alice/x", data, "absent")   # .code .proof ...
"""
import collections
import os
import subprocess
import threading

from bed.procs import slow

# Built beside the program under test.
PROGRAM = os.path.join(
    os.path.dirname(os.environ.get("BEARERFS", "build/dev/bearerfs")),
    "tests/system/changer")
Published = collections.namedtuple(
    "Published", "code sent proof known size mtime etag leftover why")
Changed = collections.namedtuple("Changed", "code why")
Stat = collections.namedtuple("Stat", "code size mtime etag")


class Changer:
    def __init__(self, bed, url, folder, token, write_token=None, timeout=20,
                 redirect=()):
        """
        @param timeout   seconds, as the mount's; longer under sanitizers
        @param redirect  patterns of redirect_hosts
        """
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.files = 0
        self.asked = 0
        self.answers = {}
        self.news = threading.Condition()
        paths = []
        for name, text in (("token", token), ("write", write_token)):
            paths.append(os.path.join(folder, name) if text else "-")
            if text:
                self.write(paths[-1], text)
        self.log = open(os.path.join(folder, "log"), "ab")
        self.popen = subprocess.Popen(
            [PROGRAM, url, bed.ca.cert, *paths,
             str(int(timeout * 1000 * max(1.0, slow))), *redirect],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                 "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "")})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    @staticmethod
    def write(path, text):
        with open(path + ".new", "w",
                  opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text)
        os.rename(path + ".new", path)

    def set_token(self, text, name="token"):
        self.write(os.path.join(self.folder, name), text)

    def read(self):
        for line in self.popen.stdout:
            number, *words = os.fsdecode(line.rstrip(b"\n")).split("\t")
            with self.news:
                self.answers[int(number)] = words
                self.news.notify_all()
        with self.news:
            self.answers[None] = ["ended"]
            self.news.notify_all()

    def begin(self, *words):
        """@return a number for wait()"""
        self.popen.stdin.write(
            "\t".join(map(str, words)).encode(errors="surrogateescape")
            + b"\n")
        self.popen.stdin.flush()
        self.asked += 1
        return self.asked

    def wait(self, number, deadline=120):
        with self.news:
            self.news.wait_for(
                lambda: number in self.answers or None in self.answers,
                deadline * max(1.0, slow))
            return self.answers[number]

    def begin_publish(self, path, data, condition="any", version=None,
                      mtime=-1):
        self.files += 1
        name = os.path.join(self.folder, f"bytes{self.files}")
        if isinstance(data, bytes):
            with open(name, "wb") as file:
                file.write(data)
        else:
            name = data
        size, time, etag = version or (0, -1, "")
        return self.begin("publish", path, name, condition, size, time, etag,
                          mtime)

    def publish(self, *args, **more):
        return self.published(self.begin_publish(*args, **more))

    def published(self, number):
        code, sent, proof, known, size, mtime, etag, left, why = \
            self.wait(number)
        return Published(code, sent == "1", proof, known == "1", int(size),
                         int(mtime), etag, left, why)

    def change(self, *words):
        return Changed(*self.wait(self.begin(*words)))

    def move(self, source, target, kind="file", replace=True, what="move"):
        return self.change(what, source, target, kind,
                           "replace" if replace else "keep")

    def stat(self, path):
        words = self.wait(self.begin("stat", path))
        if words[0] != "0":
            return Stat(words[0], 0, -1, "")
        return Stat("0", int(words[1]), int(words[2]), words[3])

    def names(self, path):
        code, *names = self.wait(self.begin("list", path))
        assert code == "0", (code, names)
        return sorted(names)

    def close(self):
        """@return its exit status: a sanitizer's report is none of 0"""
        self.popen.stdin.close()
        status = self.popen.wait(60 * max(1.0, slow))
        self.reader.join(60)
        self.popen.stdout.close()
        self.log.close()
        if status:
            with open(self.log.name) as file:
                print(file.read())
        return status
