/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pelican_bed.h - answers of a Pelican director, read.
 */
#ifndef TESTS_UNIT_FETCH_PELICAN_BED_H
#define TESTS_UNIT_FETCH_PELICAN_BED_H

#include "base/err.h"
#include "fetch/pelican.h"

#define PELICAN_NAMESPACE \
	"X-Pelican-Namespace: namespace=/ns, require-token=true\r\n"

/** Read headers as an answer to a question about `path`. Code and sentence
 *  agree, and after a failure nothing is left in `out`. */
int pelican_read_at(struct pelican_facts *out, const char *path,
    const char *headers, struct err *err);

/** Read an answer about "/ns/x" in "/ns"; `headers` are put behind the one
 *  that says so. It is a good one. */
void pelican_read_ns(struct pelican_facts *out, const char *headers);

#endif
