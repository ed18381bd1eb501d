/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci.c - theory of the seccomp profile
 *
 * A network namespace holds what travels by IP, by packet sockets on its devices, by Unix sockets
 * with abstract names.  AF_VSOCK is not part of it: from a container on a virtual machine it
 * reaches the hypervisor.  So only the families of a list may be made.
 *
 * libseccomp takes an unconditional rule for a call over one with conditions, so `socket` is taken out of
 * every entry that lets it pass, and put back once for each family that it let pass, under what
 * other conditions it had: a profile that is stricter stays so.  `socketcall` hides the family in
 * memory, and io_uring makes sockets with no call that is filtered: both go.  A profile that
 * lets everything pass has the other families refused as well.
 *
 * The kernel's keys are under no namespace but a user's: root has the machine's root's, and what is
 * asked for and is not there (request_key) is fetched by a program that the kernel starts outside, by
 * DNS on the machine's own network (dns_resolver).  These calls go too.
 *
 * Nor is all of netlink a namespace's: by NETLINK_AUDIT a container's root writes into the machine's log, which
 * is often sent on.  So AF_NETLINK is split once more, by protocols.  All is named by what passes, and compared
 * for equality: the kernel takes the lower half of an argument, a filter that refuses looks at the whole.
 */
#include "attach/oci.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/auto.h"

static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET };
/* Of netlink, ascending: routes and interfaces, sockets, IPsec, rules, news of devices, and what has a name there */
static const int protocols[] = { NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_XFRM, NETLINK_NETFILTER,
				 NETLINK_KOBJECT_UEVENT, NETLINK_GENERIC };
#define PROTOCOL_ARG 2		/* of socket(2) */
static const char *const gone[] = { "socketcall", "io_uring_setup", "io_uring_enter", "io_uring_register",
				    "add_key", "request_key", "keyctl" };

/* ---- looking ---- */

static const json_t *linux_of(const json_t *config)
{
	return json_object_get(config, "linux");
}

static const json_t *namespace_of_kind(const json_t *config, const char *kind)
{
	const json_t *list = json_object_get(linux_of(config), "namespaces");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *type = json_string_value(json_object_get(one, "type"));

		if (type && !strcmp(type, kind))
			return one;
	}
	return NULL;
}

const char *oci_joined(const json_t *config, const char *kind)
{
	const char *path = json_string_value(json_object_get(namespace_of_kind(config, kind), "path"));

	return path && *path ? path : NULL;
}

bool oci_has(const json_t *config, const char *kind)
{
	return namespace_of_kind(config, kind);
}

enum oci_network oci_network(const json_t *config, const char **ret_path)
{
	const json_t *network = namespace_of_kind(config, "network");

	*ret_path = oci_joined(config, "network");
	if (!network)
		return OCI_NETWORK_HOST;
	return *ret_path ? OCI_NETWORK_JOINED : OCI_NETWORK_OWN;
}

static json_t *environment_of(const json_t *config)
{
	return json_object_get(json_object_get(config, "process"), "env");
}

/* The last one counts, as for the programs */
static const char *variable_of(const json_t *config, const char *name)
{
	const json_t *env = environment_of(config);
	const char *found = NULL;
	size_t len = strlen(name);

	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *entry = json_string_value(json_array_get(env, i));

		if (entry && !strncmp(entry, name, len) && entry[len] == '=')
			found = entry + len + 1;
	}
	return found;
}

const char *oci_policy(const json_t *config)
{
	return variable_of(config, OCI_POLICY_VARIABLE);
}

const char *oci_mode(const json_t *config)
{
	return variable_of(config, OCI_MODE_VARIABLE);
}

void oci_session(const char *id, char ret[65])
{
	size_t len = strlen(id), hex = strspn(id, "0123456789abcdef");

	snprintf(ret, 65, "%.*s", len == 64 && hex == 64 ? 12 : 64, id);
}

/* ---- refusing ---- */

/* Which of @names some set of its capabilities has; NULL: none */
static const char *capability_of(const json_t *config, const char *const *names, size_t count)
{
	json_t *sets = json_object_get(json_object_get(config, "process"), "capabilities");
	const char *set;
	json_t *list;

	json_object_foreach(sets, set, list)
		for (size_t i = 0; i < json_array_size(list); i++)
			for (size_t n = 0; n < count; n++) {
				const char *has = json_string_value(json_array_get(list, i));

				if (has && !strcmp(has, names[n]))
					return names[n];
			}
	return NULL;
}

