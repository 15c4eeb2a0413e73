# SPDX-License-Identifier: Apache-2.0
"""Where is a token that should not be there? Every spelling of one, and the
places that a mount writes to: searched at the end of each test of the suite
for all tokens that the bed's issuers gave."""
import base64
import os
import urllib.parse

TOKENS_MAX = 300  # the last ones that were given
FILE_MAX = 1 << 30
PIECE = 1 << 22
OVERLAP = 1024


def forms(token):
    """Every spelling that is searched for, by name."""
    signature = token.rsplit(".", 1)[-1]
    spelt = {}
    for name, text in (("token", token), ("signature", signature)):
        raw = text.encode()
        spelt[name] = raw
        spelt[name + ", percent"] = urllib.parse.quote(
            text, safe="").encode().replace(b".", b"%2E")
        spelt[name + ", hex"] = raw.hex().encode()
        for shift in range(3):
            # The letters that do not depend on what stands around it.
            coded = base64.b64encode(b"\0" * shift + raw)
            coded = coded[(0, 2, 3)[shift]:len(coded) // 4 * 4 - 4]
            spelt[f"{name}, base64 at {shift}"] = coded
            spelt[f"{name}, base64url at {shift}"] = coded.replace(
                b"+", b"-").replace(b"/", b"_")
    return spelt


def found(data, tokens):
    """Names of the spellings that stand in some bytes."""
    return [name for token in tokens for name, text in forms(token).items()
            if text in data]


def read_all(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def tree(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def pieces(fd):
    """What is in a file, without its holes: packs have large ones. Pieces
    overlap by more than a token's signature has."""
    at, size = 0, os.fstat(fd).st_size
    while at < min(size, FILE_MAX):
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return  # a hole to the end
        piece = os.pread(fd, PIECE, at)
        if not piece:
            return
        yield piece
        at += max(len(piece) - OVERLAP, 1) if len(piece) == PIECE \
            else len(piece)


def holds(path, needles):
    """Whether one of these stands in a file. Not by a mapping: what a full
    disk cannot give to one is a SIGBUS."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # it went away
    try:
        return any(one in piece for piece in pieces(fd) for one in needles)
    finally:
        os.close(fd)


def given(m):
    """The tokens to look for; one without a signature is nobody's secret."""
    return [token for token in m.bed.given[-TOKENS_MAX:]
            if len(token.rsplit(".", 1)[-1]) > 20]


def of_process(m):
    """Where a mount that runs shows a token to others."""
    paths = [f"/proc/{m.pid}/{name}"
             for name in ("cmdline", "environ", "comm")]
    tokens = given(m)
    return [path for path in paths if found(read_all(path), tokens)]


def of_mount(m):
    """Where a mount has left a token: paths. All spellings in what it told,
    the signatures as they are in what it keeps."""
    tokens = given(m)
    signatures = [token.rsplit(".", 1)[-1].encode() for token in tokens]
    told = {m.log_file, m.options.get("log_file")}
    places = [path for path in told
              if path and found(read_all(path), tokens)]
    kept = m.options.get("cache_dir")
    if kept:
        places += [path for path in tree(kept) if holds(path, signatures)]
    return places
