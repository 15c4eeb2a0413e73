/* SPDX-License-Identifier: Apache-2.0 */
/* cli/options/command_options.c - options from a source's section and -o; see
 * command.h. */
#include "base/log.h"

#include <errno.h>
#include <string.h>

#include "cli/command.h"
#include "cli/options/config.h"
#include "cli/options/options.h"

int command_add_text(struct command_source *from, const char *text)
{
	if (from->text_count == sizeof(from->texts) / sizeof(from->texts[0]))
		return -E2BIG;
	from->texts[from->text_count++] = text;
	return 0;
}

static int set_source(
    struct options *options, const char *source, struct err *err)
{
	if (strstr(source, "://") != NULL) {
		if (options_set_source(options, source) < 0)
			return err_set(err, -ENOMEM, "source: out of memory");
		return 0;
	}
	if (!config_name_ok(source))
		return err_set(err, -EINVAL,
		    "source %s: neither a URL nor a name; write "
		    "https://HOST/PATH",
		    LOG_TEXT(source));
	return config_load(options, source, err);
}

int command_options(
    struct options *options, const struct command_source *from, struct err *err)
{
	int code = 0;

	if (from->source != NULL)
		code = set_source(options, from->source, err);
	for (unsigned i = 0; i < from->text_count && code == 0; i++)
		code = options_parse(options, from->texts[i],
		    (enum options_origin)from->origin, err);
	return code;
}
