/* SPDX-License-Identifier: Apache-2.0 */
/* cli/doctor/federation.c - what `bearerfs doctor` sees of a federation: its
 * document, its director, and whom they name. See impl.h. */
#include "fetch/federation.h"

#include "fetch/pelican.h"

#include <string.h>

#include "cli/doctor/impl.h"
#include "cli/options/options.h"
#include "cli/plan/federated.h"

static void tell_document(const struct doctor *doctor)
{
	const char *director = federation_director(doctor->federation);

	if (director[0] == '\0')
		doctor_line(doctor->report, DOCTOR_OK, "federation",
		    "%s has no director: it serves the objects itself",
		    doctor->source.origin);
	else
		doctor_line(doctor->report, DOCTOR_OK, "federation",
		    "%s names the director %s", doctor->source.origin,
		    director);
}

static void tell_servers(const struct doctor *doctor)
{
	const struct fetch_servers *servers =
	    federation_servers(doctor->federation);
	const struct pelican_facts *facts =
	    federation_facts(doctor->federation);

	doctor_line(doctor->report, DOCTOR_OK, "director",
	    "the namespace %s: origin %s, listings at %s, %u cache%s",
	    facts->namespace_path, servers->origin.origin,
	    servers->unlisted    ? "nobody"
	        : servers->apart ? servers->listings.origin
	                         : "the same",
	    servers->cache_count, servers->cache_count == 1 ? "" : "s");
	if (facts->ignored.count > 0)
		doctor_line(doctor->report, DOCTOR_WARN, "director",
		    "%u thing%s passed over, first: %s; tell who runs the "
		    "federation",
		    facts->ignored.count, facts->ignored.count == 1 ? "" : "s",
		    facts->ignored.first.text);
}

bool doctor_federation(struct doctor *doctor)
{
	struct err err = ERR_INIT;
	int code = 0;

	if (!doctor->federated)
		return true;
	if (federated_ask(&doctor->federation, &doctor->source, doctor->options,
	        doctor->ca_dir, &code, &err) < 0) {
		doctor_line(doctor->report, DOCTOR_FAIL, "federation",
		    "%s; free memory", err.text);
		return false;
	}
	if (federation_director(doctor->federation) != NULL)
		tell_document(doctor);
	doctor->serverless = code < 0;
	if (code == 0)
		tell_servers(doctor);
	else
		doctor_line(doctor->report, DOCTOR_FAIL,
		    federation_director(doctor->federation) != NULL
		        ? "director"
		        : "federation",
		    "%s", err.text);
	return true;
}

const char *doctor_cache(const struct doctor *doctor, unsigned nth)
{
	const struct fetch_servers *servers = NULL;

	if (doctor->servers.count > 0)
		return nth < doctor->servers.count
		    ? doctor->servers.of[nth].origin
		    : NULL;
	if (doctor->federation != NULL)
		servers = federation_servers(doctor->federation);
	return servers != NULL && nth < servers->cache_count
	    ? servers->caches[nth].origin
	    : NULL;
}
