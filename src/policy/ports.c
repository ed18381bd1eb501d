/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/ports.h"

#include "base/auto.h"

#define PORT_MAX 65535

static const uint16_t own_ports[] = { 53, 853 };

bool port_is_own(uint16_t port)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_ports); i++)
		if (own_ports[i] == port)
			return true;
	return false;
}

bool port_parse(struct span text, uint16_t *ret_port)
{
	uint64_t value;

	/* "0443" is octal to some readers */
	if (!text.len || text.at[0] == '0' || !span_u64(text, PORT_MAX, &value))
		return false;
	*ret_port = (uint16_t)value;
	return true;
}

/* The transport behind the last '/', which is cut off; TCP if there is none */
static bool cut_transport(struct span *text, enum transport *ret_transport)
{
	ptrdiff_t slash = span_find(*text, '/');
	struct span word;

	*ret_transport = TRANSPORT_TCP;
	if (slash < 0)
		return true;
	word = span_skip(*text, (size_t)slash + 1);
	*text = span_head(*text, (size_t)slash);
	if (span_eq(word, SPAN("udp")))
		*ret_transport = TRANSPORT_UDP;
	return span_eq(word, SPAN("udp")) || span_eq(word, SPAN("tcp"));
}

bool ports_parse(struct span text, struct port_range *ret_range)
{
	struct port_range r;
	struct span last;
	ptrdiff_t dash;

	if (!cut_transport(&text, &r.transport))
		return false;
	dash = span_find(text, '-');
	last = dash < 0 ? text : span_skip(text, (size_t)dash + 1);
	if (dash >= 0)
		text = span_head(text, (size_t)dash);
	if (!port_parse(text, &r.first) || !port_parse(last, &r.last) || r.last < r.first)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(own_ports); i++)
		if (r.first <= own_ports[i] && own_ports[i] <= r.last)
			return false;
	*ret_range = r;
	return true;
}

static int range_order(const void *left, const void *right)
{
	const struct port_range *a = left, *b = right;

	if (a->transport != b->transport)
		return a->transport < b->transport ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->last < b->last ? -1 : a->last > b->last;
}

size_t ports_tidy(struct port_range *ranges, size_t count)
{
	size_t kept = 0;

	if (count < 2)
		return count;
	qsort(ranges, count, sizeof(*ranges), range_order);
	for (size_t i = 1; i < count; i++) {
		struct port_range *last = &ranges[kept];

		if (ranges[i].transport != last->transport || ranges[i].first > last->last + 1)
			ranges[++kept] = ranges[i];
		else if (ranges[i].last > last->last)
			last->last = ranges[i].last;
	}
	return kept + 1;
}

bool port_map_host(struct span text, struct port_map *ret_map)
{
	ptrdiff_t colon = span_find(text, ':');
	struct port_map map = { 0 };
	struct span outside = colon < 0 ? text : span_skip(text, (size_t)colon + 1);

	if (!port_parse(outside, &map.outside))
		return false;
	map.inside = map.outside;
	if (colon >= 0 && !port_parse(span_head(text, (size_t)colon), &map.inside))
		return false;
	*ret_map = map;
	return true;
}

/* An address in front of a ':', which is cut off; 127.0.0.1 if there is none */
static bool cut_addr(struct span *text, struct addr *ret_addr)
{
	bool bracket = span_starts(*text, SPAN("["));
	ptrdiff_t end = span_find(*text, bracket ? ']' : ':');
	struct span addr;

	*ret_addr = addr_v4(0x7f000001);
	if (!bracket && (end < 0 || span_find(span_head(*text, (size_t)end), '.') < 0))
		return true;
	if (end < 0)
		return false;
	addr = span_skip(span_head(*text, (size_t)end), bracket);
	*text = span_skip(*text, (size_t)end + bracket);
	if (!span_starts(*text, SPAN(":")))
		return false;
	*text = span_skip(*text, 1);
	return addr_parse(addr, ret_addr) && bracket == (span_find(addr, ':') >= 0);
}

bool port_map_publish(struct span text, struct port_map *ret_map)
{
	struct port_map map;
	ptrdiff_t colon;

	if (!cut_addr(&text, &map.addr))
		return false;
	colon = span_find(text, ':');
	if (!port_parse(colon < 0 ? text : span_head(text, (size_t)colon), &map.outside))
		return false;
	map.inside = map.outside;
	if (colon >= 0 && !port_parse(span_skip(text, (size_t)colon + 1), &map.inside))
		return false;
	*ret_map = map;
	return true;
}
