/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "cli/configured.h"

/* What was added, as "host:port host:port" */
static const char *shown(const struct configured *c, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < c->count; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s:%u", i ? " " : "",
					c->at[i].host, c->at[i].port);
	return text;
}

struct row {
	const char *text, *want;
};

static void run_rows(const struct row *rows, size_t count,
		     void (*read)(struct configured *c, struct span text))
{
	for (size_t i = 0; i < count; i++) {
		struct configured c = {.count = 0};
		char text[1024];

		read(&c, span_str(rows[i].text));
		assert_string_equal(shown(&c, text, sizeof(text)), rows[i].want);
		configured_done(&c);
	}
}

static void only_plain_urls_name_a_host(void **state)
{
	static const struct row rows[] = {
		{"https://npm.corp.example/", "npm.corp.example:443"},
		{"HTTP://NPM.Corp.Example", "npm.corp.example:80"},
		{"https://npm.corp.example:8443/x?y#z", "npm.corp.example:8443"},
		{"https://npm.corp.example?x", "npm.corp.example:443"},
		{"https://u:p@npm.corp.example/", ""},
		{"https://npm.corp.example:53/", ""},
		{"https://npm.corp.example:80-90/", ""},
		{"https://npm.corp.example:80/udp", "npm.corp.example:80"},
		{"https://npm.corp.example:/", ""},
		{"https://10.0.0.1/", ""},
		{"https://[::1]/", ""},
		{"https://127.1/", ""},
		{"https://localhost:4873/", ""},
		{"https://${HOST}/", ""},
		{"https://*.corp.example/", ""},
		{"ftp://a.example/", ""},
		{"file:///srv/mirror", ""},
		{"cdrom:[x]/", ""},
		{"https://", ""},
		{"", ""},
		{"mirror+https://a.example/list", ""},
		{"https://a.example\\@b.example/", ""},
		{"https:///a.example/", ""},
		{"https://a.example b.example/", ""},
	};

	(void)state;
	run_rows(rows, ARRAY_SIZE(rows), configured_url);
}

static void npmrc_names_registries(void **state)
{
	static const struct row rows[] = {
		{"registry=https://a.example/\n", "a.example:443"},
		{"  registry = \"https://a.example/\"  \r\n@b:registry=https://b.example",
		 "a.example:443 b.example:443"},
		{"registry=https://a.example/\nregistry=https://a.example/x\n", "a.example:443"},
		{"; registry=https://a.example/\n#registry=https://a.example/\n", ""},
		{"//a.example/:_authToken=x\nproxy=http://p.example:3128/\n", ""},
		{"[section]\nregistry=https://a.example/\n", ""},
		{"my-registry=https://a.example/\nregistry\nregistry=\n=https://a.example/\n", ""},
		{"registry=${REGISTRY}\nregistry=https://${H}.example/\n", ""},
		{"", ""},
		{"\n\n\n", ""},
		{"=", ""},
	};

	(void)state;
	run_rows(rows, ARRAY_SIZE(rows), configured_npmrc);
}

static void apt_lines_name_archives(void **state)
{
	static const struct row rows[] = {
		{"deb http://deb.example/debian stable main\n", "deb.example:80"},
		{"\tdeb-src\thttps://deb.example/debian stable main", "deb.example:443"},
		{"deb [arch=amd64 signed-by=/x y.gpg] https://deb.example/ stable main\n",
		 "deb.example:443"},
		{"deb [arch=amd64 https://deb.example/ stable main\n", ""},
		{"#deb http://deb.example/ stable main\n# deb http://x.example/\n", ""},
		{"deb # http://deb.example/ stable main\n", ""},
		{"debs http://deb.example/ x\n", ""},
		{"deb cdrom:[Debian]/ stable main\ndeb file:/srv x\ndeb\n", ""},
		{"deb tor+http://a.example/ x\ndeb mirror://b.example/ x\n", ""},
		{"deb http://a.example/ x\ndeb http://a.example/ y\ndeb https://a.example/ x\n",
		 "a.example:80 a.example:443"},
	};

	(void)state;
	run_rows(rows, ARRAY_SIZE(rows), configured_apt_lines);
}

static void apt_stanzas_name_archives(void **state)
{
	static const struct row rows[] = {
		{"Types: deb\nURIs: http://deb.example/debian\nSuites: stable\n", "deb.example:80"},
		{"types: deb deb-src\nuris:  https://a.example/ https://b.example/\n",
		 "a.example:443 b.example:443"},
		{"Types: deb\nURIs:\n https://a.example/\n# note\n\thttps://b.example/\nSuites: "
		 "x\n https://c.example/\n",
		 "a.example:443 b.example:443"},
		{"Types: deb\nURIs: http://a.example/\nEnabled: no\n\nTypes: deb\nURIs: "
		 "http://b.example/\n",
		 "b.example:80"},
		{"Enabled: NO\n\nURIs: http://a.example/\n", ""},
		{"Types: deb\nEnabled: yes\nURIs: http://a.example/\n", "a.example:80"},
		{"URIs: http://a.example/\n", ""},
		{"#Types: deb\nURIs: http://a.example/\n", ""},
		{"no colon\n\n \n:\nTypes: deb\n", ""},
		{"Types: deb\nURIs: http://a.example/", "a.example:80"},
	};

	(void)state;
	run_rows(rows, ARRAY_SIZE(rows), configured_apt_stanzas);
}

static void beyond_the_bound_nothing_is_added(void **state)
{
	struct configured c = {.count = 0};
	char url[64];

	(void)state;
	for (int i = 0; i < CONFIGURED_HOSTS_MAX + 10; i++) {
		snprintf(url, sizeof(url), "https://h%d.example/", i);
		configured_url(&c, span_str(url));
	}
	assert_int_equal(c.count, CONFIGURED_HOSTS_MAX);
	configured_done(&c);
	assert_int_equal(c.count, 0);
}

static void an_unknown_manager_names_nothing(void **state)
{
	struct configured c = {.count = 0};
	struct path_list files = {0};
	struct err err = {""};

	(void)state;
	assert_true(configured_read(&c, "pip", &files, &err));
	assert_int_equal(c.count + files.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_plain_urls_name_a_host),
		cmocka_unit_test(npmrc_names_registries),
		cmocka_unit_test(apt_lines_name_archives),
		cmocka_unit_test(apt_stanzas_name_archives),
		cmocka_unit_test(beyond_the_bound_nothing_is_added),
		cmocka_unit_test(an_unknown_manager_names_nothing),
	};

	return cmocka_run_group_tests_name("configured", tests, NULL, NULL);
}
