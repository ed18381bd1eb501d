/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - `sluice check`: what would the policy say, and why
 *
 * The data path's own policy_decide() and policy_address() answer.  A target is
 * asked about as if the client then said what agrees with it: TLS with its name,
 * or HTTP with its host.  What the target does not say (the request, for a port;
 * a credential) is taken to be what a rule lets pass, and told in `depends`; so is
 * that a request inside of TLS must be inspected, unless the rule forbids it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <time.h>

#include "base/dns_type.h"
#include "base/json.h"
#include "cli/check_log.h"
#include "cli/commands.h"
#include "cli/judge.h"
#include "cli/print.h"
#include "cli/target.h"
#include "daemon/place.h"
#include "policy/explain.h"

#define TARGET_BYTES_MAX 65536	/* a line of --batch; a URL is far shorter */
#define TYPE_A 1		/* RFC 1035 3.2.2 */
#define TYPE_AAAA 28		/* RFC 3596 2.1 */
#define JSON_BYTES_MAX (1u << 20)	/* one outcome: its target, each byte escaped */

struct check {
	struct judge_options	 judge;
	struct judged		 judged;
	const char		*batch, *format;
	const char		*log;		/* that is replayed; NULL: targets are asked about */
	bool			 resolve, json, all;
	struct place_store	 place;
	int64_t			 now_s;
	unsigned		 seen;		/* bits of enum word that were the answer */
};

/* From the best to the worst for the exit code */
enum word { WORD_ALLOW, WORD_ASK, WORD_DENY, WORD_ERROR, WORD_NUM };

static const struct {
	const char	*name;
	int		 code;
	enum colour	 colour;
} words[] = {
	[WORD_ALLOW] = { "allow", 0, COLOUR_GOOD },
	[WORD_ASK] = { "ask", 2, COLOUR_WAIT },
	[WORD_DENY] = { "deny", 1, COLOUR_BAD },
	[WORD_ERROR] = { "error", EXIT_SLUICE, COLOUR_BAD },
};
_Static_assert(ARRAY_SIZE(words) == WORD_NUM, "one row per word");

struct outcome {
	struct span		 text;		/* the target as it was given */
	enum word		 word;
	struct target		 target;
	struct question		 q;		/* what was asked, unless WORD_ERROR; borrows from target */
	struct verdict		 v;		/* the answer */
	struct addr		 refused;	/* the address that was, if has_refused */
	bool			 has_refused;
	const char		*why;		/* of WORD_ERROR */
	char			 why_text[ERR_TEXT_MAX];
};

/* ---- judging ---- */

/* A connection without its first bytes: what may be sent is what the rules want to see */
static struct verdict decide_conn(const struct policy *p, const struct target *t, int64_t now_s,
				  struct question *q)
{
	struct verdict v, denied;
	static const struct {
		unsigned	bit;
		enum seen	seen;
	} needs[] = { { NEED_TLS, SEEN_TLS }, { NEED_HTTP, SEEN_HTTP } };
	unsigned need;

	*q = target_question(t, SEEN_NOT_YET, now_s);
	q->any_request = true;
	v = denied = policy_decide(p, q);
	need = v.answer == ANSWER_NEED ? v.need : 0;
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (!(need & needs[i].bit))
			continue;
		*q = target_question(t, needs[i].seen, now_s);
		q->any_request = true;
		v = policy_decide(p, q);
		if (v.answer != ANSWER_DENY)
			return v;
		denied = v;
	}
	return denied;
}

/* The request inside of TLS, as inspection sees it */
static struct verdict decide_inspected(const struct policy *p, const struct target *t,
				       int64_t now_s, struct question *q)
{
	struct verdict v;

	*q = target_question(t, SEEN_HTTP, now_s);
	q->inspected = true;
	q->any_credential = true;
	v = policy_decide(p, q);
	if (v.answer == ANSWER_ALLOW)
		v.depends |= DEPENDS_INSPECTION;
	return v;
}

