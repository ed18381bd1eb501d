/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/anomaly.h"

#include "base/auto.h"

#define LABEL_LEAST 16		/* characters; below it there is too little to tell by */
#define LABEL_LONG 40		/* so long that no order of letters and digits is asked for */
#define CHANGES_LEAST 3		/* between letters and digits */
#define ENTROPY_LEAST_MILLI 3000	/* thousandths of a bit per character; 16 random hex digits
					 * have 3,200 on average */

/* Thousandths of n * log2(n), for counts in a label: log2 by squaring, ten binary places */
static uint32_t n_log_n(uint32_t n)
{
	uint32_t whole = 31 - (uint32_t)__builtin_clz(n), parts = 0;
	uint64_t x = ((uint64_t)n << 30) >> whole;	/* 1 <= x < 2, of 2^30 */

	for (int i = 0; i < 10; i++) {
		x = x * x >> 30;
		parts <<= 1;
		if (x >> 31) {
			x >>= 1;
			parts |= 1;
		}
	}
	return n * (whole * 1000 + parts * 1000 / 1024);
}

/* Shannon's, of the characters of a label, in thousandths of a bit */
static uint32_t entropy_milli(struct span label)
{
	uint32_t counts[256] = { 0 }, sum = 0;

	for (size_t i = 0; i < label.len; i++)
		counts[label.at[i]]++;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		sum += counts[i] ? n_log_n(counts[i]) : 0;
	return (n_log_n((uint32_t)label.len) - sum) / (uint32_t)label.len;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool label_looks_random(struct span label)
{
	size_t changes = 0;

	if (label.len < LABEL_LEAST || entropy_milli(label) < ENTROPY_LEAST_MILLI)
		return false;
	for (size_t i = 1; i < label.len; i++)
		changes += is_digit(label.at[i]) != is_digit(label.at[i - 1]);
	return changes >= CHANGES_LEAST || label.len >= LABEL_LONG;
}

bool anomaly_looks_random(struct span name)
{
	while (name.len) {
		ssize_t dot = span_find(name, '.');
		struct span label = span_head(name, dot < 0 ? name.len : (size_t)dot);

		if (label_looks_random(label))
			return true;
		name = span_skip(name, label.len + 1);
	}
	return false;
}

static void cross(struct anomaly *a, struct anomaly_bound *b, uint64_t value, uint64_t threshold)
{
	bool over = value > threshold;

	if (over && !b->over && a->now_s >= b->quiet_until_s) {
		b->waits = true;
		b->value = value;
		b->quiet_until_s = a->now_s + ANOMALY_QUIET_S;
	}
	b->over = over;
}

/* Seconds that are over leave the window */
static void move_on(struct anomaly *a, int64_t now_s)
{
	int64_t gone = now_s - a->now_s;

	if (gone <= 0)
		return;
	if (gone > ANOMALY_WINDOW_S)
		gone = ANOMALY_WINDOW_S;
	for (int64_t s = now_s - gone + 1; s <= now_s; s++) {
		uint32_t *slot = &a->denied[s % ANOMALY_WINDOW_S];

		a->denied_sum -= *slot;
		*slot = 0;
	}
	a->now_s = now_s;
	cross(a, &a->denied_bound, a->denied_sum, ANOMALY_DENIED_MAX);
}

static void see_denied(struct anomaly *a)
{
	uint32_t *slot = &a->denied[a->now_s % ANOMALY_WINDOW_S];

	if (*slot == UINT32_MAX)
		return;
	++*slot;
	cross(a, &a->denied_bound, ++a->denied_sum, ANOMALY_DENIED_MAX);
}

/* One more than are usual is all there is room for: more are not told apart */
static void see_name(struct anomaly *a, struct span name)
{
	uint64_t hash, count = 0;
	size_t oldest = 0, at = SIZE_MAX;

	if (!anomaly_looks_random(name))
		return;
	hash = hash_span(&a->seed, name) | 1;
	for (size_t i = 0; i < ARRAY_SIZE(a->names); i++) {
		if (a->names[i].hash == hash)
			at = i;
		if (a->names[i].at_s < a->names[oldest].at_s)
			oldest = i;
	}
	if (at == SIZE_MAX)
		at = oldest;
	a->names[at].hash = hash;
	a->names[at].at_s = a->now_s;
	for (size_t i = 0; i < ARRAY_SIZE(a->names); i++)
		count += a->names[i].hash && a->now_s - a->names[i].at_s < ANOMALY_WINDOW_S;
	cross(a, &a->names_bound, count, ANOMALY_NAMES_MAX);
}

void anomaly_see(struct anomaly *a, const struct audit_seen *e, int64_t now_s)
{
	bool judged = e->kind == AUDIT_NAME || e->kind == AUDIT_OPEN || e->kind == AUDIT_REQUEST;

	if (!judged)
		return;
	move_on(a, now_s);
	if (e->verdict == ANSWER_DENY)
		see_denied(a);
	if (e->kind == AUDIT_NAME)
		see_name(a, e->text);
}

bool anomaly_take(struct anomaly *a, struct anomaly_alert *ret)
{
	if (a->denied_bound.waits) {
		a->denied_bound.waits = false;
		*ret = (struct anomaly_alert){ ALERT_DENIED_RATE, a->denied_bound.value,
					       ANOMALY_DENIED_MAX };
		return true;
	}
	if (a->names_bound.waits) {
		a->names_bound.waits = false;
		*ret = (struct anomaly_alert){ ALERT_DNS_ENTROPY, a->names_bound.value,
					       ANOMALY_NAMES_MAX };
		return true;
	}
	return false;
}
