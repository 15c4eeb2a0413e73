/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/discover.c - see discover.h. */
#include "tokens/find/discover.h"

#include "base/clock.h"
#include "base/log.h"
#include "tokens/find/agent.h"
#include "tokens/find/condor.h"
#include "tokens/find/file.h"
#include "tokens/find/source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIXED_MAX = 4, SOURCES_MAX = FIXED_MAX + CONDOR_FILES_MAX + 1 };

struct discover {
	struct file_rules rules;
	char *forbidden_tree;
	char *condor_dir; /* NULL: not in a job */
	bool option_given;
	unsigned fixed_count; /* the first ones; behind them HTCondor's */
	unsigned count;
	struct source *sources[SOURCES_MAX];
	struct source *agent; /* looked at last; NULL: none */
	struct err condor_problem;
	int condor_told;
	struct file_look look; /* one buffer for all, wiped after each use */
};

void discover_free(struct discover *discover)
{
	if (discover == NULL)
		return;
	for (unsigned i = 0; i < discover->count; i++)
		token_source_free(discover->sources[i]);
	token_source_free(discover->agent);
	free(discover->forbidden_tree);
	free(discover->condor_dir);
	free(discover);
}

static struct source *add_source(
    struct discover *discover, const char *name, bool is_file)
{
	struct source *source;

	assert(discover->count < SOURCES_MAX);
	source = token_source_new(name, is_file);
	if (source != NULL)
		discover->sources[discover->count++] = source;
	return source;
}

/* A path from the environment, made absolute now: the process may change its
 * directory later. */
static int absolute(char out[PATH_BYTES_MAX], const char *path, struct err *err)
{
	char here[PATH_BYTES_MAX] = "";
	int n;

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return err_set(err, -EINVAL,
		    "'%s' is no absolute path, and the current directory is "
		    "unknown: %s",
		    path, err_message(errno));
	n = path[0] == '/' ? snprintf(out, PATH_BYTES_MAX, "%s", path)
	                   : snprintf(out, PATH_BYTES_MAX, "%s/%s", here, path);
	if (n < 0 || n >= PATH_BYTES_MAX)
		return err_set(err, -EINVAL, "a path is too long");
	return 0;
}

static const char *variable(const char *name)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets any */
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

/* BEARER_TOKEN itself. */
static int add_value(struct discover *discover, struct err *err)
{
	static const char name[] = "$BEARER_TOKEN";
	const char *value = variable(name + 1);
	struct source *source;
	int code;

	if (value == NULL)
		return 0;
	source = add_source(discover, name, false);
	if (source == NULL)
		return out_of_memory(err);
	code =
	    token_read(&source->latest, value, strlen(value), &source->problem);
	if (code == -ENOMEM)
		return out_of_memory(err);
	if (code < 0)
		(void)err_wrap(&source->problem, "%s", name);
	else if (token_set_source(source->latest, name) < 0)
		return out_of_memory(err);
	return 0;
}

/* A file that is always looked for. */
static int add_file(
    struct discover *discover, const char *path, struct err *err)
{
	char full[PATH_BYTES_MAX];
	struct err ignored = ERR_INIT;

	/* What the environment says wrongly is no error of the mount: it is
	 * told, and the search goes on. */
	if (absolute(full, path, &ignored) < 0) {
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token passed over",
		    "why=%s", LOG_TEXT(ignored.text));
		return 0;
	}
	return add_source(discover, full, true) != NULL ? 0
	                                                : out_of_memory(err);
}

/* The well-known name in a directory. */
static int add_known(
    struct discover *discover, const char *dir, uid_t uid, struct err *err)
{
	char path[PATH_BYTES_MAX];
	int n;

	/* XDG Base Directory: a relative path is to be ignored. */
	if (dir == NULL || dir[0] != '/')
		return 0;
	n = snprintf(path, sizeof(path), "%s/bt_u%u", dir, (unsigned)uid);
	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	return add_file(discover, path, err);
}

static int add_environment(
    struct discover *discover, uid_t uid, struct err *err)
{
	const char *file = variable("BEARER_TOKEN_FILE");
	const char *condor = variable("_CONDOR_CREDS");
	char full[PATH_BYTES_MAX];
	int code = add_value(discover, err);

	if (code == 0 && file != NULL)
		code = add_file(discover, file, err);
	if (code == 0)
		code =
		    add_known(discover, variable("XDG_RUNTIME_DIR"), uid, err);
	if (code == 0)
		code = add_known(discover, "/tmp", uid, err);
	if (code < 0 || condor == NULL)
		return code;
	code = absolute(full, condor, err);
	if (code < 0)
		return code;
	discover->condor_dir = strdup(full);
	return discover->condor_dir != NULL ? 0 : out_of_memory(err);
}

static int add_option(
    struct discover *discover, const char *path, struct err *err)
{
	if (path[0] != '/' || strlen(path) >= PATH_BYTES_MAX)
		return err_set(err, -EINVAL,
		    "token_file: '%s' is no absolute path, or too long", path);
	return add_source(discover, path, true) != NULL ? 0
	                                                : out_of_memory(err);
}

