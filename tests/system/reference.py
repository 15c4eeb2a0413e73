#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What libscitokens says of tokens: lines of JSON in, one verdict a line out.

A process of its own, because the library may end it. Its key cache (in
$XDG_CACHE_HOME) is filled by test_reference.py, so that it asks no server.

    {"token": ..., "issuer": ..., "audience": [...], "tests": [["read", "/a"]]}
    -> {"valid": true, "allowed": [true], "why": "..."}
"""
import ctypes
import json
import sys


class Acl(ctypes.Structure):
    _fields_ = [("authz", ctypes.c_char_p), ("resource", ctypes.c_char_p)]


def library():
    lib = ctypes.CDLL("libSciTokens.so.0")
    pointer, text = ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p)
    lib.enforcer_create.restype = pointer
    lib.enforcer_create.argtypes = [ctypes.c_char_p, text, text]
    lib.enforcer_destroy.argtypes = [pointer]
    lib.enforcer_test.argtypes = [pointer, pointer, ctypes.POINTER(Acl), text]
    lib.enforcer_generate_acls.argtypes = [
        pointer, pointer, ctypes.POINTER(ctypes.POINTER(Acl)), text]
    lib.enforcer_acl_free.argtypes = [ctypes.POINTER(Acl)]
    lib.scitoken_deserialize.argtypes = [
        ctypes.c_char_p, ctypes.POINTER(pointer), text, text]
    lib.scitoken_destroy.argtypes = [pointer]
    return lib


def strings(values):
    values = [value.encode() for value in values] + [None]
    return (ctypes.c_char_p * len(values))(*values)


def judge(lib, case):
    why = ctypes.c_char_p()
    token = ctypes.c_void_p()
    done = {"valid": False, "allowed": [False] * len(case["tests"]), "why": ""}
    issuer = case["issuer"].encode()
    if lib.scitoken_deserialize(case["token"].encode("utf-8", "surrogateescape"),
                                ctypes.byref(token), strings([case["issuer"]]),
                                ctypes.byref(why)):
        done["why"] = (why.value or b"?").decode("utf-8", "replace")
        return done
    enforcer = lib.enforcer_create(issuer, strings(case["audience"]),
                                   ctypes.byref(why))
    acls = ctypes.POINTER(Acl)()
    if lib.enforcer_generate_acls(enforcer, token, ctypes.byref(acls),
                                  ctypes.byref(why)):
        done["why"] = (why.value or b"?").decode("utf-8", "replace")
    else:
        done["valid"] = True
        lib.enforcer_acl_free(acls)
    for index, (authz, path) in enumerate(case["tests"]):
        acl = Acl(authz.encode(), path.encode())
        done["allowed"][index] = lib.enforcer_test(
            enforcer, token, ctypes.byref(acl), ctypes.byref(why)) == 0
    lib.enforcer_destroy(enforcer)
    lib.scitoken_destroy(token)
    return done


if __name__ == "__main__":
    loaded = library()
    for line in sys.stdin:
        print(json.dumps(judge(loaded, json.loads(line))), flush=True)
