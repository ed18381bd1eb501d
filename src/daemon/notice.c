/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notice.h"

#include <sys/socket.h>

#include "base/json.h"
#include "policy/explain.h"
#include "policy/show.h"

#define HEAD_MAX 512

/* A page's body is appended to @b, whose maximum it may fill */
typedef void write_page(struct keeper *k, struct buf *b);

static write_page write_index, write_policy, write_denials;

static const struct page {
	const char	*path, *type;
	write_page	*write;
} pages[] = {
	{ "/", "application/json", write_index },
	{ "/policy", "application/yaml", write_policy },
	{ "/denials", "application/json", write_denials },
	{ WISH_PATH, "application/json", NULL },
};

static void write_index(struct keeper *k, struct buf *b)
{
	json_open(b, '{');
	json_field_str(b, "mode", mode_name(policy_mode(k->policy)));
	json_field_str(b, "policy_sha256", policy_sha256(k->policy));
	json_key(b, "see");
	json_open(b, '[');
	for (size_t i = 1; i < ARRAY_SIZE(pages); i++)
		json_str(b, pages[i].path);
	json_close(b, ']');
	json_close(b, '}');
	buf_add_str(b, "\n");
}

/* Whole lines of @text, as far as they fit */
static void add_lines(struct buf *b, struct span text)
{
	static const struct span rest = SPAN("# the rest is left out here: it is too long\n");

	if (text.len <= b->max - b->len) {
		buf_add_span(b, text);
		return;
	}
	text = span_head(text, b->max - b->len - rest.len);
	while (text.len && text.at[text.len - 1] != '\n')
		text.len--;
	buf_add_span(b, text);
	buf_add_span(b, rest);
}

static void write_policy(struct keeper *k, struct buf *b)
{
	struct notice *n = &k->notice;

	/* kept: to write it again and again for an agent that asks would cost more than the answer */
	if (!n->policy.len || n->generation != k->generation) {
		buf_done(&n->policy);
		n->policy = buf_new(NOTICE_BYTES_MAX * 64);
		policy_show(&n->policy, k->policy, true);
		n->generation = k->generation;
	}
	add_lines(b, buf_span(&n->policy));
}

static void add_denied(struct buf *b, const struct denied *d)
{
	struct buf text = buf_new(1024);

	json_open(b, '{');
	json_field_span(b, "host", d->host);
	if (d->port)
		json_field_uint(b, "port", d->port);
	json_field_str(b, "transport", d->transport == TRANSPORT_UDP ? "udp" : "tcp");
	json_field_str(b, "reason", reason_name(d->reason));
	json_field_uint(b, "times", d->times);
	json_key(b, "suggest");
	if (summary_suggest(&text, d))
		json_span(b, buf_span(&text));
	else
		json_str(b, NULL);
	json_close(b, '}');
	buf_done(&text);
}

/* The last ones to come first, as many as fit */
static void write_denials(struct keeper *k, struct buf *b)
{
	const struct summary *s = k->summary;
	struct buf one = buf_new(4096);
	uint64_t others = s->others;

	json_open(b, '{');
	json_key(b, "denials");
	json_open(b, '[');
	for (size_t i = s->count; i-- > 0;) {
		struct denied d = summary_at(s, i);

		if (d.unix_socket)
			continue;
		buf_clear(&one);
		add_denied(&one, &d);
		if (one.full || b->max - b->len < one.len + 64) {
			others++;
			continue;
		}
		if (b->at[b->len - 1] == '}')
			buf_add_str(b, ",");
		buf_add_span(b, buf_span(&one));
	}
	json_close(b, ']');
	json_field_uint(b, "others", others);
	json_close(b, '}');
	buf_add_str(b, "\n");
	buf_done(&one);
}

bool notice_is_at(const struct keeper *k, const struct addr *a)
{
	struct policy_settings s = policy_settings(k->policy);
	struct addr at4 = reserved_addr(&s.synthetic4, RESERVED_NOTICE);
	struct addr at6 = reserved_addr(&s.synthetic6, RESERVED_NOTICE);

	return !k->cooperative && (addr_eq(a, &at4) || addr_eq(a, &at6));
}

