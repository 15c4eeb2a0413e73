/* SPDX-License-Identifier: Apache-2.0 */
/* cli/doctor/doctor.c - `bearerfs doctor`: what a mount needs, without
 * mounting. */
#include "base/log.h"

#include <string.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/doctor/checks.h"
#include "cli/options/options.h"
#include "cli/say.h"

enum { REPORT_BYTES_MAX = 1024 * 1024 };

static const struct arguments_form form = {
    .command = "doctor",
    .letters = ":ho:",
    .json = true,
    .positions_min = 1,
    .positions_max = 1,
    .positions = "one SOURCE",
};

static int print(struct doctor_report *report)
{
	int code;

	if (report->json)
		(void)buf_printf(&report->out, "]\n");
	code = buf_code(&report->out);
	if (code == 0)
		code = say_out(buf_text(&report->out));
	if (code < 0)
		return say_exit(STATUS_FAILED, "doctor: %s", err_message(code));
	return report->failed ? STATUS_FAILED : STATUS_OK;
}

int command_doctor(int argc, char **argv)
{
	struct arguments arguments;
	struct options options;
	struct doctor_report report = {.json = false};
	struct err err = ERR_INIT;
	int status = arguments_take(&arguments, &form, argc, argv);

	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("doctor");
	arguments.from.source = arguments.positions[0];
	if (log_start(LOG_TO_STDERR, LOG_LEVEL_ERROR, NULL, &err) < 0 ||
	    options_init(&options) < 0)
		return say_exit(STATUS_FAILED, "doctor: out of memory");
	report.json = arguments.json;
	buf_init(&report.out, REPORT_BYTES_MAX);
	if (report.json)
		(void)buf_printf(&report.out, "[");
	if (command_options(&options, &arguments.from, &err) < 0)
		doctor_line(&report, DOCTOR_FAIL, "options",
		    "%s; see bearerfs mount --help", err.text);
	else
		doctor_run(&report, &options);
	status = print(&report);
	buf_fini(&report.out);
	options_fini(&options);
	return status;
}
