/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/places.c - see places.h. */
#include "tokens/find/places.h"

#include "base/clock.h"
#include "base/log.h"
#include "tokens/find/agent.h"
#include "tokens/find/environ.h"
#include "tokens/find/source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void places_fini(struct places *places)
{
	for (unsigned i = 0; i < places->count; i++)
		token_source_free(places->sources[i]);
	token_source_free(places->agent);
	free(places->forbidden_tree);
	free(places->condor_dir);
	*places = (struct places){.count = 0};
}

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

struct source *places_add(struct places *places, const char *name, bool is_file)
{
	struct source *source;

	assert(places->count < PLACES_MAX);
	source = token_source_new(name, is_file);
	if (source != NULL)
		places->sources[places->count++] = source;
	return source;
}

/* NULL when it is not there, or empty. */
static const char *variable(const struct places *places, const char *name)
{
	const char *value;

	if (places->caller != NULL)
		value = environ_get(places->caller->environment, name);
	else
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets any */
		value = getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Keep the first thing that is wrong with a variable; the log hears of all. */
static void note_problem(struct places *places, const struct err *problem)
{
	log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token passed over", "why=%s",
	    LOG_TEXT(problem->text));
	if (places->problem.code == 0)
		places->problem = *problem;
}

/* A path that a variable names, made absolute now: this process may change
 * its directory later, and that of a caller is not looked into. */
static int absolute(char out[PATH_BYTES_MAX], const struct places *places,
    const char *name, const char *path, struct err *err)
{
	char here[PATH_BYTES_MAX] = "";
	int n;

	if (path[0] != '/' && places->caller != NULL)
		return err_set(err, -EINVAL,
		    "%s: '%.256s' is no absolute path; set it to one that "
		    "begins with '/'",
		    name, path);
	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return err_set(err, -EINVAL,
		    "%s: '%.256s' is no absolute path, and the current "
		    "directory is unknown: %s",
		    name, path, err_message(errno));
	n = path[0] == '/' ? snprintf(out, PATH_BYTES_MAX, "%s", path)
	                   : snprintf(out, PATH_BYTES_MAX, "%s/%s", here, path);
	if (n < 0 || n >= PATH_BYTES_MAX)
		return err_set(err, -EINVAL,
		    "%s: a path is too long; set it to one of less than %d "
		    "bytes",
		    name, PATH_BYTES_MAX);
	return 0;
}

/* The absolute path that a variable names; false: none of use. */
static bool named_path(
    char out[PATH_BYTES_MAX], struct places *places, const char *name)
{
	const char *path = variable(places, name);
	struct err problem = ERR_INIT;

	if (path == NULL)
		return false;
	if (absolute(out, places, name, path, &problem) == 0)
		return true;
	note_problem(places, &problem);
	return false;
}

