/* SPDX-License-Identifier: Apache-2.0 */
/* Input: what a guest sends to the DHCP server's port */
#include "fuzz.h"

#include "proto/dhcp.h"

static void fuzz_one(struct span input)
{
	struct dhcp_net net = { .client = addr_v4(0xc0a8650a), .server = addr_v4(0xc0a86501), .bits = 24 };
	uint8_t out[DHCP_ANSWER_MAX];
	bool all = false;
	size_t len = dhcp_answer(input, &net, out, &all);

	assert(len == 0 || (len >= 300 && len <= sizeof(out)));
	if (!len)
		return;
	/* whatever is asked, the answer is the client's own address or none */
	assert(out[0] == 2 && input.len >= 240 && !memcmp(out + 4, input.at + 4, 4));
	assert(!memcmp(out + 16, "\300\250\145\12", 4) || !memcmp(out + 16, "\0\0\0\0", 4));
	assert(!memcmp(out + 28, input.at + 28, 6));
}