bool oci_check_uplink(const json_t *config, struct err *err)
{
	static const char *const never[] = { "CAP_NET_ADMIN", "CAP_SYS_ADMIN" };
	const char *has = capability_of(config, never, ARRAY_SIZE(never));

	/* Also over a user namespace of its own: that owns the network namespace then */
	return !has || err_set(err, "the container has %s: in mode internal it could change the rules of its "
			       "network (no --cap-add of it)", has);
}

const char *oci_rights(const json_t *config)
{
	static const char *const never[] = { "CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
					     "CAP_SYS_PTRACE", "CAP_SYS_BOOT", "CAP_DAC_READ_SEARCH", "CAP_BPF",
					     "CAP_PERFMON", "CAP_SYS_TIME" };

	return capability_of(config, never, ARRAY_SIZE(never));
}

/* Settings of the whole machine are root's by uid, with no capability: engines leave them read-only */
static bool has_settings(const json_t *config)
{
	const json_t *list = json_object_get(linux_of(config), "readonlyPaths");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *path = json_string_value(json_array_get(list, i));

		if (path && !strcmp(path, "/proc/sys"))
			return false;
	}
	return true;
}

/* What is behind these is under no namespace.  -1: any. */
static const struct device {
	char		 type;
	int		 major, minor;
	const char	*what;
} devices[] = {
	{ 'b', -1, -1, "disks of the machine" },
	{ 'c', 1, 1, "the machine's memory" }, { 'c', 1, 2, "the machine's memory" },
	{ 'c', 1, 4, "the machine's I/O ports" }, { 'c', 1, 11, "the kernel's log" },
	{ 'c', 5, 1, "the machine's console" }, { 'c', 10, 223, "the machine's input (uinput)" },
	{ 'c', 10, 241, "a guest's line to the machine (vhost-vsock)" },
};

static int number_of(const json_t *rule, const char *key)
{
	const json_t *number = json_object_get(rule, key);

	return json_is_integer(number) ? (int)json_integer_value(number) : -1;
}

static bool is_passing(const json_t *rule)
{
	const char *access = json_string_value(json_object_get(rule, "access"));

	return json_is_true(json_object_get(rule, "allow")) && (!access || !*access || strpbrk(access, "rw"));
}

static bool covers(const json_t *rule, const struct device *d)
{
	const char *type = json_string_value(json_object_get(rule, "type"));
	int major = number_of(rule, "major"), minor = number_of(rule, "minor");

	return (!type || !*type || type[0] == 'a' || type[0] == d->type) &&
	       (major < 0 || d->major < 0 || major == d->major) &&
	       (minor < 0 || d->minor < 0 || minor == d->minor);
}

/* Engines let it be opened, for a file of that name which is another; oci_confine() takes the rule away */
static bool is_console(const json_t *rule)
{
	return number_of(rule, "major") == 5 && number_of(rule, "minor") == 1;
}

/* To make nodes is let pass by default; to open them is not */
static const char *devices_of(const json_t *config)
{
	const json_t *list = json_object_get(json_object_get(linux_of(config), "resources"), "devices");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *rule = json_array_get(list, i);

		for (size_t n = 0; is_passing(rule) && !is_console(rule) && n < ARRAY_SIZE(devices); n++)
			if (covers(rule, &devices[n]))
				return devices[n].what;
	}
	return NULL;
}

/*
 * Is its root nobody outside?  What a user namespace that it joins maps is not known here.  Where an engine is
 * rootless, 0 is its user: then it is taken for more than it is.
 */
static bool is_nobody(const json_t *config)
{
	static const char *const maps[] = { "uidMappings", "gidMappings" };

	if (!namespace_of_kind(config, "user") || oci_joined(config, "user"))
		return false;
	for (size_t n = 0; n < ARRAY_SIZE(maps); n++) {
		const json_t *list = json_object_get(linux_of(config), maps[n]);

		for (size_t i = 0; i < json_array_size(list); i++)
			if (number_of(json_array_get(list, i), "hostID") <= 0)
				return false;
		if (!json_array_size(list))
			return false;
	}
	return true;
}

