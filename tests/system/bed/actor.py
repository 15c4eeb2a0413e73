# SPDX-License-Identifier: Apache-2.0
"""Users of a shared mount: each a process of their own, with a token of their
own, that does what the test tells it to."""
import json
import os
import select
import subprocess
import sys
import time

from bed.procs import Failed, slow

# What a user does, in a process of their own: a line of words in, a line of
# JSON out, so that a test knows which step came before which.
ACTOR = r"""
import json, mmap, os, sys

held = {}

def read(path):
    with open(path, "rb", buffering=0) as file:
        return len(file.read(4096))

def peek(path):
    # Through pages that the kernel may have.
    fd = os.open(path, os.O_RDONLY)
    try:
        with mmap.mmap(fd, 4096, prot=mmap.PROT_READ) as memory:
            return len(memory[:4096])
    finally:
        os.close(fd)

def hold(path):
    held[path] = os.open(path, os.O_RDONLY)
    return 0

def go_on(path):
    return len(os.pread(held[path], 4096, 0))

def become(path):
    # The same process, another program, and what it is told.
    env = json.loads(path)
    os.execve(sys.executable, [sys.executable, "-c", os.environ["ACTOR"]],
              dict(env, ACTOR=os.environ["ACTOR"], AGAIN="1"))

def python(text):
    # What has no word of its own: it leaves its answer in `answer`.
    names = {"held": held, "answer": None}
    exec(text, names)
    return names["answer"]

def sit(path):
    os.chdir(path)
    return os.getcwd()

DO = {"read": read, "stat": lambda path: os.stat(path).st_size,
      "list": lambda path: sorted(os.listdir(path)), "peek": peek,
      "become": become, "python": python, "hold": hold, "go_on": go_on, "sit": sit,
      "where": lambda path: os.getcwd(),
      "fstat": lambda path: os.fstat(held[path]).st_size,
      "access": lambda path: os.access(path, os.R_OK),
      "xattr": lambda path: len(os.getxattr(path, "user.bearerfs.cached"))}

if "AGAIN" in os.environ:
    print(json.dumps([0, None]), flush=True)
for line in sys.stdin:
    word, path = json.loads(line)
    try:
        answer = [0, DO[word](path)]
    except OSError as error:
        answer = [error.errno, None]
    print(json.dumps(answer), flush=True)
"""


def drop(uid, words=()):
    return [*words, "setpriv", f"--reuid={uid}", f"--regid={uid}",
            "--clear-groups", "--"]


def write_private(path, uid, text):
    """A file of this user's alone, put in place by a rename."""
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                      0o600), "w") as file:
        file.write(text)
    os.chown(path + ".new", uid, uid)
    os.rename(path + ".new", path)


class Actor:
    """A user's process."""

    def __init__(self, folder, uid, token=None, env=None, words=()):
        """
        @param folder  where its token file is; others may pass through
        @param token   None: it names a file that is not there
        @param env     instead of the variable that names the file
        @param words   a command that runs it: ["unshare", "-m"]
        """
        self.uid = uid
        self.token_file = f"{folder}/token-{uid}-{time.monotonic_ns()}"
        if token is not None:
            self.set_token(token)
        if env is None:
            env = {"BEARER_TOKEN_FILE": self.token_file}
        self.process = subprocess.Popen(
            drop(uid, words) + [sys.executable, "-c", ACTOR],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd="/", env={"PATH": "/usr/bin:/bin:/usr/sbin", "ACTOR": ACTOR,
                          **env})

    def set_token(self, text):
        write_private(self.token_file, self.uid, text)

    def ask(self, word, path="."):
        """Begin; the answer is for take()."""
        self.process.stdin.write(json.dumps([word, path]) + "\n")
        self.process.stdin.flush()

    def take(self, deadline=60):
        """What it gave, or raises OSError."""
        if not select.select([self.process.stdout], [], [],
                             deadline * max(1.0, slow))[0]:
            raise Failed(f"user {self.uid} has no answer in {deadline} s")
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the process of user {self.uid} has ended")
        code, value = json.loads(line)
        if code:
            raise OSError(code, os.strerror(code))
        return value

    def do(self, word, path="."):
        self.ask(word, path)
        return self.take()

    def code(self, word, path="."):
        """The errno, 0 for none."""
        try:
            self.do(word, path)
            return 0
        except OSError as error:
            return error.errno

    def become(self, env):
        """Exec another program, with this environment."""
        self.do("become", json.dumps({"PATH": "/usr/bin:/bin", **env}))

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()
