/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/hostconf.h"

#include <errno.h>

#include "policy/policy.h"

#define LABEL_MAX 63	/* octets, RFC 1035 2.3.4 */

/* What a reader does with the words of one line; false ends the reading */
typedef bool line_reader(void *arg, struct span line);

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word of @rest, or an empty span at its end */
static struct span word_take(struct span *rest)
{
	size_t len = 0;
	struct span word;

	while (rest->len && is_blank(rest->at[0]))
		*rest = span_skip(*rest, 1);
	while (len < rest->len && !is_blank(rest->at[len]))
		len++;
	word = span_head(*rest, len);
	*rest = span_skip(*rest, len);
	return word;
}

static struct span without_comment(struct span line, uint8_t sign)
{
	ptrdiff_t at = span_find(line, sign);

	return at < 0 ? line : span_head(line, (size_t)at);
}

static bool read_lines(const char *path, line_reader *reader, void *arg, struct err *err)
{
	AUTO_FCLOSE FILE *f = fopen(path, "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (!f)
		return errno == ENOENT || err_sys(err, errno, "%s", path);
	while ((len = getline(&line, &size, f)) > 0)
		if (!reader(arg, span_of(line, (size_t)len)))
			return err_set(err, "%s: too many names, or no memory for them", path);
	return !ferror(f) || err_sys(err, errno, "%s", path);
}

/* An address as text, perhaps with a zone: fe80::1%eth0 */
static bool is_server(struct span text)
{
	struct addr a;

	return text.len < HOSTCONF_SERVER_MAX && addr_parse(without_comment(text, '%'), &a);
}

static bool server_line(void *arg, struct span line)
{
	struct hostconf_servers *s = arg;
	struct span text;

	if (!span_eq(word_take(&line), SPAN("nameserver")))
		return true;
	text = word_take(&line);
	if (s->count < HOSTCONF_SERVERS_MAX && is_server(text) &&
	    span_copy(text, s->text[s->count], sizeof(s->text[0])))
		s->count++;
	return true;
}

bool hostconf_servers(const char *path, struct hostconf_servers *ret_servers, struct err *err)
{
	struct hostconf_servers s = { .count = 0 };

	if (!read_lines(path, server_line, &s, err))
		return false;
	if (!s.count)
		memcpy(s.text[s.count++], "127.0.0.1", sizeof("127.0.0.1"));
	*ret_servers = s;
	return true;
}

bool hostconf_plain(struct span name)
{
	size_t label = 0;

	if (!name.len || name.len > HOST_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = ascii_lower(name.at[i]);

		if (c == '.' && label > 0) {
			label = 0;
			continue;
		}
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
		if (++label > LABEL_MAX)
			return false;
	}
	return label > 0;
}

struct hosts {
	bool	(*add)(void *arg, const char *name, const struct addr *addr);
	void	*arg;
	size_t	 count;
};

static bool hosts_line(void *arg, struct span line)
{
	struct hosts *h = arg;
	struct span word;
	struct addr a;

	line = without_comment(line, '#');
	if (!addr_parse(word_take(&line), &a))
		return true;
	while ((word = word_take(&line)).len) {
		char name[HOST_MAX + 1];

		if (!hostconf_plain(word) || !span_copy(word, name, sizeof(name)))
			continue;
		if (h->count++ == HOSTCONF_HOSTS_MAX || !h->add(h->arg, name, &a))
			return false;
	}
	return true;
}

bool hostconf_hosts(const char *path,
		    bool (*add)(void *arg, const char *name, const struct addr *addr), void *arg,
		    struct err *err)
{
	struct hosts h = { add, arg, 0 };

	return read_lines(path, hosts_line, &h, err);
}