static struct verdict decide(const struct policy *p, const struct target *t, int64_t now_s,
			     struct question *q)
{
	static const enum seen said[] = {
		[TARGET_TLS] = SEEN_TLS, [TARGET_HTTP] = SEEN_HTTP,
		[TARGET_DNS] = SEEN_NOT_YET, [TARGET_CONN] = SEEN_NOT_YET,
	};
	enum seen seen = t->malformed ? SEEN_MALFORMED : said[t->kind];
	struct verdict v;

	if (t->kind == TARGET_CONN)
		return decide_conn(p, t, now_s, q);
	if (t->kind != TARGET_DNS && !t->malformed) {
		/* as the gate does: what passes without a look is not looked at */
		*q = target_question(t, SEEN_NOT_YET, now_s);
		v = policy_decide(p, q);
		if (v.answer == ANSWER_ALLOW && !v.watch)
			return v;
	}
	*q = target_question(t, seen, now_s);
	q->any_credential = true;
	v = policy_decide(p, q);
	if (seen == SEEN_TLS && policy_inspects(p, q, &v))
		return decide_inspected(p, t, now_s, q);
	return v;
}

/* The reason that keeps an allowed target from @a; the deny rule that does goes into the verdict */
static enum reason judge_address(struct check *c, struct outcome *o, const struct addr *a,
				 struct err *err)
{
	struct question q = o->q;
	const struct place *place;
	struct timespec now;
	enum reason reason;

	clock_gettime(CLOCK_MONOTONIC, &now);
	place = place_now(&c->place, now.tv_sec * 1000 + now.tv_nsec / 1000000);
	if (!place) {
		err_set(err, "this machine's own addresses cannot be read");
		return REASON_SPECIAL_ADDRESS;
	}
	reason = policy_address(c->judged.policy, &q, &o->v, place, a);
	if (reason == REASON_DENY_RULE || reason == REASON_IP_LIST) {
		struct verdict denied;

		q.host = (struct span){ 0 };
		q.addr = *a;
		denied = policy_decide(c->judged.policy, &q);
		o->v.rule = denied.reason == reason ? denied.rule : RULE_NONE;
	}
	return reason;
}

static void refuse(struct outcome *o, enum reason reason, const struct addr *a)
{
	o->v.answer = ANSWER_DENY;
	o->v.reason = reason;
	o->v.depends = 0;
	o->has_refused = a != NULL;
	if (a)
		o->refused = *a;
}

/* Allowed if any address is: the others would be dropped from the answer */
static void judge_resolved(struct check *c, struct outcome *o, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	struct question q = target_question(&o->target, SEEN_NOT_YET, c->now_s);
	bool through = policy_proxied(c->judged.policy, &q);
	struct verdict allowed = o->v;
	struct addr a;
	uint16_t port;

	if (getaddrinfo(o->target.host, NULL, &hints, &list)) {
		if (!through)	/* else the proxy looks it up */
			refuse(o, REASON_RESOLVE_FAILED, NULL);
		return;
	}
	refuse(o, REASON_RESOLVE_FAILED, NULL);
	for (const struct addrinfo *i = list; i; i = i->ai_next) {
		struct verdict denied = o->v;
		enum reason reason;

		if (!addr_from_sockaddr(i->ai_addr, i->ai_addrlen, &a, &port))
			continue;
		o->v = allowed;
		reason = judge_address(c, o, &a, err);
		/* by a proxy no address can be left out: all must pass */
		if (reason == REASON_ALLOWED && through)
			continue;
		if (reason == REASON_ALLOWED)
			break;
		if (through) {
			refuse(o, reason, &a);
			break;
		}
		/* of several reasons the contract's first is told, as the keeper does */
		if (o->has_refused && denied.reason <= reason)
			o->v = denied;
		else
			refuse(o, reason, &a);
	}
	freeaddrinfo(list);
}

/* Records of other types are not judged by the addresses of their name */
static bool has_address(const struct target *t)
{
	return t->kind != TARGET_DNS || t->dns_type == TYPE_A || t->dns_type == TYPE_AAAA;
}

static enum word word_of(enum answer a)
{
	switch (a) {
	case ANSWER_ALLOW:
		return WORD_ALLOW;
	case ANSWER_ASK:
		return WORD_ASK;
	case ANSWER_DENY:
	case ANSWER_NEED:
		break;
	}
	return WORD_DENY;
}

