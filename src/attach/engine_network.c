/* SPDX-License-Identifier: Apache-2.0 */
#include "attach/engine_network.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"

#define ENGINE_SOCKET "/run/docker.sock"
#define ANSWER_LIMIT_S 10
#define RESOLV_CONF "/etc/resolv.conf"
#define STUBLESS "/run/systemd/resolve/resolv.conf"
#define RESOLV_CONF_MAX 65536

/* ---- networks ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* As Docker calls a bridge: by an option, or by the first 12 digits of the network's ID */
static bool is_on(const json_t *network, const char *bridge)
{
	const char *id = text_of(network, "Id");
	const char *said = text_of(json_object_get(network, "Options"), "com.docker.network.bridge.name");

	if (said[0])
		return !strcmp(said, bridge);
	return !strncmp(bridge, "br-", 3) && strlen(bridge) == 15 && strlen(id) >= 12 &&
	       !strncmp(bridge + 3, id, 12);
}

static bool has_subnet(const json_t *network, const struct net *subnet)
{
	const json_t *list = json_object_get(json_object_get(network, "IPAM"), "Config");

	for (size_t i = 0; i < json_array_size(list); i++) {
		struct net n;

		if (net_parse(span_str(text_of(json_array_get(list, i), "Subnet")), &n) &&
		    n.bits == subnet->bits && addr_eq(&n.base, &subnet->base))
			return true;
	}
	return false;
}

bool engine_network_check(const json_t *networks, const char *bridge, const struct net *subnet,
			  struct err *err)
{
	const json_t *found = NULL;
	char text[NET_TEXT_MAX];

	for (size_t i = 0; !found && i < json_array_size(networks); i++)
		if (is_on(json_array_get(networks, i), bridge))
			found = json_array_get(networks, i);
	if (!found)
		return err_set(err, "%s is the bridge of no network that Docker knows", bridge);
	if (strcmp(text_of(found, "Driver"), "bridge") != 0)
		return err_set(err, "network %s: not of driver bridge", text_of(found, "Name"));
	if (!json_is_true(json_object_get(found, "Internal")))
		return err_set(err, "network %s is not internal (docker network create --internal)",
			       text_of(found, "Name"));
	return has_subnet(found, subnet) ||
	       err_set(err, "network %s: %s is none of its subnets", text_of(found, "Name"),
		       net_text(subnet, text));
}

/* HTTP/1.0: the answer ends with the connection, and its body is whole behind the empty line */
static bool ask(struct buf *answer, struct err *err)
{
	static const char request[] = "GET /networks HTTP/1.0\r\nHost: docker\r\n\r\n";
	const struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = ENGINE_SOCKET };
	const struct timeval limit = { .tv_sec = ANSWER_LIMIT_S };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char bytes[4096];
	ssize_t n;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (const void *)&at, sizeof(at)) ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		return err_sys(err, errno, ENGINE_SOCKET);
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0 && buf_add(answer, bytes, (size_t)n))
		;
	if (n < 0)
		return err_sys(err, errno, ENGINE_SOCKET);
	return !answer->full || err_set(err, ENGINE_SOCKET ": too many networks");
}

bool engine_network_is_internal(const char *bridge, const struct net *subnet, struct err *err)
{
	struct buf answer = buf_new(ENGINE_ANSWER_MAX);
	json_t *networks = NULL;
	struct span all;
	const char *body;
	bool ok = ask(&answer, err);

	all = buf_span(&answer);
	body = ok && all.len ? memmem(all.at, all.len, "\r\n\r\n", 4) : NULL;
	if (body) {
		body += 4;
		networks = json_loadb(body, (size_t)((const char *)all.at + all.len - body), 0, NULL);
	}
	buf_done(&answer);
	ok = ok && (json_is_array(networks) || err_set(err, ENGINE_SOCKET ": no list of networks")) &&
	     engine_network_check(networks, bridge, subnet, err);
	json_decref(networks);
	return ok;
}

/* ---- names ---- */

static bool is_local(struct span server)
{
	struct addr a;
	struct net v4 = { addr_v4(0x7f000000), 96 + 8 };
	struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
	struct addr v6 = addr_from_in6(&loopback);
	ssize_t zone = span_find(server, '%');

	if (zone >= 0)
		server = span_head(server, (size_t)zone);
	/* what can't be read may be anything */
	return !addr_parse(server, &a) || net_has(&v4, &a) || addr_eq(&a, &v6);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of @line, which is cut off */
static struct span word(struct span *line)
{
	size_t from = 0, to;

	while (from < line->len && is_blank(line->at[from]))
		from++;
	for (to = from; to < line->len && !is_blank(line->at[to]); to++)
		;
	*line = span_skip(*line, from);
	struct span found = span_head(*line, to - from);

	*line = span_skip(*line, to - from);
	return found;
}

bool engine_dns_is_local(struct span text, bool *ret_stub)
{
	size_t servers = 0, local = 0, stub = 0;

	while (text.len) {
		ssize_t end = span_find(text, '\n');
		struct span line = span_head(text, end < 0 ? text.len : (size_t)end), server;

		text = span_skip(text, end < 0 ? text.len : (size_t)end + 1);
		if (!span_eq(word(&line), SPAN("nameserver")))
			continue;
		server = word(&line);
		servers++;
		local += is_local(server);
		stub += span_eq(server, SPAN("127.0.0.53"));
	}
	*ret_stub = servers == 1 && stub == 1;
	return local;
}

static bool file_is_local(const char *path, bool *ret_stub)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[RESOLV_CONF_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	*ret_stub = false;
	return n < 0 || n == sizeof(text) || engine_dns_is_local(span_of(text, (size_t)n), ret_stub);
}

bool engine_dns_stays_here(void)
{
	bool stub;

	if (!file_is_local(RESOLV_CONF, &stub))
		return false;
	return !stub || file_is_local(STUBLESS, &stub);
}
