/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail_network.c - the kernel facts that a jail stands on, in a real jail
 *
 * A jail is started with a gate of a few lines outside.  Clients are processes
 * that enter the jail's network, so that no broker is needed.
 */
#include "../unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "jail/jail.h"
#include "jail/namespace.h"
#include "policy/load.h"

#define NAMED ((enum reserved)100)	/* an offset as a name would get */
#define CLIENT_LIMIT_MS 2000

static const uint8_t token[16] = "fifteen letters";
static const uint8_t wrong_token[16] = "others, fifteen";

struct fixture {
	struct policy	*policy;
	struct jail	 jail;
	pid_t		 gate;
};

static void gate_tcp(const struct jail *jail, int listener, const uint8_t answer[16])
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct linger orderly = { 0, 0 };
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	char text[ADDR_TEXT_MAX];
	struct addr to, probe4 = reserved_addr(&jail->pool4, RESERVED_PROBE),
			probe6 = reserved_addr(&jail->pool6, RESERVED_PROBE);
	uint16_t port;

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    !addr_from_sockaddr(&sa, len, &to, &port))
		_exit(1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &orderly, sizeof(orderly));
	if (addr_eq(&to, &probe4) || addr_eq(&to, &probe6)) {
		if (write(fd, answer, 16) != 16)
			_exit(1);
	} else {
		dprintf(fd, "%s %u", addr_text(&to, text), port);
	}
	close(fd);
}

/* Send a datagram back as if from the address it went to: the raw socket must answer */
static void gate_udp4(const struct jail *jail)
{
	uint8_t packet[512] = { 0 }, control[256];
	struct iphdr *ip = (void *)packet;
	struct udphdr *udp = (void *)(packet + sizeof(*ip));
	struct sockaddr_in from, to = { 0 };
	struct iovec iov = { udp + 1, sizeof(packet) - sizeof(*ip) - sizeof(*udp) };
	struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
			      .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(jail->fd[JAIL_UDP4], &msg, 0);
	uint8_t *body = (uint8_t *)(udp + 1);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); n > 0 && c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_ORIGDSTADDR)
			memcpy(&to, CMSG_DATA(c), sizeof(to));
	if (n < 3 || to.sin_port == 0)
		_exit(1);
	body[2] |= 0x80;		/* DNS: an answer */
	*ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
			      .saddr = to.sin_addr.s_addr, .daddr = from.sin_addr.s_addr };
	*udp = (struct udphdr){ .source = to.sin_port, .dest = from.sin_port,
				.len = htons((uint16_t)(sizeof(*udp) + (size_t)n)) };
	sendto(jail->fd[JAIL_RAW4], packet, sizeof(*ip) + sizeof(*udp) + (size_t)n, 0,
	       (struct sockaddr *)&from, sizeof(from));
}

static void gate_start(struct fixture *f, const uint8_t answer[16])
{
	f->gate = fork();
	while (f->gate == 0) {
		struct pollfd p[] = { { f->jail.fd[JAIL_TCP4], POLLIN, 0 },
				      { f->jail.fd[JAIL_TCP6], POLLIN, 0 },
				      { f->jail.fd[JAIL_UDP4], POLLIN, 0 } };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		poll(p, ARRAY_SIZE(p), -1);
		for (size_t i = 0; i < 2; i++)
			if (p[i].revents)
				gate_tcp(&f->jail, p[i].fd, answer);
		if (p[2].revents)
			gate_udp4(&f->jail);
	}
	for (size_t i = 0; i < JAIL_FD_NUM; i++)
		if (i != JAIL_NFT && i != JAIL_NFLOG)
			DROP_FD(f->jail.fd[i]);
}

static void jail_make(struct fixture *f, const char *script)
{
	char shell[] = "/bin/sh", c[] = "-c", env[] = "PATH=/usr/bin:/bin", *line = strdup(script);
	char *argv[] = { shell, c, line, NULL }, *envp[] = { env, NULL };
	struct jail_plan plan = { .argv = argv, .envp = envp, .cwd = "/", .policy = f->policy,
				  .program = open("/proc/self/exe", O_PATH | O_CLOEXEC) };
	struct policy_settings s = policy_settings(f->policy);
	struct err err = { "" };

	plan.pool4 = s.synthetic4;
	plan.pool6 = s.synthetic6;
	if (!jail_start(&plan, &f->jail, &err))
		fail_msg("%s", err.text);
	close(plan.program);
	free(line);
}

