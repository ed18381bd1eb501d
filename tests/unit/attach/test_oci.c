/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "attach/oci.h"

static json_t *config_of(const char *text)
{
	json_error_t error;
	json_t *config = json_loads(text, 0, &error);

	if (!config)
		fail_msg("%s: %s", text, error.text);
	return config;
}

/* ---- where the network is ---- */

static const struct {
	const char	*text;
	enum oci_network network;
	const char	*path;
} networks[] = {
	{ "{}", OCI_NETWORK_HOST, NULL },
	{ "{'linux':{'namespaces':[{'type':'pid'}]}}", OCI_NETWORK_HOST, NULL },
	{ "{'linux':{'namespaces':[{'type':'pid'},{'type':'network'}]}}", OCI_NETWORK_OWN, NULL },
	{ "{'linux':{'namespaces':[{'type':'network','path':''}]}}", OCI_NETWORK_OWN, NULL },
	{ "{'linux':{'namespaces':[{'type':'network','path':'/proc/7/ns/net'}]}}",
	  OCI_NETWORK_JOINED, "/proc/7/ns/net" },
};

/* JSON with ' for " */
static json_t *quoted(const char *text)
{
	char copy[4096];
	size_t i = 0;

	for (; text[i]; i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	copy[i] = '\0';
	return config_of(copy);
}

static void network_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		json_t *config = quoted(networks[i].text);
		const char *path;

		assert_int_equal(oci_network(config, &path), networks[i].network);
		assert_int_equal(!path, !networks[i].path);
		if (path)
			assert_string_equal(path, networks[i].path);
		json_decref(config);
	}
}

static void the_last_policy_counts(void **state)
{
	json_t *config = quoted("{'process':{'env':['A=1','SLUICE_POLICY=image','SLUICE_POLICYX=no',"
				"'SLUICE_POLICY=web,git']}}");
	json_t *none = quoted("{'process':{'env':['XSLUICE_POLICY=a', 7]}}");

	(void)state;
	assert_string_equal(oci_policy(config), "web,git");
	assert_null(oci_policy(none));
	json_decref(config);
	json_decref(none);
}

static void a_long_id_is_cut(void **state)
{
	char name[65], id[65];

	(void)state;
	memset(id, 'a', 64);
	id[64] = '\0';
	oci_session(id, name);
	assert_string_equal(name, "aaaaaaaaaaaa");
	id[3] = 'x';
	oci_session(id, name);
	assert_string_equal(name, id);
	oci_session("web-1", name);
	assert_string_equal(name, "web-1");
}

/* ---- what is refused ---- */

#define OWN "{'type':'pid'},{'type':'mount'},{'type':'ipc'}"
#define NOBODY "'uidMappings':[{'containerID':0,'hostID':100000,'size':65536}]," \
	"'gidMappings':[{'containerID':0,'hostID':100000,'size':65536}]"
#define ROOT_TOO "'uidMappings':[{'containerID':1,'hostID':100000,'size':9},{'containerID':0,'hostID':0,'size':1}]," \
	"'gidMappings':[{'containerID':0,'hostID':100000,'size':65536}]"
#define ADMIN "'process':{'capabilities':{'bounding':['CAP_SYS_ADMIN']}}"
#define SETTINGS "'readonlyPaths':['/proc/bus','/proc/sys']"
#define PID "'linux':{'namespaces':[" OWN "]," SETTINGS "}"
#define DEVICES(rule) "{'linux':{'namespaces':[" OWN "]," SETTINGS ",'resources':{'devices':[{'allow':false," \
	"'access':'rwm'}," rule "]}}}"

