/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/place.c"
#include "lonely.h"

static struct net network(const char *text)
{
	struct net n;

	assert_true(net_parse(span_str(text), &n));
	return n;
}

static bool lists(const struct net *at, size_t count, const char *text)
{
	struct net n = network(text);

	for (size_t i = 0; i < count; i++)
		if (at[i].bits == n.bits && addr_eq(&at[i].base, &n.base))
			return true;
	return false;
}

/* What ifaddrs(3) says of one address; NULL: it says nothing */
struct said {
	const char	*addr, *mask, *far;
	unsigned	 flags;
	const char	*connected, *connected_far;	/* what must come of it */
};

static struct sockaddr *sockaddr_for(const char *text, struct sockaddr_in6 *room)
{
	struct addr a;

	if (!text)
		return NULL;
	assert_true(addr_parse(span_str(text), &a));
	addr_to_sockaddr(&a, 0, room);
	return (struct sockaddr *)room;
}

static void one_address(const struct said *s)
{
	struct sockaddr_in6 addr, mask, far;
	struct net_list own = { 0 }, connected = { 0 };
	struct ifaddrs i = { .ifa_flags = s->flags };

	i.ifa_addr = sockaddr_for(s->addr, &addr);
	i.ifa_netmask = sockaddr_for(s->mask, &mask);
	i.ifa_dstaddr = sockaddr_for(s->far, &far);
	assert_int_equal(take_address(&i, &own, &connected), 0);
	assert_int_equal(own.count, s->addr != NULL);
	assert_int_equal(connected.count, (s->connected != NULL) + (s->connected_far != NULL));
	if (s->addr)
		assert_true(lists(own.at, own.count, s->addr));
	if (s->connected)
		assert_true(lists(connected.at, connected.count, s->connected));
	if (s->connected_far)
		assert_true(lists(connected.at, connected.count, s->connected_far));
	free(own.at);
	free(connected.at);
}

static void kinds_of_interfaces(void **state)
{
	static const struct said said[] = {
		{ "192.0.2.7", "255.255.255.0", "192.0.2.255", IFF_BROADCAST, "192.0.2.0/24",
		  NULL },
		{ "192.0.2.7", "255.255.255.254", NULL, 0, "192.0.2.6/31", NULL },
		{ "192.0.2.7", "255.255.255.255", NULL, 0, "192.0.2.7/32", NULL },
		{ "192.0.2.7", "255.255.255.255", "198.51.100.1", IFF_POINTOPOINT, "192.0.2.7/32",
		  "198.51.100.1/32" },
		/* a far end without the flag, as on a veth */
		{ "10.0.0.1", "255.255.255.0", "10.9.0.2", IFF_BROADCAST, "10.0.0.0/24",
		  "10.9.0.0/24" },
		{ "2001:db8:1::7", "ffff:ffff:ffff:ffff::", NULL, 0, "2001:db8:1::/64", NULL },
		{ "fe80::1", "ffff:ffff:ffff:ffff::", "fe80::2", IFF_POINTOPOINT, "fe80::/64",
		  NULL },
		{ "192.0.2.7", "0.0.0.0", NULL, 0, NULL, NULL },
		{ "2001:db8::7", "::", NULL, 0, NULL, NULL },
		{ "192.0.2.7", NULL, NULL, 0, "192.0.2.7/32", NULL },
		{ NULL, NULL, NULL, 0, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(said); i++)
		one_address(&said[i]);
}

static void too_many_are_refused(void **state)
{
	struct net_list l = { 0 };
	struct net n = network("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < PLACE_NETS_MAX; i++)
		assert_int_equal(list_add(&l, &n), 0);
	assert_int_equal(list_add(&l, &n), -ENOBUFS);
	assert_int_equal(l.count, PLACE_NETS_MAX);
	free(l.at);
}

static void set_address(const char *alias, const char *addr)
{
	struct ifreq r = { 0 };
	struct sockaddr_in6 sa;
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(r.ifr_name, alias);
	memcpy(&r.ifr_addr, sockaddr_for(addr, &sa), sizeof(r.ifr_addr));
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &r), 0);
	memcpy(&r.ifr_netmask, sockaddr_for("255.255.255.0", &sa), sizeof(r.ifr_netmask));
	assert_int_equal(ioctl(fd, SIOCSIFNETMASK, &r), 0);
}

static void the_machine_is_read_and_read_again(void **state)
{
	struct place_store store = { 0 };
	const struct place *p;
	struct err err = { "" };

	(void)state;
	assert_true(place_read(&store, &err));
	p = &store.place;
	assert_true(lists(p->own, p->own_count, "127.0.0.0/8"));
	assert_true(lists(p->own, p->own_count, "127.0.0.1"));
	assert_true(lists(p->own, p->own_count, "::1"));
	assert_true(lists(p->own, p->own_count, "0.0.0.0"));
	assert_true(lists(p->own, p->own_count, "::"));
	assert_false(lists(p->own, p->own_count, "192.0.2.5"));

	p = place_now(&store, 10000);
	assert_non_null(p);
	set_address("lo:1", "192.0.2.5");
	p = place_now(&store, 10000 + PLACE_FRESH_MS - 1);
	assert_false(lists(p->own, p->own_count, "192.0.2.5"));
	p = place_now(&store, 10000 + PLACE_FRESH_MS);
	assert_true(lists(p->own, p->own_count, "192.0.2.5"));
	assert_true(lists(p->connected, p->connected_count, "192.0.2.0/24"));
	place_done(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_of_interfaces),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(the_machine_is_read_and_read_again),
	};

	lonely_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
