/* SPDX-License-Identifier: Apache-2.0 */
/* pelican_bed.c - see pelican_bed.h. */
#include "pelican_bed.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

int pelican_read_at(struct pelican_facts *out, const char *path,
    const char *headers, struct err *err)
{
	const struct pelican_answer answer = {
	    .url = "https://director.example/api/v1.0/director/object/ns/x",
	    .path = path,
	    .headers = headers,
	    .headers_bytes = strlen(headers),
	};
	int code;

	*err = (struct err)ERR_INIT;
	code = pelican_facts_read(out, &answer, err);
	assert_int_equal(err->code, code);
	assert_true((code < 0) == (err->text[0] != '\0'));
	if (code < 0) /* nothing is left in it */
		assert_true(out->namespace_path == NULL &&
		    out->server_count == 0 && out->issuers.count == 0);
	return code;
}

void pelican_read_ns(struct pelican_facts *out, const char *headers)
{
	struct buf all;
	struct err err;

	buf_init(&all, 2 * PELICAN_HEADERS_BYTES_MAX);
	(void)buf_printf(&all, PELICAN_NAMESPACE "%s", headers);
	assert_int_equal(
	    pelican_read_at(out, "/ns/x", buf_text(&all), &err), 0);
	buf_fini(&all);
}
