/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/control/metrics_tell.h - the state of a running mount for Prometheus: the
 * text format, version 0.0.4, with stable names (bearerfs(1), METRICS).
 *
 * Never a token, a path below the mount, or a user.
 *
 * Threads: control thread.
 */
#ifndef CLI_CONTROL_METRICS_TELL_H
#define CLI_CONTROL_METRICS_TELL_H

#include "base/attr.h"
#include "base/buf.h"

struct describe;

/** Append all families, each sample with the mount point as a label.
 *  @retval 0 or buf_code(). */
NODISCARD int metrics_tell(const struct describe *mount, struct buf *out);

#endif
