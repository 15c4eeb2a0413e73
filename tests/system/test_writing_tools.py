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


SHELVES = """
import dbm.dumb, os, shelve, sys
os.chdir(sys.argv[1])
with shelve.open("shelf") as shelf:
    for number in range(50):
        shelf[str(number)] = number
with shelve.open("shelf") as shelf:
    assert len(shelf) == 50 and shelf["7"] == 7
with dbm.dumb.open("dumb") as dumb:
    dumb["a"] = "b"
import numpy
map = numpy.memmap("map", "float64", "w+", shape=(1000,))
map[:] = numpy.arange(1000)
map.flush()
del map
map = numpy.memmap("map", "float64", "r+")
map[5] = 77
map.flush()
del map
map = numpy.memmap("map", "float64", "r")
assert map[5] == 77 and map[999] == 999
"""

# A name with each byte that one may have.
NAMES = r"""
import os, sys
os.chdir(sys.argv[1])
for byte in range(1, 256):
    name = b"n" + bytes([byte]) + b"e"
    if byte == 0x2f or (byte < 32 or byte in b"?\x7f") and len(sys.argv) > 2:
        continue
    with open(name, "xb") as file:
        file.write(name)
    os.rename(name, b"x" + name)
    with open(b"x" + name, "rb") as file:
        assert file.read() == name, name
    assert b"x" + name in os.listdir(b"."), name
print(len(os.listdir(b".")))
for name in os.listdir(b"."):
    os.unlink(name)
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

    def test_tools_that_write(self):
        m = self.begin("tools")
        self.sh(f'''cd {m.path}; here={self.dir}
            printf 'a\\nb\\n' > f; chmod 640 f; sed -i s/a/c/ f
            sed -i.bak s/b/d/ f; printf 'c\\nb\\n' | cmp - f.bak
            printf 'c\\nD\\n' > $here/f; ! diff -u f $here/f > $here/p
            patch -s f $here/p; cmp f $here/f; patch -sR f $here/p; rm f.bak
            install -m 750 -D f d/e/i; test $(stat -c %a d/e/i) = 750
            t=$(mktemp -p .); test -f $t; rm $t; t=$(mktemp -dp .); rmdir $t
            truncate -s 2M $here/s; echo end >> $here/s
            for how in always never; do cp --sparse=$how $here/s s
            cmp $here/s s
            done
            truncate -s 100 t; truncate -s 10 t; truncate -s +5 t
            test $(stat -c %s t) = 15; : > t; test ! -s t
            fallocate -l 70000 t; test $(stat -c %s t) = 70000
            fallocate -nl 90000 t; test $(stat -c %s t) = 70000
            mkdir z; echo 1 > z/a; zip -qr z.zip z; rm -r z; unzip -q z.zip
            echo 2 > z/b; zip -q z.zip z/b; zip -qd z.zip z/a; unzip -tq z.zip
            dd if=$here/s of=direct bs=64k oflag=direct status=none
            cmp $here/s direct; dd if=direct of=$here/b bs=1M iflag=direct \\
                status=none; cmp $here/b direct
            printf 12 > a; printf 34 | dd of=a oflag=append conv=notrunc \\
                status=none; test $(cat a) = 1234
            flock l sh -c '! flock -n l true'
            printf 'made: a\\n\\tcp a made\\n' > Makefile; make -s; make -q
            chown $(stat -c %u:%g f) f; ! chown 12345 f 2>&-
            touch -d @1000000000.5 f; test $(stat -c %.1Y f) = 1000000000.5
            seq 3000 | sort -R > n; sort -no n n; seq 3000 | cmp - n
            vim -esu NONE -c '%s/c/v/' -c wq f; grep -qx v f''', deadline=120)
        self.assertEqual(tree(m.path), tree(m.disk))
        self.no_leftovers(m.disk)

    def test_tools_that_keep_data(self):
        m = self.begin("data")
        mount.run(["/usr/bin/python3", "-c", SHELVES, m.path], 120)
        self.sh(f"sqlite3 {m.at('w')} 'pragma journal_mode=wal; create table "
                "t(a); insert into t values(1); insert into t values(2);'")
        got = self.sh(f"sqlite3 {m.at('w')} 'insert into t values(3); pragma "
                      "integrity_check; select sum(a) from t'")
        self.assertEqual(got.stdout.split(), ["ok", "6"])
        got = self.sh(f"echo 0 > {m.at('log')}; timeout 3 tail -f "
                      f"{m.at('log')} & for i in 1 2; do sleep 0.5; "
                      f"echo $i >> {m.at('log')}; done; wait", check=False)
        self.assertEqual(got.stdout.split(), ["0", "1", "2"])
        self.wait_sent(m)
        self.assertEqual(tree(m.path), tree(m.disk))

    def test_trees(self):
        m = self.begin("trees")
        top = self.dir + "/many"
        for number in range(500):
            path = f"{top}/d{number // 25}/f{number}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            content.write(path, path, number * 7)
        self.sh(f"cp -r {top} {m.at('a')}; diff -r {top} {m.at('a')}; "
                f"cp -r {m.at('a')} {m.at('b')}; rm -rf {m.at('a')}; "
                f"mv {top} {m.at('a')}; rsync -a --inplace --delete "
                f"{m.at('a')}/ {m.at('b')}/; rsync -aX {m.at('a')}/d1 "
                f"{m.path}; rm -r {m.at('d1')}; find {m.at('a')} -name 'f1*' "
                f"-delete; rsync -a --delete {m.at('a')}/ {m.at('b')}",
                deadline=170)
        self.assertEqual(len(tree(m.disk)), 2 + 2 * (20 + 389))
        self.assertEqual(tree(m.disk + "/a"), tree(m.disk + "/b"))
        self.sh(f"find {m.at('a')} -delete; rm -r {m.at('b')}", deadline=120)
        self.assert_same(m, {})

    def test_names_of_all_kinds(self):
        m = self.begin("names")
        # What XRootD cannot be told: the manual says so.
        some = ["some"] if self.server == "xrootd" else []
        got = mount.run(["/usr/bin/python3", "-c", NAMES, m.path, *some], 120)
        self.assertEqual(int(got.stdout), 221 if some else 254)
        long = "x" * 255
        self.sh(f"cd {m.path}; echo 1 > {long}; mv {long} y{long[1:]}; "
                f"cat y{long[1:]}; rm y{long[1:]}; ! echo 1 > {long}x; "
                f"for i in $(seq 19); do mkdir {long[:200]}; "
                f"cd {long[:200]}; done; echo deep > f; grep -q deep f; "
                f"cd {m.path}; rm -r {long[:200]}", deadline=120)
        self.assert_same(m, {})

    def test_what_is_refused_and_how(self):
        m = self.begin("refused")
        self.sh(f"mkdir {self.dir}/s; cd {self.dir}/s; echo 1 > a; ln a b; "
                "ln -s a c; mkfifo p; tar -cf ../s.tar .; "
                f"echo 1 > {m.at('f')}")
        for tool in ("ln f b", "ln -s f b", "mkfifo b", "cp -l f b",
                     f"tar -xf {self.dir}/s.tar"):
            got = self.sh(f"cd {m.path}; ! {tool}")
            self.assertIn("Operation not permitted", got.stderr)
        got = self.sh(f"cd {m.path}; ! setfattr -n user.x -v 1 f; "
                      "! setfattr -x user.bearerfs.etag f; getfattr -d f; "
                      "getfattr --only-values -n user.bearerfs.cached f; rm *")
        self.assertEqual(got.stderr.count("Operation not supported"), 2)
        self.assertIn(got.stdout, ("0", "100"))
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
