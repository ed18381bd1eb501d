/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/host.h"
#include "policy/hostlist.h"

#define NAMES 20000
#define LIST_MAX (8u << 20)

static const struct seed seed = { { 1, 2 } };

/* A list of lines, and its table */
struct listing {
	struct buf	records;
	struct hostlist	list;
	void		*tags, *slots;
};

static void index_it(struct listing *l)
{
	uint32_t slots = hostlist_slots(hostlist_count(buf_span(&l->records)));

	assert_false(l->records.full);
	l->tags = calloc(slots + 1, 1);
	l->slots = calloc(slots + 1, sizeof(uint32_t));
	assert_non_null(l->tags);
	assert_non_null(l->slots);
	hostlist_index(&seed, l->records.at, l->records.len, l->tags, l->slots, slots);
	l->list = (struct hostlist){ l->records.at, l->tags, l->slots, slots };
}

static struct listing listing_of(const char *text)
{
	struct listing l = { .records = buf_new(LIST_MAX) };
	struct span rest = span_str(text);

	while (rest.len) {
		ptrdiff_t newline = span_find(rest, '\n');
		struct span line = newline < 0 ? rest : span_head(rest, (size_t)newline);
		struct list_error e;

		if (!hostlist_line(&l.records, line, &e))
			fail_msg("%.*s", SPAN_ARG(line));
		rest = span_skip(rest, line.len + 1);
	}
	index_it(&l);
	return l;
}

static void listing_done(struct listing *l)
{
	buf_done(&l->records);
	free(l->tags);
	free(l->slots);
}

/* As a policy asks: the name, then its parents */
static bool listed(const struct listing *l, const char *host)
{
	struct span whole = span_str(host);

	for (struct span name = whole; name.len; name = host_parent(name)) {
		struct hostlist_key key;

		hostlist_key(&seed, name, &key);
		if (hostlist_has(&l->list, &key, name.at != whole.at))
			return true;
	}
	return false;
}