static int setup(void **state)
{
	static const char text[] = "version: 1\nallow:\n  - ip: 203.0.113.0/24\n    ports: [22]\n"
				   "publish: [3000]\n";
	struct policy_file file = { LAYER_POLICY, "p.yaml", span_str(text) };
	struct policy_input in = { .files = &file, .file_count = 1 };
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = { "" };

	assert_non_null(f);
	f->policy = policy_load(&in, &err);
	if (!f->policy)
		fail_msg("%s", err.text);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	/* Twice is allowed; a jail that never was has no descriptors to close */
	for (int i = 0; f->jail.init > 0 && i < 2; i++)
		jail_end(&f->jail);
	if (f->gate > 0) {
		kill(f->gate, SIGKILL);
		waitpid(f->gate, NULL, 0);
	}
	policy_free(f->policy);
	free(f);
	return 0;
}

/* What a TCP client inside hears from (@a, @port); "" and errno as @ret_errno */
static void client(const struct jail *jail, struct addr a, uint16_t port, char heard[128])
{
	struct err err = { "" };
	int out[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		struct sockaddr_in6 sa;
		socklen_t len = addr_to_sockaddr(&a, port, &sa);
		char text[100] = "";
		int fd;

		alarm(CLIENT_LIMIT_MS / 1000);
		if (!namespace_join(jail->init, &err))
			_exit(1);
		fd = socket(addr_is_v4(&a) ? AF_INET : AF_INET6, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&sa, len))
			dprintf(out[1], "%s", strerror(errno));
		else if ((n = read(fd, text, sizeof(text))) > 0)
			dprintf(out[1], "%.*s", (int)n, text);
		_exit(0);
	}
	close(out[1]);
	n = read(out[0], heard, 127);
	heard[n > 0 ? n : 0] = '\0';
	close(out[0]);
	waitpid(pid, NULL, 0);
}

static void assert_hears(const struct fixture *f, struct addr a, uint16_t port, const char *what)
{
	char heard[128];

	client(&f->jail, a, port, heard);
	assert_string_equal(heard, what);
}

static int wait_code(struct jail *jail)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	int code = -1;

	for (int i = 0; i < 5000 && !jail_wait(jail, &code); i++)
		nanosleep(&pause, NULL);
	return code;
}

static void test_tproxy_tells_the_original_destination(void **state)
{
	struct fixture *f = *state;
	struct port_range ports[] = { { 443, 445, TRANSPORT_TCP } };
	struct link_batch batch = { .ranges = ports, .range_count = 1 };
	const char *refused = strerror(ECONNREFUSED);
	struct addr literal;

	jail_make(f, "exit 0");
	gate_start(f, token);
	batch.addr4 = reserved_addr(&f->jail.pool4, NAMED);
	batch.addr6 = reserved_addr(&f->jail.pool6, NAMED);
	assert_hears(f, batch.addr4, 443, refused);
	assert_hears(f, batch.addr6, 443, refused);
	assert_int_equal(link_open(f->jail.fd[JAIL_NFT], &batch), 0);
	assert_hears(f, batch.addr4, 443, "28.0.0.100 443");
	assert_hears(f, batch.addr4, 445, "28.0.0.100 445");
	assert_hears(f, batch.addr6, 444, "2d00:736c::64 444");
	assert_hears(f, batch.addr4, 446, refused);
	batch.all_ports = true;
	assert_int_equal(link_open(f->jail.fd[JAIL_NFT], &batch), 0);
	assert_hears(f, batch.addr6, 446, "2d00:736c::64 446");
	assert_true(addr_parse(SPAN("203.0.113.9"), &literal));
	assert_hears(f, literal, 22, "203.0.113.9 22");
	assert_hears(f, literal, 23, refused);
}

