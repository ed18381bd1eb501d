/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tls_answer.h"

#include "base/auto.h"

enum {
	RECORD_HANDSHAKE = 22,		/* RFC 8446 5.1: types are 20 to 24 (RFC 6520) */
	SERVER_HELLO = 2,		/* RFC 8446 4 */
	MESSAGE_HEADER = 4,
	RANDOM_AT = 6,			/* after header and legacy_version, RFC 8446 4.1.3 */
};

/* The random of a HelloRetryRequest: SHA-256 of its name (RFC 8446 4.1.3) */
static const uint8_t retry_random[] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
	0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
	0x33, 0x9c,
};
_Static_assert(RANDOM_AT + sizeof(retry_random) == TLS_ANSWER_HEAD, "the head ends in the random");

/* Move bytes from the front of @s until @have of @want are there.  Return: are they? */
static bool gather(struct span *s, uint8_t *to, uint8_t *have, size_t want)
{
	struct span part = span_head(*s, want - *have);

	memcpy(to + *have, part.at, part.len);
	*have = (uint8_t)(*have + part.len);
	*s = span_skip(*s, part.len);
	return *have == want;
}

static uint32_t message_length(const struct tls_answer *a)
{
	return (uint32_t)a->head[1] << 16 | (uint32_t)a->head[2] << 8 | a->head[3];
}

/* Pass over what is left of @left in @s */
static void skip(struct span *s, uint32_t *left)
{
	struct span part = span_head(*s, *left);

	*s = span_skip(*s, part.len);
	*left -= (uint32_t)part.len;
}

/* Bytes of handshake records.  Return: was there a ServerHello proper? */
static bool messages_read(struct tls_answer *a, struct span s)
{
	while (s.len) {
		size_t want = MESSAGE_HEADER;

		if (a->message_left) {
			skip(&s, &a->message_left);
			continue;
		}
		if (a->head_len < want && !gather(&s, a->head, &a->head_len, want))
			break;
		if (a->head[0] == SERVER_HELLO && message_length(a) >= TLS_ANSWER_HEAD - MESSAGE_HEADER) {
			want = TLS_ANSWER_HEAD;
			if (!gather(&s, a->head, &a->head_len, want))
				break;
			if (memcmp(a->head + RANDOM_AT, retry_random, sizeof(retry_random)) != 0)
				return true;
		}
		a->message_left = message_length(a) - (uint32_t)(want - MESSAGE_HEADER);
		a->head_len = 0;
	}
	return false;
}

static bool record_begins(struct tls_answer *a)
{
	if (a->record[0] < 20 || a->record[0] > 24 || a->record[1] != 3)
		return false;
	a->record_left = (uint32_t)a->record[3] << 8 | a->record[4];
	a->record_len = 0;
	return true;
}

bool tls_answer_read(struct tls_answer *a, struct span bytes)
{
	while (bytes.len && !a->strange) {
		struct span part = span_head(bytes, a->record_left);

		if (!a->record_left) {
			if (gather(&bytes, a->record, &a->record_len, sizeof(a->record)))
				a->strange = !record_begins(a);
			continue;
		}
		skip(&bytes, &a->record_left);
		if (a->record[0] == RECORD_HANDSHAKE && messages_read(a, part))
			return true;
	}
	return false;
}