/* One whose name says who is meant. */
static const char *agent_audience(const struct tokens_trust *trust)
{
	const char *name;

	if (trust == NULL || trust->audience_count != 1)
		return NULL;
	name = trust->audiences[0];
	return strcmp(name, "ANY") != 0 && strstr(name, "/jwt/v1/any") == NULL
	    ? name
	    : NULL;
}

/* The token agent: named by an option, else by the environment. */
static int add_agent(struct discover *discover,
    const struct tokens_config *config, struct err *err)
{
	const struct tokens_trust *trust = config->trust;
	char full[PATH_BYTES_MAX];
	struct agent_config about = {
	    .clock = config->clock != NULL ? config->clock : clock_system(),
	    .socket = config->agent,
	    .rules = discover->rules,
	    .account = config->account};
	struct agent *agent = NULL;
	int code;

	if (about.socket == NULL) {
		const char *socket = variable("OIDC_SOCK");

		if (socket == NULL && config->account == NULL)
			return 0;
		if (socket == NULL)
			return err_set(err, -EINVAL,
			    "account: no token agent is known; set OIDC_SOCK, "
			    "or name its socket with -o agent=SOCKET");
		code = absolute(full, socket, err);
		if (code < 0)
			return code;
		about.socket = full;
	}
	if (about.account == NULL && trust != NULL && trust->issuer_count == 1)
		about.account = trust->issuers[0];
	code = agent_new(&agent, &about, err);
	if (code < 0)
		return code;
	discover->agent = token_source_agent(agent, agent_audience(trust));
	return discover->agent != NULL ? 0 : out_of_memory(err);
}

/* What an option names is looked at, and nothing else. */
static int add_sources(struct discover *discover,
    const struct tokens_config *config, struct err *err)
{
	bool wants_agent = config->agent != NULL || config->account != NULL;
	int code = 0;

	discover->option_given = config->token_file != NULL;
	if (config->token_file != NULL)
		code = add_option(discover, config->token_file, err);
	else if (!wants_agent)
		code = add_environment(discover, config->uid, err);
	if (code == 0 && (wants_agent || config->token_file == NULL))
		code = add_agent(discover, config, err);
	return code;
}

static int configure(struct discover *discover,
    const struct tokens_config *config, struct err *err)
{
	discover->rules.uid = config->uid;
	if (config->forbidden_tree != NULL) {
		discover->forbidden_tree = strdup(config->forbidden_tree);
		if (discover->forbidden_tree == NULL)
			return out_of_memory(err);
		discover->rules.forbidden_tree = discover->forbidden_tree;
	}
	return add_sources(discover, config, err);
}

int discover_new(
    struct discover **out, const struct tokens_config *config, struct err *err)
{
	struct discover *discover = calloc(1, sizeof(*discover));
	int code;

	if (discover == NULL)
		return out_of_memory(err);
	code = configure(discover, config, err);
	if (code < 0) {
		discover_free(discover);
		return code;
	}
	discover->fixed_count = discover->count;
	*out = discover;
	return 0;
}

static int by_condor_order(const void *a, const void *b)
{
	const struct source *const *left = a;
	const struct source *const *right = b;

	return condor_order(
	    path_name((*left)->name), path_name((*right)->name));
}

/* Mark the source of one of HTCondor's files; `add` it if it is new. */
static void note_listed(struct discover *discover, const char *name, bool add)
{
	char path[PATH_BYTES_MAX];
	struct source *source = NULL;

	if (path_join(path, discover->condor_dir, name) < 0)
		return;
	for (unsigned i = discover->fixed_count; i < discover->count; i++) {
		if (strcmp(discover->sources[i]->name, path) == 0)
			source = discover->sources[i];
	}
	/* Without memory this file is passed over until the next look. */
	if (source == NULL && add && discover->count < SOURCES_MAX)
		source = add_source(discover, path, true);
	if (source != NULL)
		source->listed = true;
}

/* Drop HTCondor's files that are gone, but not the one whose token is in
 * use: it keeps its place in the order. */
static void drop_unlisted(struct discover *discover)
{
	unsigned kept = discover->fixed_count;

	for (unsigned i = kept; i < discover->count; i++) {
		struct source *source = discover->sources[i];

		if (source->listed || source->chosen)
			discover->sources[kept++] = source;
		else
			token_source_free(source);
	}
	discover->count = kept;
}

static void merge_listed(
    struct discover *discover, const struct condor_files *files)
{
	for (unsigned i = discover->fixed_count; i < discover->count; i++)
		discover->sources[i]->listed = false;
	for (unsigned i = 0; i < files->count; i++)
		note_listed(discover, files->names[i], false);
	drop_unlisted(discover);
	for (unsigned i = 0; i < files->count; i++)
		note_listed(discover, files->names[i], true);
	qsort(discover->sources + discover->fixed_count,
	    discover->count - discover->fixed_count, sizeof(struct source *),
	    by_condor_order);
}

