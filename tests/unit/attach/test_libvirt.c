/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <stdlib.h>

#include "attach/libvirt.h"

#define HEAD "<domain type='qemu' id='1'>\n  <name>web-agent</name>\n"
#define NIC "<interface type='network'><mac address='52:54:00:11:22:33'/>" \
	"<source network='agent-nat-filtered' portid='x' bridge='virbr-agent'/><target dev='vnet3'/>" \
	"<model type='virtio'/></interface>"
#define OURS "<metadata><s:guest xmlns:s='" LIBVIRT_METADATA "' policy='web,git' mode='bridge'/></metadata>"

/* What is wrong with it; "": nothing */
static const char *check(const struct libvirt_guest *g)
{
	static struct err err;

	err = (struct err){ "" };
	if (libvirt_guest_check(g, &err))
		assert_string_equal(err.text, "");
	else
		assert_int_not_equal(err.text[0], '\0');
	return err.text;
}

static struct libvirt_guest read_it(const char *xml)
{
	struct libvirt_guest g;
	struct err err = { "" };

	if (!libvirt_guest_read(span_str(xml), &g, &err))
		fail_msg("%s: %s", err.text, xml);
	return g;
}

static void its_interface_is_found(void **state)
{
	struct libvirt_guest g = read_it(HEAD "<devices><emulator>/q</emulator>" NIC
					 "<serial type='pty'/></devices></domain>");

	(void)state;
	assert_string_equal(g.name, "web-agent");
	assert_string_equal(g.link, "vnet3");
	assert_string_equal(g.mac, "52:54:00:11:22:33");
	assert_string_equal(g.network, "agent-nat-filtered");
	assert_true(g.is_ours);
	assert_string_equal(g.mode, "");
	assert_string_equal(check(&g), "");
}

static void metadata_says_what_it_may(void **state)
{
	struct libvirt_guest g = read_it(HEAD OURS "<devices/></domain>");

	(void)state;
	assert_true(g.is_ours);
	assert_string_equal(g.policies, "web,git");
	assert_string_equal(g.mode, "bridge");
	g = read_it(HEAD "<metadata><guest xmlns='https://else.example/' policy='web'/></metadata></domain>");
	assert_false(g.is_ours);
	assert_string_equal(g.policies, "");
}

static void its_bandwidth_and_what_it_publishes_are_found(void **state)
{
	static const char nic[] = "<interface type='network'><bandwidth><inbound average='100' peak='200' burst='9'/>"
		"<outbound average='%s'/></bandwidth></interface>";
	struct libvirt_guest g = read_it(HEAD "<metadata><guest xmlns='" LIBVIRT_METADATA "' "
					 "publish='2222:22,127.0.0.2:80'/></metadata></domain>");
	struct err err = { "" };
	char xml[1024], nics[512];

	(void)state;
	assert_string_equal(g.publish, "2222:22,127.0.0.2:80");
	assert_true(g.down == 0 && g.up == 0);
	snprintf(nics, sizeof(nics), nic, "7");
	snprintf(xml, sizeof(xml), HEAD "<devices>%s</devices></domain>", nics);
	g = read_it(xml);
	assert_true(g.down == 100000 && g.up == 7000);
	/* elsewhere it is nothing of the interface's; and what is no number is not taken for none */
	g = read_it(HEAD "<devices><x><bandwidth><inbound average='5'/></bandwidth></x></devices></domain>");
	assert_true(g.down == 0);
	g = read_it(HEAD "<metadata><guest xmlns='" LIBVIRT_METADATA "' down='8mbit' up='1mbit'/></metadata>"
		    "<devices><interface type='bridge'><bandwidth><inbound average='5'/><outbound average='500'/>"
		    "</bandwidth></interface></devices></domain>");
	assert_true(g.down == 5000 && g.up == 125000);
	assert_false(libvirt_guest_read(SPAN(HEAD "<metadata><guest xmlns='" LIBVIRT_METADATA "' up='all'/>"
					     "</metadata></domain>"), &g, &err));
	snprintf(nics, sizeof(nics), nic, "much");
	snprintf(xml, sizeof(xml), HEAD "<devices>%s</devices></domain>", nics);
	assert_false(libvirt_guest_read(span_str(xml), &g, &err));
}

static void the_isolated_network_isolates_whatever_else_is_said(void **state)
{
	struct libvirt_guest g = read_it(HEAD OURS "<devices><interface type='network'>"
					 "<source network='agent-isolated'/></interface></devices></domain>");

	(void)state;
	assert_string_equal(g.mode, "isolated");
}

