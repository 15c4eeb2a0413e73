/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/status.tbl.h - what each HTTP status (RFC 9110, section 15; RFC
 * 4918, section 11) means to the program that called read(2) or stat(2).
 *
 * STATUS(number, what to do, errno of a final failure, why)
 *
 * The errno is interface: tests/check_man.py fails when one of them is
 * missing from ERRORS in the man page. What to do: enum response_means.
 */
STATUS(200, DATA, 0, "whole file")
STATUS(206, DATA, 0, "the range we asked for")
STATUS(207, DATA, 0, "attributes")
STATUS(301, REDIRECT, EIO, "moved")
STATUS(302, REDIRECT, EIO, "found elsewhere")
STATUS(303, REDIRECT, EIO, "see other")
STATUS(307, REDIRECT, EIO, "elsewhere, this time")
STATUS(308, REDIRECT, EIO, "moved for good")
STATUS(401, REFUSED, EKEYREJECTED, "the token was not accepted")
STATUS(
    403, REFUSED, EACCES, "not allowed; XRootD says this of an ended token too")
STATUS(404, FINAL, ENOENT, "no such file, or none we may know of")
STATUS(408, BUSY, EIO, "our request took too long to arrive")
STATUS(410, FINAL, ENOENT, "gone for good")
STATUS(412, FINAL, ESTALE, "If-Match failed: the file was replaced")
STATUS(414, FINAL, EINVAL, "a longer name than the server takes")
STATUS(416, CHANGED, ESTALE, "shorter than when it was opened")
STATUS(423, FINAL, EBUSY, "locked: somebody writes it")
STATUS(425, BUSY, EIO, "too early")
STATUS(429, BUSY, EIO, "asked to slow down; see Retry-After")
STATUS(451, FINAL, EACCES, "not allowed by law")
STATUS(500, SERVER, EIO, "an error inside the server")
STATUS(502, BUSY, EIO, "the server behind the server is not there")
STATUS(503, BUSY, EIO, "busy; see Retry-After")
STATUS(504, BUSY, EIO, "the server behind the server is silent")
STATUS(507, FINAL, EDQUOT, "no space or quota left")