static void test_a_dead_gate_refuses(void **state)
{
	struct fixture *f = *state;

	jail_make(f, "exit 0");
	gate_start(f, token);
	kill(f->gate, SIGKILL);
	waitpid(f->gate, NULL, 0);
	f->gate = 0;
	assert_hears(f, reserved_addr(&f->jail.pool4, RESERVED_PROBE), 1, strerror(ECONNREFUSED));
	assert_hears(f, reserved_addr(&f->jail.pool6, RESERVED_PROBE), 1, strerror(ECONNREFUSED));
}

static void test_what_is_refused_is_logged(void **state)
{
	struct fixture *f = *state;
	char message[512];

	jail_make(f, "exit 0");
	gate_start(f, token);
	assert_hears(f, reserved_addr(&f->jail.pool4, NAMED), 9, strerror(ECONNREFUSED));
	assert_true(recv(f->jail.fd[JAIL_NFLOG], message, sizeof(message), MSG_DONTWAIT) > 60);
}

static void test_probe(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };

	jail_make(f, "exit 0");
	gate_start(f, token);
	if (!jail_probe(&f->jail, token, &err))
		fail_msg("%s", err.text);
	assert_false(jail_probe(&f->jail, wrong_token, &err));
	assert_non_null(strstr(err.text, "wrong answer"));
}

static void test_probe_without_a_gate_fails(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };

	jail_make(f, "exit 0");
	for (size_t i = 0; i < JAIL_FD_NUM; i++)
		DROP_FD(f->jail.fd[i]);
	assert_false(jail_probe(&f->jail, token, &err));
	assert_true(err.text[0]);
}

static void test_exit_code_and_signal(void **state)
{
	struct fixture *f = *state;
	struct err err = { "" };

	jail_make(f, "exit 7");
	assert_true(jail_go(&f->jail, &err));
	assert_int_equal(wait_code(&f->jail), 7);
	jail_end(&f->jail);
	jail_make(f, "exec sleep 60");
	assert_true(jail_go(&f->jail, &err));
	assert_int_equal(jail_signal(&f->jail, SIGTERM), 0);
	assert_int_equal(wait_code(&f->jail), 128 + SIGTERM);
}

static void test_without_the_word_nothing_runs(void **state)
{
	struct fixture *f = *state;

	jail_make(f, "exit 0");
	DROP_FD(f->jail.go);
	assert_int_equal(wait_code(&f->jail), 125);
}

static void test_porter(void **state)
{
	struct fixture *f = *state;

	jail_make(f, "exit 0");
	assert_int_equal(porter_socket(f->jail.porter, 3000), -ECONNREFUSED);
	assert_int_equal(porter_socket(f->jail.porter, 3001), -ECONNREFUSED);
}

static void test_a_network_socket_as_stdin_is_refused(void **state)
{
	struct fixture *f = *state;
	struct jail_plan plan = { .policy = f->policy };
	int kept = dup(0), sock = socket(AF_INET, SOCK_STREAM, 0);
	struct err err = { "" };

	assert_int_equal(dup2(sock, 0), 0);
	assert_false(jail_start(&plan, &f->jail, &err));
	assert_non_null(strstr(err.text, "network socket"));
	dup2(kept, 0);
	close(kept);
	close(sock);
}

int main(int argc, char **argv)
{
#define JAIL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		JAIL_TEST(test_tproxy_tells_the_original_destination),
		JAIL_TEST(test_a_dead_gate_refuses),
		JAIL_TEST(test_what_is_refused_is_logged),
		JAIL_TEST(test_probe),
		JAIL_TEST(test_probe_without_a_gate_fails),
		JAIL_TEST(test_exit_code_and_signal),
		JAIL_TEST(test_without_the_word_nothing_runs),
		JAIL_TEST(test_porter),
		JAIL_TEST(test_a_network_socket_as_stdin_is_refused),
	};

	/* bwrap runs this very program as the jail's first */
	if (argc > 1 && !strcmp(argv[1], "role-shim"))
		return shim_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