static void rights_over_the_machine_are_refused(void **state)
{
	static const struct { const char *text; bool ok; } rows[] = {
		{ "{}", false },
		{ "{'linux':{'namespaces':[{'type':'ipc'},{'type':'mount'}]," SETTINGS "}}", false },
		{ "{'linux':{'namespaces':[{'type':'ipc'},{'type':'pid'}]," SETTINGS "}}", false },
		{ "{'linux':{'namespaces':[{'type':'mount'},{'type':'pid'}]," SETTINGS "}}", false },
		{ "{'linux':{'namespaces':[" OWN ",{'type':'network'},{'type':'network','path':'/x'}]," SETTINGS "}}",
		  false },
		{ "{'linux':{'namespaces':[" OWN ",{}]," SETTINGS "}}", false },
		{ "{'linux':{'namespaces':[{'type':'mount','path':'/proc/7/ns/mnt'},{'type':'ipc'},{'type':'pid'}]," SETTINGS
		  "}}", false },
		{ "{" PID "}", true },
		{ "{'linux':{'namespaces':[" OWN "],'readonlyPaths':['/proc/bus']}}", false },
		/* over a user namespace of its own, if root there is nobody outside */
		{ "{'linux':{'namespaces':[{'type':'user'}," OWN "]," NOBODY "}}", true },
		{ "{" ADMIN ",'linux':{'namespaces':[{'type':'user'}," OWN "]," NOBODY "}}", true },
		{ "{" ADMIN ",'linux':{'namespaces':[{'type':'user'}," OWN "]," SETTINGS "}}", false },
		{ "{" ADMIN ",'linux':{'namespaces':[{'type':'user'}," OWN "]," SETTINGS "," ROOT_TOO "}}", false },
		{ "{'linux':{'namespaces':[{'type':'user'}," OWN "]," ROOT_TOO "}}", false },
		{ "{'linux':{'namespaces':[{'type':'user'}," OWN "]," SETTINGS "," ROOT_TOO "}}", true },
		{ "{" ADMIN ",'linux':{'namespaces':[{'type':'user','path':'/proc/7/ns/user'}," OWN "]," SETTINGS ","
		  NOBODY "}}", false },
		{ DEVICES("{'allow':true,'type':'c','access':'m'},{'allow':true,'type':'c','major':136,'minor':-1,"
			  "'access':'rwm'}"), true },
		{ DEVICES("{'allow':true,'type':'c','major':1,'minor':3,'access':'rwm'}"), true },
		{ DEVICES("{'allow':true,'type':'c','major':10,'minor':200,'access':'rwm'}"), true },
		{ DEVICES("{'allow':true,'type':'c','major':5,'minor':1,'access':'rwm'}"), true },	/* it is taken away */
		{ DEVICES("{'allow':true,'type':'c','major':5,'minor':-1,'access':'rwm'}"), false },
		{ DEVICES("{'allow':true,'type':'c','major':1,'minor':1,'access':'r'}"), false },
		{ DEVICES("{'allow':true,'type':'c','major':1,'access':'rwm'}"), false },
		{ DEVICES("{'allow':true,'type':'c','major':10,'minor':241,'access':'rw'}"), false },
		{ DEVICES("{'allow':true,'type':'b','major':8,'minor':0,'access':'r'}"), false },
		{ DEVICES("{'allow':true,'type':'b','major':8,'access':'m'}"), true },
		{ DEVICES("{'allow':true,'type':'b','access':'rwm'}"), false },
		{ DEVICES("{'allow':true,'major':-1,'access':'r'}"), false },
		{ DEVICES("{'allow':true,'type':'a'}"), false },
		{ DEVICES("{'allow':true,'type':'','access':''}"), false },
		{ "{'linux':{'namespaces':[" OWN "]," SETTINGS ",'netDevices':{}}}", true },
		{ "{'linux':{'namespaces':[" OWN "]," SETTINGS ",'netDevices':{'eth0':{'name':'x'}}}}", false },
		{ "{" PID ",'process':{'capabilities':{'bounding':['CAP_NET_ADMIN','CAP_NET_RAW']}}}", true },
		{ "{" PID ",'process':{'capabilities':{'bounding':['CAP_SYS_ADMIN']}}}", false },
		{ "{" PID ",'process':{'capabilities':{'effective':[],'inheritable':['CAP_SYS_MODULE']}}}",
		  false },
		{ "{" PID ",'process':{'capabilities':{'permitted':['CAP_KILL','CAP_SYS_PTRACE']}}}", false },
		{ "{" PID ",'process':{'capabilities':{'bounding':['CAP_DAC_READ_SEARCH']}}}", false },
		{ "{" PID ",'process':{'capabilities':{'bounding':['CAP_BPF']}}}", false },
		{ "{" PID ",'process':{'capabilities':{'bounding':['CAP_SYS_TIME']}}}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *config = quoted(rows[i].text);
		struct err err = { "" };

		if (oci_check(config, &err) != rows[i].ok)
			fail_msg("%s: %s", rows[i].text, err.text);
		json_decref(config);
	}
}

static bool is_socket(const char *path)
{
	return strstr(path, "sock");
}

/* /link is /run */
static bool has_in(const char *folder, const char *path)
{
	size_t len;

	folder = strcmp(folder, "/link") ? folder : "/run";
	len = strlen(folder) - (folder[strlen(folder) - 1] == '/');
	return !strncmp(path, folder, len) && (!path[len] || path[len] == '/');
}

/* What is bound in /home/desk, and may be */
static const char *bound_in(const char *path, const char *const *allow)
{
	static const char at[] = "/home/desk/x11";

	while (*allow && strcmp(*allow, at) != 0)
		allow++;
	return !*allow && has_in(path, at) ? at : NULL;
}

/* A volume of Docker's may be any file system; in /srv/chroot lies another system, with what one needs */
static bool each_mount(const char *path, oci_see *see, void *arg)
{
	static const struct { const char *at, *kind; } mounts[] = {
		{ "/vol/proc", "proc" }, { "/vol/sys", "sysfs" }, { "/vol/dev", "devpts" }, { "/vol/nfs", "nfs4" },
		{ "/srv/chroot/sys", "sysfs" }, { "/srv/host/run", "tmpfs" },
	};
	const char *own = "ext4";

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		if (!strcmp(path, mounts[i].at))
			own = mounts[i].kind;
	if (!see(arg, path, own, true))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		if (strcmp(path, mounts[i].at) != 0 && has_in(path, mounts[i].at) &&
		    !see(arg, strcmp(mounts[i].at, "/srv/host/run") ? mounts[i].at : "/link", mounts[i].kind, false))
			return false;
	return true;
}

static const char *const allow[] = { "/run/ok.sock", NULL };
static const struct oci_eyes eyes = { is_socket, bound_in, has_in, each_mount, "/opt/bin/sluice" };

static void ways_out_by_mounts_are_refused(void **state)
{
	static const struct { const char *source; bool ok, ok_to_read; } rows[] = {
		{ "/srv/data", true, true }, { "proc", false, false }, { "../run", false, false }, { "/run/ok.sock", true, true },
		{ "/run/no.sock", false, false }, { "/", false, false }, { "/run", false, false },
		{ "/run/", false, false }, { "/var/run", false, false }, { "/run/podman", false, false },
		{ "/var", false, false }, { "/runs", true, true }, { "/link", false, false }, { "/run/user", true, true },
		{ "/run/sluice/held", false, false }, { "/var/lib/sluice", false, false }, { "/var/lib/x", true, true },
		{ "/var/lib/sluice/audit", false, false }, { "/proc", false, false }, { "/proc/1/root", false, false },
		{ "/etc", false, true }, { "/etc/sluice/policies.d", false, true }, { "/etc/ssl", true, true },
		{ "/etc/docker", false, true }, { "/var/lib/docker", false, true }, { "/sys", false, true },
		{ "/var/lib/docker/volumes/v/_data", true, true }, { "/sys/fs/cgroup", false, true },
		{ "/opt/bin/sluice", false, true }, { "/opt", false, true }, { "/opt/bin/other", true, true },
		{ "/var/lib/docker/containers/0/hosts", true, true }, { "/var/lib/docker/containers", false, true },
		{ "/var/lib/docker/overlay2/0/diff", false, true }, { "/etc/systemd/system", false, true },
		{ "/etc/cron.d", false, true }, { "/run/docker/netns", false, true }, { "/home/desk", false, false },
		{ "/home/desk/x11", false, false }, { "/home", false, false }, { "/home/other", true, true },
		{ "/vol/proc", false, false }, { "/vol/sys", false, true }, { "/vol/dev", false, false },
		{ "/vol/nfs", true, true }, { "/vol", false, false }, { "/srv/chroot", false, false },
		{ "/srv/chroot/usr", true, true }, { "/srv/host", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int n = 0; n < 3; n++) {
			static const char *const options[][2] = { { "bind", "rw" }, { "rbind", "ro" }, { "ro", "rw" } };
			json_t *config = json_pack("{s:[{s:s, s:s, s:[s,s]}]}", "mounts", "source", rows[i].source,
						   "type", n == 2 ? "bind" : "none", "options", options[n][0],
						   options[n][1]);
			struct err err = { "" };

			if (oci_check_mounts(config, &eyes, allow, &err) !=
			    (n == 1 ? rows[i].ok_to_read : rows[i].ok))
				fail_msg("%s %s: %s", rows[i].source, options[n][1], err.text);
			json_decref(config);
		}
}

static void ways_out_by_root_and_by_new_mounts_are_refused(void **state)
{
	static const struct { const char *text; bool ok; } rows[] = {
		{ "{'root':{'path':'rootfs'}}", true }, { "{'root':{'path':'/srv/data'}}", true },
		{ "{'root':{'path':'/var/lib/docker/overlay2/0/merged'}}", true },
		{ "{'root':{'path':'/'}}", false }, { "{'root':{'path':'/','readonly':true}}", false },
		{ "{'root':{'path':'/home/desk'}}", false }, { "{'root':{'path':'/srv/chroot'}}", false },
		{ "{'root':{'path':'/srv/chroot','readonly':true}}", false },
		/* `ro` is of the folder alone: what is mounted in it stays as it is */
		{ "{'mounts':[{'type':'bind','source':'/srv/chroot','options':['rbind','rro']}]}", true },
		{ "{'mounts':[{'type':'bind','source':'/srv/chroot','options':['rbind','rro','ro']}]}", false },
		{ "{'mounts':[{'type':'bind','source':'/srv/chroot','options':['rro','rw']}]}", false },
		{ "{'mounts':[{'type':'sysfs','source':'sysfs','options':['ro']}]}", true },
		{ "{'mounts':[{'type':'sysfs','source':'sysfs','options':['nosuid']}]}", false },
		{ "{'mounts':[{'type':'cgroup','source':'cgroup','options':['ro']}]}", true },
		{ "{'mounts':[{'type':'cgroup','source':'cgroup'}]}", false },
		{ "{'mounts':[{'type':'cgroup2'}]}", false },
		{ "{'mounts':[{'type':'cgroup','source':'cgroup'}],'linux':{'namespaces':[{'type':'cgroup'}]}}", true },
		{ "{'mounts':[{'type':'proc','source':'proc'},{'type':'tmpfs','source':'/run'}]}", true },
		{ "{'mounts':[{'type':'sysfs','source':'/srv/data'}]}", false },
		{ "{'mounts':[{'type':'tmpfs','source':'/run','options':['rbind']}]}", false },
		{ "{'mounts':[{'type':'bind'}]}", false }, { "{'mounts':[{'source':'/srv/data'}]}", false },
		{ "{'mounts':[{'type':'ext4','source':'/dev/sda1','options':['ro']}]}", false },
		{ "{'mounts':[{'type':'overlay','source':'overlay','options':['lowerdir=/etc','ro']}]}", false },
	};
	static const char *const desk[] = { "/home/desk/x11", NULL };
	json_t *home = quoted("{'mounts':[{'type':'bind','source':'/home/desk'}]}");
	struct err err = { "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *config = quoted(rows[i].text);

		if (oci_check_mounts(config, &eyes, allow, &err) != rows[i].ok)
			fail_msg("%s: %s", rows[i].text, err.text);
		json_decref(config);
	}
	assert_true(oci_check_mounts(home, &eyes, desk, &err));
	json_decref(home);
}

/* ---- the machine's console ---- */

static void the_console_is_taken_away(void **state)
{
	json_t *config = quoted(DEVICES("{'allow':true,'type':'c','major':5,'minor':0,'access':'rwm'},"
					"{'allow':true,'type':'c','major':5,'minor':1,'access':'rwm'},"
					"{'allow':false,'type':'c','major':5,'minor':1,'access':'rwm'}"));
	struct err err = { "" };
	AUTO_FREE char *text = NULL;
	const json_t *devices;

	(void)state;
	assert_true(oci_confine(config, &err));
	devices = json_object_get(json_object_get(json_object_get(config, "linux"), "resources"), "devices");
	text = json_dumps(devices, JSON_COMPACT);
	assert_string_equal(text, "[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":5,"
			    "\"minor\":0,\"access\":\"rwm\"},{\"allow\":false,\"type\":\"c\",\"major\":5,\"minor\":1,"
			    "\"access\":\"rwm\"}]");
	json_decref(config);
}

/* ---- the profile, as libseccomp would read it ---- */

static bool holds(const json_t *arg, long long value)
{
	const char *op = json_string_value(json_object_get(arg, "op"));
	long long than = json_integer_value(json_object_get(arg, "value"));

	return !strcmp(op, "SCMP_CMP_EQ") ? value == than : !strcmp(op, "SCMP_CMP_GT") ? value > than :
								   value != than;
}

static bool is_of(const json_t *entry, const char *call)
{
	const json_t *names = json_object_get(entry, "names");
	bool named = false;

	assert_true(json_array_size(names) > 0);
	for (size_t n = 0; n < json_array_size(names); n++)
		named = named || !strcmp(json_string_value(json_array_get(names, n)), call);
	return named;
}

/* May @call be made with the first argument @value, and @third? */
static bool passes_with(const json_t *config, const char *call, long long value, long long third)
{
	const json_t *profile = json_object_get(json_object_get(config, "linux"), "seccomp");
	const json_t *entries = json_object_get(profile, "syscalls");
	const char *standard = json_string_value(json_object_get(profile, "defaultAction"));
	bool ok = !strcmp(standard, "SCMP_ACT_ALLOW") || !strcmp(standard, "SCMP_ACT_LOG");

	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i), *args = json_object_get(entry, "args");
		bool all = is_of(entry, call);

		for (size_t a = 0; a < json_array_size(args); a++) {
			const json_t *arg = json_array_get(args, a);
			bool first = json_integer_value(json_object_get(arg, "index")) == 0;

			all = all && holds(arg, first ? value : third);
		}
		if (!all)
			continue;
		ok = !strcmp(json_string_value(json_object_get(entry, "action")), "SCMP_ACT_ALLOW");
		if (!json_array_size(args))
			break;	/* an unconditional rule wins */
	}
	return ok;
}

