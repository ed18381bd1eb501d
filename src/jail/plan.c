/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/plan.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "jail/trusted_ca.h"

/*
 * What root keeps inside: enough for package managers and their sandbox users.
 * These hold over the inner user namespace only, which owns neither the
 * network, nor the mounts, nor the processes of the jail.
 */
static const char *const root_caps[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETFCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
};

struct args {
	struct buf	*to;
	size_t		 count;
};

static void args_add(struct args *a, const char *text)
{
	buf_add(a->to, text, strlen(text) + 1);
	a->count++;
}

/* Ends with a NULL */
static void args_put(struct args *a, ...)
{
	va_list list;

	va_start(list, a);
	for (const char *text; (text = va_arg(list, const char *));)
		args_add(a, text);
	va_end(list);
}

static void args_put_fd(struct args *a, const char *option, int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	args_put(a, option, number, NULL);
}

static void args_view(struct args *a, const struct view_op *op)
{
	char perms[8];

	snprintf(perms, sizeof(perms), "%04o", op->perms & 07777);
	switch (op->kind) {
	case VIEW_PIN:
	case VIEW_SOCKET:
		args_put(a, "--bind", op->path, op->path, NULL);
		break;
	case VIEW_DEVICES:
		args_put(a, "--dev", op->path, NULL);
		break;
	case VIEW_DEVICE:
		args_put(a, "--dev-bind-try", op->path, op->path, NULL);
		break;
	case VIEW_PROC:
		args_put(a, "--proc", op->path, NULL);
		break;
	case VIEW_FRESH:
		args_put(a, "--perms", perms, "--tmpfs", op->path, NULL);
		break;
	case VIEW_DIR:
		args_put(a, "--perms", perms, "--dir", op->path, NULL);
		break;
	case VIEW_TEXT:
		args_put(a, "--perms", "0644", NULL);
		args_put_fd(a, "--ro-bind-data", op->text_fd);
		args_put(a, op->path, NULL);
		break;
	case VIEW_READ:
		args_put(a, "--ro-bind", op->path, op->path, NULL);
		break;
	case VIEW_SEAL:
		args_put(a, "--remount-ro", op->path, NULL);
		break;
	case VIEW_HIDE_FILE:
		args_put(a, "--ro-bind", "/dev/null", op->path, NULL);
		break;
	case VIEW_HIDE_DIR:
		args_put(a, "--tmpfs", op->path, "--remount-ro", op->path, NULL);
		break;
	case VIEW_KIND_NUM:
		break;
	}
}

/* @bundle: what makes programs trust the session's CA, or NULL */
static bool args_env(struct args *a, char *const *envp, const char *bundle, struct err *err)
{
	args_put(a, "--clearenv", NULL);
	for (; *envp; envp++) {
		const char *value = strchr(*envp, '=');

		/* What has no name can't be set, and no program could ask for it */
		if (!value || value == *envp)
			continue;
		args_put(a, "--setenv", NULL);
		buf_add(a->to, *envp, (size_t)(value - *envp));
		buf_add(a->to, "", 1);
		args_put(a, value + 1, NULL);
		a->count++;
	}
	for (size_t i = 0; bundle && trusted_ca_variable(i); i++)
		args_put(a, "--setenv", trusted_ca_variable(i), bundle, NULL);
	if (a->count > PLAN_ARGS_MAX)
		return err_set(err, "environment: too many variables (bwrap takes %d arguments)",
			       PLAN_ARGS_MAX);
	return true;
}

bool plan_args(const struct jail_plan *plan, const struct view *view, const struct plan_fds *fds,
	       struct buf *ret_args, struct err *err)
{
	struct args a = { .to = ret_args };

	args_put(&a, "--as-pid-1", "--unshare-net", "--unshare-pid",
		 "--unshare-ipc", "--unshare-uts", NULL);
	if (fds->outer < 0) {
		args_put(&a, "--unshare-user", NULL);
	} else {
		args_put_fd(&a, "--userns", fds->outer);
		args_put_fd(&a, "--userns2", fds->inner);
		args_put(&a, "--cap-drop", "ALL", NULL);
		for (size_t i = 0; i < ARRAY_SIZE(root_caps); i++)
			args_put(&a, "--cap-add", root_caps[i], NULL);
	}
	args_put_fd(&a, "--info-fd", fds->info);
	args_put_fd(&a, "--block-fd", fds->block);
	args_put(&a, "--bind", "/", "/", NULL);
	for (size_t i = 0; i < view->count; i++)
		args_view(&a, &view->ops[i]);
	args_put(&a, "--chdir", plan->cwd, NULL);
	if (!args_env(&a, plan->envp, plan->trusted_ca ? trusted_ca_path() : NULL, err))
		return false;
	if (ret_args->full)
		return err_set(err, "environment: larger than %u bytes", PLAN_BYTES_MAX);
	return true;
}

void jail_plan_print(const struct jail_plan *plan, FILE *to)
{
	static const char *const names[] = {
		[VIEW_PIN] = "can't be moved", [VIEW_DEVICES] = "minimal",
		[VIEW_DEVICE] = "device", [VIEW_PROC] = "its own", [VIEW_FRESH] = "empty",
		[VIEW_DIR] = "empty", [VIEW_SOCKET] = "let through", [VIEW_TEXT] = "replaced",
		[VIEW_READ] = "read-only", [VIEW_SEAL] = "read-only", [VIEW_HIDE_FILE] = "hidden",
		[VIEW_HIDE_DIR] = "hidden",
	};
	struct view_facts facts;
	struct view view;
	struct err err = { 0 };

	static_assert(ARRAY_SIZE(names) == VIEW_KIND_NUM, "one word per kind");
	if (!view_facts_read(plan, &facts, &err)) {
		fprintf(to, "%s\n", err.text);
		return;
	}
	if (view_make(plan, &facts, &view, &err)) {
		for (size_t i = 0; i < view.count; i++)
			fprintf(to, "%-14s %s\n", names[view.ops[i].kind], view.ops[i].path);
		view_done(&view);
	} else {
		fprintf(to, "%s\n", err.text);
	}
	view_facts_done(&facts);
}
