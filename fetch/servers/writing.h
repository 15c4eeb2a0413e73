/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/writing.h - how a server takes changes, learned once from its answers
 * and not asked again.
 *
 * Who it is says most of it, for the three servers that were measured; of any
 * other the worst is believed until an answer shows better. A proxy that hides
 * the server behind it takes whole bodies before it passes them on, unless
 * told otherwise, which makes its PUT whole too.
 *
 * Threads: the fetch thread.
 * Sources: measured on XRootD 5.5.3, nginx 1.22 and Apache 2.4.
 */
#ifndef FETCH_SERVERS_WRITING_H
#define FETCH_SERVERS_WRITING_H

#include <stdbool.h>

struct response;

enum writing_software {
	WRITING_UNSEEN, /* no answer yet */
	WRITING_OTHER,
	WRITING_XROOTD,
	WRITING_NGINX,
	WRITING_APACHE,
};

struct writing {
	enum writing_software software;
	bool refused_condition; /* 412 to a PUT: conditions are honoured */
	bool led;               /* a PUT was redirected */
	bool answered;          /* a PUT was answered, by itself or whom it led
	                           to */
	bool no_expect;         /* 417: Expect is not understood */
	bool no_move;           /* MOVE is not understood */
};

/** Learn who answers. */
void writing_saw(struct writing *writing, const struct response *response);

/** Whether a PUT that is cut leaves what was there. */
bool writing_put_is_whole(const struct writing *writing);

/** Whether If-Match and If-None-Match on PUT are honoured. */
bool writing_keeps_conditions(const struct writing *writing);

/** Whether Overwrite: F on MOVE is. */
bool writing_keeps_overwrite(const struct writing *writing);

/** Whether a MOVE takes the file's time along, and its ETag. */
bool writing_moves_as_is(const struct writing *writing);

/** Whether a MOVE leaves what has its target's name: in a cluster the file may
 *  be with one server and the one it is to replace with another. */
bool writing_moves_beside(const struct writing *writing);

/** Whether the Destination of a MOVE stands there as it is, and not
 *  percent-encoded. */
bool writing_plain_destination(const struct writing *writing);

#endif
