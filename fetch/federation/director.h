/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/federation/director.h - one question to the director of a Pelican federation:
 * who has what lies below a path?
 *
 * Its redirect is read and never followed. It gets no token: it tells where
 * one has to go. A public header of this folder, beside fetch.h; it needs no
 * struct fetch.
 *
 * Threads: every function may be called from any thread; director_ask()
 * blocks.
 * Sources: the Pelican Platform's director (its paths, headers, statuses);
 * RFC 9110 section 10.2.3 (Retry-After).
 */
#ifndef FETCH_FEDERATION_DIRECTOR_H
#define FETCH_FEDERATION_DIRECTOR_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct fetch_document_config;
struct pelican_facts;

enum {
	/* Its answer is its headers; of a body no more is read. */
	DIRECTOR_BODY_BYTES_MAX = 64 * 1024,
};

enum director_about {
	DIRECTOR_CACHES,  /* where to read from */
	DIRECTOR_ORIGINS, /* where it comes from */
	DIRECTOR_SELF,    /* a server without a director: what it says itself */
};

/** What is asked, of whom. */
struct director_question {
	const char *url;  /* https, without a slash at its end */
	const char *path; /* in the federation, normal */
	enum director_about about;
};

struct director_said {
	int status;      /* HTTP; 0: no answer came */
	bool wait_asked; /* Retry-After */
	uint32_t wait_s;
};

/**
 * Ask.
 *
 * @param out   on success to be released with pelican_facts_fini().
 * @retval 0         see `out`.
 * @retval -ENOENT   a director says so (404): no such namespace, or nobody
 *                   has it.
 * @retval -EOPNOTSUPP  nobody of the federation does that (405).
 * @retval -EBUSY    it has just begun, or is asked too much (429).
 * @retval -EMSGSIZE headers without an end.
 * @retval -ENOMSG, -EBADMSG   as pelican_facts_read().
 * @retval -ETIMEDOUT, -EHOSTUNREACH, -EPROTO, -ENOMEM  as fetch_document().
 * @retval -EIO      any other status, or an answer that is none.
 */
NODISCARD int director_ask(const struct fetch_document_config *config,
    const struct director_question *question, struct pelican_facts *out,
    struct director_said *said, struct err *err);

#endif
