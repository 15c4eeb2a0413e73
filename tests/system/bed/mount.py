# SPDX-License-Identifier: Apache-2.0
"""A real mount, ended in any case.

What touches the mount and may hang belongs into a process of its own (see
run() and Case.deadline): a page fault on an mmapped file of a mount that
does not answer stops a whole Python process, its threads included.
"""
import glob
import json
import os
import pwd
import shutil
import signal
import subprocess
import time

from bed import leaks
from bed.procs import READY, Failed, Proc, gone, slow, tail, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))


def binary():
    path = os.environ.get("BEARERFS") or ROOT + "/build/release/bearerfs"
    if not os.access(path, os.X_OK):
        raise Failed(f"{path} is not built; BEARERFS= names another")
    return os.path.abspath(path)


def as_user(user):
    return ["setpriv", f"--reuid={user}", "--init-groups", "--regid",
            str(pwd.getpwnam(user).pw_gid), "--"] if user else []


def run(argv, deadline=60, check=True, env=None, stdin=None, text=True,
        user=None):
    """Run a command with an end, and give its CompletedProcess.

    @param stdin  str or bytes to feed it
    @param text   False: output is bytes
    @param user   run as this user
    Raises Failed when it takes longer than `deadline` (scaled for
    sanitizers), or fails while `check` is set.
    """
    coding = {"encoding": "utf-8", "errors": "surrogateescape"} \
        if text else {}
    child = subprocess.Popen(
        as_user(user) + list(argv), env=env, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, stdin=subprocess.PIPE if stdin is not None
        else subprocess.DEVNULL, **coding)
    try:
        out, err = child.communicate(stdin, deadline * max(1.0, slow))
    except subprocess.TimeoutExpired:
        child.kill()
        state = "ended when killed"
        try:
            child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            state = "did not even end when killed"
        raise Failed(f"{argv}: not done after {deadline} s, {state}") \
            from None
    if check and child.returncode != 0:
        raise Failed(f"{argv}: exit status {child.returncode}\n{out}\n{err}")
    return subprocess.CompletedProcess(argv, child.returncode, out, err)


