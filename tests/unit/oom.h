/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/oom.h - fail every allocation of a function once.
 *
 * Link with unit_test(... SOURCES ../oom.c WRAP malloc calloc realloc).
 */
#ifndef TESTS_UNIT_OOM_H
#define TESTS_UNIT_OOM_H

/**
 * Run `run` again and again, failing the first, second, ... allocation,
 * until one run meets no failure. Each failed run must return -ENOMEM, the
 * last one 0.
 *
 * @return how many allocations were failed.
 */
unsigned oom_each(int (*run)(void *arg), void *arg);

#endif
