/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/reader.h"

#include <errno.h>

static bool start(struct reader *r, const char *path, bool last, struct err *err)
{
	int error;

	*r = (struct reader){ .pieces = { .fd = -1 }, .lines = malloc(sizeof(*r->lines)) };
	if (!r->lines)
		return err_sys(err, ENOMEM, "cannot read %s", path);
	error = pieces_open(&r->pieces, path, last);
	if (error) {
		err_sys(err, -error, "cannot read %s", path);
		reader_done(r);
		return false;
	}
	lines_init(r->lines, pieces_read, &r->pieces);
	return true;
}

bool reader_open(struct reader *r, const char *path, struct err *err)
{
	return start(r, path, false, err);
}

bool reader_open_last(struct reader *r, const char *path, struct err *err)
{
	return start(r, path, true, err);
}

void reader_done(struct reader *r)
{
	pieces_close(&r->pieces);
	free(r->lines);
	r->lines = NULL;
}

json_t *reader_next(struct reader *r, struct err *err)
{
	json_t *event;
	int error = 0;

	for (;;) {
		switch (lines_next(r->lines, &r->text, &error)) {
		case LINES_ONE:
			event = json_loadb((const char *)r->text.at, r->text.len, JSON_ALLOW_NUL,
					   NULL);
			if (json_is_object(event))
				return event;
			json_decref(event);
			r->bad++;
			break;
		case LINES_TORN:
			r->torn = true;
			return NULL;
		case LINES_END:
			r->torn = false;
			return NULL;
		case LINES_LONG:
			err_set(err, "a line has more than %d bytes: this is no audit log",
				RECORD_LINE_MAX);
			return NULL;
		case LINES_FAILED:
			err_sys(err, -error, "cannot read the log");
			return NULL;
		}
	}
}

struct span event_text(const json_t *event, const char *key)
{
	const json_t *value = json_object_get(event, key);

	return span_of(json_string_value(value), json_string_length(value));
}

uint64_t event_uint(const json_t *event, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(event, key));

	return value > 0 ? (uint64_t)value : 0;
}
