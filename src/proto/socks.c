/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/socks.h"

#include "base/wire.h"

#define VERSION 5
#define METHOD_NONE 0
#define METHOD_UNACCEPTABLE 0xff

enum address_type { TYPE_V4 = 1, TYPE_NAME = 3, TYPE_V6 = 4 };

enum parse socks_greeting_parse(struct span stream, struct socks_greeting *ret_greeting)
{
	struct wire w = wire_over(stream);
	uint8_t version = wire_u8(&w), count = wire_u8(&w);
	struct span methods = wire_take(&w, count);

	if (stream.len && version != VERSION)
		return PARSE_BAD;
	if (stream.len > 1 && !count)
		return PARSE_BAD;
	if (w.spent)
		return PARSE_MORE;
	*ret_greeting = (struct socks_greeting){
		.bytes = stream.len - w.left.len, .open = span_find(methods, METHOD_NONE) >= 0,
	};
	return PARSE_OK;
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] > '~')
			return false;
	return true;
}

/* Of the first bytes, whatever follows: can they begin a request? */
static bool begins(struct span s)
{
	return (s.len < 1 || s.at[0] == VERSION) &&
	       (s.len < 2 || (s.at[1] >= SOCKS_CONNECT && s.at[1] <= SOCKS_ASSOCIATE)) &&
	       (s.len < 3 || s.at[2] == 0) &&
	       (s.len < 4 || s.at[3] == TYPE_V4 || s.at[3] == TYPE_NAME || s.at[3] == TYPE_V6) &&
	       (s.len < 5 || s.at[3] != TYPE_NAME || s.at[4] != 0);
}

static void read_address(struct wire *w, enum address_type type, struct socks_request *r)
{
	struct in6_addr in6 = { 0 };
	struct span bytes;

	switch (type) {
	case TYPE_V4:
		r->addr = addr_v4(wire_u32(w));
		break;
	case TYPE_V6:
		bytes = wire_take(w, sizeof(in6));
		if (bytes.len)
			memcpy(&in6, bytes.at, sizeof(in6));
		r->addr = addr_from_in6(&in6);
		break;
	case TYPE_NAME:
		r->host = wire_take(w, wire_u8(w));
		break;
	}
}

enum parse socks_request_parse(struct span stream, struct socks_request *ret_request)
{
	struct wire w = wire_over(stream);
	struct socks_request r = { 0 };
	enum address_type type;

	if (!begins(stream))
		return PARSE_BAD;
	wire_u8(&w);
	r.command = (enum socks_command)wire_u8(&w);
	wire_u8(&w);
	type = (enum address_type)wire_u8(&w);
	read_address(&w, type, &r);
	r.port = wire_u16(&w);
	if (!is_printable(r.host))
		return PARSE_BAD;
	if (w.spent)
		return PARSE_MORE;
	if (r.command == SOCKS_CONNECT && !r.port)
		return PARSE_BAD;
	r.bytes = stream.len - w.left.len;
	*ret_request = r;
	return PARSE_OK;
}

void socks_choice(bool open, uint8_t out[SOCKS_CHOICE_BYTES])
{
	out[0] = VERSION;
	out[1] = open ? METHOD_NONE : METHOD_UNACCEPTABLE;
}

void socks_reply(enum socks_code code, uint8_t out[SOCKS_REPLY_BYTES])
{
	static const uint8_t nowhere[SOCKS_REPLY_BYTES] = { VERSION, 0, 0, TYPE_V4 };

	memcpy(out, nowhere, SOCKS_REPLY_BYTES);
	out[1] = (uint8_t)code;
}
