# SPDX-License-Identifier: Apache-2.0
"""Bytes of test files: a keystream, so that the bytes at any offset of any
file are known without reading it, and none repeat."""
import concurrent.futures
import hashlib
import os
import struct
import time
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

STEP = 1 << 20


def stream(seed, offset, size):
    """The bytes [offset, offset + size) of the file with this seed."""
    key = hashlib.sha256(str(seed).encode()).digest()
    first = offset // 16
    counter = first.to_bytes(16, "big")
    skip = offset - first * 16
    made = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
    return made.update(bytes(skip + size))[skip:]


def write(path, seed, size, mode="wb"):
    with open(path, mode) as file:
        for at in range(0, size, STEP):
            file.write(stream(seed, at, min(STEP, size - at)))


def sha256(path):
    """Of a file, read in the ordinary way."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while True:
            got = file.read(STEP)
            if not got:
                return digest.hexdigest()
            digest.update(got)


def keep_sum(path):
    """Keep a file's checksum where and as XRootD keeps those that it has
    computed (XrdCksData.hh, XrdCksXAttr.hh): it tells what it finds there as
    long as the file has not changed. To compute one, XRootD 5.5.3 hands the
    connection to a second thread while the first is at it still, and ends
    now and then on a busy machine. It may not keep it in files of root's, so
    that it would do so for every question."""
    adler = 1
    with open(path, "rb") as file:
        while got := file.read(STEP):
            adler = zlib.adler32(got, adler)
    changed = int(os.stat(path).st_mtime)
    name = "adler32"
    kept = struct.pack(">16sqihbb64s", name.encode(), changed,
                       int(time.time()) - changed, 0, 0, 4,
                       struct.pack(">I", adler))
    os.setxattr(path, "user.XrdCks." + name, kept)


def touch(path, age=86400):
    """Make a file look `age` seconds old: a fresh one may change again
    within its time stamp's second, and is not kept past its open."""
    when = time.time() - age
    os.utime(path, (when, when))


def files(folder):
    """Paths of all that lies below it but directories."""
    return [os.path.join(where, name)
            for where, _, names in os.walk(folder) for name in names]


def forget_pages(paths):
    """Let the kernel forget what it has of these files: the next read asks
    the disk, or the mount. Not as /proc/sys/vm/drop_caches, which is for the
    whole machine: it waits for all that others write, and takes away what
    tests beside this one count on (test_counts)."""
    # Side by side: they share what the file system writes to be safe.
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(forget, paths))


def forget(path):
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return  # gone, or nothing that could be read
    try:
        os.fdatasync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        pass  # a directory has no pages
    finally:
        os.close(fd)
