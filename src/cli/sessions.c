/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sessions.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/folders.h"
#include "cli/options.h"
#include "control/place.h"

static int name_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool sessions_find(struct sessions *s, struct err *err)
{
	const struct dirent *entry;
	DIR *dir;

	s->count = 0;
	if (!folder_run(s->folder, err))
		return false;
	dir = opendir(s->folder);
	while (dir && (entry = readdir(dir)) && s->count < SESSIONS_MAX) {
		struct span name = span_str(entry->d_name), ending = SPAN(CONTROL_ENDING);

		/* The daemon's own is no session */
		if (span_ends(name, ending) && name.len > ending.len && name.at[0] != '.' &&
		    !span_eq(name, SPAN(CONTROL_DAEMON CONTROL_ENDING)))
			s->count += span_copy(span_head(name, name.len - ending.len),
					      s->name[s->count], sizeof(s->name[0]));
	}
	if (dir)
		closedir(dir);
	qsort(s->name, s->count, sizeof(s->name[0]), name_order);
	return true;
}

json_t *session_ask(const struct sessions *s, const char *name,
			   const struct control_request *r, struct err *err)
{
	int fd = control_connect(s->folder, name);
	json_t *answer;

	if (fd == -ECONNREFUSED)
		control_remove(s->folder, name);
	if (fd < 0 && fd != -ECONNREFUSED && fd != -ENOENT)
		err_sys(err, -fd, "session %s", name);
	if (fd < 0)
		return NULL;
	answer = control_ask(fd, r, err);
	close(fd);
	return answer;
}

json_t *sessions_ask(struct sessions *s, const struct control_request *r)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->count; i++) {
		struct err err = { "" };
		json_t *answer = session_ask(s, s->name[i], r, &err);

		if (err.text[0])
			complain(&err);
		if (answer && json_array_append_new(all, answer) < 0)
			break;
	}
	return all;
}

struct span json_text(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return span_of(json_string_value(value), json_string_length(value));
}

unsigned long long json_number(const json_t *object, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(object, key));
}
