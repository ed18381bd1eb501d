/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash (Aumasson, Bernstein 2012), one compression and three final rounds */
#include "base/hash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

uint64_t hash_span(const struct seed *seed, struct span in)
{
	struct sip s = {
		seed->k[0] ^ 0x736f6d6570736575ull,
		seed->k[1] ^ 0x646f72616e646f6dull,
		seed->k[0] ^ 0x6c7967656e657261ull,
		seed->k[1] ^ 0x7465646279746573ull,
	};
	uint64_t m, last = (uint64_t)in.len << 56;
	size_t i;

	for (i = 0; i + 8 <= in.len; i += 8) {
		memcpy(&m, in.at + i, sizeof(m));
		sip_word(&s, m);
	}
	for (unsigned shift = 0; i < in.len; i++, shift += 8)
		last |= (uint64_t)in.at[i] << shift;
	sip_word(&s, last);
	s.v2 ^= 0xff;
	for (int n = 0; n < 3; n++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
