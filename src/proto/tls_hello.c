/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_hello.c - two layers, read one after the other
 *
 * Below: records, which cut the handshake stream at any byte.  A reader that
 * takes the first record for the message can be shown one name in it while the
 * server, which joins the records, sees another.  So the message is put
 * together first, in the caller's scratch, and only a whole one is read.
 *
 * Above: the ClientHello, nested length-prefixed vectors.  Every vector must be
 * filled exactly and every extension come once: where lengths disagree, two
 * servers find two names.
 */
#include "proto/tls_hello.h"

#include <assert.h>

#include "base/auto.h"
#include "base/wire.h"

#define RECORD_HEADER 5		/* RFC 8446 5.1 */
#define RECORD_MAX 16384	/* bytes of a plaintext record, RFC 8446 5.1 */
#define MESSAGE_HEADER 4	/* RFC 8446 4: type and length */
#define SESSION_ID_MAX 32	/* RFC 8446 4.1.2 */
#define SNI_MAX 255		/* bytes; no name in the DNS is longer (RFC 1035 2.3.4) */
/* Extensions of a hello.  Browsers send under 20; the registry has under 70. */
#define EXTENSIONS_MAX 128

enum {
	RECORD_HANDSHAKE = 22,
	MAJOR_VERSION = 3,	/* SSL 3.0 to TLS 1.3; the minor is ignored, RFC 8446 5.1 */
	CLIENT_HELLO = 1,
	NAME_HOST = 0,		/* RFC 6066 section 3 */
};

/*
 * ret: the bytes of the message are in @scratch, *ret_message spans them; *ret_used: bytes of
 * its records
 */
static enum parse records_join(struct span stream, uint8_t *scratch, size_t scratch_size,
			       struct span *ret_message, size_t *ret_used)
{
	struct wire_out joined = { .at = scratch, .size = scratch_size };
	size_t whole = 0, promised = 0;	/* bytes: of the message, of the records so far */
	size_t used = 0;

	while (!whole || joined.len < whole) {
		struct wire header = wire_over(span_head(stream, RECORD_HEADER));
		struct span fragment;
		size_t len;

		if (stream.len && (stream.at[0] != RECORD_HANDSHAKE ||
				   (stream.len > 1 && stream.at[1] != MAJOR_VERSION)))
			return PARSE_BAD;
		if (stream.len < RECORD_HEADER)
			return used + RECORD_HEADER < TLS_HELLO_MAX ? PARSE_MORE : PARSE_BAD;
		wire_take(&header, 3);
		len = wire_u16(&header);
		used += RECORD_HEADER + len;
		promised += len;
		if (len == 0 || len > RECORD_MAX || used > TLS_HELLO_MAX)
			return PARSE_BAD;

		fragment = span_head(span_skip(stream, RECORD_HEADER), len);
		wire_put(&joined, fragment.at, fragment.len);
		if (joined.full || (joined.len && scratch[0] != CLIENT_HELLO))
			return PARSE_BAD;
		if (joined.len >= MESSAGE_HEADER) {
			struct wire message = wire_over(span_of(scratch + 1, 3));

			whole = MESSAGE_HEADER + wire_u24(&message);
		}
		/* bytes after the hello in its records, or a hello that cannot fit */
		if (whole && (promised > whole || whole > TLS_HELLO_MAX))
			return PARSE_BAD;
		if (fragment.len < len)
			return PARSE_MORE;
		stream = span_skip(stream, RECORD_HEADER + len);
	}
	*ret_message = span_of(scratch, whole);
	*ret_used = used;
	return PARSE_OK;
}

/* RFC 6066 section 3: a list of exactly one host_name */
static bool sni_read(struct wire *w, struct tls_hello *h)
{
	struct wire list = wire_sub(w, wire_u16(w));
	uint8_t type = wire_u8(&list);
	struct span name = wire_take(&list, wire_u16(&list));

	if (list.spent || list.left.len || type != NAME_HOST)
		return false;
	if (!name.len || name.len > SNI_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] <= ' ' || name.at[i] >= 0x7f)
			return false;
	h->has_sni = true;
	h->sni = name;
	return true;
}

