#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fail when a file includes a header that its folder may not see.

The table is the architecture. A folder sees its own headers and, of each
folder it may call, only the public ones. cli/ wires everything and may
include any public header.
"""
import pathlib
import re
import sys
import tempfile

MAY_CALL = {
    "base": [],
    "tokens": ["base"],
    "fetch": ["base", "tokens"],
    "cache/store": ["base"],
    "cache/spool": ["base"],
    "cache": ["base", "fetch", "cache/store"],
    "cache/drafts": ["base", "fetch", "cache", "cache/spool"],
    "fs": ["base", "cache", "cache/drafts"],
    "cli": ["base", "tokens", "fetch", "cache", "cache/store",
            "cache/spool", "cache/drafts", "fs"],
}
PUBLIC = {"tokens": {"tokens.h", "verify.h"},
          "fetch": {"fetch.h", "abilities.h", "change.h", "sink.h", "digest.h",
                    "document.h", "federation.h", "pelican.h"},
          "cache/store": {"store.h", "upkeep.h"},
          "cache/spool": {"spool.h", "unsent.h"}, "cache/drafts": {"drafts.h"},
          "cache": {"cache.h", "note.h"},
          "fs": {"fs.h"}}
# A third-party library is private to the folders named here.
HOME = {"fuse": {"fs"}, "curl/": {"fetch"},
        "openssl/": {"tokens", "fetch"}, "cjson/": {"tokens"},
        "xxhash.h": {"cache", "cache/store", "cache/spool"}}


def split(name):
    """A file's folder of the table, and the rest of its name."""
    for folder in sorted(MAY_CALL, key=len, reverse=True):
        if name.startswith(folder + "/"):
            return folder, name[len(folder) + 1:]
    return None, name


def wrong_include(folder, header):
    """Why `folder` may not include `header`, or None."""
    other, rest = split(header)
    if other is not None and other != folder:
        if other not in MAY_CALL[folder]:
            return f"{folder}/ may not call {other}/"
        if other != "base" and rest not in PUBLIC.get(other, set()):
            return f"{header} is private to {other}/"
    for prefix, homes in HOME.items():
        if header.startswith(prefix) and folder not in homes:
            return f"<{header}> belongs to {' and '.join(sorted(homes))} alone"
    return None


def look(root):
    wrong = []
    seen = 0
    for top in (folder for folder in MAY_CALL if "/" not in folder):
        for path in sorted((root / top).rglob("*.[ch]")):
            seen += 1
            name = path.relative_to(root).as_posix()
            folder, _ = split(name)
            for number, line in enumerate(
                    path.read_text(encoding="utf-8").splitlines(), 1):
                found = re.match(r'\s*#\s*include\s+["<]([^">]+)', line)
                why = found and wrong_include(folder, found[1])
                if why:
                    wrong.append(f"{name}:{number}: {why}")
    if seen == 0:
        wrong.append(f"{root}: no source found")
    return wrong


def self_test():
    """Each kind of mistake, planted, is found."""
    planted = {
        "cache/a.c": '#include "fs/fs.h"\n',
        "cache/b.c": "#include <curl/curl.h>\n",
        "cache/c.c": '#include "fetch/answers/response.h"\n',
        "base/d.c": "#include <openssl/evp.h>\n",
        "tokens/e.c": '#  include "fetch/fetch.h"\n',
        "cli/f.c": "#include <fuse_lowlevel.h>\n",
        "cache/store/g.c": '#include "cache/core.h"\n',
        "cache/h.c": '#include "cache/store/pack.h"\n',
        "cache/store/i.c": '#include "fetch/fetch.h"\n',
        "fs/j.c": '#include "cache/store/store.h"\n',
        "cache/spool/k.c": '#include "cache/store/store.h"\n',
        "cache/l.c": '#include "cache/spool/journal.h"\n',
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in planted.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = {line.split(":")[0] for line in look(root)}
    missed = set(planted) - found
    return [f"planted mistake not found: {name}" for name in sorted(missed)]


if __name__ == "__main__":
    problems = self_test() if sys.argv[1:] == ["--self-test"] \
        else look(pathlib.Path(sys.argv[1]))
    print("\n".join(problems) or "layers: clean")
    sys.exit(bool(problems))
