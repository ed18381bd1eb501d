/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvirt.c - read a domain's XML (libvirt.org/formatdomain.html), as libvirt itself writes it
 *
 * What is looked for lies at three places: domain/name, domain/metadata/guest of ours, and
 * domain/devices/DEVICE with what is in it.  A device that is known to lead somewhere is refused by
 * name; QEMU's own arguments could be anything, so they are too.
 */
#include "attach/libvirt.h"

#include <expat.h>
#include <string.h>

#include "base/auto.h"
#include "policy/units.h"

#define DEPTH_MAX 64
#define NS_MARK "|"	/* between a namespace and a name */
#define QEMU_SCHEMA "http://libvirt.org/schemas/domain/qemu/1.0" NS_MARK "commandline"

struct reading {
	struct libvirt_guest	*g;
	XML_Parser		 parser;
	char			 path[DEPTH_MAX][32];	/* of elements that are open */
	size_t			 depth;
	bool			 bad;		/* too long, too deep */
};

static const char *attribute(const char **attributes, const char *name)
{
	for (size_t i = 0; attributes[i]; i += 2)
		if (!strcmp(attributes[i], name))
			return attributes[i + 1];
	return "";
}

static void take(struct reading *r, char ret[LIBVIRT_WORD_MAX], const char *value)
{
	if (!span_copy(span_str(value), ret, LIBVIRT_WORD_MAX))
		r->bad = true;
}

/* Is the element that begins now at this place? */
static bool at(const struct reading *r, size_t depth, const char *second, const char *third)
{
	return r->depth == depth && !strcmp(r->path[0], "domain") &&
	       (!second || !strcmp(r->path[1], second)) && (!third || !strcmp(r->path[2], third));
}

static void leads_out(struct reading *r, const char *what, const char *type)
{
	if (r->g->other[0])
		return;
	snprintf(r->g->other, sizeof(r->g->other), "<%.32s%s%.64s%s>", what, type[0] ? " type='" : "",
		 type, type[0] ? "'" : "");
}

static void device(struct reading *r, const char *name, const char **attributes)
{
	static const char *const others[] = { "hostdev", "vsock", "shmem" };
	static const char *const taps[] = { "network", "bridge", "ethernet" };
	const char *type = attribute(attributes, "type");
	bool tap = false;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(name, others[i]))
			leads_out(r, name, "");
	if (!strcmp(type, "tcp") || !strcmp(type, "udp"))
		leads_out(r, name, type);
	if (strcmp(name, "interface") != 0)
		return;
	r->g->interfaces++;
	for (size_t i = 0; i < ARRAY_SIZE(taps); i++)
		tap |= !strcmp(type, taps[i]);
	if (!tap)
		leads_out(r, name, type);
}

/* <inbound average='KILOBYTES'/>: into the guest */
static void bandwidth(struct reading *r, const char *name, const char **attributes)
{
	uint64_t *bound = !strcmp(name, "inbound") ? &r->g->down : &r->g->up, kilobytes;

	if (strcmp(name, "inbound") != 0 && strcmp(name, "outbound") != 0)
		return;
	if (!span_u64(span_str(attribute(attributes, "average")), UINT32_MAX, &kilobytes))
		r->bad = true;
	else if (kilobytes && (!*bound || kilobytes * 1000 < *bound))
		*bound = kilobytes * 1000;
}

static void in_device(struct reading *r, const char *name, const char **attributes)
{
	struct libvirt_guest *g = r->g;
	const char *type = attribute(attributes, "type");

	if (!strcmp(type, "tcp") || !strcmp(type, "udp"))
		leads_out(r, name, type);
	/* to a socket of a server of the host's: whose it is, is not known */
	if (!strcmp(name, "source") && !strcmp(attribute(attributes, "mode"), "connect"))
		leads_out(r, r->path[2], "unix");
	if (at(r, 5, "devices", "interface") && !strcmp(r->path[3], "bandwidth"))
		bandwidth(r, name, attributes);
	if (!at(r, 4, "devices", "interface"))
		return;
	if (!strcmp(name, "mac"))
		take(r, g->mac, attribute(attributes, "address"));
	else if (!strcmp(name, "target"))
		take(r, g->link, attribute(attributes, "dev"));
	else if (!strcmp(name, "source"))
		take(r, g->network, attribute(attributes, "network"));
}

