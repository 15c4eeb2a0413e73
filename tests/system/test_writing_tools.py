#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What users write with, on writable mounts of real servers: each tool's work
compared byte by byte with what stands on the server's disk, and no tool
complains of what a server cannot keep."""
import os
import shutil
import time
import unittest

import bed
from bed import content, mount
from bed.writing import SERVERS, WritingCase, tree

MIB = 1 << 20
LONG = os.environ.get("BED_LONG") == "1"
# The file that is changed in its middle.
LARGE = 1024 * MIB if LONG else 96 * MIB

H5 = """
import h5py, numpy, sys
with h5py.File(sys.argv[1], "w") as file:
    file["a"] = numpy.arange(100000).reshape(1000, 100)
    file.create_dataset("b", data=numpy.ones(50000), chunks=(1000,),
                        compression="gzip")
    file["a"].attrs["unit"] = "mm"
with h5py.File(sys.argv[1], "r+") as file:
    file["a"][7] = 7
with h5py.File(sys.argv[1], "r") as file:
    assert file["a"][7][3] == 7 and file["a"][8][3] == 803
    assert file["b"][49999] == 1 and file["a"].attrs["unit"] == "mm"
"""

MAPPED = """
import mmap, os, sys
with open(sys.argv[1], "r+b") as file:
    with mmap.mmap(file.fileno(), 0) as map:
        map[5:10] = b"HELLO"
        map[100000:100003] = b"end"
