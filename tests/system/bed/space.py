# SPDX-License-Identifier: Apache-2.0
"""A space of its own for one test file: mounts, processes, network.

The test file starts itself again below `unshare`: mounts made in it are
seen nowhere else, its loopback has every port free, and when its first
process ends, however that happens, the kernel kills what it started and
drops what it mounted. Nothing is left for a later run to stumble over.

Where a container forbids a private process table or network, the test does
without those two (servers then die through PR_SET_PDEATHSIG, ports are
picked free). Without a private mount table there is no test.
"""
import fcntl
import os
import signal
import socket
import stat
import struct
import subprocess
import sys

MARK = "BED_SPACE"
ALL = ["--mount", "--propagation", "private"]
PID = ["--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
NET = ["--net"]
# In certificates; see address().
ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
# Names that all lead to this machine, for redirects to "another host".
HOSTS = ["origin.bed.test", "other.bed.test", "cache.bed.test"]


def can(flags):
    return subprocess.run(["unshare", *ALL, *flags, "true"],
                          stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def flags():
    """What this machine allows, less what BED_WITHOUT names ("pid net")."""
    chosen = list(ALL)
    without = os.environ.get("BED_WITHOUT", "").split()
    for what, more in (("pid", PID), ("net", NET)):
        if what not in without and can(more):
            chosen += more
    return chosen


def inside():
    return MARK in os.environ


def run_inside(argv, deadline):
    """Run argv in a new space, at most `deadline` seconds.

    Returns its exit status; 124 when the deadline passed, after the tracebacks
    of its threads were printed.
    """
    if os.geteuid() != 0:
        print("system tests: need root, for mounts of their own; "
              "run: sudo ./bootstrap test", file=sys.stderr)
        return 77
    if not can([]):
        print("system tests: no mount namespace can be made here; in a "
              "container they want --cap-add SYS_ADMIN", file=sys.stderr)
        return 1
    chosen = flags()
    env = dict(os.environ, **{MARK: " ".join(chosen)})
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", *chosen, *argv],
        env=env, stdin=subprocess.DEVNULL)
    try:
        return child.wait(deadline)
    except subprocess.TimeoutExpired:
        print(f"\nsystem tests: not done after {deadline:.0f} s, stopped. "
              "Where its threads stood:", file=sys.stderr, flush=True)
        for pid in children(child.pid) or [child.pid]:
            os.kill(pid, signal.SIGUSR1)
        try:
            child.wait(4)
        except subprocess.TimeoutExpired:
            pass
        return 124
    finally:
        # Also when this process was told to stop: not behind our back.
        child.kill()
        child.wait()


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def loopback_up():
    """Raise `lo` (a new network has it down). SIOCGIFFLAGS, SIOCSIFFLAGS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        name = b"lo".ljust(16, b"\0")
        answer = fcntl.ioctl(sock, 0x8913, name + bytes(16))
        now = struct.unpack("16sh", answer[:18])[1]
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", name, now | 1))


def own_network():
    return "--net" in os.environ.get(MARK, "").split()


def address(number):
    """127.0.0.1 for 0, another address of this machine for each number below
    ADDRESSES: who connects to it comes from it too, as from another host.
    Without a network of one's own all are 127.0.0.1."""
    if number == 0 or not own_network():
        return "127.0.0.1"
    text = ADDRESSES[number]
    subprocess.run(["ip", "route", "replace", "local", text, "dev", "lo",
                    "src", text, "table", "local"], check=True)
    return text


def open_fuse(folder):
    """A /dev/fuse for everybody, as distributions have it; some containers
    keep it for root. Seen in this space only."""
    status = os.stat("/dev/fuse")
    if status.st_mode & 0o666 == 0o666:
        return
    own = os.path.join(folder, "dev")
    os.mkdir(own)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", own], check=True)
    path = os.path.join(own, "fuse")
    os.mknod(path, stat.S_IFCHR | 0o666, status.st_rdev)
    os.chmod(path, 0o666)
    subprocess.run(["mount", "--bind", path, "/dev/fuse"], check=True)


def prepare(folder):
    """In the new space, before the first server: network, names, fusectl."""
    if own_network():
        loopback_up()
    names = ["localhost", *HOSTS, socket.gethostname()]
    lines = ["127.0.0.1 " + " ".join(names), "::1 ip6-localhost", ""]
    path = os.path.join(folder, "hosts")
    with open(path, "w") as file:
        file.write("\n".join(lines))
    os.chmod(path, 0o644)
    subprocess.run(["mount", "--bind", path, "/etc/hosts"], check=True)
    open_fuse(folder)
    if not os.path.ismount("/sys/fs/fuse/connections"):
        subprocess.run(
            ["mount", "-t", "fusectl", "none", "/sys/fs/fuse/connections"],
            check=False, stderr=subprocess.DEVNULL)
