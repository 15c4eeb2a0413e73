#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`bearerfs exec`: a command with a mount that it alone sees, as a person and
as root, without fusermount3; it is as if the command had been started by
itself."""
import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time

import bed
from bed import content, mount
from bed.procs import gone, slow, wait_for

DEADLINE = 60
long = "BED_LONG" in os.environ


def watched():
    """Is the program built with the thread sanitizer? That starts a thread of
    its own after each fork, and the kernel refuses a user namespace to who has
    two (unshare(2): EINVAL). Root needs none."""
    with open(mount.binary(), "rb") as file:
        return b"__tsan_init" in file.read()


class Base(bed.Case):
    """One user's folder, with a PATH on which there is no fusermount3."""
    deadline = 120
    user = "nobody"

    def setUp(self):
        if watched() and self.user != "root":
            self.skipTest("the thread sanitizer's own thread forbids user "
                          "namespaces: AsRoot, and Watched")
        # /tmp, not the test's folder: any user may pass through it.
        self.folder = tempfile.mkdtemp(prefix="exec-", dir=self.dir)
        self.point = self.folder + "/mnt"
        for name in ("mnt", "cache", "home", "run", "bin", "scratch"):
            os.mkdir(f"{self.folder}/{name}", 0o700)
        self.binary = shutil.copy(mount.binary(), self.folder + "/bearerfs")
        for name in ("cat", "sh", "sleep", "id", "env", "ls", "stat", "true",
                     "python3", "grep", "kill", "cut", "readlink", "mkdir",
                     "setsid"):
            os.symlink(shutil.which(name, path="/usr/bin:/bin"),
                       f"{self.folder}/bin/{name}")
        self.token("read:/")
        self.url = self.bed.nginx.url
        self.env = {"PATH": self.folder + "/bin", "LANG": "C.UTF-8",
                    "HOME": self.folder + "/home",
                    "XDG_RUNTIME_DIR": self.folder + "/run"}
        for name in ("ASAN", "UBSAN", "TSAN", "LSAN"):
            self.env[name + "_OPTIONS"] = \
                f"log_path={self.folder}/run/sanitizer:exitcode=99"
        subprocess.run(["chown", "-R", self.user, self.folder], check=True)

    def tearDown(self):
        found = [name for name in os.listdir(self.folder + "/run")
                 if name.startswith("sanitizer")]
        for name in found:
            with open(f"{self.folder}/run/{name}") as file:
                print(file.read())
        self.assertEqual(found, [])
        # Nothing is mounted out here, and no process of it is left.
        with open("/proc/self/mountinfo") as file:
            self.assertNotIn(self.folder, file.read())
        wait_for(lambda: not self.processes(), "its processes to end")

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.binary.encode() in file.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def token(self, scope):
        path = self.folder + "/token"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                  "w") as file:
            file.write(self.bed.token(scope) + "\n")
        shutil.chown(path, self.user)

    def as_user(self):
        """Found although the PATH is another."""
        words = mount.as_user(self.user)
        return [shutil.which(words[0]), *words[1:]]

    def argv(self, *command, url=None, **options):
        words = {"ca_file": self.bed.ca.cert,
                 "cache_dir": self.folder + "/cache",
                 "token_file": self.folder + "/token", **options}
        text = ",".join(name if value is True else f"{name}={value}"
                        for name, value in words.items() if value is not None)
        return [*self.as_user(), self.binary, "exec",
                url or self.url, self.point, "-o", text, "--", *command]

    def run_in(self, *command, env=None, stdin=None, cwd=None, **options):
        return subprocess.run(
            self.argv(*command, **options), env={**self.env, **(env or {})},
            input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True, text=True, cwd=cwd or "/", check=False,
            timeout=DEADLINE * max(1.0, slow))

    def begin(self, *command, stdin=subprocess.DEVNULL, **options):
        """Start it, with COMMAND's output to be read; its first line is
        waited for."""
        child = subprocess.Popen(
            self.argv(*command, **options), env=self.env, stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd="/")
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        return child, child.stdout.readline().strip()


