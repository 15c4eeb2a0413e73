/* SPDX-License-Identifier: Apache-2.0 */
/* cli/arguments.c - see arguments.h. */
#include "cli/arguments.h"

#include <getopt.h>
#include <stddef.h>

#include "cli/options/options.h"
#include "cli/say.h"

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, ARGUMENT_JSON},
    {"lazy", no_argument, NULL, 'l'},
    {"all", no_argument, NULL, ARGUMENT_ALL},
    {"timeout", required_argument, NULL, ARGUMENT_TIMEOUT},
    {"number", required_argument, NULL, ARGUMENT_NUMBER},
    {"as", required_argument, NULL, ARGUMENT_AS},
    {"overwrite", no_argument, NULL, ARGUMENT_OVERWRITE},
    {"export", required_argument, NULL, ARGUMENT_EXPORT},
    {"drop", no_argument, NULL, ARGUMENT_DROP},
    {NULL, 0, NULL, 0},
};

static int unknown(const struct arguments_form *form)
{
	return command_usage(
	    form->command, "unknown argument; mount options stand behind -o");
}

static int next(int argc, char **argv, const char *letters)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
	return getopt_long(argc, argv, letters, long_options, NULL);
}

/* What belongs to one entry of the spool. */
static int take_of_entry(
    struct arguments *out, const struct arguments_form *form, int letter)
{
	switch (letter) {
	case ARGUMENT_NUMBER:
		out->number = optarg;
		break;
	case ARGUMENT_AS:
		out->as = optarg;
		break;
	case ARGUMENT_EXPORT:
		out->export_dir = optarg;
		break;
	case ARGUMENT_OVERWRITE:
		out->overwrite = true;
		break;
	case ARGUMENT_DROP:
		out->drop = true;
		break;
	default:
		return unknown(form);
	}
	return form->entry ? STATUS_OK : unknown(form);
}

/* One letter that getopt(3) found. */
static int take(
    struct arguments *out, const struct arguments_form *form, int letter)
{
	switch (letter) {
	case 'f':
		out->foreground = !form->helper;
		out->fake = form->helper;
		return STATUS_OK;
	case 'h':
		out->help = true;
		return STATUS_OK;
	case 'l':
		out->lazy = true;
		return form->lazy ? STATUS_OK : unknown(form);
	case 'o':
		if (command_add_text(&out->from, optarg) == 0)
			return STATUS_OK;
		return command_usage(
		    form->command, "-o stands there too often");
	case 's':
		out->from.origin = OPTIONS_SLOPPY;
		return STATUS_OK;
	case 'n': /* there is no mtab */
	case 't': /* the type is ours */
	case 'v':
		return STATUS_OK;
	case ARGUMENT_JSON:
		out->json = true;
		return form->json ? STATUS_OK : unknown(form);
	case ARGUMENT_ALL:
		out->all = true;
		return form->all ? STATUS_OK : unknown(form);
	case ARGUMENT_TIMEOUT:
		out->timeout = optarg;
		return form->timeout ? STATUS_OK : unknown(form);
	case ':':
		return command_usage(form->command,
		    optopt == 'o' ? "-o needs options"
		                  : "an argument needs a value");
	default:
		return take_of_entry(out, form, letter);
	}
}

static int check_positions(
    const struct arguments *out, const struct arguments_form *form)
{
	if (out->position_count >= form->positions_min &&
	    out->position_count <= form->positions_max)
		return STATUS_OK;
	return say_exit(STATUS_USAGE, "%s: write %s; see bearerfs %s --help",
	    form->command, form->positions, form->command);
}

int arguments_take(struct arguments *out, const struct arguments_form *form,
    int argc, char **argv)
{
	int status = STATUS_OK;

	*out = (struct arguments){
	    .from.origin = form->helper ? OPTIONS_OF_MOUNT : OPTIONS_OF_USER};
	opterr = 0;
	optind = 1;
	while (status == STATUS_OK && !out->help) {
		int letter = next(argc, argv, form->letters);

		if (letter == -1)
			break;
		status = take(out, form, letter);
	}
	out->position_count = argc - optind;
	out->positions = argv + optind;
	if (status != STATUS_OK || out->help)
		return status;
	return check_positions(out, form);
}