static void judge_target(struct check *c, struct span text, struct outcome *o)
{
	struct err err = { "" };
	enum reason reason;

	*o = (struct outcome){ .text = text, .word = WORD_ERROR };
	c->now_s = time(NULL);
	if (!target_parse(text, &o->target, &o->why))
		return;
	o->v = decide(c->judged.policy, &o->target, c->now_s, &o->q);
	if (o->v.answer == ANSWER_ALLOW && !o->target.host[0]) {
		reason = judge_address(c, o, &o->target.addr, &err);
		if (reason != REASON_ALLOWED)
			refuse(o, reason, &o->target.addr);
	} else if (o->v.answer == ANSWER_ALLOW && c->resolve && has_address(&o->target)) {
		judge_resolved(c, o, &err);
	}
	if (err.text[0]) {
		memcpy(o->why_text, err.text, sizeof(o->why_text));
		o->why = o->why_text;
		return;
	}
	o->word = word_of(o->v.answer);
}

const char *check_answer(const struct policy *p, struct span target, const char **ret_reason)
{
	struct check c = { .judged.policy = (struct policy *)(uintptr_t)p };
	struct outcome o;

	judge_target(&c, target, &o);
	place_done(&c.place);
	/* what is wrong is a literal: a machine without addresses of its own is none to test on */
	*ret_reason = o.word != WORD_ERROR ? reason_name(o.v.reason)
		      : o.why != o.why_text ? o.why : "this machine's own addresses cannot be read";
	return o.word != WORD_ERROR ? words[o.word].name : NULL;
}

/* ---- showing ---- */

/* What would allow it, or false */
static bool suggest(const struct check *c, const struct outcome *o, struct buf *b)
{
	const struct target *t = &o->target;
	const struct addr *a = o->has_refused ? &o->refused : t->host[0] ? NULL : &t->addr;
	struct span preset = SPAN("");

	if (o->word == WORD_DENY && o->v.rule != RULE_NONE)
		preset = explain_preset(span_str(policy_rule(c->judged.policy, o->v.rule).id));
	if (o->word == WORD_DENY && o->v.reason == REASON_DNS_TYPE)
		return explain_suggest_type(b, c->judged.policy, t->dns_type);
	return o->word == WORD_DENY &&
	       explain_suggest(b, o->v.reason, preset, span_str(t->host), a, t->port, t->transport);
}

static void message(const struct check *c, const struct outcome *o, struct buf *b)
{
	struct question q;

	if (o->word == WORD_ERROR) {
		buf_add_str(b, o->why);
		return;
	}
	q = target_question(&o->target, SEEN_NOT_YET, c->now_s);
	q.pushes = o->target.pushes;
	explain_message(b, c->judged.policy, &q, &o->v);
}

/* No policy opens a type that is never answered */
static const char *fixable(const struct policy *p, const struct outcome *o)
{
	if (o->v.reason == REASON_DNS_TYPE && !dns_type_bit(o->target.dns_type))
		return "nobody";
	return explain_fixable(p, &o->v);
}

static const char *const depends_names[] = { "method", "path", "credential", "inspection" };

static void json_depends(unsigned depends, struct buf *b)
{
	if (!depends)
		return;
	json_key(b, "depends");
	json_open(b, '[');
	for (unsigned i = 0; i < ARRAY_SIZE(depends_names); i++)
		if (depends & BIT(i))
			json_str(b, depends_names[i]);
	json_close(b, ']');
}

