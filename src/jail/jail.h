/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail.h - start a command with no network but what the gate serves
 *
 * Order of a start (kernel-notes: the recipe):
 *	jail_start()	bwrap is running and waits on its block descriptor; the
 *			namespaces, lo, routes and the ruleset stand; the gate's
 *			sockets exist and are in ret->fd[]; the shim is loaded.
 *	(the caller hands the sockets to the gate, which confines itself)
 *	jail_probe()	from inside: what must fail fails, what must work works
 *	jail_go()	the command starts
 *	jail_wait()	after SIGCHLD
 * Any failure before jail_go() leaves nothing running.
 */
#ifndef SLUICE_JAIL_JAIL_H
#define SLUICE_JAIL_JAIL_H

#include <sys/types.h>

#include "base/err.h"
#include "policy/binding.h"
#include "policy/policy.h"

/* Sockets made inside, held outside */
enum jail_fd {
	JAIL_TCP4, JAIL_TCP6,		/* transparent listeners */
	JAIL_UDP4, JAIL_UDP6,		/* transparent, original destination with each datagram */
	JAIL_RAW4, JAIL_RAW6,		/* for UDP answers and ICMP errors, IP_HDRINCL, marked */
	JAIL_NFT,			/* NETLINK_NETFILTER for set updates: the keeper's */
	JAIL_NFLOG,			/* NETLINK_NETFILTER bound to log group 5: the gate's */
	JAIL_DIAG,			/* NETLINK_SOCK_DIAG: whose socket? (jail/process.h); the keeper's */
	JAIL_STATS,			/* NETLINK_ROUTE, for link_traffic(); the keeper's */
	JAIL_LINKS,			/* NETLINK_ROUTE: interfaces that come (jail/interfaces.h); the keeper's */
	JAIL_ALIVE_KEEPER, JAIL_ALIVE_GATE,	/* with an uplink, made on this machine: jail/deadman.h */
	JAIL_FD_NUM
};

struct jail_guest;
struct jail_uplink;

#define JAIL_HOST_PORTS_MAX 64

/*
 * Descriptors 0 to 2 become the jail's; jail_start() refuses network sockets
 * there.  The caller is single-threaded: processes are forked.
 */
struct jail_plan {
	int			 terminal;	/* the command's controlling terminal from now on, in a
						 * session of its own, in the place of each of 0 to 2 that
						 * is a terminal; 0: it has ours */
	char *const	*argv;		/* command, NULL-terminated */
	char *const	*envp;		/* the command's environment, ready */
	const char	*cwd;
	int		 program;	/* O_PATH of PROGRAM_JAIL: what the jail runs first */
	const struct policy *policy;	/* ip rules go into the static ruleset */
	struct net	 pool4, pool6;
	bool		 open_all;	/* refuse nothing before the gate judged it: for default:
					 * ask; monitor implies it */
	bool		 count_packets;	/* in the ruleset, for link_count() */
	const struct jail_guest *guest;	/* of a namespace that is held: what comes in by this
					 * interface instead of lo; NULL: by lo */
	const struct jail_uplink *uplink;	/* of one that is held: it stays on an engine's network,
						 * mode internal; NULL */
	bool		 again;			/* it was held before: a way out that has come since is cut, not
						 * a reason to leave it alone */
	const char	*session;
	const char	*trusted_ca;		/* PEM of a CA that programs inside shall trust; or NULL */
	const char *const *protect_read;	/* what decides and exists: read-only */
	size_t		 protect_read_count;
	/* Directories and files sluice writes: out of reach; a directory is made, 0700,
	 * where nothing exists */
	const char *const *protect_hide;
	size_t		 protect_hide_count;
	const char *const *allow_unix;		/* host sockets that may be connected to */
	size_t		 allow_unix_count;
};

struct jail {
	pid_t		 bwrap;		/* our child; 0 once reaped */
	pid_t		 init;		/* pid of the jail's init as seen from here; 0: it is held */
	int		 net;		/* its network namespace */
	struct net	 pool4, pool6;	/* as planned */
	bool		 guest;		/* as planned */
	const struct jail_uplink *uplink;	/* as planned */
	int		 command;	/* pidfd of the command, for jail_signal() */
	int		 fd[JAIL_FD_NUM];	/* the caller's after start; -1: none (no IPv6) */
	int		 host_port_fd[JAIL_HOST_PORTS_MAX][2];	/* listeners on 127.0.0.1 and ::1
								 * inside, in the policy's order */
	size_t		 host_port_count;
	int		 notify;	/* seccomp notifications of connect(2): the broker's */
	int		 porter;	/* SEQPACKET to the process that makes sockets inside, for
					 * publish; -1 when the policy publishes nothing */
	int		 go;		/* to the shim, whose life hangs on it; jail.c's own */
};

bool jail_start(const struct jail_plan *plan, struct jail *ret_jail, struct err *err);

