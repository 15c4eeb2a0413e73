/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/scope.c - see scope.h. */
#include "tokens/claims/scope.h"

#include "base/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	READS = 1u << TOKENS_READ,
	CREATES = 1u << TOKENS_CREATE,
	MODIFIES = 1u << TOKENS_MODIFY,
};

/* What a scope's first word allows. `path_needed`: WLCG, section 2.2.1,
 * rejects storage.* without a path; for SciTokens it is "/". */
static const struct vocabulary {
	const char *word;
	unsigned rights;
	bool path_needed;
} vocabulary[] = {
    {"read", READS, false},
    {"write", CREATES | MODIFIES, false},
    {"storage.read", READS, true},
    {"storage.create", CREATES, true},
    {"storage.modify", CREATES | MODIFIES, true},
    {"storage.stage", 0, true},
    {"storage.poll", 0, true},
};

static const struct vocabulary *find_word(const char *word, size_t size_bytes)
{
	for (size_t i = 0; i < ARRAY_COUNT(vocabulary); i++) {
		if (strlen(vocabulary[i].word) == size_bytes &&
		    memcmp(vocabulary[i].word, word, size_bytes) == 0)
			return &vocabulary[i];
	}
	return NULL;
}

/* Decode one component until nothing is left to decode; false when it may
 * not stand in a path or could mean two things. */
static bool decode_component(
    char out[PATH_NAME_BYTES_MAX + 1], const char *text, size_t size_bytes)
{
	char from[PATH_BYTES_MAX];
	int n = (int)size_bytes;

	if (size_bytes >= sizeof(from))
		return false;
	memcpy(from, text, size_bytes);
	from[size_bytes] = '\0';
	for (int pass = 0;
	     pass < SCOPE_DECODE_PASSES && memchr(from, '%', (size_t)n) != NULL;
	     pass++) {
		char decoded[PATH_BYTES_MAX];

		n = path_decode(decoded, from, (size_t)n);
		if (n < 0)
			return false;
		memcpy(from, decoded, (size_t)n + 1);
	}
	if (memchr(from, '%', (size_t)n) != NULL ||
	    memchr(from, '\\', (size_t)n) != NULL)
		return false;
	if (strcmp(from, ".") == 0)
		from[n = 0] = '\0';
	if (n > 0 && !path_name_ok(from, (size_t)n))
		return false;
	memcpy(out, from, (size_t)n + 1);
	return true;
}

/* Normalise a scope's path; false when it cannot be trusted. */
static bool normalise(
    char out[PATH_BYTES_MAX], const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;

	if (size_bytes == 0 || text[0] != '/')
		return false;
	(void)memcpy(out, "/", 2);
	while (text < end) {
		char name[PATH_NAME_BYTES_MAX + 1];
		const char *next = memchr(text, '/', (size_t)(end - text));

		if (next == NULL)
			next = end;
		if (!decode_component(name, text, (size_t)(next - text)))
			return false;
		if (name[0] != '\0' && path_join(out, out, name) < 0)
			return false;
		text = next < end ? next + 1 : end;
	}
	return true;
}

/* Add one scope of the claim. */
static int add(struct scope_list *list, const char *text, size_t size_bytes)
{
	char path[PATH_BYTES_MAX] = "/";
	const char *colon = memchr(text, ':', size_bytes);
	size_t word_bytes = colon != NULL ? (size_t)(colon - text) : size_bytes;
	const struct vocabulary *word = find_word(text, word_bytes);
	struct scope *scope;

	if (word == NULL)
		return 0;
	if ((colon == NULL && word->path_needed) ||
	    (colon != NULL &&
	        !normalise(path, colon + 1, size_bytes - word_bytes - 1))) {
		list->bad_count++;
		return 0;
	}
	scope = &list->scopes[list->count];
	scope->rights = word->rights;
	scope->path = strdup(path);
	if (scope->path == NULL)
		return -ENOMEM;
	list->count++;
	return 0;
}

static size_t count_words(const char *claim)
{
	size_t count = 0;

	for (const char *p = claim; *p != '\0'; p++)
		count += *p != ' ' && (p == claim || p[-1] == ' ');
	return count;
}

/* Names in the order of their bytes, and what lies below a path right behind
 * it: a slash comes before all that a name can hold. */
static int by_path(const void *a, const void *b)
{
	const char *one = ((const struct scope *)a)->path;
	const char *other = ((const struct scope *)b)->path;

	while (*one != '\0' && *one == *other) {
		one++;
		other++;
	}
	if (*one == *other)
		return 0;
	if (*one == '\0' || *other == '\0')
		return *one == '\0' ? -1 : 1;
	if (*one == '/' || *other == '/')
		return *one == '/' ? -1 : 1;
	return (unsigned char)*one < (unsigned char)*other ? -1 : 1;
}

