/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

#define THEIR_CHAIN "DOCKER-USER"
#define OUR_CHAIN "SLUICE-USER"

/* ---- the text ---- */

/* Where the rules are, line by line */
struct saved {
	struct span	mine;		/* what marks a rule of the session */
	bool		theirs, ours, hooked;	/* the chains are there; what is forwarded comes by THEIR_CHAIN */
	size_t		others;		/* rules in ours that are another session's */
};

static struct span next_line(struct span *text)
{
	ssize_t end = span_find(*text, '\n');
	struct span line = span_head(*text, end < 0 ? text->len : (size_t)end);

	*text = span_skip(*text, end < 0 ? text->len : (size_t)end + 1);
	return line;
}

static bool begins(struct span line, const char *with)
{
	return line.len >= strlen(with) && !memcmp(line.at, with, strlen(with));
}

static bool has(struct span line, struct span part)
{
	return memmem(line.at, line.len, part.at, part.len);
}

static void look(struct span text, struct saved *s)
{
	while (text.len) {
		struct span line = next_line(&text);

		s->theirs = s->theirs || begins(line, ":" THEIR_CHAIN " ");
		s->ours = s->ours || begins(line, ":" OUR_CHAIN " ");
		s->hooked = s->hooked || span_eq(line, SPAN("-A FORWARD -j " THEIR_CHAIN));
		s->others += begins(line, "-A " OUR_CHAIN " ") && !has(line, s->mine);
	}
}

static size_t take_away(struct span text, const struct saved *s, struct buf *to)
{
	size_t count = 0;

	while (text.len) {
		struct span line = next_line(&text);

		if (!begins(line, "-A ") || !has(line, s->mine))
			continue;
		buf_add_str(to, "-D ");
		buf_add_span(to, span_skip(line, 3));
		buf_add_str(to, "\n");
		count++;
	}
	return count;
}

static void put_rules(const char *chain, const struct jail_uplink *u, bool v6, const char *mine,
		      struct buf *to)
{
	char own[ADDR_TEXT_MAX];

	addr_text(&u->own, own);
	if (v6) {
		buf_printf(to, "-I %s -i %s ! -o %s -m mac --mac-source %s %s -j DROP\n", chain, u->bridge,
			   u->bridge, u->mac, mine);
		return;
	}
	buf_printf(to, "-I %s -s %s -i %s ! -o %s %s -j DROP\n", chain, own, u->bridge, u->bridge, mine);
	buf_printf(to, "-I %s -d %s ! -i %s -o %s %s -j DROP\n", chain, own, u->bridge, u->bridge, mine);
}

void wall_text(struct span text, const char *session, const struct jail_uplink *u, bool v6, struct buf *to)
{
	struct buf mine = buf_new(256);
	struct saved s = { .others = 0 };
	const char *chain;
	size_t gone;

	buf_printf(&mine, "-m comment --comment \"sluice %s\"", session);
	s.mine = buf_span(&mine);
	look(text, &s);
	buf_add(&mine, "", 1);
	chain = s.theirs && s.hooked ? THEIR_CHAIN : OUR_CHAIN;
	buf_add_str(to, "*filter\n");
	gone = take_away(text, &s, to);
	if (u && chain[0] == 'S' && !s.ours)
		buf_add_str(to, ":" OUR_CHAIN " - [0:0]\n-I FORWARD -j " OUR_CHAIN "\n");
	if (u)
		put_rules(chain, u, v6, (const char *)mine.at, to);
	if (s.ours && !s.others && !(u && chain[0] == 'S')) {
		buf_add_str(to, "-D FORWARD -j " OUR_CHAIN "\n-X " OUR_CHAIN "\n");
		gone++;
	}
	buf_add_str(to, "COMMIT\n");
	if (!u && !gone)
		buf_clear(to);
	buf_done(&mine);
}

/* ---- the programs ---- */

static const char *find(const char *name, char ret[64])
{
	static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(ret, 64, "%s/%s", folders[i], name);
		if (access(ret, X_OK) == 0)
			return ret;
	}
	return NULL;
}

static _Noreturn void become(const char *program, const char *const *argv, int in, int out)
{
	char *env[] = { NULL };

	if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2)
		execve(program, (char *const *)(uintptr_t)argv, env);
	_exit(127);
}

/* Give it @in; what it says goes to @out.  Its messages too: those of a save are comments */
static bool run(const char *const *argv, struct span in, struct buf *out, struct err *err)
{
	AUTO_CLOSE int reads = memfd_create("rules", MFD_CLOEXEC), says = memfd_create("says", MFD_CLOEXEC);
	char path[64], bytes[4096];
	int status = -1;
	off_t at = 0;
	ssize_t n;
	pid_t pid;

	if (!find(argv[0], path))
		return err_set(err, "%s: not found (install iptables)", argv[0]);
	if (reads < 0 || says < 0 || (in.len && write(reads, in.at, in.len) != (ssize_t)in.len) ||
	    lseek(reads, 0, SEEK_SET))
		return err_sys(err, errno, "%s", argv[0]);
	pid = fork();
	if (pid == 0)
		become(path, argv, reads, says);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	while ((n = pread(says, bytes, sizeof(bytes), at)) > 0 && buf_add(out, bytes, (size_t)n))
		at += n;
	if (status == 0 && !out->full)
		return true;
	buf_add(out, "", 1);
	return err_set(err, "%s: %.200s", argv[0], out->len > 1 ? (const char *)out->at : "no message");
}

/* Only one of us at a time reads the rules and changes them */
static int lock(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		flock(fd, LOCK_EX);
	return fd;
}

static bool change(const char *session, const struct jail_uplink *u, bool v6, struct err *err)
{
	const char *const save[] = { v6 ? "ip6tables-save" : "iptables-save", "-t", "filter", NULL };
	const char *const restore[] = { v6 ? "ip6tables-restore" : "iptables-restore", "--noflush", "-w", NULL };
	struct buf saved = buf_new(WALL_TEXT_MAX), text = buf_new(WALL_TEXT_MAX), says = buf_new(65536);
	bool ok = run(save, (struct span){ 0 }, &saved, err);

	if (ok)
		wall_text(buf_span(&saved), session, u, v6, &text);
	if (text.full)
		ok = err_set(err, "too many rules");
	ok = ok && (!text.len || run(restore, buf_span(&text), &says, err));
	buf_done(&saved);
	buf_done(&text);
	buf_done(&says);
	return ok;
}

/* A kernel without IPv6 has nothing to wall in */
static bool has_ipv6(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0;
}

bool wall_raise(const char *folder, const struct jail_uplink *u, struct err *err)
{
	AUTO_CLOSE int fd = lock(folder);
	struct err why = { "" };

	if (fd < 0)
		return err_sys(err, errno, "%s", folder);
	return (change(u->session, u, false, &why) && (!has_ipv6() || change(u->session, u, true, &why))) ||
	       err_set(err, "the machine's wall cannot be put up: %s", why.text);
}

void wall_remove(const char *folder, const char *session)
{
	AUTO_CLOSE int fd = lock(folder);
	struct err err = { "" };

	uplink_remove(session);
	change(session, NULL, false, &err);
	if (has_ipv6())
		change(session, NULL, true, &err);
}
