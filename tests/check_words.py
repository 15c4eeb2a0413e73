#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a compiler does not know, each with its reason."""
import pathlib
import re
import sys
import tempfile

# (pattern, where it counts, why not)
RULES = [
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca|system|popen"
     r"|tmpnam|mktemp|atoi|atol|atoll)\s*\(", "c",
     "unbounded, unchecked or not thread safe: see CONTRIBUTING, Banned"),
    (r"\b(strerror|localtime|gmtime|asctime|ctime|readdir_r|getpwuid|getpwnam)"
     r"\s*\(", "c", "not thread safe: err_message(), gmtime_r(), ..."),
    (r"CURLOPT_VERBOSE", "c", "prints the Authorization header"),
    (r"CURLOPT_SSL_VERIFY(PEER|HOST)[^;]*,\s*0", "c",
     "TLS is always verified"),
    (r"CURLOPT_FOLLOWLOCATION[^;]*,\s*[^0\s]", "c",
     "redirects are followed by hand (fetch/calls/redirect.c)"),
    (r"\bmmap\s*\(", "c",
     "a mapping turns a full disk or a cut file into SIGBUS or zeros"),
    (r"\b(TO" r"DO|FIX" r"ME|XX" r"X\b(?!X)|HA" r"CK)\b", "all",
     "unfinished work goes into an issue"),
    (r"/wor" r"k/|/far" r"m/", "all", "a path of somebody's machine"),
    (r"eyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{40,}",
     "src", "looks like a whole token"),
    (r"vm[./]drop_caches", "all but bench",
     "takes away what tests beside it count on: content.forget_pages()"),
]
FOLDERS = ("base", "tokens", "fetch", "cache", "fs", "cli", "tests", "bench",
           "man", "packaging", "cmake")
SUFFIXES = {".c", ".h", ".py", ".sh", ".cmake", ".txt", ".md", ".1", ".5",
            ".8", ".conf", ".lua", ".js", ""}
NOT_READ = {"tests/check_words.py"}  # names what it looks for
# (file, start of the reason): an exception with its own reason.
ALLOWED = {
    ("cache/bytes/pool.c", "a mapping turns"): "anonymous memory, no file",
    ("tests/system/bed/content.py", "takes away what"): "says why not",
}


def applies(where, path, name):
    if where == "all":
        return True
    if where == "all but bench":
        return not name.startswith("bench/")
    in_c = path.suffix in {".c", ".h"}
    if where == "src":
        return not name.startswith("tests/")
    return in_c and not name.startswith("tests/")


def look(root):
    wrong = []
    seen = 0
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if not path.is_file() or path.suffix not in SUFFIXES \
                    or "/corpus/" in name or "node_modules" in name \
                    or "__pycache__" in name or name in NOT_READ:
                continue
            seen += 1
            text = path.read_text(encoding="utf-8", errors="replace")
            if path.suffix in {".c", ".h"} and \
                    "SPDX-License-Identifier" not in text[:80]:
                wrong.append(f"{name}:1: no SPDX line")
            for number, line in enumerate(text.splitlines(), 1):
                for pattern, where, why in RULES:
                    if applies(where, path, name) and \
                            re.search(pattern, line) and \
                            not any(name == file and why.startswith(start)
                                    for file, start in ALLOWED):
                        wrong.append(f"{name}:{number}: {why}")
    if seen == 0:
        wrong.append(f"{root}: nothing found to look at")
    return wrong


def self_test():
    planted = [
        "x = strcpy(a, b);", "t = localtime(&now);",
        "curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);",
        "curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);",
        "curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);",
        "p = mmap (0, 1, 1, 1, 1, 0);", "/* TO" "DO later */",
        "/* XX" "X */", 'char *name = "/proc/sys/vm/drop_caches";',
        'char *dir = "/wor' 'k/main";', '"eyJ' + "a" * 24 + ".eyJ" + "b" * 24 +
        "." + "c" * 48 + '"',
    ]
    missed = []
    for line in planted:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "base").mkdir()
            (root / "base/a.c").write_text(
                "/* SPDX-License-Identifier: Apache-2.0 */\n" + line + "\n")
            if not look(root):
                missed.append(f"planted mistake not found: {line}")
    return missed


if __name__ == "__main__":
    problems = self_test() if sys.argv[1:] == ["--self-test"] \
        else look(pathlib.Path(sys.argv[1]))
    print("\n".join(problems) or "words: clean")
    sys.exit(bool(problems))