/* One of a kind: of two, readers could take either */
static bool check_namespaces(const json_t *config, struct err *err)
{
	static const struct { const char *kind, *why; } wanted[] = {
		{ "pid", "sees the machine's processes, sluice's too (no --pid host)" },
		{ "mount", "has the machine's own files (a mount namespace)" },
		{ "ipc", "has the shared memory of the machine's processes (no --ipc host)" },
	};
	const json_t *list = json_object_get(linux_of(config), "namespaces");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *type = json_string_value(json_object_get(one, "type"));

		if (!type || namespace_of_kind(config, type) != one)
			return err_set(err, "config.json: namespace %s twice, or of no type", type ? type : "");
	}
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!namespace_of_kind(config, wanted[i].kind))
			return err_set(err, "the container %s", wanted[i].why);
	return !oci_joined(config, "mount") ||
	       err_set(err, "the container joins a mount namespace: nobody has looked at what is mounted there");
}

bool oci_check(const json_t *config, struct err *err)
{
	const char *has = oci_rights(config);

	if (json_object_size(json_object_get(linux_of(config), "netDevices")))
		return err_set(err, "the container gets a network device of the machine's: a way out "
			       "beside the gate (no netDevices)");
	if (!check_namespaces(config, err))
		return false;
	/* Over a user namespace of its own they are no rights over this machine */
	if (is_nobody(config))
		return true;
	if (has)
		return err_set(err, "the container has %s: it could leave its namespaces, or set the machine's "
			       "clock (no --privileged, no --cap-add of it)", has);
	if (has_settings(config))
		return err_set(err, "the container may write the machine's /proc/sys (no --security-opt "
			       "systempaths=unconfined, no unmask=ALL)");
	has = devices_of(config);
	return !has || err_set(err, "the container may open %s: a way out (no such --device, no "
			       "--device-cgroup-rule that has it)", has);
}

void oci_lessen(json_t *config)
{
	json_t *sets = json_object_get(json_object_get(config, "process"), "capabilities"), *list;
	const char *set;

	json_object_foreach(sets, set, list)
		for (size_t i = json_array_size(list); i-- > 0;) {
			const char *has = json_string_value(json_array_get(list, i));

			if (has && !strcmp(has, "CAP_AUDIT_WRITE"))
				json_array_remove(list, i);
		}
}

/* ---- the seccomp profile ---- */

static bool is_taken(const char *name)
{
	bool taken = !strcmp(name, "socket");

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		taken = taken || !strcmp(name, gone[i]);
	return taken;
}

static bool refuses(const char *action)
{
	return action && (!strcmp(action, "SCMP_ACT_ERRNO") || !strcmp(action, "SCMP_ACT_TRAP") ||
			  !strncmp(action, "SCMP_ACT_KILL", strlen("SCMP_ACT_KILL")));
}

/* Does a condition on one argument hold for this value? */
static bool holds_for(const json_t *condition, long long given)
{
	const char *op = json_string_value(json_object_get(condition, "op"));
	long long value = json_integer_value(json_object_get(condition, "value"));
	long long two = json_integer_value(json_object_get(condition, "valueTwo"));
	const struct { const char *op; bool holds; } table[] = {
		{ "SCMP_CMP_EQ", given == value }, { "SCMP_CMP_NE", given != value },
		{ "SCMP_CMP_LT", given < value }, { "SCMP_CMP_LE", given <= value },
		{ "SCMP_CMP_GT", given > value }, { "SCMP_CMP_GE", given >= value },
		{ "SCMP_CMP_MASKED_EQ", (given & value) == two },
	};

	for (size_t i = 0; op && i < ARRAY_SIZE(table); i++)
		if (!strcmp(op, table[i].op))
			return table[i].holds;
	return false;
}

/*
 * conditions_for() - an entry's conditions on arguments but the first, for one family
 *
 * Return: a new list; NULL: the entry is about none of this family.
 */
static json_t *conditions_for(const json_t *entry, int family)
{
	const json_t *old = json_object_get(entry, "args");
	json_t *new = json_array();

	for (size_t i = 0; i < json_array_size(old); i++) {
		json_t *one = json_array_get(old, i);

		if (json_integer_value(json_object_get(one, "index")) != 0) {
			json_array_append(new, one);
		} else if (!holds_for(one, family)) {
			json_decref(new);
			return NULL;
		}
	}
	return new;
}

static bool is_condition(const json_t *c, long long index, const char *op, long long value)
{
	const char *its = json_string_value(json_object_get(c, "op"));

	return json_integer_value(json_object_get(c, "index")) == index && its && !strcmp(its, op) &&
	       json_integer_value(json_object_get(c, "value")) == value;
}

