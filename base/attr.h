/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/attr.h - compiler attributes under one spelling: ownership that ends
 * with its scope, results that must be looked at, locks that clang checks.
 *
 * Not a portability layer: gcc 12 and clang 14 on Linux are what we build
 * with. Thread-safety annotations exist in clang alone; elsewhere they are
 * empty.
 */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#define NODISCARD              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Run `type##_freep` on the variable when it leaves its scope. */
#define AUTO(type) __attribute__((cleanup(type##_freep))) struct type *

/* Define `type##_freep` for AUTO() out of a function that frees a pointer. */
#define DEFINE_FREEP(type, free_function)                      \
	static inline void type##_freep(struct type **pointer) \
	{                                                      \
		free_function(*pointer);                       \
	}

/* Hand a pointer over: the variable becomes NULL, so AUTO leaves it alone. */
#define STEAL(p)                             \
	__extension__({                      \
		__typeof__(p) stolen_ = (p); \
		(p) = NULL;                  \
		stolen_;                     \
	})

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The structure that holds `member`, from a pointer to the member. */
#define CONTAINER_OF(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

#ifdef __clang__
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif

/* A file-scope token, declared and never defined: costs nothing. */
struct TSA(capability("lock")) capability {
	int unused;
};

#define GUARDED_BY(c) TSA(guarded_by(c))
#define REQUIRES(c)   TSA(requires_capability(c))
#define ACQUIRES(c)   TSA(acquire_capability(c))
#define RELEASES(c)   TSA(release_capability(c))
#define ON_THREAD(c)  TSA(assert_capability(c))
#define UNCHECKED     TSA(no_thread_safety_analysis) /* in lock wrappers only */

#endif
