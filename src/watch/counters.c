/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/counters.h"

#include <assert.h>

#include "base/auto.h"

static const char *const methods[] = {
	[METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD", [METHOD_POST] = "POST",
	[METHOD_PUT] = "PUT", [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
	[METHOD_OPTIONS] = "OPTIONS", [METHOD_CONNECT] = "CONNECT", [METHOD_OTHER] = "other",
};
_Static_assert(ARRAY_SIZE(methods) == METHOD_NUM, "one label per method");
_Static_assert(sizeof(struct counters) % sizeof(uint64_t) == 0, "words only");

/* From what loopback takes to what a client waits for at most */
static const uint64_t bounds_us[] = {
	10, 50, 100, 500, 1000, 5000, 10000, 50000, 100000, 500000, 1000000, 10000000,
};
_Static_assert(ARRAY_SIZE(bounds_us) == HISTOGRAM_BOUNDS, "one bound per bucket");

const char *method_label(enum method m)
{
	assert(m < METHOD_NUM);
	return methods[m];
}

static enum method method_of(struct span text)
{
	for (enum method m = 0; m < METHOD_OTHER; m++)
		if (span_eq(text, span_str(methods[m])))
			return m;
	return METHOD_OTHER;
}

/* Counts come from the gate, which may be taken over: no sum wraps to little */
static void add(uint64_t *sum, uint64_t more)
{
	if (__builtin_add_overflow(*sum, more, sum))
		*sum = UINT64_MAX;
}

uint64_t histogram_bound_us(size_t bucket)
{
	assert(bucket < HISTOGRAM_BOUNDS);
	return bounds_us[bucket];
}

void histogram_add(struct histogram *h, uint64_t us)
{
	size_t i = 0;

	while (i < HISTOGRAM_BOUNDS && us > bounds_us[i])
		i++;
	add(&h->count[i], 1);
	add(&h->sum_us, us);
}

static void see_alert(struct counters *c, struct span kind)
{
	for (enum alert a = 0; a < ALERT_NUM; a++)
		if (span_eq(kind, span_str(alert_name(a))))
			add(&c->alerts[a], 1);
}

static void see_open(struct counters *c, const struct audit_seen *e, enum passed passed)
{
	add(&c->connections[passed], 1);
	if (passed == PASSED_YES)
		c->active++;
	else if (e->reason < REASON_NUM)
		add(&c->blocked[e->reason], 1);
}

static enum passed passed_of(enum answer verdict)
{
	if (verdict == ANSWER_ASK)
		return PASSED_ASK;
	return verdict == ANSWER_ALLOW ? PASSED_YES : PASSED_NO;
}

void counters_see(struct counters *c, const struct audit_seen *e)
{
	enum passed passed = passed_of(e->verdict);
	bool judged = e->kind == AUDIT_NAME || e->kind == AUDIT_OPEN || e->kind == AUDIT_REQUEST;

	if (judged && passed == PASSED_NO && e->reason == REASON_MALFORMED)
		add(&c->malformed, 1);
	switch (e->kind) {
	case AUDIT_NAME:
		add(&c->dns[passed], 1);
		break;
	case AUDIT_OPEN:
		see_open(c, e, passed);
		break;
	case AUDIT_CLOSE:
		c->active -= c->active > 0;
		add(&c->bytes_out, e->bytes_out);
		add(&c->bytes_in, e->bytes_in);
		break;
	case AUDIT_REQUEST:
		add(&c->http[method_of(e->text)][passed], 1);
		break;
	case AUDIT_DROP:
		add(&c->dropped, e->count);
		break;
	case AUDIT_ALERT:
		see_alert(c, e->text);
		break;
	case AUDIT_RELOAD:
		add(&c->reloads, 1);
		break;
	}
}