static void json_outcome(const struct check *c, const struct outcome *o, struct buf *b)
{
	const struct policy *p = c->judged.policy;
	bool judged = o->word != WORD_ERROR, has_rule = judged && o->v.rule != RULE_NONE;
	struct buf text = buf_new(JSON_BYTES_MAX);

	json_open(b, '{');
	json_field_span(b, "target", o->text);
	json_field_str(b, "verdict", words[o->word].name);
	json_field_str(b, "reason", judged ? reason_name(o->v.reason) : NULL);
	json_field_str(b, "rule", has_rule ? policy_rule(p, o->v.rule).id : NULL);
	json_field_str(b, "layer", has_rule ? layer_name(policy_rule(p, o->v.rule).layer) : NULL);
	message(c, o, &text);
	json_field_span(b, "message", buf_span(&text));
	json_field_str(b, "fixable_by", o->word == WORD_DENY ? fixable(p, o) : NULL);
	buf_clear(&text);
	json_key(b, "suggest");
	if (suggest(c, o, &text))
		json_span(b, buf_span(&text));
	else
		json_str(b, NULL);
	json_depends(o->v.depends, b);
	json_close(b, '}');
	buf_done(&text);
}

static void text_depends(unsigned depends)
{
	const char *before = "      depends on: ";

	for (unsigned i = 0; i < ARRAY_SIZE(depends_names); i++) {
		if (!(depends & BIT(i)))
			continue;
		printf("%s%s", before, depends_names[i]);
		before = ", ";
	}
	if (depends)
		putchar('\n');
}

static void text_outcome(const struct check *c, const struct outcome *o)
{
	struct buf text = buf_new(JSON_BYTES_MAX);

	printf("%s%-6s%s", print_colour(stdout, words[o->word].colour), words[o->word].name,
	       print_colour(stdout, COLOUR_PLAIN));
	print_safe(stdout, o->text);
	fputs("\n      ", stdout);
	message(c, o, &text);
	print_safe(stdout, buf_span(&text));
	if (o->word != WORD_ERROR)
		printf(" [%s]", reason_name(o->v.reason));
	putchar('\n');
	text_depends(o->v.depends);
	buf_clear(&text);
	if (suggest(c, o, &text)) {
		fputs("      to allow it: ", stdout);
		print_safe(stdout, buf_span(&text));
		putchar('\n');
	}
	buf_done(&text);
}

/* ---- the command ---- */

/* A line without its end; what is beyond the bound is dropped.  Return: false at the end */
static bool read_line(FILE *from, struct buf *line, bool *ret_long)
{
	int c = getc(from);

	buf_clear(line);
	*ret_long = false;
	if (c == EOF)
		return false;
	for (; c != EOF && c != '\n'; c = getc(from)) {
		if (line->len < TARGET_BYTES_MAX)
			line->at[line->len++] = (uint8_t)c;
		else
			*ret_long = true;
	}
	if (line->len && line->at[line->len - 1] == '\r')
		line->len--;
	return true;
}

static bool batch_lines(struct check *c, FILE *from, struct err *err)
{
	struct buf line = buf_new(TARGET_BYTES_MAX), json = buf_new(JSON_BYTES_MAX);
	struct outcome o;
	bool is_long;

	if (!buf_reserve(&line, TARGET_BYTES_MAX))
		return err_set(err, "out of memory");
	while (read_line(from, &line, &is_long)) {
		judge_target(c, buf_span(&line), &o);
		if (is_long) {
			o.word = WORD_ERROR;
			o.why = "longer than 64 KB";
		}
		buf_clear(&json);
		json_outcome(c, &o, &json);
		buf_add_str(&json, "\n");
		fwrite(json.at, 1, json.len, stdout);
		/* whoever asks line by line waits for the answer */
		fflush(stdout);
		c->seen |= BIT(o.word);
	}
	buf_done(&json);
	buf_done(&line);
	return !ferror(from) || err_sys(err, errno, "%s: cannot read", c->batch);
}

static bool run_batch(struct check *c, struct err *err)
{
	AUTO_FCLOSE FILE *file = NULL;

	if (!strcmp(c->batch, "-"))
		return batch_lines(c, stdin, err);
	file = fopen(c->batch, "re");
	return file ? batch_lines(c, file, err) : err_sys(err, errno, "%s", c->batch);
}

/* One argument, or a method and the URL after it.  Return: how many were taken */
static int target_text(char *const *args, int count, struct buf *text)
{
	bool two = count > 1 && target_is_method(span_str(args[0])) &&
		   target_is_url(span_str(args[1]));

	buf_clear(text);
	buf_add_str(text, args[0]);
	if (two) {
		buf_add_str(text, " ");
		buf_add_str(text, args[1]);
	}
	return 1 + two;
}