enum reason notice_judge(const struct keeper *k, const struct talk_ask *a, const struct told *t)
{
	if (a->port != NOTICE_PORT || a->transport != TRANSPORT_TCP || !notice_is_at(k, &a->addr))
		return REASON_NO_RULE;
	if (a->seen == SEEN_MALFORMED)
		return REASON_MALFORMED;
	if (a->seen != SEEN_HTTP)
		return REASON_PROTOCOL;
	if (!span_eq_fold(t->host, SPAN(NOTICE_HOST)))
		return REASON_HOST_MISMATCH;
	return k->notice.open < NOTICE_OPEN_MAX ? REASON_ALLOWED : REASON_LIMIT;
}

static const char *phrase_of(unsigned status)
{
	static const struct { unsigned status; const char *phrase; } phrases[] = {
		{ 200, "OK" }, { 202, "Accepted" }, { 400, "Bad Request" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 429, "Too Many Requests" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Method Not Allowed";
}

static const struct page *page_of(struct span path)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (span_eq(path, span_str(pages[i].path)))
			return &pages[i];
	return NULL;
}

/* Return: the status */
static unsigned write_body(struct keeper *k, const struct page *p, bool reads, struct buf *body)
{
	unsigned status = !p ? 404 : reads && p->write ? 200 : 405;

	if (status == 200)
		p->write(k, body);
	else
		buf_printf(body, "{\"error\":\"%s\",\"see\":\"/\"}\n", phrase_of(status));
	return status;
}

static bool write_all(int fd, struct span head, struct span body)
{
	return send(fd, head.at, head.len, MSG_NOSIGNAL) == (ssize_t)head.len &&
	       send(fd, body.at, body.len, MSG_NOSIGNAL) == (ssize_t)body.len &&
	       shutdown(fd, SHUT_WR) == 0;
}

static bool write_answer(struct conn *c, int fd, const struct told *t, struct audit_http *e)
{
	bool head_only = span_eq(t->method, SPAN("HEAD"));
	bool reads = head_only || span_eq(t->method, SPAN("GET"));
	struct buf body = buf_new(NOTICE_BYTES_MAX), head = buf_new(HEAD_MAX);
	const struct page *p = page_of(t->path);
	bool posts = p && !p->write && span_eq(t->method, SPAN("POST"));
	unsigned status = posts ? wish_write(c, &body) : write_body(c->keeper, p, reads, &body);
	bool ok;

	buf_printf(&head, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
		   "Connection: close\r\nCache-Control: no-store\r\n\r\n", status,
		   phrase_of(status), status == 200 ? p->type : "application/json", body.len,
		   status != 405 ? "" : p->write ? "Allow: GET, HEAD\r\n" : "Allow: POST\r\n");
	if (head_only)
		buf_clear(&body);
	ok = !head.full && !body.full && write_all(fd, buf_span(&head), buf_span(&body));
	e->status = (uint16_t)status;
	e->bytes_in = head.len + body.len;
	buf_done(&body);
	buf_done(&head);
	return ok;
}

int notice_answer(struct conn *c)
{
	AUTO_CLOSE int far = -1;
	struct told t = conn_told(c);
	struct audit_http e = {
		.conn = c->number, .host = t.host, .method = t.method, .path = t.path,
		.port = NOTICE_PORT, .verdict = ANSWER_ALLOW, .reason = REASON_ALLOWED,
	};
	int ends[2];

	/* many may have been judged since the last one was answered */
	if (c->keeper->notice.open >= NOTICE_OPEN_MAX ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       ends) < 0)
		return -1;
	c->near = ends[0];
	c->keeper->notice.open++;
	far = ends[1];
	if (!write_answer(c, c->near, &t, &e))
		return -1;
	audit_http_done(c->keeper->audit, &e);
	return TAKE_FD(far);
}
