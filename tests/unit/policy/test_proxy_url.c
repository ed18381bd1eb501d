/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/load.h"
#include "policy/proxy_url.h"

static void proxies_have_one_text(void **state)
{
	static const struct {
		const char *text, *want, *credentials;
	} rows[] = {
		{ "http://proxy.example:3128", "http://proxy.example:3128", NULL },
		{ "HTTP://Proxy.Example.:3128/", "http://proxy.example:3128", NULL },
		{ "http://192.0.2.1:80", "http://192.0.2.1:80", NULL },
		{ "http://[2001:DB8::1]:80/", "http://[2001:db8::1]:80", NULL },
		{ "http://localhost:3128", "http://127.0.0.1:3128", NULL },
		{ "http://u:p@h:1", "http://h:1", "u:p" }, { "http://u@h:1", "http://h:1", "u:" },
		{ "http://u:@h:1", "http://h:1", "u:" },
		{ "http://u:p:q@h:1", "http://h:1", "u:p:q" },
		{ "http://us%40er:p%2Fw%3a%25@[::1]:1", "http://[::1]:1", "us@er:p/w:%" },
	};
	char text[PROXY_TEXT_MAX];
	struct proxy_url u, again;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!proxy_url_parse(span_str(rows[i].text), &u, &why))
			fail_msg("%s is refused: %s", rows[i].text, why);
		assert_string_equal(proxy_url_text(&u, text), rows[i].want);
		assert_int_equal(u.has_credentials, rows[i].credentials != NULL);
		assert_string_equal(u.credentials, rows[i].credentials ? rows[i].credentials : "");
		assert_true(proxy_url_parse(span_str(text), &again, &why));
		assert_false(again.has_credentials);
	}
}

static void what_is_no_proxy_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "of a kind that is not supported" }, { "h:1", "of a kind that is not supported" },
		{ "socks5://h:1", "of a kind that is not supported" },
		{ "https://h:1", "of a kind that is not supported" },
		{ "http:/h:1", "of a kind that is not supported" },
		{ "http://", "without a port" }, { "http://h", "without a port" },
		{ "http://[::1]", "without a port" }, { "http://[::1", "without a port" },
		{ "http://h:", "with what is no port" }, { "http://h:0", "with what is no port" },
		{ "http://h:65536", "with what is no port" }, { "http://h:1x", "with what is no port" },
		{ "http://[::1]1", "with what is no port" }, { "http://::1:1", "with what is no port" },
		{ "http://:1", "with what is no host" }, { "http://a b:1", "with what is no host" },
		{ "http://[192.0.2.1]:1", "with what is no host" }, { "http://[h]:1", "with what is no host" },
		{ "http://h:1/path", "with more than a host and a port" },
		{ "http://h:1?q", "with more than a host and a port" },
		{ "http://h:1#f", "with more than a host and a port" },
		{ "http://@h:1", "with credentials that cannot be read" },
		{ "http://:p@h:1", "with credentials that cannot be read" },
		{ "http://u%3a:p@h:1", "with credentials that cannot be read" },
		{ "http://u:p%0d%0aX@h:1", "with credentials that cannot be read" },
		{ "http://u:p%00@h:1", "with credentials that cannot be read" },
		{ "http://u:p%@h:1", "with credentials that cannot be read" },
		{ "http://u:p%2@h:1", "with credentials that cannot be read" },
		{ "http://u:p@q@h:1", "with what is no host" },
	};
	struct proxy_url u;
	const char *why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (proxy_url_parse(span_str(rows[i].text), &u, &why))
			fail_msg("%s is read", rows[i].text);
		if (strcmp(why, rows[i].why) != 0)
			fail_msg("%s is %s", rows[i].text, why);
	}
	assert_true(host_proxy_parse(SPAN("u:p@h:1/"), &u, &why));
	assert_string_equal(u.credentials, "u:p");
	assert_false(host_proxy_parse(SPAN("socks5://h:1"), &u, &why));
	assert_false(host_proxy_parse(SPAN("://h:1"), &u, &why));
}

static void credentials_have_a_bound(void **state)
{
	struct buf b = buf_new(4096);
	struct proxy_url u;
	const char *why;

	(void)state;
	buf_add_str(&b, "http://u:");
	while (b.len < 9 + PROXY_CREDENTIALS_MAX - 4)
		buf_add_str(&b, "p");
	buf_add_str(&b, "@h:1");
	assert_true(proxy_url_parse(buf_span(&b), &u, &why));
	buf_clear(&b);
	buf_add_str(&b, "http://u:");
	while (b.len < 9 + PROXY_CREDENTIALS_MAX)
		buf_add_str(&b, "p");
	buf_add_str(&b, "@h:1");
	assert_false(proxy_url_parse(buf_span(&b), &u, &why));
	buf_done(&b);
}

/* Cut anywhere it is another proxy or none, and nothing is read behind the cut */
static void a_cut_text_is_no_surprise(void **state)
{
	static const char text[] = "http://user:pa%20ss@proxy.example:3128/";
	struct proxy_url u;
	const char *why;

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		char *copy = malloc(len + 1);

		memcpy(copy, text, len);
		if (proxy_url_parse(span_of(copy, len), &u, &why))
			assert_true(len > 34);
		free(copy);
	}
}

