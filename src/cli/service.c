/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/approved.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "jail/trusted_ca.h"

bool service_judge(struct service *s, const char *word, struct err *err)
{
	s->word = word;
	return metrics_where(&s->metrics, err) && judge(&s->judge, &s->judged, err) &&
	       naming_words(&s->naming, word, err);
}

bool service_share(struct service *s, struct err *err)
{
	if (!share_policy(TAKE(s->judged.policy), &s->shared, err) ||
	    !share_secrets(&s->judged.secrets, &s->shared, err))
		return false;
	policy_secrets_done(&s->judged.secrets);
	secret_store_guard(&s->secrets);
	if (!naming_paths(&s->naming, err) || !folder_programs(s->programs, err) ||
	    !folder_run(s->run_folder, err) || !approved_root_here(s->root, err))
		return false;
	s->control_folder = control_folder_make(s->run_folder);
	if (policy_mode(s->shared.policy) == MODE_MONITOR)
		fprintf(stderr, "sluice: mode monitor: every public destination passes and is "
			"logged; only deny rules, the ceiling, limits and special addresses hold\n");
	return true;
}

bool service_prepare(struct service *s, const char *word, struct err *err)
{
	snprintf(s->name, sizeof(s->name), "%s", word);
	s->argv[0] = s->name;
	if (!service_judge(s, s->name, err) || !service_share(s, err) ||
	    !reread_begin(&s->reread, &s->judge, NULL, 0, err))
		return false;
	s->reread.all = true;
	return true;
}

static bool keep_always(void *arg, const struct approval_question *q, struct err *err)
{
	struct service *s = arg;

	return approved_add(s->root, q, err);
}

void service_plan(struct service *s, struct session_plan *plan)
{
	struct policy_settings settings = policy_settings(s->shared.policy);

	plan->summary = &s->summary;
	plan->policy_fd = s->shared.fd;
	plan->secrets_fd = s->shared.secrets;
	plan->jail = (struct jail_plan){
		.argv = s->argv, .policy = s->shared.policy, .session = s->naming.name,
		.pool4 = settings.synthetic4, .pool6 = settings.synthetic6,
	};
	plan->proxy_credentials = s->judged.proxy_credentials;
	plan->log_path = s->naming.log_path;
	memcpy(plan->copies, s->naming.copies, sizeof(plan->copies));
	plan->key_path = s->naming.key_path;
	plan->webhook = s->judged.webhook;
	plan->webhook_key = s->naming.webhook_key;
	plan->labels = s->naming.label;
	plan->label_count = s->naming.labels.count;
	plan->version = SLUICE_VERSION;
	plan->programs = s->programs;
	plan->metrics = s->metrics.plan;
	plan->alarm = (struct alarm_plan){ .quiet = s->quiet,
		.begin = print_colour(stderr, COLOUR_WAIT), .end = print_colour(stderr, COLOUR_PLAIN) };
	plan->keep_always = keep_always;
	plan->keep_arg = s;
	plan->control = (struct controlled_plan){ s->control_folder, s->naming.name, s->word, false };
	plan->reload = (struct reload_source){ .load = reread_load, .arg = &s->reread };
	if (s->watch) {
		plan->reload.watch = (const char *const *)s->judged.files;
		plan->reload.watch_count = s->judged.file_count;
	}
}

bool service_write_ca(struct service *s, const char *pem, mode_t mode, struct err *err)
{
	const char *bundle = trusted_ca_path();
	AUTO_FREE char *text = trusted_ca_text(bundle ? bundle : "/dev/null", pem, environ);
	AUTO_CLOSE int fd = -1;
	struct span left = span_str(text);

	if (!text)
		return err_set(err, "cannot write the session's CA: out of memory");
	if (!folder_run(s->run_folder, err) || !folder_make(s->run_folder, err) ||
	    snprintf(s->ca_path, PATH_MAX, "%s/%s-ca.pem", s->run_folder, s->naming.name) >= PATH_MAX)
		return err_set(err, "cannot write the session's CA: no folder for it");
	/* In place: what is there may be mounted into a container.  The folder is ours alone. */
	fd = open(s->ca_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0 || fchmod(fd, mode) < 0) {
		err_sys(err, errno, "%s", s->ca_path);
		s->ca_path[0] = '\0';
		return false;
	}
	while (left.len) {
		ssize_t n = write(fd, left.at, left.len);

		if (n <= 0)
			return err_sys(err, errno, "%s", s->ca_path);
		left = span_skip(left, (size_t)n);
	}
	return true;
}

int service_run(struct service *s, struct session_plan *plan, struct err *err)
{
	int code;

	if (session_run(plan, &s->result, err)) {
		code = s->result.exit_code;
		if (!s->quiet)
			summary_print(&s->summary, stderr, SUMMARY_LINES);
	} else {
		code = complain(err);
	}
	if (s->ca_path[0])
		unlink(s->ca_path);
	return code;
}

void service_done(struct service *s)
{
	summary_done(&s->summary);
	naming_done(&s->naming);
	share_done(&s->shared);
	reread_done(&s->reread);
	judge_done(&s->judged);
	secret_store_done(&s->secrets);
}
