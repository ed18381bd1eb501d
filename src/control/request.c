/* SPDX-License-Identifier: Apache-2.0 */
#include "control/request.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"

static const char *const words[CONTROL_NUM] = {
	[CONTROL_STATUS] = "status", [CONTROL_APPROVALS] = "approvals",
	[CONTROL_APPROVE] = "approve", [CONTROL_REJECT] = "reject", [CONTROL_RELOAD] = "reload",
};

static bool take_id(struct control_request *r, const json_t *value)
{
	json_int_t id = json_integer_value(value);

	if (!json_is_integer(value) || id < 1 || id > UINT32_MAX)
		return false;
	r->id = (uint32_t)id;
	return true;
}

static bool take_scope(struct control_request *r, const json_t *value)
{
	return json_is_string(value) && scope_from(span_str(json_string_value(value)), &r->scope);
}

static bool take_for(struct control_request *r, const json_t *value)
{
	r->for_s = json_integer_value(value);
	return json_is_integer(value) && r->for_s >= 1 && r->for_s <= CONTROL_FOR_MAX_S;
}

static bool take_never(struct control_request *r, const json_t *value)
{
	r->never = json_is_true(value);
	return json_is_boolean(value);
}

static const struct {
	const char	*key;
	unsigned	 of;		/* bits of enum control_do */
	bool		 needed;
	bool		(*take)(struct control_request *r, const json_t *value);
} keys[] = {
	{ "id", 1u << CONTROL_APPROVE | 1u << CONTROL_REJECT, true, take_id },
	{ "scope", 1u << CONTROL_APPROVE, false, take_scope },
	{ "for", 1u << CONTROL_APPROVE, false, take_for },
	{ "never", 1u << CONTROL_REJECT, false, take_never },
};

static bool take_what(struct control_request *r, const json_t *object)
{
	const char *word = json_string_value(json_object_get(object, "do"));

	for (size_t i = 0; word && i < CONTROL_NUM; i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		r->what = (enum control_do)i;
		return true;
	}
	return false;
}

static bool read_object(const json_t *object, struct control_request *r, const char **ret_why)
{
	size_t known = 1;	/* "do" */

	*ret_why = "do is not status, approvals, approve, reject or reload";
	if (!json_is_object(object) || !take_what(r, object))
		return false;
	*ret_why = "a key is missing, unknown here, or has a wrong value";
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *value = json_object_get(object, keys[i].key);
		bool belongs = keys[i].of & 1u << r->what;

		if (value && (!belongs || !keys[i].take(r, value)))
			return false;
		if (!value && belongs && keys[i].needed)
			return false;
		known += value != NULL;
	}
	if (json_object_size(object) != known)
		return false;
	*ret_why = "for goes with scope timed";
	return !r->for_s || r->scope == SCOPE_TIMED;
}

bool control_request_parse(struct span line, struct control_request *ret, const char **ret_why)
{
	json_t *object = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
	bool ok;

	*ret = (struct control_request){ .scope = SCOPE_ONCE };
	*ret_why = "not one JSON object on a line";
	ok = object && read_object(object, ret, ret_why);
	json_decref(object);
	return ok;
}

void control_request_write(const struct control_request *r, struct buf *b)
{
	json_open(b, '{');
	json_key(b, "do");
	json_str(b, words[r->what]);
	if (r->id) {
		json_key(b, "id");
		json_uint(b, r->id);
	}
	if (r->what == CONTROL_APPROVE) {
		json_key(b, "scope");
		json_str(b, scope_name(r->scope));
	}
	if (r->for_s) {
		json_key(b, "for");
		json_uint(b, (uint64_t)r->for_s);
	}
	if (r->what == CONTROL_REJECT) {
		json_key(b, "never");
		json_bool(b, r->never);
	}
	json_close(b, '}');
	buf_add_str(b, "\n");
}
