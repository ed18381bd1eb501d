/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c - every key of a policy and of a preset file is one row of a table
 *
 * A row has the key's name, the mappings it may stand in, its type, what is
 * accepted in words, and a setter.  A setter gets a value of the right type; if
 * it returns false without a message of its own, the message is made of what
 * was found and of the row's words.
 */
#include <stdarg.h>

#include "policy/lists.h"
#include "policy/schema.h"
#include "policy/schema_dns.h"
#include "policy/tls_ca.h"

enum type {
	TYPE_TEXT,		/* a text, and not what reads as a number, true or null */
	TYPE_WORD,		/* a text or a number */
	TYPE_WORDS,		/* the same, or a list of some; the setter gets each */
	TYPE_BOOL,
	TYPE_EACH,		/* a list of words; the setter gets each */
	TYPE_SOME,		/* the same, and not an empty one */
	TYPE_ITEMS,		/* a list of mappings; the setter gets each */
	TYPE_MAP,
};

struct key {
	const char	*name;
	unsigned	 where;		/* enum where */
	bool		 trusted;	/* not in a project file: it comes with the repository */
	enum type	 type;
	const char	*accepts;
	bool		(*set)(struct loader *l, const struct node *value);
	bool		(*begin)(struct loader *l, const struct node *list);	/* before the items */
};

bool loader_bad(struct loader *l, const struct node *n, const char *fmt, ...)
{
	struct spot s = { l->file, n->line, n->column };
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return spot_bad(&s, l->err, "%s", text);
}

#define SHOWN_MAX 80	/* bytes of a value that a message repeats */

