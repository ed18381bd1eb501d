/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/limits.h"

#include <assert.h>
#include <stdlib.h>

#include "base/auto.h"
#include "policy/window.h"

#define ACCOUNTS_MAX 65536	/* rules with limits, of all policies of a session */
#define HOSTS_MAX 65536		/* hosts with a window of their own at once, as BINDING_MAX;
				 * beyond it a new one is refused */
#define SWEEP_US 1000000	/* a full table is not searched again for so long */
#define UNIQUE_MAX 1048576	/* hosts told apart for unique_hosts; 16 MB */
#define ALERTS_MAX 8		/* that wait; a call makes four at most */

static const uint64_t none = AMOUNT_NONE;

struct account {
	char		*id;		/* owned */
	uint64_t	 hash;		/* of the id */
	bool		 stands;	/* a rule of the policy has it */
	struct window	 rate;
	struct bucket	 bucket[2];	/* by enum way, and below */
	uint64_t	 quota[2], used[2];
};

/* Is a bound crossed now, and when may it be told of again? */
struct crossing {
	bool		over;
	uint64_t	quiet_until_us;
};

struct host {
	uint64_t	 key;		/* 0: free */
	struct windows	 rate;
	struct crossing	 crossing;
};

struct limits {
	struct seed	 seed;
	struct policy_limits set;
	struct account	*accounts;
	uint32_t	 account_count, account_size;
	uint32_t	*of_rule;	/* account of each rule of the policy */
	uint32_t	 rule_count;
	bool		 counts_all, meters_all;	/* the session's own limits do */
	struct windows	 requests;
	struct host	*hosts;		/* open addressing, never more than half full */
	uint32_t	 host_count, host_size;
	uint64_t	 swept_us;	/* when the table was full for the last time */
	uint64_t	*unique;	/* the same; 0: free */
	uint32_t	 unique_count, unique_size;
	uint64_t	 total[2];
	uint32_t	 errors, outcome_count;	/* bit n: the n-th last request failed */
	uint64_t	 blocked_until_us;
	struct crossing	 crossing[ALERT_NUM];
	struct limits_alert alerts[ALERTS_MAX];
	uint32_t	 alert_count;
};

struct limits *limits_new(const struct seed *seed)
{
	struct limits *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->seed = *seed;
	l->set.unique_hosts = l->set.upload_per_request = none;
	l->set.upload_total = l->set.download_total = none;
	return l;
}

void limits_free(struct limits *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->account_count; i++) {
		window_done(&l->accounts[i].rate);
		free(l->accounts[i].id);
	}
	for (uint32_t i = 0; i < l->host_size; i++)
		windows_done(&l->hosts[i].rate);
	windows_done(&l->requests);
	free(l->accounts);
	free(l->of_rule);
	free(l->hosts);
	free(l->unique);
	free(l);
}

/* ---- the policy ---- */

static bool rule_limits(const struct rule_view *r)
{
	return r->allow && (r->rate.count || r->down_bps != none || r->up_bps != none ||
			    r->quota_down != none || r->quota_up != none);
}

static struct account *account_new(struct limits *l, const char *id, uint64_t hash)
{
	size_t len = strlen(id) + 1;
	struct account *a;

	if (l->account_count == ACCOUNTS_MAX)
		return NULL;
	if (l->account_count == l->account_size) {
		uint32_t size = l->account_size ? 2 * l->account_size : 8;

		a = reallocarray(l->accounts, size, sizeof(*a));
		if (!a)
			return NULL;
		l->accounts = a;
		l->account_size = size;
	}
	a = &l->accounts[l->account_count];
	*a = (struct account){ .id = malloc(len), .hash = hash };
	if (!a->id)
		return NULL;
	memcpy(a->id, id, len);
	l->account_count++;
	return a;
}

static struct account *account_of_id(struct limits *l, const char *id)
{
	uint64_t hash = hash_span(&l->seed, span_str(id));

	for (uint32_t i = 0; i < l->account_count; i++)
		if (l->accounts[i].hash == hash && !strcmp(l->accounts[i].id, id))
			return &l->accounts[i];
	return account_new(l, id, hash);
}