int scope_list_parse(struct scope_list *out, const char *claim)
{
	const char *at = claim != NULL ? claim : "";
	size_t count = count_words(at);

	*out = (struct scope_list){0};
	if (count == 0)
		return 0;
	if (count > SCOPE_COUNT_MAX)
		return -EINVAL;
	out->scopes = calloc(count, sizeof(*out->scopes));
	if (out->scopes == NULL)
		return -ENOMEM;
	while (*(at += strspn(at, " ")) != '\0') {
		size_t n = strcspn(at, " ");
		int code = add(out, at, n);

		if (code < 0) {
			scope_list_fini(out);
			return code;
		}
		at += n;
	}
	qsort(out->scopes, out->count, sizeof(*out->scopes), by_path);
	return 0;
}

void scope_list_fini(struct scope_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->scopes[i].path);
	free(list->scopes);
	*list = (struct scope_list){0};
}

const char *scope_path(const char *base_path, const char *path)
{
	if (base_path[1] == '\0')
		return path;
	if (!path_is_within(path, base_path))
		return NULL;
	path += strlen(base_path);
	return *path == '\0' ? "/" : path;
}

bool scope_allows(const struct scope_list *list, const char *base_path,
    enum tokens_right right, const char *path)
{
	const char *wanted = scope_path(base_path, path);

	for (size_t i = 0; i < list->count && wanted != NULL; i++) {
		const struct scope *scope = &list->scopes[i];

		if ((scope->rights & 1u << right) != 0 &&
		    path_is_within(wanted, scope->path))
			return true;
	}
	return false;
}

/* A plain path: as normalise(), without decoding. */
static int take_path(char out[PATH_BYTES_MAX], const char *text)
{
	if (text[0] != '/')
		return -EINVAL;
	(void)memcpy(out, "/", 2);
	while (*(text += strspn(text, "/")) != '\0') {
		char name[PATH_NAME_BYTES_MAX + 1];
		size_t n = strcspn(text, "/");

		if (n > PATH_NAME_BYTES_MAX)
			return -EINVAL;
		memcpy(name, text, n);
		name[n] = '\0';
		text += n;
		if (strcmp(name, ".") == 0)
			continue;
		if (!path_name_ok(name, n) || path_join(out, out, name) < 0)
			return -EINVAL;
	}
	return 0;
}

int scope_wish_parse(struct scope_wish *out, const char *text, struct err *err)
{
	size_t n = strcspn(text, ":");
	const struct vocabulary *word = find_word(text, n);

	if (word == NULL || word->rights == 0 || text[n] != ':')
		return err_set(err, -EINVAL,
		    "'%.120s' is no scope with a path; write read:/PATH, "
		    "write:, storage.read:, storage.create: or "
		    "storage.modify:",
		    text);
	out->rights = word->rights;
	if (take_path(out->path, text + n + 1) < 0)
		return err_set(err, -EINVAL,
		    "'%.120s': its path is not absolute, too long, or has "
		    "'..'",
		    text);
	return 0;
}

bool scope_grants(const struct scope_list *list, const char *base_path,
    const struct scope_wish *wish)
{
	for (int right = TOKENS_READ; right <= TOKENS_MODIFY; right++) {
		if ((wish->rights & 1u << right) != 0 &&
		    !scope_allows(
		        list, base_path, (enum tokens_right)right, wish->path))
			return false;
	}
	return true;
}

/* A name within a path, borrowed. */
struct step {
	const char *name;
	size_t size_bytes;
};

/* The name below `above` on the way to `path`; size 0: none. */
static struct step step_below(const char *path, const char *above)
{
	struct step step = {.name = path};

	if (!path_is_within(path, above))
		return step;
	step.name += above[1] == '\0' ? 0 : strlen(above);
	step.name += *step.name == '/';
	step.size_bytes = strcspn(step.name, "/");
	return step;
}

static void give_name(const struct step *step,
    void (*name)(void *arg, const char *name), void *arg)
{
	char copy[PATH_NAME_BYTES_MAX + 1];

	if (name == NULL)
		return;
	memcpy(copy, step->name, step->size_bytes);
	copy[step->size_bytes] = '\0';
	name(arg, copy);
}

static bool is_same_step(const struct step *a, const struct step *b)
{
	return a->size_bytes == b->size_bytes &&
	    memcmp(a->name, b->name, a->size_bytes) == 0;
}

unsigned scope_reach(const struct scope_list *list, const char *base_path,
    const char *path, void (*name)(void *arg, const char *name), void *arg)
{
	struct step step = step_below(base_path, path);
	struct step last = {.size_bytes = 0};
	const char *below;
	unsigned count = 0;

	if (list->count == 0)
		return 0;
	if (step.size_bytes > 0) {
		/* Above the base: one name leads to all of them. */
		give_name(&step, name, arg);
		return 1;
	}
	below = scope_path(base_path, path);
	for (size_t i = 0; i < list->count && below != NULL; i++) {
		step = step_below(list->scopes[i].path, below);
		/* By path: those of one name stand together. */
		if (step.size_bytes == 0 || is_same_step(&step, &last))
			continue;
		give_name(&step, name, arg);
		last = step;
		count++;
	}
	return count;
}

const char *scope_guess_base(
    const struct scope_list *list, const char *source_path)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *path = list->scopes[i].path;

		if (path_is_within(path, source_path) ||
		    path_is_within(source_path, path))
			return "/";
	}
	return source_path;
}