static void others_are_left_alone(void **state)
{
	struct libvirt_guest g = read_it(HEAD "<devices><interface type='network'>"
					 "<source network='default'/></interface></devices></domain>");

	(void)state;
	assert_false(g.is_ours);
}

static void ways_out_are_refused(void **state)
{
	static const char *const rows[] = {
		"<hostdev mode='subsystem' type='pci'/>", "<vsock model='virtio'/>", "<shmem name='x'/>",
		"<serial type='tcp'><source mode='connect' host='203.0.113.9' service='1'/></serial>",
		"<console type='udp'/>", "<channel type='tcp'/>", "<redirdev bus='usb' type='tcp'/>",
		"<rng model='virtio'><backend model='egd' type='tcp'/></rng>",
		"<serial type='unix'><source mode='connect' path='/run/docker.sock'/></serial>",
		"<channel type='unix'><source mode='connect' path='/run/x'/></channel>",
		"<interface type='user'><target dev='x'/></interface>", "<interface type='direct'/>",
		"<interface type='hostdev'/>", "<interface type='vhostuser'/>", "<interface/>",
		"<interface type='server'/>", "<interface type='vdpa'/>", "<interface type='mcast'/>",
	};
	struct libvirt_guest g;
	char xml[2048];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {

		snprintf(xml, sizeof(xml), HEAD "<devices>%s" NIC "</devices></domain>", rows[i]);
		g = read_it(xml);
		if (!strstr(check(&g), "a way out beside the gate"))
			fail_msg("%s: %s", rows[i], check(&g));
	}
	/* the guest's agent, whom the host asks */
	g = read_it(HEAD "<devices><channel type='unix'><source mode='bind' path='/run/x'/></channel>"
		    NIC "</devices></domain>");
	assert_string_equal(check(&g), "");
	snprintf(xml, sizeof(xml), HEAD "<devices>" NIC "</devices><q:commandline xmlns:q="
		 "'http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-nic'/></q:commandline></domain>");
	g = read_it(xml);
	assert_non_null(strstr(check(&g), "qemu:commandline"));
}

static void one_interface_of_a_guest_that_runs(void **state)
{
	struct libvirt_guest none = read_it(HEAD "<devices/></domain>");
	struct libvirt_guest two = read_it(HEAD "<devices>" NIC NIC "</devices></domain>");
	struct libvirt_guest off = read_it(HEAD "<devices><interface type='bridge'><mac address="
					   "'52:54:00:11:22:33'/></interface></devices></domain>");

	(void)state;
	assert_non_null(strstr(check(&none), "0 interfaces"));
	assert_non_null(strstr(check(&two), "2 interfaces"));
	assert_non_null(strstr(check(&off), "does not run"));
}

static void what_is_no_domain_is_refused(void **state)
{
	static const char *const rows[] = {
		"", "x", "<domain/>", "<network><name>x</name></network>",
		"<!DOCTYPE d [<!ENTITY e 'x'>]><domain><name>&e;</name></domain>",
	};
	struct libvirt_guest g;
	struct err err;
	char *deep = calloc(1, 8192);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (libvirt_guest_read(span_str(rows[i]), &g, &err))
			fail_msg("%s", rows[i]);
	snprintf(deep, 8192, HEAD);
	for (size_t i = 0; i < 200; i++)
		strncat(deep, "<a>", 8191 - strlen(deep));
	assert_false(libvirt_guest_read(span_str(deep), &g, &err));
	free(deep);
}

static void cut_anywhere_it_is_no_domain(void **state)
{
	static const char xml[] = HEAD OURS "<devices>" NIC "</devices></domain>";
	struct libvirt_guest g;
	struct err err;

	(void)state;
	for (size_t len = 0; len < sizeof(xml) - 1; len++)
		assert_false(libvirt_guest_read(span_of(xml, len), &g, &err));
	assert_true(libvirt_guest_read(span_of(xml, sizeof(xml) - 1), &g, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_interface_is_found),
		cmocka_unit_test(metadata_says_what_it_may),
		cmocka_unit_test(its_bandwidth_and_what_it_publishes_are_found),
		cmocka_unit_test(the_isolated_network_isolates_whatever_else_is_said),
		cmocka_unit_test(others_are_left_alone),
		cmocka_unit_test(ways_out_are_refused),
		cmocka_unit_test(one_interface_of_a_guest_that_runs),
		cmocka_unit_test(what_is_no_domain_is_refused),
		cmocka_unit_test(cut_anywhere_it_is_no_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