static bool account_set(struct limits *l, const struct rule_view *r, uint64_t now_us,
			uint32_t *ret_account)
{
	struct account *a = account_of_id(l, r->id);

	if (!a)
		return false;
	a->stands = true;
	window_set(&a->rate, r->rate);
	bucket_set(&a->bucket[WAY_UP], r->up_bps, r->burst_bytes, now_us);
	bucket_set(&a->bucket[WAY_DOWN], r->down_bps, r->burst_bytes, now_us);
	a->quota[WAY_UP] = r->quota_up;
	a->quota[WAY_DOWN] = r->quota_down;
	*ret_account = (uint32_t)(a - l->accounts);
	return true;
}

/* A rule that is gone bounds nothing, and what was used of it is kept should it return */
static void account_rest(struct account *a, uint64_t now_us)
{
	a->stands = false;
	window_set(&a->rate, (struct rate){ 0 });
	bucket_set(&a->bucket[WAY_UP], none, none, now_us);
	bucket_set(&a->bucket[WAY_DOWN], none, none, now_us);
	a->quota[WAY_UP] = a->quota[WAY_DOWN] = none;
}

static void session_set(struct limits *l, const struct policy_limits *set)
{
	l->set = *set;
	windows_set(&l->requests, &set->requests);
	for (uint32_t i = 0; i < l->host_size; i++)
		if (l->hosts[i].key)
			windows_set(&l->hosts[i].rate, &set->requests_per_host);
	l->meters_all = set->upload_total != none || set->download_total != none ||
			set->upload_per_request != none;
	l->counts_all = l->meters_all || rates_any(&set->requests) ||
			rates_any(&set->requests_per_host) ||
			set->unique_hosts != none || set->error_rate_percent;
}

bool limits_policy(struct limits *l, const struct policy *p, uint64_t now_us)
{
	struct policy_settings s = policy_settings(p);
	uint32_t count = (uint32_t)policy_rule_count(p);
	uint32_t *of_rule = calloc((size_t)count + 1, sizeof(*of_rule));

	if (!of_rule)
		return false;
	for (uint32_t i = 0; i < l->account_count; i++)
		account_rest(&l->accounts[i], now_us);
	for (uint32_t i = 0; i < count; i++) {
		struct rule_view r = policy_rule(p, i);

		of_rule[i] = ACCOUNT_NONE;
		if (rule_limits(&r) && !account_set(l, &r, now_us, &of_rule[i])) {
			free(of_rule);
			return false;
		}
	}
	free(l->of_rule);
	l->of_rule = of_rule;
	l->rule_count = count;
	session_set(l, &s.limits);
	return true;
}

uint32_t limits_account(const struct limits *l, uint32_t rule)
{
	return rule < l->rule_count ? l->of_rule[rule] : ACCOUNT_NONE;
}

static struct account *account_at(const struct limits *l, uint32_t account)
{
	return account < l->account_count && l->accounts[account].stands ? &l->accounts[account]
									 : NULL;
}

bool limits_meters(const struct limits *l, uint32_t account)
{
	const struct account *a = account_at(l, account);

	return l->meters_all || (a && (a->quota[WAY_UP] != none || a->quota[WAY_DOWN] != none ||
				       a->bucket[WAY_UP].rate_bps || a->bucket[WAY_DOWN].rate_bps));
}

bool limits_counts(const struct limits *l, uint32_t account)
{
	return l->counts_all || account_at(l, account);
}

/* ---- crossings ---- */

static enum reason consequence(const struct limits *l)
{
	static const enum reason reasons[] = {
		[EXCEED_ALERT] = REASON_ALLOWED, [EXCEED_BLOCK] = REASON_LIMIT,
		[EXCEED_KILL] = REASON_KILLED,
	};

	return reasons[l->set.on_exceed];
}

static bool acts(const struct limits *l)
{
	return l->set.on_exceed != EXCEED_ALERT;
}

/* Return: what is to become of whatever crossed it */
static enum reason cross(struct limits *l, struct crossing *c, const struct limits_alert *alert,
			 uint64_t now_us)
{
	if (!c->over && now_us >= c->quiet_until_us && l->alert_count < ALERTS_MAX) {
		l->alerts[l->alert_count++] = *alert;
		c->quiet_until_us = now_us + ALERT_QUIET_US;
	}
	c->over = true;
	return consequence(l);
}