/* What @n is, in the words of a message */
static const char *found(const struct node *n, char ret_text[SHOWN_MAX + 8])
{
	if (n->kind == NODE_LIST)
		return n->first ? "a list" : "an empty list";
	if (n->kind == NODE_MAP)
		return "a mapping";
	if (tree_is_null(n))
		return "nothing";
	/* one line, whatever is in it */
	snprintf(ret_text, SHOWN_MAX + 8, n->plain ? SPAN_FMT "%s" : "\"" SPAN_FMT "%s\"",
		 SPAN_ARG(span_head(n->text, SHOWN_MAX)), n->text.len > SHOWN_MAX ? "..." : "");
	for (char *c = ret_text; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return ret_text;
}

static bool bad_value(struct loader *l, const struct node *n, const char *accepts)
{
	char text[SHOWN_MAX + 8];

	return loader_bad(l, n, "found %s (accepted: %s)", found(n, text), accepts);
}

bool mode_from(struct span name, enum mode *ret_mode)
{
	static const struct {
		const char	*name;
		enum mode	 mode;
	} modes[] = {
		{ "isolated", MODE_ISOLATED }, { "none", MODE_ISOLATED },
		{ "internal", MODE_INTERNAL }, { "filtered", MODE_FILTERED },
		{ "restricted", MODE_FILTERED }, { "nat-filtered", MODE_FILTERED },
		{ "monitor", MODE_MONITOR }, { "bridge", MODE_MONITOR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (span_eq(name, span_str(modes[i].name))) {
			*ret_mode = modes[i].mode;
			return true;
		}
	}
	return false;
}

#define ACCEPTS_LISTED "NAME with what is below it, or \"*.NAME\" for what is below alone"
#define BOOLS "true or false"
#define IN_RULE (IN_ALLOW | IN_DENY)
#define IN_RULES (IN_RULE | IN_CEILING)
#define IN_HOSTS (IN_ALLOW | IN_PRESET_HOST | IN_CEILING)

static const struct key keys[] = {
	{ "version", IN_FILE | IN_APPROVED, false, TYPE_WORD, "1", set_version },
	{ "mode", IN_FILE, false, TYPE_TEXT, ACCEPTS_MODE, set_mode },
	{ "default", IN_FILE, true, TYPE_TEXT, ACCEPTS_DEFAULT, set_default },
	{ "presets", IN_FILE, false, TYPE_EACH, "preset names", set_presets },
	{ "allow", IN_FILE, false, TYPE_ITEMS, "rules like {host: NAME}", set_allow },
	{ "deny", IN_FILE, false, TYPE_ITEMS, "rules like {host: NAME}", set_deny },
	{ "private_networks", IN_FILE, true, TYPE_EACH, ACCEPTS_PRIVATE, set_private_networks },
	{ "host_ports", IN_FILE, true, TYPE_EACH, ACCEPTS_HOST_PORT, set_host_ports },
	{ "publish", IN_FILE, true, TYPE_EACH, ACCEPTS_PUBLISH, set_publish },
	{ "dns", IN_FILE, true, TYPE_MAP, ACCEPTS_DNS, set_dns },
	{ "limits", IN_FILE, false, TYPE_MAP, "a mapping of limits", set_limits },
	{ "peers", IN_FILE, true, TYPE_EACH, ACCEPTS_PEERS, set_peer },
	{ "log", IN_FILE, true, TYPE_MAP, "a mapping like {sync: true}", set_log },
	{ "ceiling", IN_FILE, true, TYPE_ITEMS, "rules like {host: NAME}", set_ceiling,
	  set_ceilings },
	{ "upstream_proxy", IN_FILE, true, TYPE_TEXT, ACCEPTS_PROXY, set_upstream_proxy },
	{ "tls_ca", IN_FILE, true, TYPE_EACH, ACCEPTS_TLS_CA, set_tls_ca },
	{ "alerts", IN_FILE, true, TYPE_MAP, "a mapping like {webhook: URL}", set_alerts },

	{ "projects", IN_APPROVED, false, TYPE_ITEMS, "projects like {root: FOLDER, allow: [...]}",
	  set_project },
	{ "root", IN_PROJECT, false, TYPE_TEXT, "the absolute path of a folder", set_root },
	{ "allow", IN_PROJECT, false, TYPE_ITEMS, "rules like {host: NAME, ports: [443]}",
	  set_approved },

	{ "synthetic", IN_DNS, false, TYPE_SOME,
	  "networks, IPv4 of /8 to /16 and IPv6 of /64 to /96", set_synthetic },
	{ "upstream", IN_DNS, false, TYPE_SOME, ACCEPTS_UPSTREAM, set_upstream },
	{ "types", IN_DNS, false, TYPE_SOME, DNS_TYPES_OPEN, set_dns_type },

	{ "host", IN_RULES | IN_PRESET_HOST | IN_PROJECT_ALLOW, false, TYPE_TEXT, ACCEPTS_HOST, set_host },
	{ "ip", IN_RULES | IN_PRESET_HOST, false, TYPE_WORD, ACCEPTS_IP, set_ip },
	{ "category", IN_DENY, false, TYPE_TEXT, "the name of a category", list_set_category },
	{ "ip_list", IN_DENY, false, TYPE_TEXT, ACCEPTS_LIST, list_set_addrs },
	{ "host_list", IN_DENY, false, TYPE_TEXT, ACCEPTS_LIST, list_set_hosts },
	{ "preset", IN_ALLOW, false, TYPE_TEXT, "the name of a preset", set_preset },
	{ "ports", IN_RULES | IN_PRESET_HOST | IN_PROJECT_ALLOW, false, TYPE_SOME, ACCEPTS_PORTS, set_port },
	{ "protocol", IN_HOSTS, false, TYPE_TEXT, "auto, tls, http, tcp or udp", set_protocol },
	{ "private", IN_ALLOW, true, TYPE_BOOL, BOOLS, set_private },
	{ "unsafe_wildcard", IN_HOSTS, true, TYPE_BOOL, BOOLS, set_unsafe_wildcard },
	{ "over_lists", IN_ALLOW, false, TYPE_BOOL, BOOLS, set_over_lists },
	{ "under_ceiling", IN_ALLOW, false, TYPE_BOOL, BOOLS, set_under_ceiling },
	{ "reason", IN_RULES | IN_PROJECT_ALLOW, false, TYPE_TEXT, "a text of at most 1024 bytes", set_reason },
	{ "id", IN_RULES, false, TYPE_TEXT, "1 to 64 letters, digits and . _ - : /", set_id },
	{ "methods", IN_RULES, false, TYPE_SOME, ACCEPTS_METHODS, set_method },
	{ "paths", IN_RULES, false, TYPE_SOME, ACCEPTS_PATHS, set_path },
	{ "expires", IN_RULES, false, TYPE_WORD, ACCEPTS_EXPIRES, set_expires },
	{ "rate", IN_ALLOW, false, TYPE_WORD, ACCEPTS_RATE, set_rate },
	{ "bandwidth", IN_ALLOW, false, TYPE_MAP, "{down: 10mbit, up: 1mbit, burst: 1MB}",
	  set_bandwidth },
	{ "quota", IN_ALLOW, false, TYPE_MAP, "{down: 1GB, up: 50MB}", set_quota },
	{ "max_request", IN_ALLOW, false, TYPE_WORD, ACCEPTS_BYTES, set_max_request },
	{ "websocket", IN_ALLOW, false, TYPE_BOOL, BOOLS, set_websocket },
	{ "inspect", IN_ALLOW, false, TYPE_TEXT, "auto, always or never", set_inspect },
	{ "ech", IN_ALLOW, false, TYPE_TEXT, "deny or allow", set_ech },
	{ "inject", IN_ALLOW, true, TYPE_MAP, "{header: NAME, value: TEXT}", set_inject },
	{ "credentials", IN_ALLOW, false, TYPE_MAP, "{header: NAME, sha256: [HEX]}",
	  set_credentials },
	{ "quiet", IN_DENY, false, TYPE_BOOL, BOOLS, set_quiet },
	{ "repos", IN_ALLOW, false, TYPE_SOME, "OWNER/NAME or OWNER; * is any name or part of one",
	  set_repo },

	{ "down", IN_BANDWIDTH, false, TYPE_WORD, ACCEPTS_BANDWIDTH, set_bandwidth_down },
	{ "up", IN_BANDWIDTH, false, TYPE_WORD, ACCEPTS_BANDWIDTH, set_bandwidth_up },
	{ "burst", IN_BANDWIDTH, false, TYPE_WORD, ACCEPTS_BYTES, set_burst },
	{ "down", IN_QUOTA, false, TYPE_WORD, ACCEPTS_BYTES, set_quota_down },
	{ "up", IN_QUOTA, false, TYPE_WORD, ACCEPTS_BYTES, set_quota_up },
	{ "header", IN_INJECT, false, TYPE_TEXT, ACCEPTS_HEADER, set_inject_header },
	{ "value", IN_INJECT, false, TYPE_TEXT, "a text, in it ${env:NAME}, ${file:PATH}, ${cmd:COMMAND}",
	  set_inject_value },
	{ "header", IN_CREDENTIALS, false, TYPE_TEXT, ACCEPTS_HEADER, set_credentials_header },
	{ "sha256", IN_CREDENTIALS, false, TYPE_SOME, "SHA-256 of values: 64 hex digits each",
	  set_credentials_sha256 },

	{ "requests", IN_LIMITS, false, TYPE_WORDS, ACCEPTS_RATES, set_requests },
	{ "requests_per_host", IN_LIMITS, false, TYPE_WORDS, ACCEPTS_RATES,
	  set_requests_per_host },
	{ "unique_hosts", IN_LIMITS, false, TYPE_WORD, "1 to 1000000", set_unique_hosts },
	{ "upload_per_request", IN_LIMITS, false, TYPE_WORD, ACCEPTS_BYTES,
	  set_upload_per_request },
	{ "upload_total", IN_LIMITS, false, TYPE_WORD, ACCEPTS_BYTES, set_upload_total },
	{ "download_total", IN_LIMITS, false, TYPE_WORD, ACCEPTS_BYTES, set_download_total },
	{ "error_rate", IN_LIMITS, false, TYPE_WORD, "1% to 100%", set_error_rate },
	{ "on_exceed", IN_LIMITS, false, TYPE_TEXT, "alert, block or kill", set_on_exceed },

	{ "webhook", IN_ALERTS, false, TYPE_TEXT, ACCEPTS_WEBHOOK, set_webhook },

	{ "dns", IN_LOG, false, TYPE_BOOL, BOOLS, set_log_dns },
	{ "paths", IN_LOG, false, TYPE_TEXT, ACCEPTS_DETAIL, set_log_paths },
	{ "command", IN_LOG, false, TYPE_TEXT, ACCEPTS_DETAIL, set_log_command },
	{ "sync", IN_LOG, false, TYPE_BOOL, BOOLS, set_log_sync },
	{ "process", IN_LOG, false, TYPE_BOOL, BOOLS, set_log_process },
	{ "max", IN_LOG, false, TYPE_WORD, ACCEPTS_BYTES ", at least 65536", set_log_max },
	{ "rotate", IN_LOG, false, TYPE_WORD, ACCEPTS_BYTES ", at least 65536", set_log_rotate },

	{ "preset", IN_PRESET, false, TYPE_TEXT, ACCEPTS_PRESET, set_preset_name },
	{ "title", IN_PRESET, false, TYPE_TEXT, "a text", set_nothing },
	{ "description", IN_PRESET, false, TYPE_TEXT, "a text", set_nothing },
	{ "aliases", IN_PRESET, false, TYPE_EACH, ACCEPTS_PRESET, set_preset_name },
	{ "use_configured", IN_PRESET, false, TYPE_TEXT, "npm or apt", set_use_configured },
	{ "configured_read", IN_PRESET, false, TYPE_ITEMS, "requests like {methods: [GET]}",
	  set_preset_read },
	{ "often_with", IN_PRESET, false, TYPE_EACH, "names of presets", set_preset_name },
	{ "hosts", IN_PRESET, false, TYPE_ITEMS, "hosts like {host: NAME}",
	  set_preset_host },
	{ "variants", IN_PRESET, false, TYPE_ITEMS, "variants like {variant: write, hosts: [...]}",
	  set_variant },
	{ "variant", IN_VARIANT, false, TYPE_TEXT, ACCEPTS_PRESET, set_preset_name },
	{ "description", IN_VARIANT, false, TYPE_TEXT, "a text", set_nothing },
	{ "hosts", IN_VARIANT, false, TYPE_ITEMS, "hosts like {host: NAME}", set_variant_host },
	{ "repos", IN_PRESET_HOST | IN_PRESET_READ, false, TYPE_SOME, "paths with {repo} in them",
	  set_repo_template },
	{ "sources", IN_PRESET, false, TYPE_EACH, "texts", set_nothing },
	{ "optional", IN_PRESET_HOST, false, TYPE_BOOL, BOOLS, set_nothing },
	{ "unverified", IN_PRESET_HOST, false, TYPE_BOOL, BOOLS, set_nothing },
	{ "exfil_risk", IN_PRESET_HOST, false, TYPE_BOOL, BOOLS, set_nothing },
	{ "read", IN_PRESET_HOST, false, TYPE_ITEMS, "requests like {methods: [GET]}",
	  set_preset_read },
	{ "note", IN_PRESET_HOST, false, TYPE_TEXT, "a text", set_nothing },
	{ "category", IN_CATEGORY, false, TYPE_TEXT, ACCEPTS_PRESET, category_set_name },
	{ "description", IN_CATEGORY, false, TYPE_TEXT, "a text", set_nothing },
	{ "suggested_action", IN_CATEGORY, false, TYPE_TEXT, "block or warn", set_nothing },
	{ "note", IN_CATEGORY, false, TYPE_TEXT, "a text", set_nothing },
	{ "includes", IN_CATEGORY, false, TYPE_SOME, "names of categories", category_set_include },
	{ "domains", IN_CATEGORY, false, TYPE_SOME, ACCEPTS_LISTED, category_set_host },
	{ "hosts", IN_CATEGORY, false, TYPE_SOME, ACCEPTS_LISTED, category_set_host },
	{ "preset_overlap", IN_CATEGORY, false, TYPE_ITEMS, "a list of mappings", set_nothing },
	{ "sources", IN_CATEGORY, false, TYPE_EACH, "texts", set_nothing },
	{ "methods", IN_PRESET_READ, false, TYPE_SOME, ACCEPTS_METHODS, set_read_method },
	{ "paths", IN_PRESET_READ, false, TYPE_SOME, ACCEPTS_PATHS, set_read_path },
};

static const struct key *key_find(const struct node *name, enum where where)
{
	if (name->kind != NODE_TEXT)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if ((keys[i].where & where) && span_eq(name->text, span_str(keys[i].name)))
			return &keys[i];
	return NULL;
}

/* Project files have a narrower schema, also for messages; presets that they name do not */
static bool key_is_open(const struct loader *l, const struct key *key)
{
	return !(key->trusted && l->layer == LAYER_PROJECT && !l->preset);
}

/* "BEFORE NAME AFTER", and the keys that may stand there */
static bool bad_key(struct loader *l, const struct node *name, enum where where,
		    const char *before, const char *after)
{
	char accepts[ERR_TEXT_MAX / 2] = "";
	char text[SHOWN_MAX + 8];
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if ((keys[i].where & where) && key_is_open(l, &keys[i]) && len < sizeof(accepts))
			len += (size_t)snprintf(accepts + len, sizeof(accepts) - len, "%s%s",
						len ? ", " : "", keys[i].name);
	return loader_bad(l, name, "%s%s%s (accepted: %s)", before, found(name, text), after,
			  accepts);
}

static bool value_has_type(const struct node *value, enum type type)
{
	bool ignored, word = value->kind == NODE_TEXT && !tree_is_null(value);

	switch (type) {
	case TYPE_TEXT:
		return word && !tree_is_bool(value, &ignored) && !tree_is_number(value);
	case TYPE_WORD:
		return word && !tree_is_bool(value, &ignored);
	case TYPE_WORDS:
		return value->kind == NODE_LIST ? value->first != NULL
						: value_has_type(value, TYPE_WORD);
	case TYPE_BOOL:
		return tree_is_bool(value, &ignored);
	case TYPE_EACH:
	case TYPE_ITEMS:
		return value->kind == NODE_LIST;
	case TYPE_SOME:
		return value->kind == NODE_LIST && value->first;
	case TYPE_MAP:
		return value->kind == NODE_MAP;
	}
	return false;
}

static bool value_set(struct loader *l, const struct key *key, const struct node *value)
{
	bool list = key->type == TYPE_EACH || key->type == TYPE_SOME || key->type == TYPE_ITEMS ||
		    (key->type == TYPE_WORDS && value->kind == NODE_LIST);
	enum type of = key->type == TYPE_ITEMS ? TYPE_MAP : TYPE_WORD;
	unsigned index = 0;
	char text[SHOWN_MAX + 8];

	if (!value_has_type(value, key->type))
		return loader_bad(l, value, "found %s (accepted: %s%s)", found(value, text),
				  list && key->type != TYPE_WORDS ? "a list of " : "", key->accepts);
	if (!list)
		return key->set(l, value) || bad_value(l, value, key->accepts);
	if (key->begin && !key->begin(l, value))
		return false;
	for (const struct node *n = value->first; n; n = n->next) {
		l->index = index++;
		if (!value_has_type(n, of) || !key->set(l, n))
			return bad_value(l, n, key->accepts);
	}
	return true;
}

bool schema_read(struct loader *l, const struct node *map, enum where where)
{
	bool seen[ARRAY_SIZE(keys)] = { false };

	if (map->kind != NODE_MAP)
		return bad_value(l, map, "a mapping");
	for (const struct node *name = map->first; name; name = name->next->next) {
		const struct key *key = key_find(name, where);

		if (!key)
			return bad_key(l, name, where, "unknown key ", "");
		if (!key_is_open(l, key))
			return bad_key(l, name, where, "key ", " is not for a project file");
		if (seen[key - keys])
			return loader_bad(l, name, "duplicate key %s (accepted: each key once)",
					  key->name);
		seen[key - keys] = true;
		if (!value_set(l, key, name->next))
			return false;
	}
	return true;
}
