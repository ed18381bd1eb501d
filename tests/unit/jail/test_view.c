/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "jail/jail.h"
#include "jail/view.h"

/* A home of its own on the disk, because pins ask who may write where */
struct home {
	char	path[64];
	struct jail_plan plan;
	struct view_facts facts;
};

static const char *at(const struct home *h, const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned turn;
	char *one = path[turn++ % 4];

	snprintf(one, PATH_MAX, "%s/%s", h->path, name);
	return one;
}

static void file_make(const char *path)
{
	AUTO_FCLOSE FILE *f = fopen(path, "w");

	assert_non_null(f);
}

static int home_make(void **state)
{
	struct home *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	strcpy(h->path, "/tmp/sluice-view-XXXXXX");
	assert_non_null(mkdtemp(h->path));
	assert_int_equal(mkdir(at(h, "proj"), 0700), 0);
	assert_int_equal(mkdir(at(h, "state"), 0700), 0);
	file_make(at(h, "proj/policy"));
	file_make(at(h, "state/log"));
	assert_int_equal(symlink("proj", at(h, "link")), 0);
	assert_true(net_parse(SPAN("28.0.0.0/12"), &h->plan.pool4));
	assert_true(net_parse(SPAN("2d00:736c::/64"), &h->plan.pool6));
	h->facts.uid = 1000;
	*state = h;
	return 0;
}

static int home_remove(void **state)
{
	struct home *h = *state;

	unlink(at(h, "proj/policy"));
	unlink(at(h, "state/log"));
	unlink(at(h, "link"));
	rmdir(at(h, "proj"));
	rmdir(at(h, "state"));
	rmdir(at(h, "made/deep"));
	rmdir(at(h, "made"));
	assert_int_equal(rmdir(h->path), 0);
	free(h);
	return 0;
}

/* Where the operation stands, or -1 */
static int op_of(const struct view *v, enum view_kind kind, const char *path)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->ops[i].kind == kind && !strcmp(v->ops[i].path, path))
			return (int)i;
	return -1;
}

static struct view view_of(struct home *h, const char *read_only, const char *hide)
{
	const char *r[] = { read_only }, *d[] = { hide };
	struct err err = { "" };
	struct view v;

	h->plan.protect_read = r;
	h->plan.protect_read_count = read_only ? 1 : 0;
	h->plan.protect_hide = d;
	h->plan.protect_hide_count = hide ? 1 : 0;
	assert_true(view_make(&h->plan, &h->facts, &v, &err));
	return v;
}

static void test_pins_come_before_the_protection(void **state)
{
	struct home *h = *state;
	struct view v = view_of(h, at(h, "proj/policy"), NULL);
	int outer = op_of(&v, VIEW_PIN, h->path), inner = op_of(&v, VIEW_PIN, at(h, "proj"));
	int dev = op_of(&v, VIEW_DEVICES, "/dev"), file = op_of(&v, VIEW_READ, at(h, "proj/policy"));

	assert_true(0 <= outer && outer < inner && inner < dev && dev < file);
	view_done(&v);
}

static void test_a_link_is_followed(void **state)
{
	struct home *h = *state;
	struct view v = view_of(h, at(h, "link/policy"), NULL);

	assert_true(op_of(&v, VIEW_READ, at(h, "proj/policy")) >= 0);
	view_done(&v);
}

static void test_hidden_directory_covers_its_files(void **state)
{
	struct home *h = *state;
	const char *hide[] = { strdup(at(h, "state/log")), strdup(at(h, "state")) };
	struct err err = { "" };
	struct view v;

	h->plan.protect_hide = hide;
	h->plan.protect_hide_count = 2;
	h->plan.protect_read_count = 0;
	assert_true(view_make(&h->plan, &h->facts, &v, &err));
	assert_true(op_of(&v, VIEW_HIDE_DIR, at(h, "state")) >= 0);
	assert_int_equal(op_of(&v, VIEW_HIDE_FILE, at(h, "state/log")), -1);
	view_done(&v);
	for (size_t i = 0; i < ARRAY_SIZE(hide); i++) {
		char *name;

		memcpy(&name, &hide[i], sizeof(name));
		free(name);
	}
}