static enum reason cross_kind(struct limits *l, enum alert kind, uint64_t value,
			      uint64_t threshold, uint64_t now_us)
{
	struct limits_alert alert = { .kind = kind, .value = value, .threshold = threshold };

	return cross(l, &l->crossing[kind], &alert, now_us);
}

bool limits_alert(struct limits *l, struct limits_alert *ret)
{
	if (!l->alert_count)
		return false;
	*ret = l->alerts[0];
	l->alert_count--;
	memmove(l->alerts, l->alerts + 1, l->alert_count * sizeof(*l->alerts));
	return true;
}

/* ---- hosts ---- */

static uint64_t key_of(const struct limits *l, struct span host)
{
	uint64_t key = hash_span(&l->seed, host);

	return key ? key : 1;
}

static struct host *host_slot(struct host *hosts, uint32_t size, uint64_t key)
{
	uint32_t i = (uint32_t)key & (size - 1);

	while (hosts[i].key && hosts[i].key != key)
		i = (i + 1) & (size - 1);
	return &hosts[i];
}

/* Make room, leaving out hosts whose windows are empty */
static bool hosts_grow(struct limits *l, uint64_t now_us)
{
	uint32_t keep = 0, size = 16;
	struct host *hosts;

	if (l->swept_us && now_us - l->swept_us < SWEEP_US)
		return false;
	for (uint32_t i = 0; i < l->host_size; i++)
		keep += l->hosts[i].key && !windows_idle(&l->hosts[i].rate, now_us);
	l->swept_us = keep >= HOSTS_MAX ? now_us : 0;
	if (l->swept_us)
		return false;
	while (size < 4 * (keep + 1))
		size *= 2;
	hosts = calloc(size, sizeof(*hosts));
	if (!hosts)
		return false;
	for (uint32_t i = 0; i < l->host_size; i++)
		if (!l->hosts[i].key)
			continue;
		else if (windows_idle(&l->hosts[i].rate, now_us))
			windows_done(&l->hosts[i].rate);
		else
			*host_slot(hosts, size, l->hosts[i].key) = l->hosts[i];
	free(l->hosts);
	l->hosts = hosts;
	l->host_size = size;
	l->host_count = keep;
	return true;
}

/* NULL: there is no room for it */
static struct host *host_find(struct limits *l, uint64_t key, uint64_t now_us)
{
	struct host *h = l->host_size ? host_slot(l->hosts, l->host_size, key) : NULL;

	if (h && h->key)
		return h;
	if ((2 * (l->host_count + 1) > l->host_size || l->host_count >= HOSTS_MAX) &&
	    !hosts_grow(l, now_us))
		return NULL;
	h = host_slot(l->hosts, l->host_size, key);
	*h = (struct host){ .key = key };
	windows_set(&h->rate, &l->set.requests_per_host);
	l->host_count++;
	return h;
}

static uint64_t *unique_slot(uint64_t *set, uint32_t size, uint64_t key)
{
	uint32_t i = (uint32_t)key & (size - 1);

	while (set[i] && set[i] != key)
		i = (i + 1) & (size - 1);
	return &set[i];
}

static bool unique_has(const struct limits *l, uint64_t key)
{
	return l->unique_size && *unique_slot(l->unique, l->unique_size, key);
}

/* Return: false if it finds no room */
static bool unique_add(struct limits *l, uint64_t key)
{
	if (unique_has(l, key))
		return true;
	if (l->unique_count == UNIQUE_MAX)
		return false;
	if (2 * (l->unique_count + 1) > l->unique_size) {
		uint32_t size = l->unique_size ? 2 * l->unique_size : 16;
		uint64_t *set = calloc(size, sizeof(*set));

		if (!set)
			return false;
		for (uint32_t i = 0; i < l->unique_size; i++)
			if (l->unique[i])
				*unique_slot(set, size, l->unique[i]) = l->unique[i];
		free(l->unique);
		l->unique = set;
		l->unique_size = size;
	}
	*unique_slot(l->unique, l->unique_size, key) = key;
	l->unique_count++;
	return true;
}

/* ---- requests ---- */

static uint32_t seconds(uint64_t us)
{
	return (uint32_t)((us + 999999) / 1000000);
}