/* As in a rule's bandwidth */
static void take_bandwidth(struct reading *r, const char *value, uint64_t *ret)
{
	if (value[0] && (!units_bandwidth(span_str(value), ret) || !*ret))
		r->bad = true;
}

static void metadata(struct reading *r, const char *name, const char **attributes)
{
	if (strcmp(name, LIBVIRT_METADATA NS_MARK "guest") != 0)
		return;
	r->g->is_ours = true;
	take(r, r->g->policies, attribute(attributes, "policy"));
	take(r, r->g->mode, attribute(attributes, "mode"));
	take(r, r->g->publish, attribute(attributes, "publish"));
	take_bandwidth(r, attribute(attributes, "down"), &r->g->down);
	take_bandwidth(r, attribute(attributes, "up"), &r->g->up);
}

static void on_start(void *arg, const char *name, const char **attributes)
{
	struct reading *r = arg;

	if (r->depth == DEPTH_MAX) {
		r->bad = true;
		return;
	}
	snprintf(r->path[r->depth++], sizeof(r->path[0]), "%.31s", name);
	if (at(r, 3, "devices", NULL))
		device(r, name, attributes);
	else if (r->depth > 3 && !strcmp(r->path[1], "devices"))
		in_device(r, name, attributes);
	else if (at(r, 3, "metadata", NULL))
		metadata(r, name, attributes);
	else if (r->depth == 2 && !strcmp(name, QEMU_SCHEMA))
		leads_out(r, "qemu:commandline", "");
}

static void on_end(void *arg, const char *name)
{
	struct reading *r = arg;

	(void)name;
	if (r->depth)
		r->depth--;
}

static void on_text(void *arg, const char *text, int len)
{
	struct reading *r = arg;
	size_t have = strlen(r->g->name), more = (size_t)len;

	if (!at(r, 2, "name", NULL))
		return;
	if (have + more >= sizeof(r->g->name)) {
		r->bad = true;
		return;
	}
	memcpy(r->g->name + have, text, more);
	r->g->name[have + more] = '\0';
}

/* A document type could define entities: libvirt writes none */
static void on_doctype(void *arg, const char *name, const char *sysid, const char *pubid, int internal)
{
	struct reading *r = arg;

	(void)name, (void)sysid, (void)pubid, (void)internal;
	r->bad = true;
	XML_StopParser(r->parser, XML_FALSE);
}

/* What its network says of it, where nothing else does */
static void by_network(struct libvirt_guest *g)
{
	static const struct {
		const char *network, *mode;
	} ours[] = { { "agent-nat-filtered", "" }, { "agent-isolated", "isolated" } };

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		if (strcmp(g->network, ours[i].network) != 0)
			continue;
		g->is_ours = true;
		if (ours[i].mode[0])
			snprintf(g->mode, sizeof(g->mode), "%s", ours[i].mode);
	}
}

bool libvirt_guest_read(struct span xml, struct libvirt_guest *ret, struct err *err)
{
	struct reading r = { .g = ret, .parser = XML_ParserCreateNS(NULL, NS_MARK[0]) };
	bool ok;

	*ret = (struct libvirt_guest){ .is_ours = false };
	if (!r.parser)
		return err_set(err, "out of memory");
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	ok = xml.len <= LIBVIRT_XML_MAX &&
	     XML_Parse(r.parser, (const char *)xml.at, (int)xml.len, XML_TRUE) == XML_STATUS_OK;
	XML_ParserFree(r.parser);
	by_network(ret);
	return (ok && !r.bad && ret->name[0]) || err_set(err, "this is no description of a domain");
}

bool libvirt_guest_check(const struct libvirt_guest *g, struct err *err)
{
	if (g->other[0])
		return err_set(err, "guest %s: %s would be a way out beside the gate", g->name, g->other);
	if (g->interfaces != 1)
		return err_set(err, "guest %s: it has %zu interfaces, one can be held", g->name,
			       g->interfaces);
	if (!g->link[0])
		return err_set(err, "guest %s: it does not run (virsh start %s)", g->name, g->name);
	return true;
}