/* BEARER_TOKEN itself. */
static int add_value(struct places *places, struct err *err)
{
	static const char name[] = "$BEARER_TOKEN";
	const char *value = variable(places, name + 1);
	struct source *source;
	int code;

	if (value == NULL)
		return 0;
	source = places_add(places, name, false);
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

static int add_file(struct places *places, const char *path, struct err *err)
{
	return places_add(places, path, true) != NULL ? 0 : out_of_memory(err);
}

/* The well-known name in a directory. */
static int add_known(
    struct places *places, const char *dir, uid_t uid, struct err *err)
{
	char path[PATH_BYTES_MAX];
	int n;

	/* XDG Base Directory: a relative path is to be ignored. */
	if (dir == NULL || dir[0] != '/')
		return 0;
	n = snprintf(path, sizeof(path), "%s/bt_u%u", dir, (unsigned)uid);
	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	return add_file(places, path, err);
}

static int add_environment(struct places *places, uid_t uid, struct err *err)
{
	char path[PATH_BYTES_MAX];
	int code = add_value(places, err);

	if (code == 0 && named_path(path, places, "BEARER_TOKEN_FILE"))
		code = add_file(places, path, err);
	if (code == 0)
		code = add_known(
		    places, variable(places, "XDG_RUNTIME_DIR"), uid, err);
	if (code == 0)
		code = add_known(places, "/tmp", uid, err);
	if (code < 0 || !named_path(path, places, "_CONDOR_CREDS"))
		return code;
	places->condor_dir = strdup(path);
	return places->condor_dir != NULL ? 0 : out_of_memory(err);
}

static int add_option(struct places *places, const char *path, struct err *err)
{
	if (path[0] != '/' || strlen(path) >= PATH_BYTES_MAX)
		return err_set(err, -EINVAL,
		    "token_file: '%s' is no absolute path, or too long", path);
	return add_file(places, path, err);
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

/* Where the agent listens: named by an option, else by the environment; NULL:
 * nobody said. */
static const char *agent_socket(char room[PATH_BYTES_MAX],
    struct places *places, const struct tokens_config *config)
{
	if (config->agent != NULL)
		return config->agent;
	return named_path(room, places, "OIDC_SOCK") ? room : NULL;
}

static int add_agent(
    struct places *places, const struct tokens_config *config, struct err *err)
{
	const struct tokens_trust *trust = config->trust;
	char room[PATH_BYTES_MAX];
	struct agent_config about = {
	    .clock = config->clock != NULL ? config->clock : clock_system(),
	    .socket = agent_socket(room, places, config),
	    .in_fds = places->caller != NULL,
	    .held_s = places->caller != NULL ? places->caller->held_s : 0,
	    .rules = places->rules,
	    .account = config->account};
	struct agent *agent = NULL;
	int code;

	if (about.socket == NULL && config->account == NULL)
		return 0;
	if (about.socket == NULL && places->problem.code != 0) {
		*err = places->problem;
		return err->code;
	}
	if (about.socket == NULL)
		return err_set(err, -EINVAL,
		    "account: no token agent is known; set OIDC_SOCK, or name "
		    "its socket with -o agent=SOCKET");
	if (about.account == NULL && trust != NULL && trust->issuer_count == 1)
		about.account = trust->issuers[0];
	code = agent_new(&agent, &about, err);
	if (code < 0)
		return code;
	places->agent = token_source_agent(agent, agent_audience(trust));
	return places->agent != NULL ? 0 : out_of_memory(err);
}

/* What an option names is looked at, and nothing else. */
static int add_sources(
    struct places *places, const struct tokens_config *config, struct err *err)
{
	bool wants_agent = config->agent != NULL || config->account != NULL;
	int code = 0;

	places->option_given = config->token_file != NULL;
	if (config->token_file != NULL)
		code = add_option(places, config->token_file, err);
	else if (!wants_agent)
		code = add_environment(places, config->uid, err);
	if (code == 0 && (wants_agent || config->token_file == NULL))
		code = add_agent(places, config, err);
	return code;
}

static int begin(struct places *out, const struct tokens_config *config,
    const struct discover_caller *caller, struct err *err)
{
	*out = (struct places){.caller = caller, .rules = {.uid = config->uid}};
	if (caller != NULL)
		out->rules.mounts = caller->mounts;
	if (config->forbidden_tree == NULL)
		return 0;
	out->forbidden_tree = strdup(config->forbidden_tree);
	if (out->forbidden_tree == NULL)
		return out_of_memory(err);
	out->rules.forbidden_tree = out->forbidden_tree;
	return 0;
}

int places_init(struct places *out, const struct tokens_config *config,
    const struct discover_caller *caller, struct err *err)
{
	int code = begin(out, config, caller, err);

	if (code < 0)
		return code;
	code = add_sources(out, config, err);
	out->fixed_count = out->count;
	return code;
}

int places_init_agent(
    struct places *out, const struct tokens_config *config, struct err *err)
{
	bool wants_agent = config->agent != NULL || config->account != NULL;
	int code = begin(out, config, NULL, err);

	if (code < 0 || (!wants_agent && config->token_file != NULL))
		return code;
	return add_agent(out, config, err);
}

void places_tell_none(const struct places *places, struct err *out)
{
	unsigned uid = (unsigned)places->rules.uid;

	if (out->code != 0)
		return;
	if (places->option_given)
		(void)err_set(out, -ENOKEY,
		    "no token in '%s' (%s); write one there, mode 600",
		    places->sources[0]->name,
		    places->sources[0]->problem.code == -ENODATA
		        ? "it is empty"
		        : err_message(places->sources[0]->problem.code));
	else
		(void)err_set(out, -ENOKEY,
		    "no token in BEARER_TOKEN, BEARER_TOKEN_FILE, "
		    "$XDG_RUNTIME_DIR/bt_u%u, /tmp/bt_u%u or $_CONDOR_CREDS, "
		    "and no agent in OIDC_SOCK; get one, for instance with "
		    "htgettoken, or %s",
		    uid, uid,
		    places->caller != NULL
		        ? "set one of these where the program is started"
		        : "name its file with -o token_file=FILE");
}
