/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/profile.c - see profile.h.
 */
#include "fetch/servers/profile.h"

#include "fetch/answers/response.h"

#include <errno.h>
#include <string.h>

void profile_init(struct profile *profile)
{
	*profile = (struct profile){.dav = PROFILE_DAV_UNKNOWN};
}

void profile_host_changed(struct profile *profile)
{
	profile->dav = PROFILE_DAV_UNKNOWN;
	profile->dav_refusals = 0;
	atomic_store(&profile->xrootd, false);
	profile->times_differ = false;
	profile->digests_missing = 0;
	atomic_store(&profile->has_dav, false);
	atomic_store(&profile->digests, 0);
	atomic_store(&profile->digest_none_ms, 0);
}

void profile_saw(struct profile *profile, const struct response *response)
{
	/* XRootD tells itself by its Server header. A proxy may hide that,
	 * but not that there is no Date, which nothing else leaves out but
	 * proxies in their own errors. */
	if (response->status >= 200 && response->status < 500)
		atomic_store(
		    &profile->xrootd, response->xrootd || !response->dated);
}

bool profile_ask_dav(struct profile *profile, uint64_t now_ms)
{
	if (profile->dav == PROFILE_DAV_NO && now_ms >= profile->dav_until_ms)
		profile->dav = PROFILE_DAV_UNKNOWN;
	return profile->dav != PROFILE_DAV_NO;
}

void profile_dav_works(struct profile *profile)
{
	profile->dav = PROFILE_DAV_YES;
	atomic_store(&profile->has_dav, true);
	profile->dav_refusals = 0;
}

void profile_dav_fails(struct profile *profile, uint64_t now_ms)
{
	/* One path that a DAV server does not answer for is no proof. */
	if (profile->dav == PROFILE_DAV_YES &&
	    ++profile->dav_refusals < PROFILE_DAV_REFUSALS_MAX)
		return;
	profile->dav = PROFILE_DAV_NO;
	atomic_store(&profile->has_dav, false);
	profile->dav_refusals = 0;
	profile->dav_until_ms = now_ms + PROFILE_DAV_BELIEVED_MS;
}

void profile_data(struct profile *profile, bool validated)
{
	if (validated)
		profile->validates = true;
	else
		profile->validates_not = true;
	atomic_store(
	    &profile->validated, profile->validates && !profile->validates_not);
}

bool profile_validates(const struct profile *profile)
{
	return atomic_load(&profile->validated);
}

void profile_digest(
    struct profile *profile, const struct fetch_digest *digest, uint64_t now_ms)
{
	if (digest->known) {
		profile->digests_missing = 0;
		atomic_store(&profile->digests, (int)digest->algorithm + 1);
		return;
	}
	if (atomic_load(&profile->digests) > 0 &&
	    ++profile->digests_missing < PROFILE_DIGEST_MISSING_MAX)
		return;
	profile->digests_missing = 0;
	atomic_store(&profile->digest_none_ms, now_ms + PROFILE_DIGEST_NONE_MS);
	atomic_store(&profile->digests, -1);
}

enum fetch_digests profile_digests(const struct profile *profile,
    enum fetch_algorithm *algorithm, uint64_t now_ms)
{
	int digests = atomic_load(&profile->digests);

	if (digests > 0) {
		*algorithm = (enum fetch_algorithm)(digests - 1);
		return FETCH_DIGESTS_TOLD;
	}
	return digests < 0 && now_ms < atomic_load(&profile->digest_none_ms)
	    ? FETCH_DIGESTS_NONE
	    : FETCH_DIGESTS_UNKNOWN;
}

bool profile_digests_apart(const struct profile *profile)
{
	return atomic_load(&profile->xrootd);
}

bool profile_ask_digest(const struct profile *profile, uint64_t now_ms)
{
	enum fetch_algorithm algorithm;

	return !profile_digests_apart(profile) &&
	    profile_digests(profile, &algorithm, now_ms) ==
	    FETCH_DIGESTS_UNKNOWN;
}

int profile_name_ok(const struct profile *profile, const char *path)
{
	if (atomic_load(&profile->xrootd) && strchr(path, '?') != NULL)
		return -EINVAL;
	return 0;
}