static void list_condor(struct discover *discover)
{
	struct condor_files files;
	struct err *problem = &discover->condor_problem;

	if (discover->condor_dir == NULL)
		return;
	problem->code = 0;
	if (condor_list(
	        &files, discover->condor_dir, &discover->rules, problem) < 0 &&
	    problem->code != discover->condor_told)
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token passed over",
		    "source=%s why=%s", LOG_TEXT(discover->condor_dir),
		    LOG_TEXT(problem->text));
	discover->condor_told = problem->code;
	merge_listed(discover, &files);
	condor_files_fini(&files);
}

/* Where the search stands: the best token that is not good now, and the
 * first trouble worth telling. */
struct search {
	struct source *best;
	struct token *token;
	enum token_phase phase;
};

/* Consider one source; true when the search has ended. */
static bool consider(struct search *search, struct source *source,
    uint64_t now_s, struct err *first_problem)
{
	struct token *token = token_source_best(source, now_s);
	struct err problem;
	enum token_phase phase;

	token_source_judge(source, token, now_s, &problem);
	if (first_problem->code == 0 && problem.code != 0 &&
	    (token != NULL || !token_source_is_absent(&problem)))
		*first_problem = problem;
	if (token == NULL)
		return false;
	phase = token_phase_at(token, now_s);
	if (search->best == NULL || phase == TOKEN_GOOD ||
	    (search->phase == TOKEN_ENDED && phase == TOKEN_EARLY))
		*search = (struct search){source, token, phase};
	return phase == TOKEN_GOOD;
}

/* Look at some of the sources, in order; true when the search has ended. */
static bool search_range(struct discover *discover, unsigned from, unsigned to,
    struct search *search, struct err *first_problem)
{
	for (unsigned i = from; i < to; i++) {
		struct source *source = discover->sources[i];

		token_source_look(source, &discover->look, &discover->rules);
		if (consider(
		        search, source, discover->look.now_s, first_problem))
			return true;
	}
	return false;
}

/* Nothing at all was found: say where it was looked for, and the cure. */
static void tell_none(const struct discover *discover, struct err *out)
{
	const struct source *first = discover->sources[0];
	unsigned uid = (unsigned)discover->rules.uid;

	if (out->code != 0)
		return;
	assert(first != NULL);
	if (discover->option_given)
		(void)err_set(out, -ENOKEY,
		    "no token in '%s' (%s); write one there, mode 600",
		    first->name,
		    first->problem.code == -ENODATA
		        ? "it is empty"
		        : err_message(first->problem.code));
	else
		(void)err_set(out, -ENOKEY,
		    "no token in BEARER_TOKEN, BEARER_TOKEN_FILE, "
		    "$XDG_RUNTIME_DIR/bt_u%u, /tmp/bt_u%u or $_CONDOR_CREDS, "
		    "and no agent in OIDC_SOCK; get one, for instance with "
		    "htgettoken, or name its file with -o token_file=FILE",
		    uid, uid);
}

/* Files and variables, the agent last: it costs its issuer a question. When
 * the token that is to be used was the agent's and has ended, what is wrong
 * with the agent is what matters. */
static void search_agent(
    struct discover *discover, struct search *search, struct err *problem)
{
	struct source *source = discover->agent;
	struct token *token;

	if (source == NULL)
		return;
	token_source_look(source, &discover->look, &discover->rules);
	if (consider(search, source, discover->look.now_s, problem))
		return;
	/* Of tokens that have all ended, the one that was in use last. */
	token = token_source_best(source, discover->look.now_s);
	if (source->chosen && token != NULL)
		*search = (struct search){
		    source, token, token_phase_at(token, discover->look.now_s)};
	if (search->best == source && search->phase != TOKEN_GOOD &&
	    source->problem.code != 0)
		*problem = source->problem;
}

static void choose(struct source *source, const struct search *search)
{
	token_source_choose(
	    source, source == search->best ? search->token : NULL);
}

void discover_look(
    struct discover *discover, bool force, uint64_t now_s, struct finding *out)
{
	struct search search = {.best = NULL};
	unsigned fixed = discover->fixed_count;

	*out = (struct finding){.count = 0};
	discover->look.now_s = now_s;
	discover->look.force = force;
	if (!search_range(discover, 0, fixed, &search, &out->problem)) {
		list_condor(discover);
		if (!search_range(discover, fixed, discover->count, &search,
		        &out->problem))
			search_agent(discover, &search, &out->problem);
		if (out->problem.code == 0)
			out->problem = discover->condor_problem;
	}
	for (unsigned i = 0; i < discover->count; i++)
		choose(discover->sources[i], &search);
	if (discover->agent != NULL)
		choose(discover->agent, &search);
	if (search.best == NULL) {
		tell_none(discover, &out->problem);
		return;
	}
	finding_add(out, token_get(search.token));
}
