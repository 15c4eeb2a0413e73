/* SPDX-License-Identifier: Apache-2.0 */
/* cli/doctor/checks.c - see checks.h: the order of the checks, and
 * those of this machine. */
#include "cli/doctor/checks.h"

#include "base/log.h"
#include "fetch/federation.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor/impl.h"
#include "cli/env.h"
#include "cli/options/options.h"
#include "cli/plan/places.h"
#include "cli/plan/plan.h"

static bool check_source(struct doctor *doctor)
{
	struct err err = ERR_INIT;

	if (plan_source(&doctor->source, &doctor->servers, &doctor->federated,
	        doctor->options, &err) < 0) {
		bool of_server = strncmp(err.text, "option server", 13) == 0;

		doctor_line(doctor->report, DOCTOR_FAIL, "source", "%s%s",
		    err.text,
		    strstr(err.text, "; write") != NULL ||
		            (of_server && strchr(err.text, ';') != NULL)
		        ? ""
		        : of_server ? "; leave it out"
		                    : "; write https://HOST/PATH or "
		                      "pelican://FEDERATION/NAMESPACE");
		return false;
	}
	doctor_line(doctor->report, DOCTOR_OK, "source", "%s%s",
	    doctor->source.origin, doctor->source.path);
	return true;
}

static bool check_trust(struct doctor *doctor)
{
	struct err err = ERR_INIT;

	if (plan_trust(&doctor->ca_dir, doctor->options, &err) < 0) {
		doctor_line(doctor->report, DOCTOR_FAIL, "trust",
		    "%s; name what holds the certificates with ca_file or "
		    "ca_dir",
		    err.text);
		return false;
	}
	doctor_line(doctor->report, DOCTOR_OK, "trust", "%s",
	    doctor->options->ca_file != NULL ? doctor->options->ca_file
	        : doctor->ca_dir != NULL     ? doctor->ca_dir
	                                     : "the system's authorities");
	return true;
}

static bool check_cache(struct doctor *doctor)
{
	struct places_env env = places_env();
	struct err err = ERR_INIT;
	struct err warning = ERR_INIT;
	char dir[PATH_MAX] = "";
	struct statvfs disk;

	if (doctor->options->cache_size == 0)
		doctor_line(
		    doctor->report, DOCTOR_OK, "cache", "off by cache_size=0");
	else if (places_cache(dir, doctor->options->cache_dir, &env,
	             "/proc/self/none", &warning, &err) < 0)
		doctor_line(doctor->report, DOCTOR_FAIL, "cache",
		    "%s; choose another with -o cache_dir=DIR", err.text);
	else if (warning.text[0] != '\0')
		doctor_line(
		    doctor->report, DOCTOR_WARN, "cache", "%s", warning.text);
	else if (statvfs(dir, &disk) < 0)
		doctor_line(doctor->report, DOCTOR_FAIL, "cache",
		    "%s: %s; choose another with -o cache_dir=DIR", dir,
		    err_message(errno));
	else if (disk.f_bavail <= disk.f_blocks / 20)
		doctor_line(doctor->report, DOCTOR_WARN, "cache",
		    "%s: less than a twentieth of its disk is free, so "
		    "little is kept; make room, or choose another with -o "
		    "cache_dir=DIR",
		    dir);
	else
		doctor_line(doctor->report, DOCTOR_OK, "cache",
		    "%s, %" PRIu64 " MiB free on its disk", dir,
		    (uint64_t)disk.f_bavail * disk.f_frsize >> 20);
	return true;
}

static bool check_fuse(struct doctor *doctor)
{
	if (geteuid() != 0 && !env_on_path("fusermount3"))
		doctor_line(doctor->report, DOCTOR_FAIL, "fuse",
		    "no fusermount3 on the PATH; install the package fuse3, or "
		    "run programs with bearerfs exec, which does without");
	else if (access("/dev/fuse", R_OK | W_OK) < 0)
		doctor_line(doctor->report, DOCTOR_FAIL, "fuse",
		    "/dev/fuse: %s; load the module fuse, or ask the "
		    "administrator for the device",
		    err_message(errno));
	else
		doctor_line(
		    doctor->report, DOCTOR_OK, "fuse", "/dev/fuse opens");
	return true;
}

void doctor_run(struct doctor_report *report, const struct options *options)
{
	/* In order; what follows a check that says false needs it. */
	static const struct {
		bool (*check)(struct doctor *doctor);
		enum { ALWAYS, WITH_TOKEN, WITHOUT_TOKEN } when;
		bool server; /* it asks one */
	} checks[] = {
	    {check_source, ALWAYS, false},
	    {check_trust, ALWAYS, false},
	    {check_cache, ALWAYS, false},
	    {check_fuse, ALWAYS, false},
	    {doctor_federation, ALWAYS, false},
	    {doctor_token, ALWAYS, false},
	    {doctor_times, WITH_TOKEN, false},
	    {doctor_proof, WITH_TOKEN, false},
	    {doctor_source, WITH_TOKEN, true},
	    {doctor_abilities, WITH_TOKEN, true},
	    {doctor_contact, WITHOUT_TOKEN, true},
	    {doctor_time_of_server, ALWAYS, true},
	};
	struct doctor doctor = {.report = report, .options = options};
	bool goes_on = true;

	doctor.ident =
	    (struct ident){.uid = geteuid(), .gid = getegid(), .pid = getpid()};
	for (size_t i = 0; goes_on && i < ARRAY_COUNT(checks); i++)
		if ((checks[i].when == ALWAYS ||
		        doctor.has_token == (checks[i].when == WITH_TOKEN)) &&
		    !(checks[i].server && doctor.serverless))
			goes_on = checks[i].check(&doctor);
	federation_stop(doctor.federation);
	if (doctor.fetch != NULL)
		fetch_stop(doctor.fetch);
	fetch_free(doctor.fetch);
	federation_free(doctor.federation);
	token_put(doctor.token);
	tokens_free(doctor.tokens);
	names_fini(&doctor.hosts);
}