"""


class Tools(WritingCase):
    """One server; see below. Each test has a mount of its own."""
    server = None

    @classmethod
    def setUpClass(cls):
        if cls is Tools:
            raise unittest.SkipTest("of one server each")

    def begin(self, name, **more):
        return self.writable(self.server, f"{self.server}-{name}", **more)

    def source(self):
        """A small tree of all that users have."""
        top = self.dir + "/source"
        for name in ("a/b/c", "empty", "sp ace/ü"):
            os.makedirs(f"{top}/{name}")
        sizes = {"a/zero": 0, "a/one": 1, "a/b/block": 65536,
                 "a/b/c/deep": 65537, "sp ace/ü/name (1) & more": 5000,
                 "large": 3 * MIB + 17}
        for name, size in sizes.items():
            content.write(f"{top}/{name}", name, size)
        os.chmod(top + "/a/one", 0o755)
        for place, _, files in os.walk(top):
            for file in files:
                content.touch(os.path.join(place, file), 100000)
        return top

    def test_cp_mv_rm(self):
        m = self.begin("cp")
        top = self.source()
        wanted = tree(top)
        self.sh(f"cp -a {top} {m.at('copy')}")
        self.assert_same(m, wanted, "copy")
        self.sh(f"diff -r {top} {m.at('copy')}")
        self.sh(f"cp {top}/large {m.at('copy/a/one')}")
        self.sh(f"mv {m.at('copy/a')} {m.at('moved')}; "
                f"mv {m.at('moved/zero')} {m.at('moved/b/block')}; "
                f"mv {m.at('copy/large')} {m.at('l')}")
        wanted = {("moved" + path[1:] if path == "a" or path.startswith("a/")
                   else "copy/" + path): data
                  for path, data in wanted.items()}
        wanted["copy"] = None
        wanted["l"] = wanted.pop("copy/large")
        wanted["moved/one"] = wanted["l"]
        wanted["moved/b/block"] = wanted.pop("moved/zero")
        self.assert_same(m, wanted)
        self.sh(f"cmp {m.at('l')} {m.at('moved/one')}; "
                f"test ! -s {m.at('moved/b/block')}; rm -r {m.at('moved')}; "
                f"rm -r {m.at('copy')}/*; rmdir {m.at('copy')}")
        self.assert_same(m, {"l": wanted["l"]})

    def test_rsync_twice(self):
        m = self.begin("rsync")
        top = self.source()
        self.sh(f"rsync -a {top}/ {m.at('r')}/")
        self.assert_same(m, tree(top), "r")
        again = self.sh(f"rsync -a --itemize-changes {top}/ {m.at('r')}/")
        self.assertEqual(again.stdout, "")
        content.write(f"{top}/a/one", "other", 777)
        again = self.sh(f"rsync -a --delete --out-format=%n {top}/ "
                        f"{m.at('r')}/")
        self.assertEqual([line for line in again.stdout.splitlines()
                          if not line.endswith("/")], ["a/one"])
        self.assert_same(m, tree(top), "r")
        self.no_leftovers(m.disk)

    def test_tar(self):
        m = self.begin("tar")
        top = self.source()
        self.sh(f"tar -C {top} -cf {self.dir}/t.tar .; mkdir {m.at('t')}; "
                f"tar -C {m.at('t')} -xf {self.dir}/t.tar")
        self.assert_same(m, tree(top), "t")
        self.sh(f"tar -C {m.at('t')} -df {self.dir}/t.tar")

    def test_git(self):
        m = self.begin("git")
        repo = self.dir + "/repo"
        top = self.source()
        who = "-c user.name=ada -c user.email=ada@localhost"
        self.sh(f"git init -q {repo}; cp -r {top}/a {repo}; cd {repo}; "
                f"git add .; git {who} commit -qm one; "
                f"echo more >> a/one; git {who} commit -qam two")
        self.sh(f"git clone -q {repo} {m.at('clone')}", deadline=120)
        self.sh(f"cd {m.at('clone')}; git fsck --strict; git status --short; "
                f"test -z \"$(git status --porcelain)\"; echo x > a/new; "
                f"git add a/new; git {who} commit -qm three; git fsck; "
                "git gc -q", deadline=120)
        head = self.sh(f"git -C {m.at('clone')} rev-parse HEAD").stdout
        # What the server has is a repository.
        other = self.dir + "/other"
        shutil.copytree(m.disk + "/clone", other)
        self.sh(f"cd {other}; git config core.fileMode false; git fsck; "
                f"test $(git rev-parse HEAD) = {head}")

    def test_sqlite(self):
        m = self.begin("sqlite")
        sql = ("create table t(a integer primary key, b text); begin; "
               "with recursive c(x) as (select 1 union all select x+1 from c "
               "where x < 2000) insert into t select x, hex(randomblob(50)) "
               "from c; commit; delete from t where a % 3 = 0; "
               "update t set b = 'x' where a = 7; vacuum;")
        self.sh(f"sqlite3 {m.at('db')} \"{sql}\"")
        for place in (m.path, m.disk):
            got = self.sh(f"cp {place}/db {self.dir}/db; sqlite3 "
                          f"{self.dir}/db 'pragma integrity_check; "
                          "select count(*), (select b from t where a = 7) "
                          "from t'")
            self.assertEqual(got.stdout.split(), ["ok", "1334|x"])
        self.assertEqual(os.listdir(m.disk), ["db"])

    def test_hdf5(self):
        m = self.begin("hdf5")
        mount.run(["/usr/bin/python3", "-c", H5, m.at("x.h5")], 120)
        self.sh(f"cmp {m.at('x.h5')} {m.disk}/x.h5")
        mount.run(["/usr/bin/python3", "-c",
                   "import h5py, sys; f = h5py.File(sys.argv[1], 'r'); "
                   "assert f['a'][7][3] == 7", m.disk + "/x.h5"])

    def test_an_editors_save(self):
        m = self.begin("editor")
        self.sh(f"echo one > {m.at('f')}")
        for count in range(5):
            # As vim (backup, write anew) and as emacs (write, rename over).
            self.sh(f"cp -p {m.at('f')} {m.at('f~')}; echo {count} > "
                    f"{m.at('f')}; rm {m.at('f~')}; echo two{count} > "
                    f"{m.at('.f.tmp')}; sync {m.at('.f.tmp')}; "
                    f"mv {m.at('.f.tmp')} {m.at('f')}")
            self.assert_same(m, {"f": b"two%d\n" % count})
        self.sh(f"sed -i s/two/three/ {m.at('f')}; echo end >> {m.at('f')}")
        self.assert_same(m, {"f": b"three4\nend\n"})

    def test_the_middle_of_a_large_file(self):
        m = self.begin("middle")
        content.write(m.disk + "/big", "big", LARGE)
        os.chmod(m.disk + "/big", 0o666)
        content.touch(m.disk + "/big")
        content.write(self.dir + "/piece", "piece", MIB)
        at = LARGE // 2 + 12345
        self.sh(f"dd if={self.dir}/piece of={m.at('big')} bs=64k "
                f"oflag=seek_bytes seek={at} conv=notrunc status=none",
                deadline=170)
        with open(m.disk + "/big", "rb") as file:
            self.assertTrue(file.read(at) == content.stream("big", 0, at))
            self.assertTrue(file.read(MIB) == content.stream("piece", 0, MIB))
            rest = LARGE - at - MIB
            self.assertTrue(
                file.read() == content.stream("big", at + MIB, rest))

    def test_fio_verify(self):
        m = self.begin("fio")
        self.sh(f"fio --name=v --filename={m.at('v')} --size=16m --bs=4k-64k "
                "--rw=randwrite --verify=crc32c --do_verify=1 --fsync=64 "
                f"--ioengine=psync --randrepeat=0 --minimal "
                f"--aux-path={self.dir}", deadline=170)
        self.sh(f"cmp {m.at('v')} {m.disk}/v")

    def test_stores_through_a_mapping(self):
        m = self.begin("mapped")
        data = bytearray(content.stream("m", 0, 200000))
        self.sh(f"head -c 200000 /dev/zero > {m.at('m')}")
        with open(m.at("m"), "r+b") as file:
            file.write(data)
        mount.run(["/usr/bin/python3", "-c", MAPPED, m.at("m")])
        data[5:10] = b"HELLO"
        data[100000:100003] = b"end"
        bed.wait_for(lambda: tree(m.disk)["m"] == data,
                     "the mapped stores on the server", 20)
        self.wait_sent(m)

    def test_modes_and_times_that_were_set(self):
        m = self.begin("worn")
        one = self.dir + "/one"
        self.sh(f"echo x > {one}; chmod 000 {one}; cp -p {one} {m.at('a')}; "
                f"rsync -a {one} {m.at('b')}; cd {self.dir}; "
                f"tar -cf x.tar one; tar -C {m.path} -xpf x.tar; "
                f"install -m 000 one {m.at('c')}; mkdir -m 000 {m.at('d')}; "
                f"chmod 000 {m.at('c')}; chmod -v a= {m.at('c')}")
        for _ in range(2):
            modes = self.sh(f"stat -c %a {m.path}/*")
            self.assertEqual(modes.stdout.split(), ["0"] * 5)
            time.sleep(1.2)  # as long as the kernel believes a draft
        again = self.sh(f"rsync -ai {one} {m.at('b')}; rsync -ai {one} "
                        f"{m.at('a')}; chmod 644 {one} {m.at('a')}; "
                        f"stat -c %a {m.at('a')}")
        self.assertEqual(again.stdout, "644\n")
        # One who reads it sees no other time than one who looks.
        for name in "efgh":
            self.sh(f"touch {one}; cp -a {one} {m.at(name)}; "
                    f"tar -C {m.path} -cf {self.dir}/x.tar {name}; "
                    f"test {m.at(name)} -nt {one} -o {one} -nt {m.at(name)}"
                    " && exit 1; true")

    def test_a_directory_with_hidden_files_only(self):
        m = self.begin("hidden")
        self.sh(f"mkdir {m.at('d')}; echo x > {m.at('d/.keep')}")
        time.sleep(1.2)  # the draft has ended; nginx does not list it
        self.sh(f"! rmdir {m.at('d')} 2>&-; test -s {m.at('d/.keep')}")
        self.assert_same(m, {"d": None, "d/.keep": b"x\n"})
        self.sh(f"rm {m.at('d/.keep')}; rmdir {m.at('d')}")
        self.assert_same(m, {})

    def test_append_exclusive_and_modes(self):
        m = self.begin("modes")
        self.sh(f"set -C; echo 1 > {m.at('f')}; ! echo 2 > {m.at('f')}; "
                f"echo 2 >> {m.at('f')}; (echo 3; echo 4) >> {m.at('f')}")
        self.assert_same(m, {"f": b"1\n2\n3\n4\n"})
        self.sh(f"chmod 700 {m.at('f')}; test -x {m.at('f')}; "
                f"touch -d @1000000000 {m.at('f')}; "
                f"test $(stat -c %Y {m.at('f')}) = 1000000000; "
                f"truncate -s 3 {m.at('f')}; truncate -s 10 {m.at('f')}; "
                f"! ln {m.at('f')} {m.at('g')} 2>&-; "
                f"! ln -s f {m.at('g')} 2>&-; "
                f"mkdir {m.at('d')}; ! rmdir {m.path} 2>&-; "
                f"echo x > {m.at('d/x')}; ! rmdir {m.at('d')} 2>&-; "
                f"mv -n {m.at('d/x')} {m.at('f')}; test -e {m.at('d/x')}")
        self.assert_same(m, {"f": b"1\n2" + bytes(7), "d": None,
                             "d/x": b"x\n"})


for word in SERVERS:
    globals()[word.capitalize()] = type(
        word.capitalize(), (Tools,), {"server": word})

if __name__ == "__main__":
    bed.main(deadline=900)