static void no_proxy_has_the_common_forms(void **state)
{
	static const struct {
		const char	*list, *host;	/* host: a name or an address */
		uint16_t	 port;
		bool		 has;
	} rows[] = {
		{ "", "a.example", 443, false }, { "*", "a.example", 443, true },
		{ "*", "192.0.2.1", 443, true },
		{ "example", "a.example", 443, true }, { ".example", "a.example", 443, true },
		{ "*.example", "a.example", 443, true }, { "A.EXAMPLE.", "a.example", 443, true },
		{ "a.example", "a.example", 443, true }, { ".a.example", "a.example", 443, true },
		{ "a.example", "b.a.example", 443, true }, { "a.example", "ba.example", 443, false },
		{ "b.a.example", "a.example", 443, false },
		{ "x,a.example", "a.example", 443, true }, { " x  a.example ", "a.example", 443, true },
		{ ",,;,a.example,", "a.example", 443, true },
		{ "a.example:443", "a.example", 443, true }, { "a.example:443", "a.example", 80, false },
		{ "a.example:443", "a.example", 0, false }, { "a.example:x", "a.example", 443, false },
		{ "192.0.2.1", "192.0.2.1", 443, true }, { "192.0.2.0/24", "192.0.2.1", 443, true },
		{ "192.0.2.1:443", "192.0.2.1", 443, true }, { "192.0.2.1:443", "192.0.2.1", 80, false },
		{ "192.0.3.0/24", "192.0.2.1", 443, false }, { "2001:db8::1", "2001:db8::1", 443, true },
		{ "[2001:db8::1]", "2001:db8::1", 443, true },
		{ "[2001:db8::1]:443", "2001:db8::1", 443, true },
		{ "[2001:db8::1]:80", "2001:db8::1", 443, false },
		{ "[2001:db8::1", "2001:db8::1", 443, false }, { "[]", "2001:db8::1", 443, false },
		{ "2001:db8::/32", "2001:db8::1", 443, true }, { "192.0.2.1", "a.example", 443, false },
		{ "a.example", "192.0.2.1", 443, false }, { "*.", "a.example", 443, false },
		{ ".", "a.example", 443, false }, { "a*", "a.example", 443, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span host = span_str(rows[i].host);
		struct addr a = { 0 };

		if (addr_parse(host, &a))
			host = (struct span){ 0 };
		if (no_proxy_has(span_str(rows[i].list), host, &a, rows[i].port) != rows[i].has)
			fail_msg("row %zu: %s", i, rows[i].list);
	}
}

static struct policy *load(const char *const *texts, size_t count, const char *value,
			   char **ret_credentials, struct err *err)
{
	struct policy_file files[3];
	struct policy_input in = {
		.files = files, .file_count = count, .proxy_variable = value ? "https_proxy" : NULL,
		.proxy_value = value, .no_proxy = ".corp.example",
		.proxy_credentials = ret_credentials,
	};

	for (size_t i = 0; i < count; i++)
		files[i] = (struct policy_file){ i ? LAYER_POLICY : LAYER_SYSTEM, "p.yaml",
						 span_str(texts[i]) };
	return policy_load(&in, err);
}

/* "The host's become upstream_proxy if none is set"; "the strongest layer that sets one" */
static void the_strongest_layer_names_the_proxy(void **state)
{
	static const char *const both[] = {
		"version: 1\nupstream_proxy: http://s:t@strong.example:1\n",
		"version: 1\nupstream_proxy: http://w:x@weak.example:2\n",
	};
	static const char *const none[] = { "version: 1\nallow: [{host: a.example}]\n" };
	struct question q = { .about = ABOUT_CONN, .host = SPAN("a.example"), .port = 443 };
	struct err err = { "" };
	char *credentials = NULL;
	struct policy *p = load(both, 2, "http://v:w@variable.example:3", &credentials, &err);

	(void)state;
	assert_non_null(p);
	assert_string_equal(policy_settings(p).upstream_proxy, "http://strong.example:1");
	assert_string_equal(policy_settings(p).no_proxy, "");
	assert_string_equal(credentials, "s:t");
	/* nowhere in what the gate is handed */
	assert_null(memmem(policy_image(p).at, policy_image(p).len, "s:t", 3));
	assert_true(policy_proxied(p, &q));
	free(credentials);
	policy_free(p);
	p = load(none, 1, "v:w@variable.example:3", &credentials, &err);
	assert_non_null(p);
	assert_string_equal(policy_settings(p).upstream_proxy, "http://variable.example:3");
	assert_string_equal(policy_settings(p).no_proxy, ".corp.example");
	assert_string_equal(credentials, "v:w");
	q.host = SPAN("x.corp.example");
	assert_false(policy_proxied(p, &q));
	free(credentials);
	policy_free(p);
	p = load(none, 1, NULL, &credentials, &err);
	assert_non_null(p);
	assert_null(credentials);
	assert_string_equal(policy_settings(p).upstream_proxy, "");
	assert_false(policy_proxied(p, &q));
	policy_free(p);
	assert_null(load(none, 1, "socks5://u:p@h:1", &credentials, &err));
	assert_string_equal(err.text, "https_proxy: found a proxy of a kind that is not supported "
			    "(accepted: http://[USER:PASSWORD@]HOST:PORT; or unset the variable)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxies_have_one_text),
		cmocka_unit_test(what_is_no_proxy_is_refused),
		cmocka_unit_test(credentials_have_a_bound),
		cmocka_unit_test(a_cut_text_is_no_surprise),
		cmocka_unit_test(no_proxy_has_the_common_forms),
		cmocka_unit_test(the_strongest_layer_names_the_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
