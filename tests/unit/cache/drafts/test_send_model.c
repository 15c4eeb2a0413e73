/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_send_model.c - what test_drafts_model.c does,
 * with the real sender.
 */
#include "tests/unit/cache/drafts/test_drafts_model.c"
