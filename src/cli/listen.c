/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listen.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

bool listen_is_loopback(const struct addr *a)
{
	struct addr ip6 = addr_from_in6(&in6addr_loopback);

	return addr_is_v4(a) ? addr_v4_value(a) >> 24 == 127 : addr_eq(a, &ip6);
}

const char *listen_text(const struct listen_at *at, char dst[LISTEN_TEXT_MAX])
{
	char addr[ADDR_TEXT_MAX];

	snprintf(dst, LISTEN_TEXT_MAX, addr_is_v4(&at->addr) ? "%s:%u" : "[%s]:%u",
		 addr_text(&at->addr, addr), at->port);
	return dst;
}

bool listen_parse(struct span text, struct listen_at *ret)
{
	struct listen_at at = { .on = true, .addr = addr_v4(INADDR_LOOPBACK) };
	const char *last = memrchr(text.at, ':', text.len);
	struct span host = span_head(text, last ? (size_t)(last - (const char *)text.at) : 0);
	struct span port = last ? span_skip(text, host.len + 1) : text;
	uint64_t number;

	*ret = (struct listen_at){ .on = false };
	if (span_eq(text, SPAN("none")))
		return true;
	if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
		host = span_of(host.at + 1, host.len - 2);
	else if (span_find(host, ':') >= 0)
		return false;
	if (host.len && !span_eq(host, SPAN("localhost")) && !addr_parse(host, &at.addr))
		return false;
	if (!span_u64(port, UINT16_MAX, &number))
		return false;
	at.port = (uint16_t)number;
	*ret = at;
	return true;
}

/* The folder in its one true form: what the jail is to have no part of must be told by it */
static bool true_path(const char *path, char ret[PATH_MAX], struct err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char folder[PATH_MAX], real[PATH_MAX];
	int len = snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1,
			   slash ? path : ".");

	if (!*name || len >= PATH_MAX)
		return err_set(err, "--metrics unix:%s: not a path of a file", path);
	if (!realpath(slash == path ? "/" : folder, real))
		return err_sys(err, errno, "--metrics unix:%s: its folder", path);
	len = snprintf(ret, PATH_MAX, "%s/%s", real[1] ? real : "", name);
	return len < PATH_MAX || err_set(err, "--metrics unix:%s: path too long", path);
}

bool metrics_where(struct metrics_options *m, struct err *err)
{
	const char *text = m->at;

	m->plan = NULL;
	if (!text)
		return !m->open || err_set(err, "--metrics-public: there is no --metrics");
	if (!strncmp(text, "unix:", 5)) {
		if (!true_path(text + 5, m->path, err))
			return false;
		m->where.path = m->path;
	} else if (!listen_parse(span_str(text), &m->where.listen) || !m->where.listen.on) {
		return err_set(err, "--metrics %s: not an address to listen on (127.0.0.1:PORT, "
			       "[::1]:PORT, unix:PATH)", text);
	} else if (!m->open && !listen_is_loopback(&m->where.listen.addr)) {
		return err_set(err, "--metrics %s: not loopback: whoever reaches it could read them "
			       "(--metrics-public, if that is meant)", text);
	}
	m->where.local = !m->where.path && listen_is_loopback(&m->where.listen.addr);
	m->plan = &m->where;
	return true;
}
