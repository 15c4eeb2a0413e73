/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/cluster.h - one directory on many servers: which servers of an XRootD
 * cluster have been asked for their part of a listing.
 *
 * The redirector of such a cluster has no files. It leads a PROPFIND to one
 * server that has the directory, who lists its own files only, while others
 * have others. With `tried=HOST,HOST` in the query it leads to a server that
 * is not among these, and says 404 when there is none left; its own clients
 * list in this way too. Names that several servers have, as of directories,
 * come several times.
 *
 * Threads: none; a struct cluster belongs to its call.
 * Sources: measured: tests/system/test_bed_paths.py (XRootD 5.5.3).
 */
#ifndef FETCH_READS_CLUSTER_H
#define FETCH_READS_CLUSTER_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>

enum {
	CLUSTER_SERVERS_MAX = 64,
	/* Of the list as text: it stands in a URL, and comes back in the
	 * Location beside a token. */
	CLUSTER_TRIED_BYTES_MAX = 4096,
};

struct cluster {
	bool led; /* a redirector has led to who is asked now */
	unsigned count;
	struct buf tried; /* their hosts, commas between them */
};

void cluster_init(struct cluster *cluster);
void cluster_fini(struct cluster *cluster);

/** The listing begins again: nobody has been asked. */
void cluster_forget(struct cluster *cluster);

/**
 * The server that the redirector led to has been asked.
 *
 * @param url  where it led.
 * @retval 1         new: the redirector may know another.
 * @retval 0         it was asked before: the redirector knows no other.
 * @retval -E2BIG    more servers than CLUSTER_SERVERS_MAX, or longer names
 *                   than CLUSTER_TRIED_BYTES_MAX.
 * @retval -EBADMSG  no URL of a host.
 * @retval -ENOMEM   out of memory.
 */
NODISCARD int cluster_asked(struct cluster *cluster, const char *url);

/** For `tried=`; NULL when nobody has been asked. Until the next change. */
const char *cluster_tried(const struct cluster *cluster);

#endif
