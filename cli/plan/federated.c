/* SPDX-License-Identifier: Apache-2.0 */
/* cli/plan/federated.c - see federated.h. */
#include "cli/plan/federated.h"

#include "base/clock.h"
#include "fetch/document.h"
#include "fetch/federation.h"

#include <errno.h>

#include "cli/options/options.h"

int federated_ask(struct federation **out, const struct fetch_source *source,
    const struct options *options, const char *ca_dir, int *code,
    struct err *err)
{
	const struct federation_config config = {
	    .clock = clock_system(),
	    .source = source,
	    .ca_file = options->ca_file,
	    .ca_dir = ca_dir,
	    .timeout_ms = options->timeout < FEDERATED_ASK_MS
	        ? (uint32_t)options->timeout
	        : FEDERATED_ASK_MS,
	    .proxied = fetch_document_proxied(),
	};
	int made = federation_new(out, &config, err);

	if (made < 0)
		return made;
	*code = federation_ask(*out, err);
	return 0;
}

enum start_verdict federated_judge(int code, const struct err *why,
    const struct options *options, struct err *line)
{
	bool lasting = code == -ENOENT || code == -EPROTO;
	const char *then = "; mounted; reading works when it answers";

	if (code == 0)
		return START_GO;
	if (lasting)
		then = "";
	else if (options->check)
		then = "; not mounted because of -o check";
	(void)err_set(line, code, "source '%.100s': %.380s%s", options->source,
	    why->text, then);
	return lasting || options->check ? START_REFUSE : START_WARN;
}

enum start_verdict federated_start(struct federation **out,
    const struct fetch_source *source, const struct options *options,
    const char *ca_dir, struct err *line)
{
	struct err why = ERR_INIT;
	int code = 0;

	if (federated_ask(out, source, options, ca_dir, &code, &why) < 0) {
		*line = why;
		return START_REFUSE;
	}
	return federated_judge(code, &why, options, line);
}
