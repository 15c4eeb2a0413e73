/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/digest_header.h - the header fields in which servers tell checksums
 * of whole files, and in which they are asked for them.
 *
 * Real servers: XRootD 5.5 answers Want-Digest on HEAD and GET, of the first
 * name in the list that it has, Adler-32 in hexadecimal digits and the rest
 * in base64; a name with a weight is not recognised, none that it has makes
 * it answer with Adler-32; and it computes the sum anew when it has not kept
 * it, which reads the whole file. So what such servers keep is asked for
 * first, without weights.
 *
 * What cannot be read is no checksum, never an error of the answer.
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 9530 sections 3 and 4, RFC 8941, RFC 3230 section 4.3.
 */
#ifndef FETCH_ANSWERS_DIGEST_HEADER_H
#define FETCH_ANSWERS_DIGEST_HEADER_H

#include "fetch/digest.h"

#include <stddef.h>

#define DIGEST_WANT      "Want-Digest: adler32, crc32c, md5, sha-256, sha-512, sha"
#define DIGEST_WANT_REPR "Want-Repr-Digest: sha-256=10, sha-512=9"

/** Take the values of a field line; a stronger one than what is there takes
 *  its place. The text is not NUL-terminated. */
void digest_header_repr(
    struct fetch_digest *digest, const char *text, size_t size_bytes);

/** The same of RFC 3230's Digest: "adler32=0a1b2c3d,md5=...". */
void digest_header_digest(
    struct fetch_digest *digest, const char *text, size_t size_bytes);

/** The same of OC-Checksum: "SHA1:...", blanks between. */
void digest_header_oc(
    struct fetch_digest *digest, const char *text, size_t size_bytes);

#endif