static bool passes(const json_t *config, const char *call, long long value)
{
	return passes_with(config, call, value, 0);
}

static const char *const profiles[] = {
	"{'linux':{}}",
	"{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'}}}",
	"{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_LOG','syscalls':[{'names':['socket','read'],"
	"'action':'SCMP_ACT_ALLOW'}]}}}",
	"{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read','socket',"
	"'socketcall','io_uring_setup','io_uring_enter','io_uring_register','keyctl','request_key'],"
	"'action':'SCMP_ACT_ALLOW'}]}}}",
	"{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],"
	"'action':'SCMP_ACT_ALLOW'},{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,"
	"'value':40,'op':'SCMP_CMP_NE'}]}]}}}",
	"{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_KILL_PROCESS','syscalls':[{'names':['socket'],"
	"'action':'SCMP_ACT_ALLOW'},{'names':['read'],'action':'SCMP_ACT_ALLOW'}]}}}",
};

static void only_known_families_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		json_t *config = quoted(profiles[i]);
		struct err err = { "" };

		assert_true(oci_confine(config, &err));
		for (int family = 0; family < 64; family++) {
			bool may = family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
				   family == AF_NETLINK || family == AF_PACKET;

			if (passes(config, "socket", family) != may)
				fail_msg("profile %zu, family %d", i, family);
		}
		for (int protocol = 0; protocol < 40; protocol++) {
			bool may = protocol == NETLINK_ROUTE || protocol == NETLINK_SOCK_DIAG ||
				   protocol == NETLINK_XFRM || protocol == NETLINK_NETFILTER ||
				   protocol == NETLINK_KOBJECT_UEVENT || protocol == NETLINK_GENERIC;

			if (passes_with(config, "socket", AF_NETLINK, protocol) != may)
				fail_msg("profile %zu, netlink protocol %d", i, protocol);
			/* The kernel takes the lower half */
			assert_false(passes_with(config, "socket", AF_NETLINK, 1LL << 32 | protocol));
			assert_false(passes_with(config, "socket", 1LL << 32 | AF_NETLINK, protocol));
		}
		assert_true(passes_with(config, "socket", AF_INET, NETLINK_AUDIT));
		assert_false(passes(config, "socketcall", 1));
		assert_false(passes(config, "io_uring_setup", 1));
		assert_false(passes(config, "io_uring_enter", 1));
		assert_false(passes(config, "request_key", 1));
		assert_false(passes(config, "add_key", 1));
		assert_false(passes(config, "keyctl", 1));
		assert_true(passes(config, "read", 1));
		json_decref(config);
	}
}

