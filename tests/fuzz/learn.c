/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn.c - no log makes learning write what is no policy, or what it must not open
 *
 * Lines of the input are events.  Whatever they say: what comes out loads, lets pass what it
 * was written for, has no wildcard over a public suffix (loading refuses one), and never names
 * a host that was only ever denied.  The same events are replayed against it.
 */
#include <assert.h>
#include <stdlib.h>

#include "audit/reader.h"
#include "policy/load.h"
#include "watch/learn.h"
#include "watch/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A host that no event may allow: events that name it are denied below */
#define DENIED "denied.fuzz.test"

static const char preset_text[] = "version: 1\nallow:\n  - {host: a.test, methods: [GET], paths: [/v1/**]}\n";

static struct policy *load(struct span text, struct err *err)
{
	struct policy_file file = { LAYER_POLICY, "fuzz", text, false, false };
	struct policy_input in = { .files = &file, .file_count = 1 };

	return policy_load(&in, err);
}

static json_t *event_of(struct span line)
{
	json_t *e = json_loadb((const char *)line.at, line.len, JSON_ALLOW_NUL, NULL);
	const char *keys[] = { "host", "name" };

	for (size_t i = 0; json_is_object(e) && i < 2; i++)
		if (span_eq_fold(span_head(event_text(e, keys[i]), sizeof(DENIED) - 1), SPAN(DENIED)))
			json_object_set_new(e, "verdict", json_string("deny"));
	return e;
}

static struct span next_line(struct span *rest)
{
	ptrdiff_t end = span_find(*rest, '\n');
	struct span line = end < 0 ? *rest : span_head(*rest, (size_t)end);

	*rest = span_skip(*rest, line.len + 1);
	return line;
}

static void replay(struct span log, const struct policy *p)
{
	struct replay r;

	assert(replay_init(&r, p, &(struct seed){ { 3, 4 } }));
	while (log.len) {
		json_t *e = event_of(next_line(&log));

		if (json_is_object(e))
			replay_event(&r, e);
		json_decref(e);
	}
	replay_end(&r);
	assert(r.count <= REPLAY_ROWS_MAX && r.changed <= r.asked);
	for (size_t i = 0; i < r.count; i++)
		assert(r.rows[i].target_len <= REPLAY_TARGET_MAX);
	replay_done(&r);
}

static void learn(struct span log, const struct learn_options *o, const struct policy *preset)
{
	struct learn *l = learn_new(o);
	struct buf text = buf_new(LEARN_TEXT_MAX);
	struct learn_result result;
	char first[HOST_MAX + 16];
	struct err err = { "" };
	struct policy *p;

	assert(l);
	for (struct span rest = log; rest.len;) {
		json_t *e = event_of(next_line(&rest));

		if (json_is_object(e))
			learn_event(l, e);
		json_decref(e);
	}
	assert(learn_write(l, &text, &result));
	assert(!memmem(text.at, text.len, "\"" DENIED "\"", sizeof(DENIED) + 1));
	/* printable, and of lines that are ours: nobody else's line begins a mapping */
	for (size_t i = 0; i < text.len; i++)
		assert((text.at[i] >= ' ' && text.at[i] < 0x7f) || text.at[i] == '\n' || text.at[i] == '\t');
	if (!result.presets) {
		p = load(buf_span(&text), &err);
		assert(p);
		assert(!learn_stopped(l, p, first));
		replay(log, p);
		policy_free(p);
	} else {
		replay(log, preset);
	}
	buf_done(&text);
	learn_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct learn_preset preset = { .name = "fuzz" };
	struct learn_options o = { .seed = { { 1, 2 } } };
	struct span log = span_of(bytes, size);
	struct err err = { "" };
	static struct policy *p;

	if (!p)
		p = load(SPAN(preset_text), &err);
	if (!size)
		return 0;
	o.all = bytes[0] & 1;
	o.last = bytes[0] & 2;
	o.forged = bytes[0] & 4;
	preset.policy = p;
	o.presets = &preset;
	o.preset_count = (bytes[0] & 8) != 0;
	learn(span_skip(log, 1), &o, p);
	return 0;
}
