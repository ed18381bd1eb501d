/* SPDX-License-Identifier: Apache-2.0 */
#include "control/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/auto.h"

static bool send_all(int fd, struct span bytes)
{
	while (bytes.len) {
		ssize_t n = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = span_skip(bytes, (size_t)n);
	}
	return true;
}

/* Up to its newline, which is not kept */
static bool read_line(int fd, struct buf *line)
{
	char bytes[4096];

	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || !buf_add(line, bytes, (size_t)n))
			return false;
		if (line->at[line->len - 1] == '\n')
			return true;
	}
}

json_t *control_ask(int fd, const struct control_request *r, struct err *err)
{
	bool slow = r->what == CONTROL_ATTACH || r->what == CONTROL_DETACH;
	const struct timeval limit = { .tv_sec = (slow ? CONTROL_START_WAIT_MS : CONTROL_WAIT_MS) / 1000 };
	struct buf line = buf_new(control_answer_max(r) + 1), request = buf_new(CONTROL_LINE_MAX);
	json_t *answer = NULL;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	control_request_write(r, &request);
	if (send_all(fd, buf_span(&request)) && read_line(fd, &line))
		answer = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
	buf_done(&line);
	buf_done(&request);
	if (!answer) {
		err_set(err, "%s does not answer", slow ? "the daemon" : "the session");
	} else if (!json_is_true(json_object_get(answer, "ok"))) {
		const char *why = json_string_value(json_object_get(answer, "error"));

		err_set(err, "%s", why ? why : "the session says no");
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}
