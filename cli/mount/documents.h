/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/documents.h - the callback by which tokens/ gets issuers' documents
 * from fetch/.
 *
 * One for the process, and never freed: a document that hangs may outlive
 * the mount that wanted it. Held back until documents_open(): fetching reads
 * the environment, from which the token is still to be taken.
 */
#ifndef CLI_MOUNT_DOCUMENTS_H
#define CLI_MOUNT_DOCUMENTS_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/tokens.h"

#include <stdint.h>

/** Say how to fetch: trust roots (copied), NULL as in fetch/document.h.
 *  Main thread, before any other. */
void documents_prepare(
    const char *ca_file, const char *ca_dir, uint32_t timeout_ms);

/** The environment stays as it is from now on. */
void documents_open(void);

/** A tokens_document_fn; `arg` is not used. */
int documents_get(void *arg, const char *url, struct buf *out,
    struct tokens_document_facts *facts, struct err *err);

#endif