class Mount:
    """One mount in a folder of its own:

    mnt/ the mount point; cache/, home/, run/ (XDG_RUNTIME_DIR), token, log

    @var path  the mount point; at("a/b") is a path in it
    """

    def __init__(self, bed, folder, source, token=None, env=None,
                 daemon=False, user=None, words=(), **options):
        """
        @param token    text for a token file of its own; None: no token_file
        @param daemon   let it detach, rather than run with -f
        @param env      more environment for it
        @param user     make it as this user, through fusermount3
        @param words    arguments before SOURCE: ["mount"]
        @param options  for -o: True is a bare name, None leaves one of the
                        defaults (ca_file, cache_dir) out
        """
        self.bed = bed
        self.folder = folder
        self.source = source
        self.daemon = daemon
        self.user = user
        self.path = os.path.join(folder, "mnt")
        self.log_file = os.path.join(folder, "log")
        self.token_file = os.path.join(folder, "token")
        self.proc = None
        self.pid = None
        self.aborted = None
        for name in ("mnt", "cache", "home", "run"):
            os.makedirs(os.path.join(folder, name), mode=0o700,
                        exist_ok=True)
        self.options = {"ca_file": bed.ca.cert,
                        "cache_dir": folder + "/cache"}
        if token is not None:
            self.set_token(token)
            self.options["token_file"] = self.token_file
        if daemon:
            self.options["log_file"] = self.log_file
        self.options.update(options)
        self.binary = binary()
        if user:
            # The tree may lie where this user cannot look.
            self.binary = shutil.copy(self.binary, folder + "/bearerfs")
            for name in ("mnt", "cache", "home", "run", "."):
                shutil.chown(os.path.join(folder, name), user)
        self.argv = [self.binary, *words, source, self.path, "-o",
                     self.option_text()]
        if not daemon:
            self.argv.append("-f")
        self.env = self.environment(env or {})

    def option_text(self):
        words = []
        for name, value in self.options.items():
            if value is True:
                words.append(name)
            elif value is not None and value is not False:
                words.append(f"{name}={value}")
        return ",".join(words)

    def environment(self, more):
        """A clean one: nothing of the caller's tokens reaches the mount."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                       "/sbin:/bin",
               "HOME": self.folder + "/home", "LANG": "C.UTF-8",
               "XDG_RUNTIME_DIR": self.folder + "/run",
               "XDG_STATE_HOME": self.folder + "/state"}
        # Reports of sanitizers go to files: a daemon has no stderr.
        where = f"log_path={self.folder}/sanitizer:exitcode=99"
        for name in ("ASAN", "UBSAN", "TSAN", "LSAN"):
            own = os.environ.get(name + "_OPTIONS", "")
            env[name + "_OPTIONS"] = f"{where}:{own}".rstrip(":")
        env["UBSAN_OPTIONS"] += ":print_stacktrace=1"
        env.update(more)
        return env

    def at(self, *names):
        return os.path.join(self.path, *names)

    def set_token(self, text):
        """Put another token in place, as a renewer does: by rename."""
        with open(os.open(self.token_file + ".new",
                          os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                  "w") as file:
            file.write(text + "\n")
        if self.user:
            shutil.chown(self.token_file + ".new", self.user)
        os.rename(self.token_file + ".new", self.token_file)

    # Life.

    def start(self):
        if self.daemon:
            run(self.argv, READY, env=self.env, user=self.user)
            self.pid = self.find()
        else:
            begun = self.mounted_lines()
            self.proc = Proc(self.argv, self.log_file, env=self.env,
                             user=self.user)
            self.pid = self.proc.pid
            wait_for(lambda: self.served(begun) or not self.proc.running(),
                     "the mount to appear\n" + self.log())
        if not self.device():
            raise Failed(f"{self.argv}: did not mount\n{self.log()}")
        return self

    def mounted_lines(self):
        return self.log_text().count('msg="mounted"') \
            if os.path.exists(self.log_file) else 0

    def served(self, begun=0):
        """Mounted, and its control socket is there: that comes a moment after
        the mount, being named after the mount's device. Of a log that goes on
        the lines of earlier mounts, `begun`, do not count."""
        return self.device() and self.mounted_lines() > begun

    def device(self):
        """(major, minor) from the mount table, None when not mounted. Never
        touches the mount itself."""
        found = None
        with open("/proc/self/mountinfo") as file:
            for line in file:
                words = line.split()
                if words[4] == self.path:
                    found = tuple(map(int, words[2].split(":")))
        return found

    def find(self):
        """The daemon's pid, by its command line."""
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if self.path.encode() in words and \
                    self.option_text().encode() in words:
                return int(path.split("/")[2])
        return None

    def stop(self, deadline=30):
        """SIGTERM and a clean end; Failed otherwise, with nothing left."""
        end = time.monotonic() + deadline * max(1.0, slow)
        problem = None
        if self.running():
            os.kill(self.pid, signal.SIGCONT)
            os.kill(self.pid, signal.SIGTERM)
            while self.running():
                if time.monotonic() > end:
                    problem = f"not ended {deadline} s after SIGTERM"
                    break
                time.sleep(0.01)
        status = self.proc.popen.poll() if self.proc else 0
        if problem is None and status != 0:
            problem = f"ended with status {status}"
        if problem is None and self.device():
            problem = "ended and left its mount"
        self.kill()
        if problem or self.findings():
            raise Failed(f"mount of {self.source}: {problem}\n"
                         f"{self.findings()}\n{self.log()}")

    def running(self):
        if self.proc:
            return self.proc.running()
        return self.pid is not None and not gone(self.pid)

    def abort(self, why):
        """End every request in the kernel with an error."""
        self.aborted = self.aborted or why
        device = self.device()
        if device:
            try:
                with open(f"/sys/fs/fuse/connections/{device[1]}/abort",
                          "w") as file:
                    file.write("1")
            except OSError:
                pass  # it went away in between

    def kill(self):
        """Nothing of it remains, whatever state it was in."""
        if self.running():
            self.abort("killed")
            os.kill(self.pid, signal.SIGKILL)
            wait_for(lambda: not self.running(), "a killed mount to end")
        while self.device():
            subprocess.run(["umount", "-l", self.path], check=True)

    def crash(self):
        """kill -9, as what the test is about."""
        self.kill()
        self.aborted = self.pid = None

    def close(self):
        """At the end of a test: stop what the test has not stopped."""
        if self.aborted:
            self.kill()
            raise Failed(f"{self.source}: {self.aborted}\n{self.log()}")
        places = leaks.of_process(self) if self.running() else []
        if self.pid is not None:
            self.stop()
        places += leaks.of_mount(self)
        if places:
            raise Failed(f"{self.source}: a token stands in {places}")

    # Questions.

    def findings(self):
        """What a sanitizer wrote, '' for nothing."""
        return "".join(tail(path, 200) for path in
                       sorted(glob.glob(self.folder + "/sanitizer*")))

    def command(self, *words, check=True, deadline=30):
        """`bearerfs WORDS...` in this mount's environment."""
        return run([self.binary, *words], deadline, check, env=self.env,
                   user=self.user)

    def status(self):
        return json.loads(
            self.command("status", "--json", self.path).stdout)

    def counters(self):
        """base/stats.tbl.h by name; those of the cache lag a little behind
        what readers already have (they are kept by other threads)."""
        return self.status()["counters"]

    def log(self):
        return f"--- {self.log_file}\n{tail(self.log_file, 100)}"

    def log_text(self):
        with open(self.log_file, errors="replace") as file:
            return file.read()

    def wait_log(self, text, deadline=30):
        return wait_for(lambda: text in self.log_text(),
                        f"{text!r} in the log", deadline * max(1.0, slow))

    def page_faults(self):
        """How often it has touched memory that was not there, so far."""
        with open(f"/proc/{self.pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[7])

    def memory(self, key="VmHWM"):
        """Bytes, from /proc/PID/status; VmHWM is the peak, VmRSS now."""
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
        raise Failed(f"no {key} of {self.pid}")