class Exec(Base):
    """Read-only, as an ordinary user."""

    # Reading.

    def test_that_the_command_reads_the_mount_and_nobody_else(self):
        self.bed.put("exec/a.bin", 3 << 20)
        child, line = self.begin(
            "python3", "-c", "import hashlib,sys,time; print(hashlib.sha256("
            "open(sys.argv[1],'rb').read()).hexdigest(), flush=True);"
            "time.sleep(600)", self.point + "/exec/a.bin")
        self.assertEqual(line, content.sha256(
            f"{self.bed.data}/exp/exec/a.bin"))
        self.assertEqual(os.listdir(self.point), [])
        with open("/proc/self/mountinfo") as file:
            self.assertNotIn(self.folder, file.read())
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(DEADLINE), 128 + signal.SIGTERM)
        self.assertEqual(child.stderr.read(), "")

    def test_that_status_finds_it_from_inside(self):
        got = self.run_in(self.binary, "status", "--json", self.point)
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertIn(self.url, got.stdout)

    def test_that_a_working_directory_below_the_mount_is_on_it(self):
        self.bed.put("exec/here.txt", data=b"here\n")
        got = self.run_in("cat", "exec/here.txt", cwd=self.point)
        self.assertEqual((got.returncode, got.stdout, got.stderr),
                         (0, "here\n", ""))
        os.mkdir(self.point + "/nowhere")
        shutil.chown(self.point + "/nowhere", self.user)
        got = self.run_in("true", cwd=self.point + "/nowhere")
        self.assertEqual(got.returncode, 126)
        self.assertIn("working directory", got.stderr)

    def test_that_nothing_is_unsent_where_nothing_was_written(self):
        got = self.run_in("sh", "-c", "ls \"$0\" >/dev/null; exit 2",
                          self.point, rw=True,
                          spool_dir=self.folder + "/spool")
        self.assertEqual((got.returncode, got.stderr), (2, ""))

    # As if started directly.

    def test_that_the_command_is_whom_its_caller_is(self):
        probe = ("import os,resource,signal,json;print(json.dumps(["
                 "os.getresuid(),os.getresgid(),"
                 "resource.getrlimit(resource.RLIMIT_CORE),"
                 "sorted(signal.pthread_sigmask(0,[])),"
                 "[n for n in range(1,32) if n not in (9,19) and"
                 " signal.getsignal(n)==signal.SIG_IGN],"
                 "sorted(os.listdir('/proc/self/fd'))[:-1],os.getcwd(),"
                 "os.getpgid(0)==os.getpgid(os.getppid()),"
                 "sorted(os.environ.items()),"
                 "open('/proc/self/status').read().split('CapEff:')[1][:18],"
                 "open('/proc/self/oom_score_adj').read()]))")
        direct = subprocess.run(
            [*self.as_user(), "python3", "-c", probe],
            env=self.env, capture_output=True, text=True, check=True,
            stdin=subprocess.DEVNULL, cwd="/usr")
        inside = self.run_in("python3", "-c", probe, cwd="/usr")
        self.assertEqual(inside.stderr, "")
        self.assertEqual(inside.stdout, direct.stdout)

    def test_that_input_and_output_are_its_own(self):
        got = self.run_in("sh", "-c", "cat; echo oops >&2; exit 3",
                          stdin="text\n")
        self.assertEqual((got.returncode, got.stdout, got.stderr),
                         (3, "text\n", "oops\n"))

    def test_that_what_its_caller_closed_and_ignored_stays_so(self):
        probe = ("import signal;"
                 "print(signal.getsignal(signal.SIGCHLD)==signal.SIG_IGN)")
        got = subprocess.run(
            self.argv("python3", "-c", probe),
            env=self.env, capture_output=True, text=True, check=False,
            cwd="/", timeout=DEADLINE * max(1.0, slow),
            stdin=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(
                signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual((got.returncode, got.stdout, got.stderr),
                         (0, "True\n", ""))
        got = subprocess.run(
            self.argv("sh", "-c", "test ! -e /proc/$$/fd/0"), env=self.env,
            capture_output=True, text=True, check=False, cwd="/",
            timeout=DEADLINE * max(1.0, slow), preexec_fn=lambda: os.close(0))
        self.assertEqual((got.returncode, got.stderr), (0, ""))

    def test_the_exit_statuses(self):
        for command, status in ((["true"], 0), (["sh", "-c", "exit 74"], 74),
                                (["sh", "-c", "kill -9 $$"], 137),
                                (["sh", "-c", "kill -SEGV $$"], 139)):
            got = self.run_in(*command)
            self.assertEqual((got.returncode, got.stderr), (status, ""))
        for command, status in ((["no-such-program"], 127),
                                (["/nowhere/program"], 127), (["/etc"], 126),
                                (["/etc/hosts"], 126)):
            got = self.run_in(*command)
            self.assertEqual(got.returncode, status)
            self.assertIn(f"exec: command '{command[0]}': ", got.stderr)

    def test_that_a_script_on_the_mount_is_found(self):
        self.bed.put("exec/tool", data=b"#!/bin/sh\necho from the mount\n")
        # Files of servers have no execute bit: a shell may read them.
        got = self.run_in(self.point + "/exec/tool")
        self.assertEqual(got.returncode, 126)
        got = self.run_in("sh", self.point + "/exec/tool")
        self.assertEqual((got.returncode, got.stdout),
                         (0, "from the mount\n"))

    # Signals.

    def test_that_signals_are_passed_on(self):
        # print() may not be called in a handler that came into print().
        script = ("import os,signal,sys,time\n"
                  "def told(number, frame):\n"
                  "    os.write(1, b'%d\\n' % number)\n"
                  "    if number == signal.SIGTERM: sys.exit(7)\n"
                  "for n in (1, 2, 3, 10, 12, 14, 15, 34):\n"
                  "    signal.signal(n, told)\n"
                  "print('ready', flush=True)\n"
                  "while True: time.sleep(1)\n")
        child, line = self.begin("python3", "-c", script)
        self.assertEqual(line, "ready")
        for number in (1, 2, 3, 10, 12, 14, 34, 15):
            child.send_signal(number)
            self.assertEqual(child.stdout.readline().strip(), str(number))
        self.assertEqual(child.wait(DEADLINE), 7)
        self.assertEqual(child.stderr.read(), "")

    def test_that_the_command_dies_with_who_started_it(self):
        child, pid = self.begin("sh", "-c", "echo $$; exec sleep 600")
        child.kill()
        child.wait(DEADLINE)
        wait_for(lambda: gone(int(pid)), "its end")

    def test_that_a_dead_mount_is_told(self):
        child, line = self.begin(
            "python3", "-c", "import os,sys,time\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    try: os.stat(sys.argv[1])\n"
            "    except OSError as e: sys.exit(e.errno)\n"
            "    time.sleep(.1)", self.point + "/x")
        # COMMAND ends at once with ENOENT: there is no such file; so ask
        # what a killed mount gives.
        self.assertEqual(line, "ready")
        self.assertEqual(child.wait(DEADLINE), 2)
        child, line = self.begin(
            "sh", "-c", "echo ready; while stat \"$0\" >/dev/null 2>&1; do "
            "sleep .1; done; exit 9", self.point)
        servers = [pid for pid in self.processes() if pid != child.pid]
        self.assertEqual(len(servers), 1)
        os.kill(servers[0], signal.SIGKILL)
        self.assertEqual(child.wait(DEADLINE), 9)
        self.assertIn("the mount has ended before COMMAND",
                      child.stderr.read())

    def test_that_what_is_left_running_loses_the_mount(self):
        got = self.run_in(
            "sh", "-c", "setsid sh -c 'cd \"$0\"; echo $$ >\"$1/left\"; "
            "while ls . >/dev/null 2>&1; do sleep .1; done; "
            "echo lost >>\"$1/left\"' \"$0\" \"$1\" >/dev/null 2>&1 & "
            "while ! grep -q . \"$1/left\" 2>/dev/null; do sleep .1; done",
            self.point, self.folder + "/scratch")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertIn("what COMMAND left running", got.stderr)
        left = self.folder + "/scratch/left"

        def lost():
            with open(left) as file:
                return "lost" in file.read()
        wait_for(lost, "the mount to be lost")

    # A terminal.

    def on_terminal(self, *command):
        """@return (pid, fd of the terminal); exec is the leader's job."""
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir("/")
            # What runs the tests in the background may have these ignored.
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            argv = self.argv(*command)
            # A shell with job control, as a person has it.
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-mc",
                                '"$@"; echo "status $?"; '
                                'fg 2>/dev/null; echo "then $?"', "bash",
                                *argv], {**self.env, "PATH": os.environ[
                                    "PATH"], "TERM": "dumb"})
        self.addCleanup(os.close, fd)
        return pid, fd

    def read_until(self, fd, text):
        got = ""
        end = time.monotonic() + DEADLINE * max(1.0, slow)
        while text not in got and time.monotonic() < end:
            if select.select([fd], [], [], 1)[0]:
                try:
                    got += os.read(fd, 4096).decode(errors="replace")
                except OSError:
                    break
        self.assertIn(text, got)
        return got

    def test_ctrl_c(self):
        pid, fd = self.on_terminal("sh", "-c", "echo ready; exec sleep 600")
        self.read_until(fd, "ready")
        os.write(fd, b"\x03")
        self.read_until(fd, f"status {128 + signal.SIGINT}")
        os.waitpid(pid, 0)

    def test_that_a_command_may_take_ctrl_c_for_itself(self):
        pid, fd = self.on_terminal(
            "sh", "-c", "trap 'echo caught; exit 5' INT; echo ready; "
            "while :; do sleep .1; done")
        self.read_until(fd, "ready")
        os.write(fd, b"\x03")
        got = self.read_until(fd, "status 5")
        self.assertEqual(got.count("caught"), 1)
        os.waitpid(pid, 0)

    def test_ctrl_z(self):
        pid, fd = self.on_terminal(
            "sh", "-c", "echo ready; read word; echo \"got $word\"; "
            "stat \"$0\" >/dev/null && exit 6", self.point)
        self.read_until(fd, "ready")
        os.write(fd, b"\x1a")
        # The shell sees a stopped job, and goes on with it.
        self.read_until(fd, f"status {128 + signal.SIGTSTP}")
        os.write(fd, b"words\n")
        self.assertIn("got words", self.read_until(fd, "then 6"))
        os.waitpid(pid, 0)

    # The start.

    def test_what_does_not_start(self):
        got = self.run_in("true", url=self.url + "/no-such-folder")
        self.assertEqual(got.returncode, 1)
        self.assertIn("does not exist", got.stderr)
        os.unlink(self.folder + "/token")
        got = self.run_in("sh", "-c", "echo it ran")
        self.assertEqual((got.returncode, got.stdout), (1, ""))
        self.assertIn("token", got.stderr)
        self.token("read:/")
        for argv in ([self.url, self.point, "true"],
                     [self.url, self.point, "--"], [self.url, "--", "true"],
                     [self.url, self.point, "-o", "allow_other", "--", "true"]):
            got = subprocess.run(
                [*self.as_user(), self.binary, "exec", *argv],
                env=self.env, capture_output=True, text=True, check=False,
                cwd="/", timeout=DEADLINE)
            self.assertEqual(got.returncode, 2, got.stderr)
            self.assertEqual(got.stderr.count("\n"), 1)
        shutil.rmtree(self.point)
        got = self.run_in("true")
        self.assertEqual(got.returncode, 1)
        self.assertIn("make the directory", got.stderr)
        os.mkdir(self.point)

    def test_that_the_start_can_be_given_up(self):
        lying = self.bed.lying
        lying.honest()
        lying.lie("stall", path="/exp/?", method="PROPFIND|HEAD")
        self.url = lying.url
        child = subprocess.Popen(
            self.argv("true"), env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/",
            text=True)
        wait_for(lambda: len(self.processes()) >= 3, "the look to begin")
        time.sleep(0.5)
        begun = time.monotonic()
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(DEADLINE), 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - begun, 3 * max(1.0, slow))
        child.stderr.close()
        lying.honest()

    def test_that_two_at_once_do_not_see_each_other(self):
        first, line = self.begin("sh", "-c", "echo ready; exec sleep 600")
        self.assertEqual(line, "ready")
        got = self.run_in("ls", self.point)
        self.assertEqual(got.returncode, 0, got.stderr)
        first.terminate()
        self.assertEqual(first.wait(DEADLINE), 143)