/* What @but refuses is no longer let pass under @conditions.  Return: false: it cannot be said so */
static bool leave_out(json_t *conditions, const json_t *but)
{
	const json_t *one = json_array_get(but, 0);
	long long index = json_integer_value(json_object_get(one, "index"));
	long long value = json_integer_value(json_object_get(one, "value"));

	if (json_array_size(but) != 1 || !is_condition(one, index, "SCMP_CMP_EQ", value))
		return false;
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		const json_t *c = json_array_get(conditions, i);

		if (is_condition(c, index, "SCMP_CMP_NE", value) ||
		    (is_condition(c, index, "SCMP_CMP_EQ", json_integer_value(json_object_get(c, "value"))) &&
		     json_integer_value(json_object_get(c, "value")) != value))
			return true;
		if (json_integer_value(json_object_get(c, "index")) == index)
			return false;
	}
	return json_array_append_new(conditions, json_pack("{s:I, s:I, s:s}", "index", (json_int_t)index,
		"value", (json_int_t)value, "op", "SCMP_CMP_NE")) == 0;
}

/* @conditions, which it takes, and the family's own; once */
static bool add_entry(json_t *to, const json_t *entry, int family, json_t *conditions)
{
	json_t *new;

	json_array_insert_new(conditions, 0, json_pack("{s:i, s:i, s:s}", "index", 0, "value", family,
						       "op", "SCMP_CMP_EQ"));
	new = json_pack("{s:[s], s:O, s:o}", "names", "socket", "action",
			json_object_get(entry, "action"), "args", conditions);
	for (size_t i = 0; i < json_array_size(to); i++)
		if (json_equal(json_array_get(to, i), new)) {
			json_decref(new);
			return true;
		}
	return json_array_append_new(to, new) == 0;
}

/* Of AF_NETLINK one protocol, where @conditions hold for it */
static bool add_protocol(json_t *to, const json_t *entry, const json_t *conditions, int protocol)
{
	json_t *rest = json_array();

	for (size_t i = 0; i < json_array_size(conditions); i++) {
		json_t *one = json_array_get(conditions, i);

		if (json_integer_value(json_object_get(one, "index")) != PROTOCOL_ARG) {
			json_array_append(rest, one);
		} else if (!holds_for(one, protocol)) {
			json_decref(rest);
			return true;
		}
	}
	json_array_append_new(rest, json_pack("{s:i, s:i, s:s}", "index", PROTOCOL_ARG, "value", protocol,
					      "op", "SCMP_CMP_EQ"));
	return add_entry(to, entry, AF_NETLINK, rest);
}

/* What one entry lets pass of one family, but for what others refuse of it */
static bool add_family(json_t *to, const json_t *entry, int family, const json_t *refusing)
{
	json_t *conditions = conditions_for(entry, family);
	bool ok = true;

	for (size_t i = 0; conditions && ok && i < json_array_size(refusing); i++) {
		json_t *but = conditions_for(json_array_get(refusing, i), family);

		if (but && !json_array_size(but)) {
			json_decref(but);
			json_decref(conditions);
			return true;	/* all of it */
		}
		ok = !but || leave_out(conditions, but);
		json_decref(but);
	}
	if (!conditions || !ok) {
		json_decref(conditions);
		return ok;
	}
	if (family != AF_NETLINK)
		return add_entry(to, entry, family, conditions);
	for (size_t i = 0; ok && i < ARRAY_SIZE(protocols); i++)
		ok = add_protocol(to, entry, conditions, protocols[i]);
	json_decref(conditions);
	return ok;
}

/* Take the calls out of an entry's names.  Return: `socket` was one of them */
static bool take_names(json_t *names)
{
	bool socket = false;

	for (size_t n = json_array_size(names); n-- > 0;) {
		const char *name = json_string_value(json_array_get(names, n));

		if (name && !is_taken(name))
			continue;
		socket = socket || (name && !strcmp(name, "socket"));
		json_array_remove(names, n);
	}
	return socket;
}

/* Entries about `socket`, which is theirs no more: those that let it pass, and those that refuse it */
static void sort_out(json_t *entries, bool closed, json_t *passing, json_t *refusing)
{
	for (size_t i = 0; i < json_array_size(entries); i++) {
		json_t *entry = json_array_get(entries, i);
		bool no = refuses(json_string_value(json_object_get(entry, "action")));

		/* Where everything else passes, what is refused must be said */
		if (!(no && !closed) && take_names(json_object_get(entry, "names")))
			json_array_append(no ? refusing : passing, entry);
	}
}