/* The rule's own: rate and quota */
static enum reason account_says(struct account *a, uint64_t now_us, uint32_t *ret_retry_s)
{
	if (!window_passes(&a->rate, now_us)) {
		*ret_retry_s = seconds(window_wait_us(&a->rate, now_us));
		return REASON_RATE;
	}
	if (a->used[WAY_UP] >= a->quota[WAY_UP] || a->used[WAY_DOWN] >= a->quota[WAY_DOWN])
		return REASON_QUOTA;
	return REASON_ALLOWED;
}

static enum reason rates_say(struct limits *l, struct windows *all, struct crossing *c, bool per_host,
			     uint64_t now_us, uint32_t *ret_retry_s)
{
	struct limits_alert alert = { .kind = ALERT_REQUEST_RATE, .per_host = per_host };
	struct window *w = windows_full(all, now_us);

	if (!w) {
		c->over = false;
		return REASON_ALLOWED;
	}
	alert.value = (uint64_t)w->rate.count + 1;
	alert.threshold = w->rate.count;
	if (acts(l))
		*ret_retry_s = seconds(window_wait_us(w, now_us));
	return cross(l, c, &alert, now_us);
}

static uint64_t total_limit(const struct limits *l, enum way way)
{
	return way == WAY_UP ? l->set.upload_total : l->set.download_total;
}

static uint64_t less(uint64_t limit, uint64_t used)
{
	return limit == none ? none : limit > used ? limit - used : 0;
}

/* May @bytes more of the session's total pass? */
static enum reason total_says(struct limits *l, enum way way, uint64_t bytes, uint64_t now_us)
{
	uint64_t limit = total_limit(l, way);

	if (!acts(l) || bytes <= less(limit, l->total[way]))
		return REASON_ALLOWED;
	return cross_kind(l, way == WAY_UP ? ALERT_UPLOAD_TOTAL : ALERT_DOWNLOAD_TOTAL,
			  l->total[way] + bytes, limit, now_us);
}

/* The session's: the first that stops it */
static enum reason session_says(struct limits *l, const struct limits_request *r, struct host *h,
				uint64_t key, uint32_t *ret_retry_s)
{
	enum reason reason = REASON_ALLOWED;

	if (r->now_us < l->blocked_until_us) {
		*ret_retry_s = seconds(l->blocked_until_us - r->now_us);
		return consequence(l);
	}
	for (enum way way = WAY_UP; way <= WAY_DOWN && reason == REASON_ALLOWED; way++)
		reason = total_says(l, way, 1, r->now_us);
	if (reason == REASON_ALLOWED && r->body_bytes > l->set.upload_per_request)
		reason = limits_body(l, 0, r->body_bytes, r->now_us);
	if (reason == REASON_ALLOWED && l->unique_count >= l->set.unique_hosts &&
	    !unique_has(l, key))
		reason = cross_kind(l, ALERT_HOST_DIVERSITY, l->set.unique_hosts + 1,
				    l->set.unique_hosts, r->now_us);
	if (reason == REASON_ALLOWED)
		reason = rates_say(l, &l->requests, &l->crossing[ALERT_REQUEST_RATE], false,
				   r->now_us, ret_retry_s);
	if (reason == REASON_ALLOWED && h)
		reason = rates_say(l, &h->rate, &h->crossing, true, r->now_us, ret_retry_s);
	return reason;
}

enum reason limits_request(struct limits *l, const struct limits_request *r, uint32_t *ret_retry_s)
{
	struct account *a = account_at(l, r->account);
	uint64_t key = key_of(l, r->host);
	bool room = true;
	struct host *h = NULL;
	enum reason reason = REASON_ALLOWED;

	*ret_retry_s = 0;
	if (a)
		reason = account_says(a, r->now_us, ret_retry_s);
	if (reason != REASON_ALLOWED)
		return reason;
	if (rates_any(&l->set.requests_per_host)) {
		h = host_find(l, key, r->now_us);
		if (!h)
			return REASON_LIMIT;
	}
	reason = session_says(l, r, h, key, ret_retry_s);
	if (reason != REASON_ALLOWED)
		return reason;
	if (a)
		room = window_hit(&a->rate, r->now_us);
	room = windows_hit(&l->requests, r->now_us) && room;
	if (h)
		room = windows_hit(&h->rate, r->now_us) && room;
	if (l->set.unique_hosts != none && l->unique_count < l->set.unique_hosts)
		room = unique_add(l, key) && room;
	return room ? REASON_ALLOWED : REASON_LIMIT;
}

