/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/configured.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>

#include "cli/folders.h"
#include "policy/host.h"
#include "policy/ports.h"

#define APT_PARTS "/etc/apt/sources.list.d"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
	while (s.len && is_blank(s.at[0]))
		s = span_skip(s, 1);
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

/* Cut the first line off the front, without its end */
static struct span cut_line(struct span *text)
{
	ptrdiff_t end = span_find(*text, '\n');
	struct span line = end < 0 ? *text : span_head(*text, (size_t)end);

	*text = span_skip(*text, line.len + 1);
	return line;
}

/* Cut the first word off the front; empty at the end */
static struct span cut_word(struct span *s)
{
	struct span word;

	*s = trim(*s);
	word = *s;
	for (size_t i = 0; i < s->len; i++) {
		if (is_blank(s->at[i])) {
			word.len = i;
			break;
		}
	}
	*s = span_skip(*s, word.len);
	return word;
}

void configured_done(struct configured *c)
{
	for (size_t i = 0; i < c->count; i++)
		free((void *)(uintptr_t)c->at[i].host);
	c->count = 0;
}

static void add_host(struct configured *c, const char *host, uint16_t port)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->at[i].port == port && !strcmp(c->at[i].host, host))
			return;
	if (c->count == CONFIGURED_HOSTS_MAX)
		return;
	c->at[c->count].host = strdup(host);
	c->at[c->count].port = port;
	if (c->at[c->count].host)
		c->count++;
}

void configured_url(struct configured *c, struct span url)
{
	static const struct {
		const char	*scheme;
		uint16_t	 port;
	} schemes[] = { { "https://", 443 }, { "http://", 80 } };
	char host[HOST_MAX + 1];
	struct span rest = { 0 };
	struct port_range range;
	uint16_t port = 0;
	ptrdiff_t colon;

	for (size_t i = 0; i < ARRAY_SIZE(schemes) && !port; i++) {
		struct span scheme = span_str(schemes[i].scheme);

		if (!span_eq_fold(span_head(url, scheme.len), scheme))
			continue;
		rest = span_skip(url, scheme.len);
		port = schemes[i].port;
	}
	for (size_t i = 0; i < rest.len; i++)
		if (rest.at[i] == '/' || rest.at[i] == '?' || rest.at[i] == '#')
			rest.len = i;
	colon = span_find(rest, ':');
	if (colon >= 0) {
		/* ports_parse() knows which ports are no rule's */
		if (!ports_parse(span_skip(rest, (size_t)colon + 1), &range) ||
		    range.first != range.last || range.transport != TRANSPORT_TCP)
			return;
		port = range.first;
		rest.len = (size_t)colon;
	}
	/* refuses '@', '$', '\\', addresses and the empty host; localhost is the jail's own */
	if (port && host_normal(rest, host) && !host_is_own(span_str(host)))
		add_host(c, host, port);
}

static struct span unquoted(struct span s)
{
	if (s.len >= 2 && s.at[0] == s.at[s.len - 1] && (s.at[0] == '"' || s.at[0] == '\''))
		return span_head(span_skip(s, 1), s.len - 2);
	return s;
}

void configured_npmrc(struct configured *c, struct span text)
{
	while (text.len) {
		struct span line = trim(cut_line(&text));
		ptrdiff_t eq = span_find(line, '=');
		struct span key;

		/* what follows a section is no key of npm's */
		if (span_starts(line, SPAN("[")))
			return;
		if (eq < 0 || line.at[0] == ';' || line.at[0] == '#')
			continue;
		key = unquoted(trim(span_head(line, (size_t)eq)));
		if (span_eq(key, SPAN("registry")) ||
		    (span_starts(key, SPAN("@")) && span_ends(key, SPAN(":registry"))))
			configured_url(c, unquoted(trim(span_skip(line, (size_t)eq + 1))));
	}
}

static bool is_deb(struct span word)
{
	return span_eq(word, SPAN("deb")) || span_eq(word, SPAN("deb-src"));
}

void configured_apt_lines(struct configured *c, struct span text)
{
	while (text.len) {
		struct span line = cut_line(&text);
		ptrdiff_t end = span_find(line, '#');

		if (end >= 0)
			line = span_head(line, (size_t)end);
		if (!is_deb(cut_word(&line)))
			continue;
		line = trim(line);
		if (span_starts(line, SPAN("["))) {
			end = span_find(line, ']');
			if (end < 0)
				continue;
			line = span_skip(line, (size_t)end + 1);
		}
		configured_url(c, cut_word(&line));
	}
}

/* A stanza of deb822: what of it matters here */
struct stanza {
	struct configured	uris;
	bool			is_deb, disabled, in_uris;
};

static void stanza_end(struct stanza *s, struct configured *c)
{
	for (size_t i = 0; i < s->uris.count && s->is_deb && !s->disabled; i++)
		add_host(c, s->uris.at[i].host, s->uris.at[i].port);
	configured_done(&s->uris);
	*s = (struct stanza){ .disabled = false };
}

static void stanza_uris(struct stanza *s, struct span value)
{
	struct span word;

	while ((word = cut_word(&value)).len)
		configured_url(&s->uris, word);
}

