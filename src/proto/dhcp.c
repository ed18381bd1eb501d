/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/dhcp.h"

#include "base/parse.h"
#include "base/wire.h"

#define MAGIC 0x63825363u	/* RFC 2131 3 */
#define NAME_AND_FILE 192	/* bytes of sname and file: nothing of ours, and not read */
#define ANSWER_MIN 300		/* bytes; some clients drop what is shorter, as BOOTP was not */
#define LEASE_S 86400
#define FLAG_BROADCAST 0x8000
#define OP_REQUEST 1
#define OP_REPLY 2
#define ETHERNET 1
#define MAC_BYTES 6

enum message { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM };
enum option { PAD = 0, NETMASK = 1, ROUTER = 3, DNS = 6, WANTED = 50, LEASE = 51, MESSAGE = 53,
	      SERVER = 54, END = 255 };

struct request {
	uint32_t	xid, ciaddr;
	uint16_t	flags;
	struct span	mac;
	uint8_t		message;
	uint32_t	wanted, server;		/* 0: not said */
};

/* One option's value, read once; another of the same kind is a second reading */
static bool take_option(struct request *r, uint8_t code, struct wire *value)
{
	uint32_t *number = code == WANTED ? &r->wanted : &r->server;

	if (code == MESSAGE) {
		if (value->left.len != 1 || r->message)
			return false;
		r->message = wire_u8(value);
		return r->message;
	}
	if (code != WANTED && code != SERVER)
		return true;
	if (value->left.len != 4 || *number)
		return false;
	*number = wire_u32(value);
	return *number;
}

static enum parse read_options(struct wire *w, struct request *r)
{
	while (!w->spent) {
		uint8_t code = wire_u8(w);
		struct wire value;

		if (code == PAD)
			continue;
		if (code == END)
			return w->spent || !r->message ? PARSE_BAD : PARSE_OK;
		value = wire_sub(w, wire_u8(w));
		if (w->spent || !take_option(r, code, &value))
			return PARSE_BAD;
	}
	return PARSE_BAD;
}

/* RFC 2131 2, figure 1.  What came through a relay is not from the guest */
static enum parse read_request(struct span bytes, struct request *r)
{
	struct wire w = wire_over(bytes);
	uint8_t op = wire_u8(&w), type = wire_u8(&w), length = wire_u8(&w);
	uint32_t relay;

	*r = (struct request){ 0 };
	wire_u8(&w);			/* hops */
	r->xid = wire_u32(&w);
	wire_u16(&w);			/* secs */
	r->flags = wire_u16(&w);
	r->ciaddr = wire_u32(&w);
	wire_take(&w, 8);		/* yiaddr, siaddr */
	relay = wire_u32(&w);
	r->mac = wire_take(&w, MAC_BYTES);
	wire_take(&w, 16 - MAC_BYTES + NAME_AND_FILE);
	if (wire_u32(&w) != MAGIC || w.spent || op != OP_REQUEST || type != ETHERNET ||
	    length != MAC_BYTES || relay)
		return PARSE_BAD;
	return read_options(&w, r);
}

/* RFC 2131 4.3.  0: say nothing */
static uint8_t decide(const struct request *r, uint32_t client, uint32_t server)
{
	uint32_t wanted = r->wanted ? r->wanted : r->ciaddr;

	switch (r->message) {
	case DISCOVER:
		return OFFER;
	case REQUEST:
		if (r->server && r->server != server)
			return 0;	/* it chose another's offer */
		return wanted == client ? ACK : NAK;
	case INFORM:
		return ACK;
	default:
		return 0;
	}
}

static void put_number(struct wire_out *w, uint8_t code, uint32_t number)
{
	wire_put_u8(w, code);
	wire_put_u8(w, 4);
	wire_put_u32(w, number);
}

static void put_options(struct wire_out *w, const struct request *r, uint8_t message,
			const struct dhcp_net *net)
{
	uint32_t server = addr_v4_value(&net->server);

	wire_put_u32(w, MAGIC);
	wire_put_u8(w, MESSAGE);
	wire_put_u8(w, 1);
	wire_put_u8(w, message);
	put_number(w, SERVER, server);
	if (message != NAK) {
		if (r->message != INFORM)
			put_number(w, LEASE, LEASE_S);
		put_number(w, NETMASK, net->bits ? UINT32_MAX << (32 - net->bits) : 0);
		put_number(w, ROUTER, server);
		put_number(w, DNS, server);
	}
	wire_put_u8(w, END);
	while (w->len < ANSWER_MIN)
		wire_put_u8(w, PAD);
}

size_t dhcp_answer(struct span request, const struct dhcp_net *net, uint8_t out[DHCP_ANSWER_MAX],
		   bool *ret_all)
{
	static const uint8_t none[NAME_AND_FILE] = { 0 };
	struct wire_out w = { .at = out, .size = DHCP_ANSWER_MAX };
	uint32_t client = addr_v4_value(&net->client);
	struct request r;
	uint8_t message;

	if (read_request(request, &r) != PARSE_OK)
		return 0;
	message = decide(&r, client, addr_v4_value(&net->server));
	if (!message)
		return 0;
	*ret_all = message == NAK || r.flags & FLAG_BROADCAST;
	wire_put_u8(&w, OP_REPLY);
	wire_put_u8(&w, ETHERNET);
	wire_put_u8(&w, MAC_BYTES);
	wire_put_u8(&w, 0);
	wire_put_u32(&w, r.xid);
	wire_put_u16(&w, 0);
	wire_put_u16(&w, r.flags & FLAG_BROADCAST);
	wire_put_u32(&w, message == NAK ? 0 : r.ciaddr);
	wire_put_u32(&w, message == NAK || r.message == INFORM ? 0 : client);
	wire_put(&w, none, 8);		/* siaddr, giaddr */
	wire_put(&w, r.mac.at, r.mac.len);
	wire_put(&w, none, 16 - MAC_BYTES);
	wire_put(&w, none, NAME_AND_FILE);
	put_options(&w, &r, message, net);
	return w.full ? 0 : w.len;
}