void limits_outcome(struct limits *l, bool error, uint64_t now_us)
{
	uint32_t percent = l->set.error_rate_percent, failed, share;

	if (!percent)
		return;
	l->errors = (l->errors << 1 | error) & (BIT(ERRORS_OF) - 1);
	if (l->outcome_count < ERRORS_OF)
		l->outcome_count++;
	failed = (uint32_t)__builtin_popcount(l->errors);
	share = failed * 100 / l->outcome_count;
	if (l->outcome_count < ERRORS_LEAST || failed * 100 <= percent * l->outcome_count) {
		l->crossing[ALERT_ERROR_RATE].over = false;
		return;
	}
	if (cross_kind(l, ALERT_ERROR_RATE, share, percent, now_us) == REASON_ALLOWED)
		return;
	l->blocked_until_us = now_us + BLOCK_US;
	l->errors = l->outcome_count = 0;
	l->crossing[ALERT_ERROR_RATE].over = false;
}

/* ---- bytes ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t limits_room(const struct limits *l, const struct usage *u, enum way way)
{
	const struct account *a = account_at(l, u->account);
	uint64_t room = a ? less(a->quota[way], a->used[way]) : none;

	if (!acts(l))
		return room;
	room = least(room, less(total_limit(l, way), l->total[way]));
	if (u->whole && way == WAY_UP)
		room = least(room, less(l->set.upload_per_request, u->upload));
	return room;
}

/* For limits that only alert: they are crossed by bytes that pass */
static void watch(struct limits *l, enum alert kind, uint64_t limit, uint64_t before,
		  uint64_t after, uint64_t now_us)
{
	if (before > limit || after <= limit)
		return;
	if (kind == ALERT_LARGE_UPLOAD)
		l->crossing[kind].over = false;		/* each request is one */
	cross_kind(l, kind, after, limit, now_us);
}

void limits_moved(struct limits *l, struct usage *u, enum way way, uint64_t bytes, uint64_t now_us)
{
	struct account *a = account_at(l, u->account);
	uint64_t before = l->total[way], upload = u->upload;

	if (a)
		a->used[way] += bytes;
	l->total[way] += bytes;
	u->upload += way == WAY_UP ? bytes : 0;
	if (!bytes || acts(l))
		return;
	watch(l, way == WAY_UP ? ALERT_UPLOAD_TOTAL : ALERT_DOWNLOAD_TOTAL, total_limit(l, way),
	      before, before + bytes, now_us);
	if (u->whole && way == WAY_UP)
		watch(l, ALERT_LARGE_UPLOAD, l->set.upload_per_request, upload, upload + bytes,
		      now_us);
}

void limits_returned(struct limits *l, struct usage *u, enum way way, uint64_t bytes)
{
	struct account *a = account_at(l, u->account);

	if (a)
		a->used[way] = less(a->used[way], bytes);
	l->total[way] = less(l->total[way], bytes);
	if (way == WAY_UP)
		u->upload = less(u->upload, bytes);
}

enum reason limits_exceeded(struct limits *l, const struct usage *u, enum way way, uint64_t bytes,
			    uint64_t now_us)
{
	const struct account *a = account_at(l, u->account);
	enum reason reason;

	if (a && bytes > less(a->quota[way], a->used[way]))
		return REASON_QUOTA;
	reason = total_says(l, way, bytes, now_us);
	if (reason == REASON_ALLOWED)
		reason = limits_body(l, 0, u->upload + bytes, now_us);
	return reason == REASON_ALLOWED ? REASON_LIMIT : reason;
}

uint64_t limits_body_room(const struct limits *l)
{
	return acts(l) ? l->set.upload_per_request : none;
}

enum reason limits_body(struct limits *l, uint64_t before, uint64_t after, uint64_t now_us)
{
	uint64_t limit = l->set.upload_per_request;

	if (before > limit || after <= limit)
		return REASON_ALLOWED;
	l->crossing[ALERT_LARGE_UPLOAD].over = false;
	return cross_kind(l, ALERT_LARGE_UPLOAD, after, limit, now_us);
}

struct bucket *limits_bucket(struct limits *l, uint32_t account, enum way way)
{
	struct account *a = account_at(l, account);

	return a && a->bucket[way].rate_bps ? &a->bucket[way] : NULL;
}