/* Podman's, of 2022: audit is refused, and every rule is there for that */
static void a_stricter_profile_stays_so(void **state)
{
	json_t *podman = quoted("{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
		"{'names':['socket'],'action':'SCMP_ACT_ERRNO','errnoRet':22,'args':[{'index':0,'value':16,"
		"'op':'SCMP_CMP_EQ'},{'index':2,'value':9,'op':'SCMP_CMP_EQ'}]},"
		"{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':[{'index':2,'value':9,'op':'SCMP_CMP_NE'}]},"
		"{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':16,"
		"'op':'SCMP_CMP_NE'}]}]}}}");
	json_t *only_unix = quoted("{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
		"{'names':['socket','read'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':1,"
		"'op':'SCMP_CMP_EQ'}]}]}}}");
	json_t *none = quoted("{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[]}}}");
	json_t *route = quoted("{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
		"{'names':['socket'],'action':'SCMP_ACT_ALLOW','args':[{'index':2,'value':0,"
		"'op':'SCMP_CMP_EQ'}]}]}}}");
	struct err err = { "" };

	(void)state;
	assert_true(oci_confine(podman, &err));
	assert_true(passes_with(podman, "socket", AF_NETLINK, 0));
	assert_false(passes_with(podman, "socket", AF_NETLINK, 9));
	assert_true(passes_with(podman, "socket", AF_INET, 9));
	assert_false(passes_with(podman, "socket", AF_VSOCK, 0));
	assert_false(passes_with(podman, "socket", AF_VSOCK, 9));
	assert_true(oci_confine(only_unix, &err));
	assert_true(passes(only_unix, "socket", AF_UNIX));
	assert_false(passes(only_unix, "socket", AF_INET));
	assert_true(oci_confine(none, &err));
	for (int family = 0; family < 64; family++)
		assert_false(passes(none, "socket", family));
	assert_true(oci_confine(route, &err));
	assert_true(passes_with(route, "socket", AF_NETLINK, 0));
	assert_false(passes_with(route, "socket", AF_NETLINK, NETLINK_AUDIT));
	json_decref(podman);
	json_decref(only_unix);
	json_decref(none);
	json_decref(route);
}