/*
 * jail_hold() - the same for a network namespace that others made
 * @plan:	of it policy, pools, open_all, count_packets, guest and uplink count
 * @net:	with no interface but lo, and the guest's if there is one; borrowed.  Rules that an earlier jail_hold() left there are
 *		replaced, with no moment without any.
 *
 * With an uplink no socket of the gate's is made but JAIL_NFLOG: the kernel alone lets pass or refuses, and
 * is what tells.
 *
 * There is no command, no shim, no broker: jail_go() and jail_wait() are not for it.  After
 * jail_end() the rules still stand in it, and nobody serves: everything is refused.
 */
bool jail_hold(const struct jail_plan *plan, int net, struct jail *ret_jail, struct err *err);

/*
 * jail_probe() - prove the walls before the command runs
 *
 * Blocking, at most 2 s; runs inside the namespaces, while the gate serves.
 * Denied: TCP and UDP to an unnamed literal, both families: must be refused.
 * Positive control: TCP to RESERVED_PROBE port 1 must be accepted and answer
 * with @token (16 bytes that the keeper chose), and a DNS question for
 * "probe.sluice.internal" at RESERVED_DNS must be answered.
 */
bool jail_probe(const struct jail *jail, const uint8_t token[16], struct err *err);

bool jail_go(struct jail *jail, struct err *err);

/* Send a signal to the command.  Return: 0 or negative errno (-ESRCH: it ended). */
int jail_signal(const struct jail *jail, int signo);

/*
 * jail_wait() - has the command ended?  Never blocks; call it after SIGCHLD.
 * @ret_code:	its exit code, 128 + N if signal N ended it
 *
 * Whatever it left behind in the jail is being killed then.
 */
bool jail_wait(struct jail *jail, int *ret_code);

/* Close what is left and kill what still runs; safe at any stage, twice too */
void jail_end(struct jail *jail);

/* Print the plan for --dry-run: mounts, hidden, read-only, environment changes */
void jail_plan_print(const struct jail_plan *plan, FILE *to);

/*
 * link_open() - let connections to (@addr, @port) reach the gate
 *
 * One message on the jail's JAIL_NFT socket, acknowledged by the kernel.
 * @range of a port set; several ports are one call each with ranges up to 16
 * wide expanded; wider ranges open the address whole (judged after accept).
 * Return: 0 or negative errno (then the name must not be answered).
 */
struct link_batch {
	struct addr		 addr4, addr6;
	const struct port_range	*ranges;
	size_t			 range_count;
	bool			 all_ports;
};
int link_open(int nft_fd, const struct link_batch *b);

/* link_change() - the same for a name that has @before: all of it goes, at once with what comes.
 * It must be what is there.  Return: as link_open(); then nothing has changed. */
int link_change(int nft_fd, const struct link_batch *before, const struct link_batch *after);

/*
 * link_count() - packets between the agent and the gate, by the kernel's own counters
 *
 * @in: into the jail.  Of a jail that was planned with count_packets.
 * Return: 0 or negative errno.
 */
struct link_packets {
	uint64_t in, out;
	uint64_t refused;		/* that the rules dropped */
	uint64_t forged, beyond;	/* of a guest: the same; beyond its bandwidth */
};
int link_count(int nft_fd, bool guest, struct link_packets *ret);

/*
 * link_count_forged() - frames from the container that the wall around its port dropped, since it was put up
 *
 * @fd: JAIL_ALIVE_KEEPER.  Return: 0 or negative errno.
 */
int link_count_forged(int fd, const char *session, uint64_t *ret);

/*
 * link_traffic() - what the interface of a guest's counts, as the guest sees it
 *
 * The numbers of `virsh domifstat`: frames with their heads.  @stats_fd: JAIL_STATS.
 * Return: 0 or negative errno.
 */
struct link_traffic {
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
	uint64_t lost_in, lost_out;	/* for want of room */
};
int link_traffic(int stats_fd, const char *link, struct link_traffic *ret);

/*
 * jail_change_nets() - the kernel lets through the networks of @after instead of @before's
 *
 * Nothing is done if they are the same.  Blocks for a run of nft, 10 ms.
 * Return: false and @err; then those before stand.
 */
bool jail_change_nets(const struct jail *jail, const struct policy *before,
		      const struct policy *after, struct err *err);

/* porter_socket() - a TCP socket made inside, connecting to 127.0.0.1:@port or
 * [::1]:@port there; non-blocking.  Return: descriptor or negative errno. */
int porter_socket(int porter_fd, uint16_t port);

/* Roles, run in processes of their own by PROGRAM_JAIL */
int shim_main(int argc, char **argv);	/* inside the jail: filters, then the command */
int broker_main(int argc, char **argv);	/* outside: answers connect(2) notifications */

/*
 * confine_*() - give up everything but what the role needs; see confine.c for
 * the list of calls of each.  Return: false and @err; the caller must exit.
 */
bool confine_gate(struct err *err);
bool confine_exporter(struct err *err);
bool confine_dashboard(struct err *err);
/* @certificates: at most two more paths that it may read, up to NULL */
bool confine_courier(const char *const *certificates, struct err *err);
bool confine_resolver(struct err *err);
bool confine_broker(struct err *err);

/* What this kernel can do, for doctor: one line each, true if usable */
struct ability {
	const char	*name;
	bool		 works;
	bool		 required;
	char		 why[160];
};
size_t jail_abilities(struct ability *ret_abilities, size_t max);

#endif