/* No entry lets more than the families pass; one without any name is refused by runtimes */
static bool narrow(json_t *entries, bool closed)
{
	json_t *passing = json_array(), *refusing = json_array(), *new = json_array();
	bool ok = passing && refusing && new;

	if (ok)
		sort_out(entries, closed, passing, refusing);
	for (size_t i = 0; ok && i < json_array_size(passing); i++)
		for (size_t n = 0; ok && n < ARRAY_SIZE(families); n++)
			ok = add_family(new, json_array_get(passing, i), families[n], refusing);
	for (size_t i = json_array_size(entries); i-- > 0;)
		if (!json_array_size(json_object_get(json_array_get(entries, i), "names")))
			json_array_remove(entries, i);
	ok = ok && json_array_extend(entries, new) == 0;
	json_decref(passing);
	json_decref(refusing);
	json_decref(new);
	return ok;
}

static int refuse_family(json_t *entries, int family, const char *compare)
{
	return json_array_append_new(entries, json_pack("{s:[s], s:s, s:[{s:i, s:i, s:s}]}",
		"names", "socket", "action", "SCMP_ACT_ERRNO",
		"args", "index", 0, "value", family, "op", compare));
}

/* @error: 0: the runtime's own */
static int refuse_protocol(json_t *entries, int protocol, const char *compare, int error)
{
	json_t *new = json_pack("{s:[s], s:s, s:[{s:i, s:i, s:s}, {s:i, s:i, s:s}]}", "names", "socket",
				"action", "SCMP_ACT_ERRNO", "args",
				"index", 0, "value", AF_NETLINK, "op", "SCMP_CMP_EQ",
				"index", PROTOCOL_ARG, "value", protocol, "op", compare);

	if (error)
		json_object_set_new(new, "errnoRet", json_integer(error));
	return json_array_append_new(entries, new);
}

/* Whose absence libaudit takes for a kernel that has none */
static int refuse_audit(json_t *entries)
{
	return refuse_protocol(entries, NETLINK_AUDIT, "SCMP_CMP_EQ", EINVAL);
}

static bool is_one_of(int value, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == value)
			return true;
	return false;
}

/* Where everything else passes */
static int refuse(json_t *entries)
{
	int last = families[ARRAY_SIZE(families) - 1], r = 0;

	for (int family = 0; family < last; family++)
		if (!is_one_of(family, families, ARRAY_SIZE(families)))
			r |= refuse_family(entries, family, "SCMP_CMP_EQ");
	r |= refuse_family(entries, last, "SCMP_CMP_GT");
	last = protocols[ARRAY_SIZE(protocols) - 1];
	for (int protocol = 0; protocol < last; protocol++)
		if (protocol != NETLINK_AUDIT && !is_one_of(protocol, protocols, ARRAY_SIZE(protocols)))
			r |= refuse_protocol(entries, protocol, "SCMP_CMP_EQ", 0);
	r |= refuse_protocol(entries, last, "SCMP_CMP_GT", 0);
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		r |= json_array_append_new(entries, json_pack("{s:[s], s:s}", "names", gone[i],
							      "action", "SCMP_ACT_ERRNO"));
	return r;
}

/* For a container without a profile: one that lets pass, for every kind of program the machine runs */
static json_t *open_profile(void)
{
	json_t *profile = json_pack("{s:s, s:[]}", "defaultAction", "SCMP_ACT_ALLOW", "syscalls");
	struct utsname u;

	if (profile && uname(&u) == 0 && !strcmp(u.machine, "x86_64"))
		json_object_set_new(profile, "architectures",
				    json_pack("[s,s,s]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
					      "SCMP_ARCH_X32"));
	return profile;
}

/* A node of it could be made by any container's root, and what is written there leaves the machine where
 * the console is a serial line */
static void take_console(const json_t *config)
{
	json_t *list = json_object_get(json_object_get(linux_of(config), "resources"), "devices");

	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *rule = json_array_get(list, i);

		if (is_passing(rule) && is_console(rule))
			json_array_remove(list, i);
	}
}