static void who_could_change_the_rules_is_no_peer(void **state)
{
	static const char *const bad[] = { "CAP_NET_ADMIN", "CAP_SYS_ADMIN" };
	struct err err = { "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_FREE char *text = NULL;
		json_t *config;

		/* over a user namespace of its own too: that owns the network namespace */
		assert_true(asprintf(&text, "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_NET_RAW\",\"%s\"]}},"
			    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"user\"}]}}", bad[i]) > 0);
		config = config_of(text);
		err.text[0] = '\0';
		assert_false(oci_check_uplink(config, &err));
		assert_non_null(strstr(err.text, bad[i]));
		json_decref(config);
	}
	json_t *good = quoted("{'process':{'capabilities':{'bounding':['CAP_NET_RAW'],'effective':[]}}}");

	assert_true(oci_check_uplink(good, &err));
	json_decref(good);
}

static void what_others_have_it_lacks(void **state)
{
	json_t *config = quoted("{'linux':{},'process':{'capabilities':{'bounding':['CAP_KILL','CAP_AUDIT_WRITE'],"
				"'permitted':['CAP_AUDIT_WRITE','CAP_AUDIT_WRITE'],'ambient':[]}}}");
	json_t *bare = quoted("{'linux':{},'process':{}}");
	struct err err = { "" };
	AUTO_FREE char *text = NULL;

	(void)state;
	assert_true(oci_confine(config, &err));
	assert_true(oci_confine(bare, &err));
	text = json_dumps(json_object_get(json_object_get(config, "process"), "capabilities"),
			  JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, "{\"ambient\":[],\"bounding\":[\"CAP_KILL\"],\"permitted\":[]}");
	json_decref(config);
	json_decref(bare);
}

