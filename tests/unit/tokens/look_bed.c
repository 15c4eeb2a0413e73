/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/look_bed.c - see look_bed.h. */
#include "tests/unit/tokens/look_bed.h"

#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/mount_bed.h"
#include "tokens/callers/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { REMEMBERED = 8 };

static char dir[256];
static struct look_plan *plan;
static struct looker *looker;

bool look_bed_possible(void)
{
	return geteuid() == 0 && mount_bed_private() &&
	    mount("none", "/tmp", "tmpfs", 0, "mode=1777") == 0;
}

void look_bed_restart(const struct tokens_config *config)
{
	struct err err = ERR_INIT;

	looker_free(looker);
	look_plan_free(plan);
	plan = NULL;
	looker = NULL;
	assert_int_equal(look_plan_new(&plan, config, &err), 0);
	assert_int_equal(looker_start(&looker, look_for_tokens, plan, &err), 0);
}

void look_bed_start(const struct tokens_config *config)
{
	make_directory(dir);
	assert_int_equal(chmod(dir, 0755), 0);
	look_bed_restart(config);
}

void look_bed_end(void)
{
	looker_free(looker);
	look_plan_free(plan);
	looker = NULL;
	plan = NULL;
	make_remove(dir);
}

struct looker *look_bed_looker(void)
{
	return looker;
}

char *look_bed_path(const char *name)
{
	static char paths[REMEMBERED][512];
	static unsigned next;
	char *path = paths[next++ % REMEMBERED];

	(void)snprintf(path, sizeof(paths[0]), "%s%s%s", dir,
	    name[0] != '\0' ? "/" : "", name);
	return path;
}

const char *look_bed_variable(const char *variable, const char *name)
{
	static char texts[REMEMBERED][600];
	static unsigned next;
	char *text = texts[next++ % REMEMBERED];

	(void)snprintf(
	    text, sizeof(texts[0]), "%s=%s", variable, look_bed_path(name));
	return text;
}

void look_bed_token(const char *name, uid_t uid)
{
	char text[MAKE_BYTES];
	const char *path = look_bed_path(name);

	make_token(text, name, LOOK_BED_END_S);
	make_file(path, text, 0600);
	assert_int_equal(chown(path, uid, (gid_t)-1), 0);
}

int look_bed_look(const struct bed_who *who, struct finding *out)
{
	struct bed_process process = bed_start(who);
	struct looker_answer answer;
	int code;

	assert_int_not_equal(process.pid, 0);
	answer = bed_look(looker, &process);
	code = answer.code;
	if (code == 0)
		code = finding_decode(out, answer.bytes, answer.size_bytes);
	looker_answer_fini(&answer);
	bed_end(&process);
	return code;
}
