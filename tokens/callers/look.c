/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/look.c - see look.h. */
#include "tokens/callers/look.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/secret.h"
#include "tokens/claims/json.h"
#include "tokens/find/agent.h"
#include "tokens/find/discover.h"
#include "tokens/find/environ.h"
#include "tokens/find/finding.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)FINDING_BYTES_MAX <= (int)LOOKER_ANSWER_BYTES_MAX,
    "each finding is an answer");

struct look_plan {
	char *agent;
	char *account;
	char *issuer; /* the only one; NULL: none, or several */
	char *audience;
};

void look_plan_free(struct look_plan *plan)
{
	if (plan == NULL)
		return;
	free(plan->agent);
	free(plan->account);
	free(plan->issuer);
	free(plan->audience);
	free(plan);
}

static int copy(char **out, const char *text)
{
	if (text == NULL)
		return 0;
	*out = strdup(text);
	return *out != NULL ? 0 : -ENOMEM;
}

/* Now, and not at each look. */
static int check_agent(const struct tokens_config *config, struct err *err)
{
	const struct agent_config about = {.clock = clock_system(),
	    .socket = config->agent != NULL ? config->agent : "/",
	    .account = config->account};
	struct agent *agent = NULL;
	int code = agent_new(&agent, &about, err);

	agent_free(agent);
	return code;
}

static int fill(struct look_plan *plan, const struct tokens_config *config)
{
	const struct tokens_trust *trust = config->trust;
	int code = copy(&plan->agent, config->agent);

	if (code == 0)
		code = copy(&plan->account, config->account);
	if (code == 0 && trust != NULL && trust->issuer_count == 1)
		code = copy(&plan->issuer, trust->issuers[0]);
	if (code == 0 && trust != NULL && trust->audience_count == 1)
		code = copy(&plan->audience, trust->audiences[0]);
	return code;
}

int look_plan_new(
    struct look_plan **out, const struct tokens_config *config, struct err *err)
{
	struct look_plan *plan;
	int code = check_agent(config, err);

	*out = NULL;
	if (code < 0)
		return code;
	plan = calloc(1, sizeof(*plan));
	if (plan == NULL || fill(plan, config) < 0) {
		look_plan_free(plan);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*out = plan;
	return 0;
}

/* Search as one user's mount does, with the caller's ids. */
static int search(const struct look_plan *plan,
    const struct looker_scene *scene, const struct environ_block *environment,
    struct finding *out)
{
	const char *issuers[] = {plan->issuer};
	const char *audiences[] = {plan->audience};
	const struct tokens_trust trust = {.issuers = issuers,
	    .issuer_count = plan->issuer != NULL,
	    .audiences = audiences,
	    .audience_count = plan->audience != NULL};
	const struct tokens_config config = {.clock = clock_system(),
	    .agent = plan->agent,
	    .account = plan->account,
	    .uid = scene->caller->uid,
	    .trust = &trust};
	const struct discover_caller caller = {.environment = environment,
	    .mounts = scene->mounts,
	    .held_s = scene->held_s};
	AUTO(discover) discover = NULL;
	int code;

	*out = (struct finding){.count = 0};
	code = discover_new(&discover, &config, &caller, &out->problem);
	/* What its variables lack is no failure of the look. */
	if (code == 0)
		discover_look(
		    discover, false, clock_wall_s(clock_system()), out);
	return code == -ENOMEM ? code : 0;
}

static bool is_of_user(const struct looker_scene *scene)
{
	return scene->caller->tgid == IDENT_OF_USER;
}

/* What a login would have set: there is no process to ask. */
static int make_environment(struct environ_block *out, uid_t uid)
{
	char *bytes = NULL;
	int n = asprintf(&bytes, "XDG_RUNTIME_DIR=/run/user/%u", (unsigned)uid);

	if (n < 0)
		return -ENOMEM;
	*out =
	    (struct environ_block){.bytes = bytes, .size_bytes = (size_t)n + 1};
	return 0;
}

/* Nothing was found where it was looked at: say why no more was. */
static void tell_unbelieved(
    const struct looker_scene *scene, struct finding *found)
{
	unsigned uid = scene->caller->uid;

	if (scene->environ_fd >= 0 || found->count > 0 ||
	    found->problem.code != -ENOKEY)
		return;
	if (is_of_user(scene))
		(void)err_set(&found->problem, -ENOKEY,
		    "no token of user %u, of whom no process is known any "
		    "more, in '/run/user/%u/bt_u%u' or '/tmp/bt_u%u'; write one "
		    "there, mode 600, or use the mount with one",
		    uid, uid, uid, uid);
	else if (scene->one_identity)
		(void)err_set(&found->problem, -ENOKEY,
		    "no token in '/tmp/bt_u%u', and the environment of process "
		    "%d is not to be read, since it changed its ids or hides "
		    "itself; write a token there, mode 600",
		    uid, (int)scene->caller->tgid);
	else
		(void)err_set(&found->problem, -ENOKEY,
		    "no token in '/tmp/bt_u%u', and the environment of process "
		    "%d is not believed, since it has several ids or was "
		    "started with rights that its starter has not (setuid, "
		    "setgid, capabilities); write a token there, mode 600, or "
		    "run a program without them",
		    uid, (int)scene->caller->tgid);
}

static int answer(const struct looker_scene *scene, const struct finding *found)
{
	char *bytes;
	size_t size_bytes;
	int code = finding_encode(found, &bytes, &size_bytes);

	if (code < 0)
		return code;
	code = io_write_all(scene->answer_fd, bytes, size_bytes);
	secret_wipe(bytes, size_bytes);
	free(bytes);
	return code;
}

int look_for_tokens(void *arg, const struct looker_scene *scene)
{
	const struct look_plan *plan = arg;
	struct environ_block environment = {.bytes = NULL};
	struct finding found;
	int code = 0;

	token_json_start();
	if (scene->environ_fd >= 0)
		code = environ_read(&environment, scene->environ_fd);
	else if (is_of_user(scene))
		code = make_environment(&environment, scene->caller->uid);
	if (code == 0)
		code = search(plan, scene, &environment, &found);
	environ_fini(&environment);
	if (code < 0)
		return code;
	tell_unbelieved(scene, &found);
	code = answer(scene, &found);
	finding_fini(&found);
	return code;
}