static void no_linux_is_refused(void **state)
{
	json_t *config = quoted("{'windows':{}}");
	struct err err = { "" };

	(void)state;
	assert_false(oci_confine(config, &err));
	json_decref(config);
}

static void the_hook_comes_last(void **state)
{
	static const struct oci_hook hook = { "/usr/bin/sluice", "web", "0123", { "a", "b" }, 2, true, true, "none",
					      "/run/x-ca.pem" };
	json_t *config = quoted("{'hooks':{'createRuntime':[{'path':'/other'}],'prestart':[]}}");
	json_t *bare = quoted("{}");
	struct err err = { "" };
	const json_t *ours;
	AUTO_FREE char *text = NULL;

	(void)state;
	assert_true(oci_add_hook(config, &hook, &err));
	assert_true(oci_add_hook(bare, &hook, &err));
	ours = json_array_get(json_object_get(json_object_get(config, "hooks"), "createRuntime"), 1);
	text = json_dumps(ours, JSON_COMPACT);
	assert_string_equal(text, "{\"path\":\"/usr/bin/sluice\",\"args\":[\"sluice\",\"attach\",\"--oci\","
			    "\"--session\",\"web\",\"--label\",\"container=0123\",\"--mode\",\"none\",\"--ca\",\"/run/x-ca.pem\",\"--uplink\",\"--defer\",\"--policy\",\"a\","
			    "\"--policy\",\"b\"],\"timeout\":40}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(bare, "hooks"),
							 "createRuntime")), 1);
	json_decref(config);
	json_decref(bare);
}