static bool run_targets(struct check *c, char *const *args, int count, struct err *err)
{
	struct buf text = buf_new(JSON_BYTES_MAX), json = buf_new(64 * JSON_BYTES_MAX);
	bool many, ok;
	struct outcome o;
	int taken = target_text(args, count, &text);

	many = taken < count;
	if (many)
		json_open(&json, '[');
	for (;;) {
		judge_target(c, buf_span(&text), &o);
		c->seen |= BIT(o.word);
		if (c->json)
			json_outcome(c, &o, &json);
		else
			text_outcome(c, &o);
		args += taken;
		count -= taken;
		if (!count)
			break;
		taken = target_text(args, count, &text);
	}
	if (many)
		json_close(&json, ']');
	if (c->json)
		printf(SPAN_FMT "\n", SPAN_ARG(buf_span(&json)));
	ok = !json.full || err_set(err, "check: too many targets (use --batch)");
	buf_done(&json);
	buf_done(&text);
	return ok;
}

static bool check_usage(struct check *c, int targets, struct err *err)
{
	c->json = c->format && !strcmp(c->format, "json");
	if (c->format && !c->json && strcmp(c->format, "text"))
		return err_set(err, "--format %s: unknown format (text | json)", c->format);
	if (c->log && (targets || c->batch || c->resolve))
		return err_set(err, "check: --log stands alone, without TARGET, --batch and --resolve");
	if (c->all && !c->log)
		return err_set(err, "check: --all is for --log");
	if (c->log)
		return true;
	if (c->batch && targets)
		return err_set(err, "check: TARGET and --batch do not go together");
	if (!c->batch && !targets)
		return err_set(err, "check: no TARGET (for example https://example.com/, "
			       "example.com:443, dns:example.com)");
	return true;
}

/* Worse than before counts, as of targets: denied, then asked about */
static bool run_log(struct check *c, struct err *err)
{
	const struct check_log log = { .path = c->log, .json = c->json, .all = c->all };
	bool denied = false, asks = false;

	if (!check_log(&log, c->judged.policy, &denied, &asks, err))
		return false;
	c->seen |= (denied ? BIT(WORD_DENY) : 0) | (asks ? BIT(WORD_ASK) : 0);
	return true;
}

static bool run_all(struct check *c, char *const *args, int count, struct err *err)
{
	return c->log ? run_log(c, err) : c->batch ? run_batch(c, err) : run_targets(c, args, count, err);
}

static int exit_code(const struct check *c)
{
	for (enum word w = WORD_NUM; w-- > 0;)
		if (c->seen & BIT(w))
			return words[w].code;
	return 0;
}

int check_main(int argc, char **argv)
{
	struct check c = { .judge.proxy_variables = true };
	const struct option rows[] = {
		JUDGE_OPTIONS(&c.judge),
		{ 0, "batch", OPTION_TEXT, "FILE",
		  "read a target a line from FILE or -, print a JSON object a line", &c.batch },
		{ 0, "log", OPTION_TEXT, "FILE",
		  "replay an audit log: print what would change (1: something would be denied)", &c.log },
		{ 0, "all", OPTION_FLAG, NULL, "with --log: print what stays as it was, too", &c.all },
		{ 0, "format", OPTION_TEXT, "FORMAT", "text | json", &c.format },
		{ 0, "resolve", OPTION_FLAG, NULL,
		  "look allowed names up and judge their addresses too", &c.resolve },
		{ .name = NULL },
	};
	struct err err = { "" };
	bool help = false, ok;
	int count, code;

	ok = options_parse_mixed(argc, argv, rows, &count, &help, &err);
	if (ok && help) {
		judge_options_done(&c.judge);
		return command_help("check", rows);
	}
	ok = ok && check_usage(&c, count, &err) && judge(&c.judge, &c.judged, &err);
	ok = ok && run_all(&c, argv + 1, count, &err);
	code = ok ? exit_code(&c) : complain(&err);
	judge_done(&c.judged);
	judge_options_done(&c.judge);
	place_done(&c.place);
	return code;
}