static void test_a_missing_directory_is_made_by_prepare_only(void **state)
{
	struct home *h = *state;
	const char *hide[] = { at(h, "made/deep") };
	struct view v = view_of(h, NULL, hide[0]);
	struct stat st;

	assert_int_equal(op_of(&v, VIEW_HIDE_DIR, hide[0]), -1);
	view_done(&v);
	h->plan.protect_hide = hide;
	h->plan.protect_hide_count = 1;
	view_prepare(&h->plan);
	assert_int_equal(stat(hide[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	v = view_of(h, NULL, at(h, "made/deep"));
	assert_true(op_of(&v, VIEW_HIDE_DIR, at(h, "made/deep")) >= 0);
	view_done(&v);
}

static void test_only_root_has_proc_covered(void **state)
{
	struct home *h = *state;
	struct view v = view_of(h, NULL, NULL);

	for (size_t i = 0; i < v.count; i++)
		assert_true(v.ops[i].kind == VIEW_PROC || !path_below(v.ops[i].path, "/proc"));
	view_done(&v);
	h->facts.uid = 0;
	v = view_of(h, NULL, NULL);
	assert_true(op_of(&v, VIEW_READ, "/proc/sys") > op_of(&v, VIEW_PROC, "/proc"));
	assert_true(op_of(&v, VIEW_READ, "/sys") >= 0);
	view_done(&v);
}

static void test_kernel_file_systems_elsewhere_are_hidden(void **state)
{
	struct home *h = *state;
	char root[] = "/", type[] = "proc", point[PATH_MAX];
	struct mount m = { 0, 30, root, point, type };
	struct view v;

	snprintf(point, sizeof(point), "%s", at(h, "proj"));
	h->facts.mounts = (struct mounts){ &m, 1 };
	v = view_of(h, NULL, NULL);
	h->facts.mounts = (struct mounts){ 0 };
	assert_true(op_of(&v, VIEW_HIDE_DIR, point) >= 0);
	view_done(&v);
}

static void test_resolv_conf(void **state)
{
	AUTO_FREE char *text = view_resolv_conf("nameserver 192.0.2.1\nsearch a.example b.example\n"
						"options edns0\nsearchable x\nnameserver 192.0.2.2",
						"28.0.0.2");

	(void)state;
	assert_non_null(strstr(text, "\nnameserver 28.0.0.2\nsearch a.example b.example\noptions edns0\n"));
	assert_null(strstr(text, "192.0.2"));
	assert_null(strstr(text, "searchable"));
}

static const uint8_t store[] = {
	0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 0, 0xe2, 0x68, 0x6e, 0x45, 0xfb, 0x43, 0xdf, 0xa4,
	0xd9, 0x92, 0xdd, 0x41, 0xce, 0xb6, 0xb2, 0x1c, 0x63, 0x30, 0xd7, 0x92,
};

/* A Java machine whose store has @len bytes of that */
static void java_make(struct home *h, size_t len)
{
	AUTO_FCLOSE FILE *f = NULL;

	mkdir(at(h, "java"), 0700);
	mkdir(at(h, "java/lib"), 0700);
	mkdir(at(h, "java/lib/security"), 0700);
	f = fopen(at(h, "java/lib/security/real"), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(store, 1, len, f), len);
	if (symlink("real", at(h, "java/lib/security/cacerts")))
		assert_int_equal(errno, EEXIST);
}

static void java_remove(struct home *h)
{
	unlink(at(h, "java/lib/security/cacerts"));
	unlink(at(h, "java/lib/security/real"));
	rmdir(at(h, "java/lib/security"));
	rmdir(at(h, "java/lib"));
	rmdir(at(h, "java"));
}

static void test_a_java_store_is_replaced(void **state)
{
	struct home *h = *state;
	char java[PATH_MAX];
	char *envp[] = { java, NULL };
	struct view v;
	int op;

	snprintf(java, sizeof(java), "JAVA_HOME=%s/java", h->path);
	h->plan.envp = envp;
	for (size_t len = 0; len <= sizeof(store); len += 4) {
		java_make(h, len);
		v = view_of(h, NULL, NULL);
		/* nothing is to be trusted */
		assert_true(op_of(&v, VIEW_TEXT, at(h, "java/lib/security/real")) < 0);
		view_done(&v);
		h->plan.trusted_ca = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
		v = view_of(h, at(h, "java/lib/security/real"), NULL);
		op = op_of(&v, VIEW_TEXT, at(h, "java/lib/security/real"));
		assert_int_equal(op >= 0, len == sizeof(store));
		/* binary, and what is protected comes after it */
		assert_true(op < 0 || (v.ops[op].text_len == 78 && v.ops[op].text[11] == 1));
		assert_true(op_of(&v, VIEW_READ, at(h, "java/lib/security/real")) > op);
		view_done(&v);
		h->plan.trusted_ca = NULL;
	}
	java_remove(h);
}

int main(void)
{
#define HOME_TEST(f) cmocka_unit_test_setup_teardown(f, home_make, home_remove)
	const struct CMUnitTest tests[] = {
		HOME_TEST(test_pins_come_before_the_protection),
		HOME_TEST(test_a_link_is_followed),
		HOME_TEST(test_hidden_directory_covers_its_files),
		HOME_TEST(test_a_missing_directory_is_made_by_prepare_only),
		HOME_TEST(test_only_root_has_proc_covered),
		HOME_TEST(test_kernel_file_systems_elsewhere_are_hidden),
		cmocka_unit_test(test_resolv_conf),
		HOME_TEST(test_a_java_store_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
