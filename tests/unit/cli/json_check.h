/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cli/json_check.h - is this text one JSON value (RFC 8259)? A
 * checker, not a reader, so that no library is linked for it. */
#ifndef TESTS_UNIT_CLI_JSON_CHECK_H
#define TESTS_UNIT_CLI_JSON_CHECK_H

#include <stdbool.h>

bool json_is_valid(const char *text);

#endif
