/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "jail/plan.h"

static const struct plan_fds user = { .info = 7, .block = 8, .outer = -1, .inner = -1 };

/* The arguments with spaces between, owned */
static char *args_of(struct jail_plan *plan, const struct view *v, const struct plan_fds *fds)
{
	struct buf b = buf_new(PLAN_BYTES_MAX);
	struct err err = { "" };

	if (!plan_args(plan, v, fds, &b, &err)) {
		buf_done(&b);
		return NULL;
	}
	for (size_t i = 0; i < b.len; i++)
		if (!b.at[i])
			b.at[i] = ' ';
	assert_true(buf_add(&b, "", 1));
	return (char *)b.at;
}

static struct jail_plan plan_of(char **envp)
{
	return (struct jail_plan){ .cwd = "/work", .envp = envp };
}

static void test_user(void **state)
{
	char one[] = "A=1=2", two[] = "EMPTY=", broken[] = "=x";
	char *envp[] = { one, broken, two, NULL };
	struct jail_plan plan = plan_of(envp);
	struct view v = { 0 };
	AUTO_FREE char *text = args_of(&plan, &v, &user);

	(void)state;
	assert_null(strstr(text, "--die-with-parent "));	/* see jail/shim.c */
	assert_non_null(strstr(text, "--as-pid-1 "));	/* bwrap's own init has no filter */
	assert_non_null(strstr(text, "--unshare-net --unshare-pid --unshare-ipc --unshare-uts "
				     "--unshare-user --info-fd 7 --block-fd 8 --bind / / "));
	assert_non_null(strstr(text, "--chdir /work --clearenv --setenv A 1=2 --setenv EMPTY  "));
	assert_null(strstr(text, "--new-session"));
	assert_null(strstr(text, "--cap-add"));
}

static void test_root_has_no_capability_over_the_jail(void **state)
{
	static const char *const never[] = { "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN",
					     "CAP_SYS_PTRACE", "CAP_MKNOD", "CAP_SYS_MODULE", "ALL --cap-add ALL" };
	struct plan_fds root = { .info = 7, .block = 8, .outer = 9, .inner = 10 };
	char *envp[] = { NULL };
	struct jail_plan plan = plan_of(envp);
	struct view v = { 0 };
	AUTO_FREE char *text = args_of(&plan, &v, &root);

	(void)state;
	assert_non_null(strstr(text, "--userns 9 --userns2 10 --cap-drop ALL --cap-add CAP_CHOWN "));
	assert_null(strstr(text, "--unshare-user"));
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		assert_null(strstr(text, never[i]));
}

static void test_view(void **state)
{
	char home[] = "/home/u/.config", log[] = "/l", dir[] = "/d", run[] = "/run/dbus", conf[] = "/r";
	struct view_op ops[] = {
		{ .kind = VIEW_PIN, .path = home },
		{ .kind = VIEW_FRESH, .path = run, .perms = 01777 },
		{ .kind = VIEW_TEXT, .path = conf, .text_fd = 12 },
		{ .kind = VIEW_HIDE_FILE, .path = log },
		{ .kind = VIEW_HIDE_DIR, .path = dir },
	};
	struct view v = { .ops = ops, .count = ARRAY_SIZE(ops) };
	char *envp[] = { NULL };
	struct jail_plan plan = plan_of(envp);
	AUTO_FREE char *text = args_of(&plan, &v, &user);

	(void)state;
	assert_non_null(strstr(text, " --bind / / --bind /home/u/.config /home/u/.config "
				     "--perms 1777 --tmpfs /run/dbus "
				     "--perms 0644 --ro-bind-data 12 /r "
				     "--ro-bind /dev/null /l "
				     "--tmpfs /d --remount-ro /d --chdir "));
}

static void test_too_large_an_environment_is_refused(void **state)
{
	char one[] = "A=1";
	char **envp = calloc(PLAN_ARGS_MAX / 3 + 2, sizeof(*envp));
	struct jail_plan plan = plan_of(envp);
	struct view v = { 0 };

	(void)state;
	assert_non_null(envp);
	for (size_t i = 0; i <= PLAN_ARGS_MAX / 3; i++)
		envp[i] = one;
	assert_null(args_of(&plan, &v, &user));
	free(envp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_root_has_no_capability_over_the_jail),
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_too_large_an_environment_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