/* RFC 7301 section 3.1 */
static bool alpn_read(struct wire *w, struct tls_hello *h)
{
	struct wire list = wire_sub(w, wire_u16(w));

	if (!list.left.len)
		return false;
	while (list.left.len) {
		struct span name = wire_take(&list, wire_u8(&list));

		if (list.spent || !name.len)
			return false;
		if (!h->alpn.len)
			h->alpn = name;
		h->has_http2 = h->has_http2 || span_eq(name, SPAN("h2"));
		h->has_http1 = h->has_http1 || span_eq(name, SPAN("http/1.1"));
	}
	return true;
}

/* RFC 8446 4.2.1.  What is no TLS version (GREASE, RFC 8701) is passed over. */
static bool versions_read(struct wire *w, struct tls_hello *h)
{
	struct wire list = wire_sub(w, wire_u8(w));

	h->version = 0;
	if (!list.left.len || list.left.len % 2)
		return false;
	while (list.left.len) {
		uint16_t version = wire_u16(&list);

		if (version >> 8 == MAJOR_VERSION && version > h->version)
			h->version = version;
	}
	return true;
}

/* The name is elsewhere, encrypted; what is in clear is a cover */
static bool ech_read(struct wire *w, struct tls_hello *h)
{
	wire_take(w, w->left.len);
	h->ech = true;
	return true;
}

/* Each reader must use up the extension's bytes */
static const struct extension {
	uint16_t type;
	bool (*read)(struct wire *w, struct tls_hello *h);
} extensions[] = {
	{ 0, sni_read },
	{ 16, alpn_read },
	{ 43, versions_read },
	{ 0xfe0d, ech_read },	/* RFC 9849, and drafts from 13 on */
	{ 0xfe0a, ech_read },	/* draft 10 */
	{ 0xfe09, ech_read },	/* draft 9 */
	{ 0xfe08, ech_read },	/* draft 8 */
	{ 0xffce, ech_read },	/* encrypted_server_name, drafts before */
};

static bool extension_read(uint16_t type, struct span body, struct tls_hello *h)
{
	struct wire w = wire_over(body);

	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (extensions[i].type == type)
			return extensions[i].read(&w, h) && !w.spent && !w.left.len;
	return true;
}

static bool extensions_read(struct wire *w, struct tls_hello *h)
{
	uint16_t seen[EXTENSIONS_MAX];

	for (size_t count = 0; w->left.len; count++) {
		uint16_t type = wire_u16(w);
		struct span body = wire_take(w, wire_u16(w));

		if (w->spent || count == ARRAY_SIZE(seen))
			return false;
		for (size_t i = 0; i < count; i++)
			if (seen[i] == type)
				return false;
		seen[count] = type;
		if (!extension_read(type, body, h))
			return false;
	}
	return true;
}

/* RFC 8446 4.1.2 */
static bool hello_read(struct span message, struct tls_hello *h)
{
	struct wire w = wire_over(span_skip(message, MESSAGE_HEADER)), list;
	struct span session, ciphers, compressions;

	h->version = wire_u16(&w);
	wire_take(&w, 32);		/* random */
	session = wire_take(&w, wire_u8(&w));
	ciphers = wire_take(&w, wire_u16(&w));
	compressions = wire_take(&w, wire_u8(&w));
	if (w.spent || h->version >> 8 != MAJOR_VERSION || session.len > SESSION_ID_MAX ||
	    !ciphers.len || ciphers.len % 2 || !compressions.len)
		return false;
	if (!w.left.len)		/* before TLS 1.3 extensions may be missing */
		return true;
	list = wire_sub(&w, wire_u16(&w));
	return !list.spent && !w.left.len && extensions_read(&list, h);
}

enum parse tls_hello_parse(struct span stream, uint8_t *scratch, size_t scratch_size,
			   struct tls_hello *ret_hello)
{
	struct tls_hello hello = { 0 };
	struct span message;
	size_t used;
	enum parse joined = records_join(stream, scratch, scratch_size, &message, &used);

	if (joined != PARSE_OK)
		return joined;
	if (!hello_read(message, &hello))
		return PARSE_BAD;
	hello.stream_bytes = used;
	*ret_hello = hello;
	return PARSE_OK;
}

bool tls_hello_likely(struct span stream)
{
	static const uint8_t first[] = { RECORD_HANDSHAKE, MAJOR_VERSION };
	struct span message = span_skip(stream, RECORD_HEADER);

	return span_starts(span_of(first, sizeof(first)), span_head(stream, sizeof(first))) &&
	       (!message.len || message.at[0] == CLIENT_HELLO);
}
