/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_log.h"

#include <inttypes.h>
#include <sys/random.h>
#include <time.h>

#include "audit/reader.h"
#include "base/json.h"
#include "cli/print.h"
#include "watch/replay.h"

#define JSON_BYTES_MAX (1u << 20)	/* one row: its target, each byte escaped */

static const struct {
	const char	*name;
	enum colour	 colour;
} words[] = {
	[REPLAYED_ALLOW] = { "allow", COLOUR_GOOD },
	[REPLAYED_ASK] = { "ask", COLOUR_WAIT },
	[REPLAYED_DENY] = { "deny", COLOUR_BAD },
};

/* What was not asked, and why */
static const struct left {
	const char	*key, *words;
	size_t		 at;
} lefts[] = {
	{ "folded", "denials in a flood, of which only the number is known",
	  offsetof(struct replay, folded) },
	{ "beyond_policy", "whose verdict came of the network or a limit, not of a rule",
	  offsetof(struct replay, beyond) },
	{ "without_path", "requests whose path the log does not have",
	  offsetof(struct replay, pathless) },
	{ "unreadable", "that name nothing a policy could be asked about",
	  offsetof(struct replay, unknown) },
};

static uint64_t left_count(const struct replay *r, size_t i)
{
	return *(const uint64_t *)(const void *)((const char *)r + lefts[i].at);
}

/* ---- text ---- */

static void print_word(enum replayed w)
{
	printf("%s%-5s%s", print_colour(stdout, words[w].colour), words[w].name,
	       print_colour(stdout, COLOUR_PLAIN));
}

static void print_row(const struct replay *r, const struct replay_row *row)
{
	print_word(row->old);
	fputs(" -> ", stdout);
	print_word(row->now);
	fputs("  ", stdout);
	print_safe(stdout, span_of(row->target, row->target_len));
	printf("  (%s -> %s", reason_name(row->old_reason), reason_name(row->reason));
	if (row->rule != RULE_NONE) {
		fputs(" by ", stdout);
		print_safe(stdout, span_str(policy_rule(r->policy, row->rule).id));
	}
	printf(")%s  %" PRIu64 "x\n", row->redacted ? ", path redacted" : "", row->count);
}

static void print_text(const struct replay *r)
{
	for (size_t i = 0; i < r->count; i++)
		print_row(r, &r->rows[i]);
	if (r->others)
		printf("and %" PRIu64 " changes of other targets\n", r->others);
	printf("%" PRIu64 " of %" PRIu64 " records would change: %" PRIu64 " would be denied, %" PRIu64
	       " asked about, %" PRIu64 " allowed\n", r->changed, r->asked, r->now_denied, r->now_asks,
	       r->now_allowed);
	if (r->redacted)
		printf("%" PRIu64 " of them had a path that the log has redacted: taken as it stands "
		       "there (log.paths: full keeps it)\n", r->redacted);
	if (r->inside)
		printf("%" PRIu64 " connections would have each request judged: replayed are those that "
		       "the log tells\n", r->inside);
	for (size_t i = 0; i < ARRAY_SIZE(lefts); i++)
		if (left_count(r, i))
			printf("not replayed: %" PRIu64 " %s\n", left_count(r, i), lefts[i].words);
}

/* ---- JSON ---- */

static void json_verdict(struct buf *b, const char *key, enum replayed w, enum reason reason)
{
	json_key(b, key);
	json_open(b, '{');
	json_field_str(b, "verdict", words[w].name);
	json_field_str(b, "reason", reason_name(reason));
	json_close(b, '}');
}

static void json_row(struct buf *b, const struct replay *r, const struct replay_row *row)
{
	bool has_rule = row->rule != RULE_NONE;

	json_open(b, '{');
	json_field_span(b, "target", span_of(row->target, row->target_len));
	json_verdict(b, "old", row->old, row->old_reason);
	json_verdict(b, "new", row->now, row->reason);
	json_field_str(b, "rule", has_rule ? policy_rule(r->policy, row->rule).id : NULL);
	json_field_str(b, "layer",
		       has_rule ? layer_name(policy_rule(r->policy, row->rule).layer) : NULL);
	json_field_uint(b, "count", row->count);
	json_field_bool(b, "redacted", row->redacted);
	json_close(b, '}');
}

/* Row by row: of the document only one is in memory */
static void print_json(const struct replay *r)
{
	struct buf b = buf_new(JSON_BYTES_MAX);

	fputs("{\"changes\":[", stdout);
	for (size_t i = 0; i < r->count; i++) {
		buf_clear(&b);
		json_row(&b, r, &r->rows[i]);
		printf("%s" SPAN_FMT, i ? ",\n" : "\n", SPAN_ARG(buf_span(&b)));
	}
	buf_clear(&b);
	json_open(&b, '{');
	json_field_uint(&b, "replayed", r->asked);
	json_field_uint(&b, "changed", r->changed);
	json_field_uint(&b, "now_denied", r->now_denied);
	json_field_uint(&b, "now_asks", r->now_asks);
	json_field_uint(&b, "now_allowed", r->now_allowed);
	json_field_uint(&b, "other_changes", r->others);
	json_field_uint(&b, "redacted", r->redacted);
	json_field_uint(&b, "requests_unseen", r->inside);
	json_key(&b, "not_replayed");
	json_open(&b, '{');
	for (size_t i = 0; i < ARRAY_SIZE(lefts); i++)
		json_field_uint(&b, lefts[i].key, left_count(r, i));
	json_close(&b, '}');
	json_close(&b, '}');
	printf("],\n" SPAN_FMT "\n", SPAN_ARG(span_skip(buf_span(&b), 1)));
	buf_done(&b);
}

/* ---- the command ---- */

static bool replay_file(struct replay *r, const char *path, struct err *err)
{
	struct reader reader;
	json_t *event;

	if (!reader_open(&reader, path, err))
		return false;
	while ((event = reader_next(&reader, err))) {
		replay_event(r, event);
		json_decref(event);
	}
	r->unknown += reader.bad;
	reader_done(&reader);
	return !err->text[0];
}

bool check_log(const struct check_log *c, const struct policy *p, bool *ret_denied, bool *ret_asks,
	       struct err *err)
{
	struct replay r = { .policy = NULL };
	struct seed seed;
	bool ok;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, "no random numbers");
	ok = replay_init(&r, p, &seed) || err_set(err, "out of memory");
	r.now_s = time(NULL);
	r.all = c->all;
	ok = ok && replay_file(&r, c->path, err);
	if (ok) {
		replay_end(&r);
		if (c->json)
			print_json(&r);
		else
			print_text(&r);
		*ret_denied = r.now_denied;
		*ret_asks = r.now_asks;
	}
	replay_done(&r);
	return ok;
}
