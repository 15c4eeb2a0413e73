# SPDX-License-Identifier: Apache-2.0
"""Processes, ports and waiting.

Every wait has a deadline that a slow, shared machine keeps; every process is
stopped by its pid. Start processes from the main thread only:
PR_SET_PDEATHSIG means the death of the thread that started them.
"""
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPException

from bed.client import ask

# How much slower than a release build the program under test is (set by
# CMake for sanitizers). Deadlines are multiplied by it.
slow = float(os.environ.get("BED_SLOW", "1"))
READY = 60 * max(1.0, slow)


class Failed(Exception):
    """A server, a mount or a wait of the bed did not do its part."""


def wait_for(true, what, deadline=READY, every=0.02):
    """Call `true` until it returns something true, and return that."""
    end = time.monotonic() + deadline
    while True:
        got = true()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"waited {deadline:.0f} s in vain: {what}")
        time.sleep(every)


def free_port():
    """A port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def tail(path, lines=60):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as error:
        return f"({error})\n"


def gone(pid):
    """Whether the process has ended, with its last thread (until then its
    files are open, and locked); buries it when it is ours."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return True
    except ChildProcessError:
        pass
    try:
        with open(f"/proc/{pid}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] not in "ZX":
                return False
        return len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (OSError, IndexError):
        return True


class Proc:
    """One process with its output in a file."""

    def __init__(self, argv, log, user=None, env=None, cwd=None,
                 bundle=None):
        """
        @param user    run as this user
        @param bundle  bind this file over the machine's CA bundle, for this
                       process alone
        """
        die = ["setpriv", "--pdeathsig", "KILL"]
        if user:
            die += [f"--reuid={user}", "--init-groups",
                    f"--regid={pwd.getpwnam(user).pw_gid}"]
        argv = die + ["--"] + list(argv)
        if bundle:
            argv = ["unshare", "--mount", "--propagation", "private", "sh",
                    "-c", 'mount --bind "$0" /etc/ssl/certs/'
                    'ca-certificates.crt && exec "$@"', bundle] + argv
        self.log = log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=env, cwd=cwd, start_new_session=True)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def pause(self):
        """Stop it without ending it: connections stay, nothing answers."""
        self.popen.send_signal(signal.SIGSTOP)

    def resume(self):
        self.popen.send_signal(signal.SIGCONT)

    def stop(self, sig=signal.SIGTERM, deadline=20):
        if self.running():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.send_signal(sig)
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait(30)


def python(module, args, log):
    """A process of our own, from a module of this package."""
    env = dict(os.environ, PYTHONPATH=os.path.dirname(
        os.path.dirname(os.path.abspath(__file__))))
    return Proc([sys.executable, "-B", "-u", "-m", module, *args], log,
                env=env)


class Server:
    """A server on a port of its own: started until it answers, or Failed.

    Subclasses give launch() -> Proc, which listens on self.port, and may
    override ready().
    """
    name = "server"
    attempts = 5

    def __init__(self, bed, name=None):
        self.bed = bed
        self.name = name or self.name
        self.folder = bed.folder(self.name)
        self.log = os.path.join(self.folder, "out.log")
        self.proc = None
        self.port = 0

    def launch(self):
        raise NotImplementedError

    def ready(self):
        return answers(self.port)

    def start(self, port=None):
        """Start on a free port, or again on the one given."""
        for _ in range(self.attempts):
            self.port = port or free_port()
            self.proc = self.launch()
            try:
                wait_for(lambda: not self.proc.running() or self.ready(),
                         f"{self.name} to answer on port {self.port}", 60)
            except Failed as error:
                print(f"bed: {error}\n{self.logs()}", file=sys.stderr)
                self.proc.stop(signal.SIGKILL)
            if self.proc.running():
                return self
            # Somebody took the port in between: take another.
            if port:
                time.sleep(0.5)
        raise Failed(f"{self.name} does not start:\n{self.logs()}")

    def serves_token(self):
        """Whether it answers to a good token: it has the issuer's keys then,
        which some servers get only when they see the first token, and which
        may take them seconds that no test should pay for."""
        url = f"https://127.0.0.1:{self.port}{self.bed.base}/"
        # Good by any clock that is less than an hour wrong.
        long_ago = int(time.time()) - 3600
        token = self.bed.token("read:/", nbf=long_ago, iat=long_ago)
        try:
            return ask(url, token, method="PROPFIND",
                       headers={"Depth": "0"}, timeout=20).status \
                not in (401, 403)
        except (OSError, HTTPException):
            return False

    def stop(self, sig=signal.SIGTERM):
        if self.proc:
            self.proc.stop(sig)

    def restart(self):
        self.stop()
        return self.start(self.port)

    def pause(self):
        self.proc.pause()

    def resume(self):
        self.proc.resume()

    def log_files(self):
        return [self.log]

    def logs(self):
        return "".join(f"--- {path}\n{tail(path)}"
                       for path in self.log_files())