class AsRoot(Exec):
    """The same as root, in a mount namespace alone: in the short run some."""
    user = "root"
    few = ("nobody_else", "caller_is", "statuses", "status_finds", "ctrl_z")

    def setUp(self):
        if not long and not watched() and not any(
                word in self._testMethodName for word in self.few):
            self.skipTest("in the long run")
        super().setUp()


class Forbidden(Base):
    """Where ordinary users may make no namespaces: below a chroot."""

    def setUp(self):
        super().setUp()
        self.root = self.folder + "/root"
        os.mkdir(self.root)
        subprocess.run(["mount", "--rbind", "/", self.root], check=True)

    def tearDown(self):
        subprocess.run(["umount", "-l", self.root], check=True)
        super().tearDown()

    def argv(self, *command, **options):
        return [shutil.which("chroot"), self.root, *super().argv(*command, **options)]

    def test_that_it_says_what_would_help(self):
        got = self.run_in("sh", "-c", "echo it ran")
        self.assertEqual((got.returncode, got.stdout), (1, ""))
        self.assertIn("no private mount here", got.stderr)
        self.assertIn("chroot", got.stderr)
        self.assertEqual(got.stderr.count("\n"), 1)

    def test_that_it_mounts_through_fusermount3(self):
        os.symlink(shutil.which("fusermount3"),
                   self.folder + "/bin/fusermount3")
        self.bed.put("exec/b.txt", data=b"bee\n")
        got = self.run_in("sh", "-c", "cat \"$0\"/exec/b.txt; exit 4",
                          self.point)
        self.assertEqual((got.returncode, got.stdout), (4, "bee\n"))
        self.assertIn("fusermount3 instead", got.stderr)