static void files_and_variables(void **state)
{
	json_t *config = quoted("{'process':{'env':['A=1','AB=2','A=3']}}"), *bare = quoted("{}");
	struct err err = { "" };
	AUTO_FREE char *text = NULL;

	(void)state;
	assert_true(oci_set_variable(config, "A", "x", &err));
	assert_true(oci_add_file(config, "/run/r", "/etc/resolv.conf", &err));
	text = json_dumps(config, JSON_COMPACT);
	assert_string_equal(text, "{\"process\":{\"env\":[\"AB=2\",\"A=x\"]},\"mounts\":[{\"destination\":"
			    "\"/etc/resolv.conf\",\"type\":\"bind\",\"source\":\"/run/r\",\"options\":"
			    "[\"bind\",\"ro\"]}]}");
	assert_false(oci_set_variable(bare, "A", "x", &err));
	json_decref(config);
	json_decref(bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_is_told),
		cmocka_unit_test(the_last_policy_counts),
		cmocka_unit_test(a_long_id_is_cut),
		cmocka_unit_test(rights_over_the_machine_are_refused),
		cmocka_unit_test(ways_out_by_mounts_are_refused),
		cmocka_unit_test(ways_out_by_root_and_by_new_mounts_are_refused),
		cmocka_unit_test(the_console_is_taken_away),
		cmocka_unit_test(only_known_families_pass),
		cmocka_unit_test(a_stricter_profile_stays_so),
		cmocka_unit_test(who_could_change_the_rules_is_no_peer),
		cmocka_unit_test(what_others_have_it_lacks),
		cmocka_unit_test(no_linux_is_refused),
		cmocka_unit_test(the_hook_comes_last),
		cmocka_unit_test(files_and_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