static void stanza_types(struct stanza *s, struct span value)
{
	struct span word;

	while ((word = cut_word(&value)).len)
		s->is_deb = s->is_deb || is_deb(word);
}

/* The words that apt takes for "no" */
static bool is_no(struct span s)
{
	static const char *const words[] = { "no", "false", "without", "off", "disable", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (span_eq_fold(s, span_str(words[i])))
			return true;
	return false;
}

static void stanza_line(struct stanza *s, struct span line)
{
	ptrdiff_t colon = span_find(line, ':');
	struct span name, value;

	if (is_blank(line.at[0])) {
		if (s->in_uris)
			stanza_uris(s, line);
		return;
	}
	s->in_uris = false;
	if (colon < 0)
		return;
	name = trim(span_head(line, (size_t)colon));
	value = trim(span_skip(line, (size_t)colon + 1));
	if (span_eq_fold(name, SPAN("uris"))) {
		s->in_uris = true;
		stanza_uris(s, value);
	} else if (span_eq_fold(name, SPAN("types"))) {
		stanza_types(s, value);
	} else if (span_eq_fold(name, SPAN("enabled"))) {
		s->disabled = is_no(value);
	}
}

void configured_apt_stanzas(struct configured *c, struct span text)
{
	struct stanza s = { .disabled = false };

	while (text.len) {
		struct span line = cut_line(&text);

		if (line.len && line.at[0] == '#')
			continue;
		if (trim(line).len)
			stanza_line(&s, line);
		else
			stanza_end(&s, c);
	}
	stanza_end(&s, c);
}

typedef void reader(struct configured *c, struct span text);

const char *const configured_managers[CONFIGURED_MANAGERS] = { "npm", "apt" };

static bool read_as(struct configured *c, const char *path, enum file_trust trust, reader *read,
		    struct path_list *files, struct err *err)
{
	struct buf text;

	switch (file_read(path, trust, &text, err)) {
	case FILE_ABSENT:
		return true;
	case FILE_FAILED:
		return false;
	case FILE_READ:
		break;
	}
	read(c, buf_span(&text));
	buf_done(&text);
	return !files || path_list_add_file(files, path, err);
}

static bool read_one(struct configured *c, const char *path, reader *read,
		     struct path_list *files, struct err *err)
{
	return read_as(c, path, FILE_ROOTS, read, files, err);
}

static bool read_npm(struct configured *c, struct path_list *files, struct err *err)
{
	/* $PREFIX/etc/npmrc of the prefixes that distributions and node's own builds use */
	static const char *const paths[] = {
		"/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc",
	};
	const struct passwd *root = geteuid() == 0 ? getpwuid(0) : NULL;
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!read_one(c, paths[i], configured_npmrc, files, err))
			return false;
	/* root's own file is root's word */
	return !root || !root->pw_dir || root->pw_dir[0] != '/' ||
	       (folder_join(path, root->pw_dir, ".npmrc", err) &&
		read_one(c, path, configured_npmrc, files, err));
}

/* The names that apt reads in sources.list.d: sources.list(5) */
static bool apt_name_ok(const char *name)
{
	if (name[0] == '.')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_-.", *name))
			return false;
	return true;
}

static bool read_apt_part(struct configured *c, const char *name, struct path_list *files,
			  struct err *err)
{
	struct span s = span_str(name);
	reader *read = span_ends(s, SPAN(".list")) ? configured_apt_lines :
		       span_ends(s, SPAN(".sources")) ? configured_apt_stanzas : NULL;
	char path[PATH_MAX];

	if (!read || !apt_name_ok(name))
		return true;
	return folder_join(path, APT_PARTS, name, err) && read_one(c, path, read, files, err);
}

static bool read_apt(struct configured *c, struct path_list *files, struct err *err)
{
	struct dirent **entries;
	int count;
	bool ok;

	if (!read_one(c, "/etc/apt/sources.list", configured_apt_lines, files, err))
		return false;
	count = scandir(APT_PARTS, &entries, NULL, alphasort);
	if (count < 0)
		return errno == ENOENT || err_sys(err, errno, "%s", APT_PARTS);
	ok = true;
	for (int i = 0; i < count; i++) {
		ok = ok && read_apt_part(c, entries[i]->d_name, files, err);
		free(entries[i]);
	}
	free(entries);
	return ok;
}

bool configured_read(struct configured *c, const char *manager, struct path_list *files,
		     struct err *err)
{
	if (!strcmp(manager, "npm"))
		return read_npm(c, files, err);
	if (!strcmp(manager, "apt"))
		return read_apt(c, files, err);
	return true;
}

bool configured_read_own(struct configured *c, const char *manager, struct err *err)
{
	char path[PATH_MAX];

	/* apt has no file of the user's; root's own .npmrc counts as it is */
	if (strcmp(manager, "npm") || geteuid() == 0)
		return true;
	return folder_home(path, err) && folder_join(path, path, ".npmrc", err) &&
	       read_as(c, path, FILE_ANYONES, configured_npmrc, NULL, err);
}