class Writing(Base):
    """What COMMAND wrote is on the server when it ends with 0."""

    def setUp(self):
        super().setUp()
        self.token("read:/ write:/")
        self.home = "exec-" + os.path.basename(self.folder)
        os.makedirs(f"{self.bed.data}/exp/{self.home}")
        os.chmod(f"{self.bed.data}/exp/{self.home}", 0o777)
        self.near = self.bed.between("near", self.bed.nginx)
        self.near.heal()

    def run_in(self, *command, **options):
        options = {"rw": True, "timeout": "2s",
                   "spool_dir": self.folder + "/spool", **options}
        return super().run_in(*command, **options)

    def write(self, text, then="", **options):
        """COMMAND writes one small file, and does not look how it went."""
        return self.run_in(
            "sh", "-c", "{ cat >\"$0\"; } 2>/dev/null; " + then + ":",
            self.file(), stdin=text, **options)

    def file(self):
        return f"{self.point}/{self.home}/out.txt"

    def on_server(self):
        try:
            with open(f"{self.bed.data}/exp/{self.home}/out.txt") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def spooled(self):
        """Files of the spool with bytes in them."""
        folder = self.folder + "/spool/v1"
        return [name for name in os.listdir(folder) if name.endswith(".d")]

    def test_that_it_is_there(self):
        for server in (self.bed.nginx, self.bed.xrootd, self.bed.apache):
            for write in ("through", "back"):
                text = f"{server.name} {write}\n"
                got = self.write(text, url=server.url, write=write)
                self.assertEqual((got.returncode, got.stderr), (0, ""))
                self.assertEqual(self.on_server(), text)
                self.assertEqual(self.spooled(), [])

    def test_that_a_failure_of_its_own_wins(self):
        self.near.fault("403", method="PUT")
        got = self.write("lost\n", then="exit 5; ", url=self.near.url)
        self.assertEqual(got.returncode, 5)
        self.assertIn("exec: not sent: ", got.stderr)

    def test_that_an_upload_that_fails_is_told(self):
        self.near.fault("403", method="PUT")
        begun = time.monotonic()
        got = self.write("mine\n", url=self.near.url)
        self.assertEqual(got.returncode, 74, got.stderr)
        told = [line for line in got.stderr.splitlines()
                if "exec: not sent" in line]
        self.assertEqual(len(told), 1, got.stderr)
        self.assertIn(f"/exp/{self.home}/out.txt: ", told[0])
        self.assertIn(f"bearerfs flush -o spool_dir={self.folder}/spool",
                      told[0])
        place = told[0].partition("its data are in ")[2].partition(";")[0]
        with open(place) as file:
            self.assertEqual(file.read(), "mine\n")
        # Waiting does not help here.
        self.assertLess(time.monotonic() - begun, 3 * max(1.0, slow))
        # And the command that it names sends it.
        self.near.heal()
        words = told[0].partition("run: ")[2].split()
        subprocess.run(
            [*self.as_user(), self.binary, *words[1:], "-o",
             f"ca_file={self.bed.ca.cert}", "-o",
             f"token_file={self.folder}/token"], env=self.env, check=True,
            cwd="/", timeout=DEADLINE)
        self.assertEqual(self.on_server(), "mine\n")
        self.assertEqual(self.spooled(), [])

    def test_that_it_waits_for_what_heals(self):
        self.near.fault("503", method="PUT", times=3)
        got = self.write("late\n", url=self.near.url, write="back",
                         timeout="20s")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertEqual(self.on_server(), "late\n")

    def test_that_a_slot_that_is_wiped_keeps_nothing(self):
        self.near.fault("stall before header", method="PUT")
        scratch = self.folder + "/scratch"
        got = self.write("unsent\n", url=self.near.url, write="back",
                         env={"_CONDOR_SCRATCH_DIR": scratch})
        self.assertEqual(got.returncode, 74, got.stderr)
        moved = f"{scratch}/bearerfs-unsent/exp/{self.home}/out.txt"
        self.assertIn(f"moved to {moved}", got.stderr)
        with open(moved) as file:
            self.assertEqual(file.read(), "unsent\n")
        self.assertEqual(self.spooled(), [])
        self.assertIsNone(self.on_server())

    def test_that_the_wait_can_be_given_up(self):
        self.near.fault("stall before header", method="PUT")
        child, line = self.begin(
            "python3", "-c", "import sys\n"
            "with open(sys.argv[1], 'w') as file: file.write('x')\n"
            "print('ready', flush=True)", self.file(), url=self.near.url,
            rw=True, write="back", timeout="60s",
            spool_dir=self.folder + "/spool")
        self.assertEqual(line, "ready")
        time.sleep(1)
        begun = time.monotonic()
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(DEADLINE), 74)
        self.assertLess(time.monotonic() - begun, 10 * max(1.0, slow))
        self.assertIn("exec: not sent", child.stderr.read())
        self.assertEqual(len(self.spooled()), 1)

    def test_that_a_killed_mount_loses_nothing(self):
        # No descriptor of it is closed: that would send it.
        child, line = self.begin(
            "python3", "-c", "import os,sys\n"
            "file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
            "os.write(file, b'kept')\n"
            "print('ready', flush=True)\n"
            "input()", self.file(),
            rw=True, spool_dir=self.folder + "/spool", stdin=subprocess.PIPE)
        self.addCleanup(child.stdin.close)
        self.assertEqual(line, "ready")
        server, = [pid for pid in self.processes() if pid != child.pid]
        os.kill(server, signal.SIGKILL)
        wait_for(lambda: gone(server), "its end")
        child.stdin.write("\n")
        child.stdin.flush()
        self.assertEqual(child.wait(DEADLINE), 74)
        told = child.stderr.read()
        self.assertIn("was not closed", told)
        self.assertEqual(len(self.spooled()), 1)

    def test_that_what_was_there_before_is_not_its_own(self):
        self.near.fault("403", method="PUT")
        got = self.write("old\n", url=self.near.url)
        self.assertEqual(got.returncode, 74)
        time.sleep(1.1)  # the times of a spool are seconds
        self.near.fault("403", method="PUT")
        got = self.run_in("true", url=self.bed.nginx.url)
        self.assertEqual((got.returncode, got.stderr), (0, ""))


class WritingAsRoot(Writing):
    """Under the thread sanitizer, instead of as an ordinary user."""
    user = "root"

    def setUp(self):
        if not watched():
            self.skipTest("as an ordinary user")
        super().setUp()


class Watched(Base):
    """What keeps ordinary users' tests from the thread sanitizer is its thread
    and nothing else: exec says so."""
    user = "root"

    def setUp(self):
        if not watched():
            self.skipTest("for the thread sanitizer")
        super().setUp()
        self.user = "nobody"
        subprocess.run(["chown", "-R", self.user, self.folder], check=True)

    def test_that_a_second_thread_is_told(self):
        got = self.run_in("sh", "-c", "echo it ran")
        self.assertEqual((got.returncode, got.stdout), (1, ""))
        self.assertIn("this process has 2 threads", got.stderr)
        self.assertEqual(got.stderr.count("\n"), 1)


if __name__ == "__main__":
    bed.main(deadline=900)
