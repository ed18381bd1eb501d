/* SPDX-License-Identifier: Apache-2.0 */
#include "control/request.h"

#include <jansson.h>
#include <string.h>

#include "base/json.h"

static const char *const words[CONTROL_NUM] = {
	[CONTROL_STATUS] = "status", [CONTROL_APPROVALS] = "approvals",
	[CONTROL_APPROVE] = "approve", [CONTROL_REJECT] = "reject", [CONTROL_RELOAD] = "reload",
	[CONTROL_ATTACH] = "attach", [CONTROL_DETACH] = "detach", [CONTROL_HELD] = "held",
	[CONTROL_EVENTS] = "events", [CONTROL_WEB] = "web",
	[CONTROL_SPARE] = "spare",
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

/* No text has a NUL in it: the reader refuses those.  NULL: none, or empty */
static const char *text_of(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && *text ? text : NULL;
}

static bool take_host(struct control_request *r, const json_t *value)
{
	r->host = text_of(value);
	return r->host;
}

static bool read_port(const json_t *value, uint16_t *ret)
{
	json_int_t port = json_integer_value(value);

	if (!json_is_integer(value) || port < 1 || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool take_port(struct control_request *r, const json_t *value)
{
	return read_port(value, &r->port);
}

static bool take_ports(struct control_request *r, const json_t *value)
{
	r->ports.count = json_array_size(value);
	if (!json_is_array(value) || r->ports.count > CONTROL_PORTS_MAX)
		return false;
	for (size_t i = 0; i < r->ports.count; i++)
		if (!read_port(json_array_get(value, i), &r->ports.at[i]))
			return false;
	return true;
}

static bool take_transport(struct control_request *r, const json_t *value)
{
	const char *word = text_of(value);

	if (!word || (strcmp(word, "tcp") != 0 && strcmp(word, "udp") != 0))
		return false;
	r->transport = word[0] == 'u' ? TRANSPORT_UDP : TRANSPORT_TCP;
	return true;
}

static bool take_from(struct control_request *r, const json_t *value)
{
	json_int_t from = json_integer_value(value);

	if (!json_is_integer(value) || from < 0)
		return false;
	r->from = (uint64_t)from;
	return true;
}

static bool take_session(struct control_request *r, const json_t *value)
{
	r->session = text_of(value);
	return r->session;
}

static bool take_netns(struct control_request *r, const json_t *value)
{
	r->netns = text_of(value);
	return r->netns && r->netns[0] == '/';
}

static bool take_mode(struct control_request *r, const json_t *value)
{
	r->mode = text_of(value);
	return r->mode;
}

static bool take_guest(struct control_request *r, const json_t *value)
{
	r->guest = text_of(value);
	return r->guest;
}

static bool take_uplink(struct control_request *r, const json_t *value)
{
	r->uplink = json_is_true(value);
	return json_is_boolean(value);
}

static bool take_pid(struct control_request *r, const json_t *value)
{
	json_int_t pid = json_integer_value(value);

	if (!json_is_integer(value) || pid < 1 || pid > INT32_MAX)
		return false;
	r->pid = (uint32_t)pid;
	return true;
}

bool control_words_read(const json_t *value, struct control_words *ret)
{
	ret->count = json_array_size(value);
	if (!json_is_array(value) || ret->count > CONTROL_WORDS_MAX)
		return false;
	for (size_t i = 0; i < ret->count; i++) {
		ret->at[i] = text_of(json_array_get(value, i));
		if (!ret->at[i])
			return false;
	}
	return true;
}

static bool take_policies(struct control_request *r, const json_t *value)
{
	return control_words_read(value, &r->policies);
}

static bool take_labels(struct control_request *r, const json_t *value)
{
	return control_words_read(value, &r->labels);
}

static bool take_publish(struct control_request *r, const json_t *value)
{
	return control_words_read(value, &r->publish);
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
	{ "host", 1u << CONTROL_APPROVE | 1u << CONTROL_REJECT, false, take_host },
	{ "port", 1u << CONTROL_APPROVE | 1u << CONTROL_REJECT, false, take_port },
	{ "transport", 1u << CONTROL_APPROVE | 1u << CONTROL_REJECT, false, take_transport },
	{ "from", 1u << CONTROL_EVENTS, false, take_from },
	{ "session", 1u << CONTROL_ATTACH | 1u << CONTROL_DETACH, true, take_session },
	{ "netns", 1u << CONTROL_ATTACH, false, take_netns },
	{ "pid", 1u << CONTROL_ATTACH, false, take_pid },
	{ "mode", 1u << CONTROL_ATTACH, false, take_mode },
	{ "guest", 1u << CONTROL_ATTACH, false, take_guest },
	{ "uplink", 1u << CONTROL_ATTACH, false, take_uplink },
	{ "policies", 1u << CONTROL_ATTACH, false, take_policies },
	{ "labels", 1u << CONTROL_ATTACH, false, take_labels },
	{ "publish", 1u << CONTROL_ATTACH, false, take_publish },
	{ "ports", 1u << CONTROL_SPARE, true, take_ports },
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

	*ret_why = "do is none of status, approvals, approve, reject, reload, attach, detach, held, "
		   "events, spare, web";
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
	if (r->for_s && r->scope != SCOPE_TIMED)
		return false;
	*ret_why = "host, port and transport go together";
	if (!r->host != !r->port || (!r->host && json_object_get(object, "transport")))
		return false;
	*ret_why = "attach: one of pid and netns";
	return r->what != CONTROL_ATTACH || !r->netns != !r->pid;
}

bool control_request_parse(struct span line, struct control_request *ret, const char **ret_why)
{
	*ret = (struct control_request){ .scope = SCOPE_ONCE };
	ret->object = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
	*ret_why = "not one JSON object on a line";
	return ret->object && read_object(ret->object, ret, ret_why);
}

bool control_request_is_web(const struct control_request *r)
{
	switch (r->what) {
	case CONTROL_STATUS:
	case CONTROL_APPROVALS:
	case CONTROL_HELD:
	case CONTROL_EVENTS:
	case CONTROL_WEB:
		return true;
	case CONTROL_APPROVE:
		return r->host && r->scope != SCOPE_ALWAYS;
	case CONTROL_REJECT:
		return r->host;
	case CONTROL_RELOAD:
	case CONTROL_ATTACH:
	case CONTROL_DETACH:
	case CONTROL_SPARE:
	case CONTROL_NUM:
		break;
	}
	return false;
}

void control_request_done(struct control_request *r)
{
	json_decref(r->object);
	*r = (struct control_request){ .object = NULL };
}

static void write_text(struct buf *b, const char *key, const char *text)
{
	if (text)
		json_field_str(b, key, text);
}

static void write_number(struct buf *b, const char *key, uint64_t number)
{
	if (number)
		json_field_uint(b, key, number);
}

void control_words_write(struct buf *b, const char *key, const struct control_words *w)
{
	json_key(b, key);
	json_open(b, '[');
	for (size_t i = 0; i < w->count; i++)
		json_str(b, w->at[i]);
	json_close(b, ']');
}

static void write_ports(struct buf *b, const struct control_ports *p)
{
	json_key(b, "ports");
	json_open(b, '[');
	for (size_t i = 0; i < p->count; i++)
		json_int(b, p->at[i]);
	json_close(b, ']');
}

void control_request_write(const struct control_request *r, struct buf *b)
{
	json_open(b, '{');
	json_field_str(b, "do", words[r->what]);
	write_number(b, "id", r->id);
	write_text(b, "scope", r->what == CONTROL_APPROVE ? scope_name(r->scope) : NULL);
	write_number(b, "for", (uint64_t)r->for_s);
	if (r->host) {
		json_field_str(b, "host", r->host);
		json_field_uint(b, "port", r->port);
		json_field_str(b, "transport", r->transport == TRANSPORT_UDP ? "udp" : "tcp");
	}
	write_number(b, "from", r->from);
	write_text(b, "session", r->session);
	write_text(b, "netns", r->netns);
	write_number(b, "pid", r->pid);
	write_text(b, "mode", r->mode);
	write_text(b, "guest", r->guest);
	if (r->uplink)
		json_field_bool(b, "uplink", true);
	if (r->policies.count)
		control_words_write(b, "policies", &r->policies);
	if (r->labels.count)
		control_words_write(b, "labels", &r->labels);
	if (r->publish.count)
		control_words_write(b, "publish", &r->publish);
	if (r->what == CONTROL_SPARE)
		write_ports(b, &r->ports);
	if (r->what == CONTROL_REJECT)
		json_field_bool(b, "never", r->never);
	json_close(b, '}');
	buf_add_str(b, "\n");
}