static void lines_name_hosts(void **state)
{
	static const struct {
		const char *line, *in, *out;	/* words; "" for none */
	} rows[] = {
		{ "a.test", "a.test x.a.test y.x.a.test", "ba.test test b.test" },
		{ "A.TeSt.", "a.test", "b.test" },
		{ "  a.test\t", "a.test", "b.test" },
		{ "a.test\r", "a.test", "b.test" },
		{ "a.test # b.test", "a.test", "b.test" },
		{ "a.test#b.test\r", "a.test", "b.test" },
		{ ".a.test", "a.test x.a.test", "b.test" },
		{ "*.a.test", "x.a.test y.x.a.test", "a.test xa.test" },
		{ "a.test\n*.a.test", "a.test x.a.test", "b.test" },
		{ "*.a.test\na.test", "a.test x.a.test", "b.test" },
		{ "*.a.test\n*.a.test", "x.a.test", "a.test" },
		{ "_dmarc.a.test", "_dmarc.a.test", "a.test" },
		{ "test", "test a.test", "tes testa" },
		{ "b\xc3\xbc" "cher.test", "xn--bcher-kva.test", "bcher.test" },
		{ "0.0.0.0 a.test", "a.test x.a.test", "b.test" },
		{ "127.0.0.1\ta.test b.test  c.test #d.test", "a.test b.test c.test", "d.test" },
		{ "::1 a.test", "a.test", "b.test" }, { "::\ta.test\r", "a.test", "b.test" },
		{ "93.184.216.34 a.test", "a.test", "b.test" },
		{ "0.0.0.0 0.0.0.0\n0.0.0.0 localhost a.test", "a.test", "localhost local" },
		{ "fe80::1%lo0 localhost\nff02::1 ip6-allnodes\n255.255.255.255 broadcasthost\n"
		  "0.0.0.0 a.test", "a.test", "localhost ip6-allnodes broadcasthost" },
		{ "\n   \n# a.test\n#\n\r\nb.test", "b.test", "a.test" },
		{ "127.0.0.1 localhost", "", "localhost" }, { "", "", "a.test" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct listing l = listing_of(rows[i].line);
		const char *words[] = { rows[i].in, rows[i].out };

		for (unsigned k = 0; k < 2; k++) {
			char text[128], *save, *word;

			assert_true(span_copy(span_str(words[k]), text, sizeof(text)));
			for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
				if (listed(&l, word) != !k)
					fail_msg("%s: %s", rows[i].line, word);
		}
		listing_done(&l);
	}
}

static void what_is_no_line_is_told(void **state)
{
	static const struct {
		const char *line;
		unsigned column;
		const char *found, *accepted;
	} rows[] = {
		{ "a_!.test", 1, "a_!.test", "NAME," }, { "  a..test", 3, "a..test", "NAME," },
		{ "||a.test^", 1, "||a.test^", "NAME," }, { "@@||a.test^", 1, "@@||a.test^", "NAME," },
		{ "! title", 1, "!", "NAME," }, { "[Adblock Plus]", 1, "[Adblock", "NAME," },
		{ "address=/a.test/", 1, "address=/a.test/", "NAME," },
		{ "https://a.test/", 1, "https://a.test/", "NAME," },
		{ "a.*.test", 1, "a.*.test", "NAME," }, { "*", 1, "*", "NAME," },
		{ "*a.test", 1, "*a.test", "NAME," }, { "..a.test", 1, "..a.test", "NAME," },
		{ "a.test:443", 1, "a.test:443", "NAME," }, { "a.test/", 1, "a.test/", "NAME," },
		{ "; a.test", 1, ";", "NAME," }, { "\xff\xfe", 1, "\xff\xfe", "NAME," },
		{ "a.test b.test", 8, "b.test", "one name a line" },
		{ "a.test 1.2.3.4", 8, "1.2.3.4", "one name a line" },
		{ "10.0.0.1", 1, "10.0.0.1", "host names; addresses are for an ip_list" },
		{ "::1 # a.test", 1, "::1", "host names; addresses are for an ip_list" },
		{ "10.0.0.0/8", 1, "10.0.0.0/8", "NAME," }, { "1.2.3", 1, "1.2.3", "NAME," },
		{ "0.0.0.0 *.a.test", 9, "*.a.test", "after an address" },
		{ "0.0.0.0 .a.test", 9, ".a.test", "after an address" },
		{ "0.0.0.0 a.test 1.2.3.4", 16, "1.2.3.4", "after an address" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf records = buf_new(LIST_MAX);
		struct list_error e = { 0 };

		if (hostlist_line(&records, span_str(rows[i].line), &e))
			fail_msg("%s was taken", rows[i].line);
		assert_int_equal(e.column, rows[i].column);
		if (!span_eq(e.found, span_str(rows[i].found)) ||
		    strncmp(e.accepted, rows[i].accepted, strlen(rows[i].accepted)) != 0)
			fail_msg("%s: %.*s, %s", rows[i].line, SPAN_ARG(e.found), e.accepted);
		buf_done(&records);
	}
}

/* A NUL, and a line that ends anywhere */
static void a_cut_line_is_a_line_or_an_error(void **state)
{
	static const char whole[] = "0.0.0.0 a.test\tx-1.b_c.test  *.d.test # \xff end\r";
	char *copy;

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		struct buf records = buf_new(LIST_MAX);
		struct list_error e = { 0 };

		/* of its own size, so that a byte beyond it is seen */
		copy = malloc(len ? len : 1);
		assert_non_null(copy);
		memcpy(copy, whole, len);
		if (!hostlist_line(&records, span_of(copy, len), &e)) {
			assert_true(e.column >= 1 && e.column <= len);
			assert_true(e.found.len && (const char *)e.found.at >= copy &&
				    (const char *)e.found.at + e.found.len <= copy + len);
			assert_non_null(e.accepted);
		}
		free(copy);
		buf_done(&records);
	}
	assert_false(hostlist_line(&(struct buf){ .max = 100 }, span_of("a\0b.test", 8),
				   &(struct list_error){ 0 }));
}

static void the_longest_names_fit(void **state)
{
	char host[HOST_MAX + 1], other[HOST_MAX + 1];
	struct buf records = buf_new(LIST_MAX);
	struct listing l;

	(void)state;
	for (size_t i = 0; i < HOST_MAX; i++)
		host[i] = i % 64 == 63 ? '.' : 'z';
	host[HOST_MAX] = '\0';
	assert_true(hostlist_add(&records, span_str(host)));
	assert_int_equal(records.len, HOSTLIST_RECORD_MAX);
	l = (struct listing){ .records = records };
	index_it(&l);
	assert_true(listed(&l, host));
	memcpy(other, host, sizeof(host));
	for (size_t i = 0; i < HOST_MAX; i++) {
		if (host[i] == '.')
			continue;
		other[i] = 'y';
		assert_false(listed(&l, other));
		other[i] = 'z';
	}
	host[0] = '\0';
	listing_done(&l);
	/* names that differ in what is left of three */
	l = listing_of("aaa.test\nab\nabc\nabcd");
	assert_true(listed(&l, "ab") && listed(&l, "abc") && listed(&l, "abcd"));
	assert_false(listed(&l, "a") || listed(&l, "aab") || listed(&l, "abcde") || listed(&l, "aa"));
	listing_done(&l);
}

static void name_of(unsigned number, char ret_name[32])
{
	snprintf(ret_name, 32, "n%u.%s%u.test", number * 7919u % 100003u, number % 3 ? "d" : "e-",
		 number % 1000u);
}

static void many_names_are_found_and_no_others(void **state)
{
	struct listing l = { .records = buf_new(LIST_MAX) };
	char name[32];

	(void)state;
	for (unsigned i = 0; i < NAMES; i += 2) {
		name_of(i, name);
		assert_true(hostlist_add(&l.records, span_str(name)));
	}
	/* some of them twice */
	for (unsigned i = 0; i < NAMES; i += 100) {
		name_of(i, name);
		assert_true(hostlist_add(&l.records, span_str(name)));
	}
	assert_int_equal(hostlist_count(buf_span(&l.records)), NAMES / 2 + NAMES / 100);
	index_it(&l);
	for (unsigned i = 0; i < NAMES; i++) {
		name_of(i, name);
		assert_int_equal(listed(&l, name), i % 2 == 0);
	}
	listing_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_name_hosts),
		cmocka_unit_test(what_is_no_line_is_told),
		cmocka_unit_test(a_cut_line_is_a_line_or_an_error),
		cmocka_unit_test(the_longest_names_fit),
		cmocka_unit_test(many_names_are_found_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