bool oci_confine(json_t *config, struct err *err)
{
	json_t *linux_part = json_object_get(config, "linux");
	json_t *profile = json_object_get(linux_part, "seccomp"), *entries;
	bool closed;

	if (!json_is_object(linux_part))
		return err_set(err, "config.json: no container of Linux");
	take_console(config);
	oci_lessen(config);
	if (!json_is_object(profile)) {
		profile = open_profile();
		if (json_object_set_new(linux_part, "seccomp", profile) < 0)
			return err_set(err, "out of memory");
	}
	entries = json_object_get(profile, "syscalls");
	if (!json_is_array(entries)) {
		entries = json_array();
		if (json_object_set_new(profile, "syscalls", entries) < 0)
			return err_set(err, "out of memory");
	}
	closed = refuses(json_string_value(json_object_get(profile, "defaultAction")));
	if (!narrow(entries, closed))
		return err_set(err, "its seccomp profile has rules for `socket` that cannot be made "
			       "narrower (use the engine's own profile)");
	/* The audit last: libseccomp 2.5 takes no rule of another errno behind it */
	return ((closed || refuse(entries) == 0) && refuse_audit(entries) == 0) ||
	       err_set(err, "out of memory");
}

/* ---- the hook ---- */

bool oci_add_hook(json_t *config, const struct oci_hook *hook, struct err *err)
{
	json_t *args = json_pack("[s,s,s,s,s,s,s+]", "sluice", "attach", "--oci", "--session", hook->session,
				 "--label", "container=", hook->id);
	json_t *hooks = json_object_get(config, "hooks"), *list;
	int r = args ? 0 : -1;

	if (hook->mode) {
		r |= json_array_append_new(args, json_string("--mode"));
		r |= json_array_append_new(args, json_string(hook->mode));
	}
	if (hook->ca) {
		r |= json_array_append_new(args, json_string("--ca"));
		r |= json_array_append_new(args, json_string(hook->ca));
	}
	if (hook->uplink)
		r |= json_array_append_new(args, json_string("--uplink"));
	if (hook->defer)
		r |= json_array_append_new(args, json_string(OCI_DEFER));
	for (size_t i = 0; i < hook->policy_count; i++) {
		r |= json_array_append_new(args, json_string("--policy"));
		r |= json_array_append_new(args, json_string(hook->policies[i]));
	}
	if (!json_is_object(hooks)) {
		hooks = json_object();
		r |= json_object_set_new(config, "hooks", hooks);
	}
	list = json_object_get(hooks, "createRuntime");
	if (!json_is_array(list)) {
		list = json_array();
		r |= json_object_set_new(hooks, "createRuntime", list);
	}
	r |= json_array_append_new(list, json_pack("{s:s, s:o, s:i}", "path", hook->program,
						   "args", args, "timeout", OCI_HOOK_LIMIT_S));
	return r == 0 || err_set(err, "out of memory");
}

const json_t *oci_find_hook(const json_t *config, const char *program)
{
	const json_t *list = json_object_get(json_object_get(config, "hooks"), "createRuntime");

	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *one = json_array_get(list, i), *args = json_object_get(one, "args");
		const char *path = json_string_value(json_object_get(one, "path"));
		const char *word = json_string_value(json_array_get(args, 1));

		if (path && word && !strcmp(path, program) && !strcmp(word, "attach"))
			return args;
	}
	return NULL;
}

/* ---- what it finds inside ---- */

bool oci_add_file(json_t *config, const char *path, const char *inside, struct err *err)
{
	json_t *mounts = json_object_get(config, "mounts");
	int r = 0;

	if (!json_is_array(mounts)) {
		mounts = json_array();
		r = json_object_set_new(config, "mounts", mounts);
	}
	r |= json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:[s,s]}", "destination", inside,
		"type", "bind", "source", path, "options", "bind", "ro"));
	return r == 0 || err_set(err, "out of memory");
}

bool oci_set_variable(json_t *config, const char *name, const char *value, struct err *err)
{
	json_t *env = environment_of(config);
	size_t len = strlen(name);

	if (!json_is_array(env))
		return err_set(err, "config.json: the process has no environment");
	for (size_t i = json_array_size(env); i-- > 0;) {
		const char *entry = json_string_value(json_array_get(env, i));

		if (!entry || (!strncmp(entry, name, len) && entry[len] == '='))
			json_array_remove(env, i);
	}
	return json_array_append_new(env, json_sprintf("%s=%s", name, value)) == 0 ||
	       err_set(err, "out of memory");
}
