/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/inject.h"

#include <stdlib.h>

#include "proto/http_fields.h"
#include "proxy/flow.h"

#define QUIET_S 60	/* between two alerts */
#define OTHERS 3	/* fields that are the gate's own */
#define NO_PLACEHOLDER "sluice-placeholder"	/* over a value that stands in the policy's file */

struct host {
	char		 *name;		/* owned */
	struct scrub_set *hides;
};

struct injects {
	struct policy_secrets secrets;
	struct host	*hosts;
	size_t		 host_count;
};

void injects_free(struct injects *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->host_count; i++) {
		free(x->hosts[i].name);
		scrub_set_unref(x->hosts[i].hides);
	}
	free(x->hosts);
	policy_secrets_done(&x->secrets);
	free(x);
}

static struct host *host_of(const struct injects *x, struct span name)
{
	for (size_t i = 0; i < x->host_count; i++)
		if (span_eq(name, span_str(x->hosts[i].name)))
			return &x->hosts[i];
	return NULL;
}

static struct host *host_new(struct injects *x, const char *name)
{
	struct host *h = &x->hosts[x->host_count];

	*h = (struct host){ strdup(name), scrub_set_new() };
	x->host_count++;
	return h->name && h->hides ? h : NULL;
}

static bool hide(struct scrub_set *set, const struct policy_secret *s)
{
	struct span value = span_str(s->value);

	if (!s->part_count)
		return scrub_set_add(set, value, SPAN(NO_PLACEHOLDER));
	for (size_t i = 0; i < s->part_count; i++) {
		const struct secret_part *part = &s->parts[i];
		struct span over = span_str(part->placeholder);

		if (!scrub_set_add(set, span_head(span_skip(value, part->at), part->len),
				   over.len ? over : SPAN(NO_PLACEHOLDER)))
			return false;
	}
	return true;
}

static bool hosts_make(struct injects *x, const struct policy *p)
{
	x->hosts = calloc(x->secrets.count + 1, sizeof(*x->hosts));
	for (size_t i = 0; x->hosts && i < x->secrets.count; i++) {
		const struct policy_secret *s = &x->secrets.list[i];
		struct rule_view r;
		struct host *h;

		if (s->rule >= policy_rule_count(p) || !*s->value)
			return false;
		r = policy_rule(p, s->rule);
		h = host_of(x, span_str(r.host));
		if (!h)
			h = host_new(x, r.host);
		if (!h || !*r.inject_header || !hide(h->hides, s))
			return false;
	}
	return x->hosts;
}

struct injects *injects_new(struct policy_secrets *secrets, const struct policy *p)
{
	struct injects *x = calloc(1, sizeof(*x));

	if (!x) {
		policy_secrets_done(secrets);
		return NULL;
	}
	x->secrets = *secrets;
	*secrets = (struct policy_secrets){ .count = 0 };
	if (hosts_make(x, p))
		return x;
	injects_free(x);
	return NULL;
}

bool injects_fit(const struct injects *x, const struct policy *p)
{
	size_t at = 0, count = x ? x->secrets.count : 0;

	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		if (!*policy_rule(p, i).inject_header)
			continue;
		if (at == count || x->secrets.list[at].rule != i)
			return false;
		at++;
	}
	return at == count;
}

static void add(struct http_edits *e, struct span name, struct span value)
{
	e->at[e->count++] = (struct http_edit){ name, value };
}

bool inject_edits(const struct injects *x, const struct policy *p, const struct question *q,
		  struct http_edits *ret)
{
	const struct host *h = x && q->inspected && q->host.len ? host_of(x, q->host) : NULL;

	ret->count = 0;
	for (size_t i = 0; h && i < x->secrets.count; i++) {
		const struct policy_secret *s = &x->secrets.list[i];
		struct rule_view r = policy_rule(p, s->rule);
		struct span name = span_str(r.inject_header);

		if (!span_eq(span_str(r.host), q->host) || http_edit_hits(ret, name) ||
		    !policy_rule_passes(p, s->rule, q))
			continue;
		if (ret->count == HTTP_EDITS_MAX - OTHERS)
			return false;
		add(ret, name, span_str(s->value));
	}
	if (h && scrub_set_count(h->hides)) {
		add(ret, SPAN("accept-encoding"), SPAN("identity"));
		add(ret, SPAN("range"), (struct span){ 0 });
		add(ret, SPAN("if-range"), (struct span){ 0 });
	}
	return true;
}

struct scrub_set *inject_hides(const struct injects *x, struct span host)
{
	const struct host *h = x ? host_of(x, host) : NULL;

	return h && scrub_set_count(h->hides) ? h->hides : NULL;
}

/* ---- placeholders ---- */

static bool says_placeholder(const struct injects *x, struct span text)
{
	for (size_t i = 0; i < x->secrets.count; i++) {
		const struct policy_secret *s = &x->secrets.list[i];

		for (size_t k = 0; k < s->part_count; k++) {
			struct span p = span_str(s->parts[k].placeholder);

			if (p.len && p.len <= text.len && memmem(text.at, text.len, p.at, p.len))
				return true;
		}
	}
	return false;
}

bool inject_misplaced(const struct injects *x, struct span head, const struct http_edits *edits)
{
	struct span left = head, line;
	bool first = true;

	/* most say none at all */
	if (!x || !says_placeholder(x, head))
		return false;
	while (http_line(&left, &line) == PARSE_OK && line.len) {
		ptrdiff_t colon = span_find(line, ':');
		bool replaced = !first && edits && colon >= 0 &&
				http_edit_hits(edits, span_head(line, (size_t)colon));

		first = false;
		if (!replaced && says_placeholder(x, line))
			return true;
	}
	return false;
}

void inject_look(struct flow *f, struct span head, const struct http_edits *edits)
{
	struct proxy *x = f->proxy;
	struct talk_alert alert = { .kind = ALERT_PLACEHOLDER };
	char text[ADDR_TEXT_MAX];
	struct span host;

	if (!inject_misplaced(x->injects, head, edits))
		return;
	x->misplaced++;
	if (x->now_s < x->misplaced_until_s)
		return;
	host = f->host != BINDING_NONE ? binding_host(x->bindings, f->host)
				       : span_str(addr_text(&f->dst, text));
	alert.value = x->misplaced;
	x->misplaced = 0;
	x->misplaced_until_s = x->now_s + QUIET_S;
	proxy_tell(x, GATE_ALERT, 0, &alert, sizeof(alert), host);
}
