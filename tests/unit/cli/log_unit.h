/* SPDX-License-Identifier: Apache-2.0 */
/* log_unit.h - logs made by hand, and what a command prints of them */
#ifndef SLUICE_TESTS_CLI_LOG_UNIT_H
#define SLUICE_TESTS_CLI_LOG_UNIT_H

#include <fcntl.h>
#include <stdio.h>

#include "../unit.h"

#define TS(second) "\"ts\":\"2026-01-31T12:00:" second ".123456Z\""

/* A file of this text; its name is static */
static inline char *log_file(const char *text)
{
	static char path[64];
	AUTO_CLOSE int fd = -1;

	strcpy(path, "/tmp/sluice-log-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return path;
}

/* What main(argv) prints on standard output; to be freed */
static inline char *log_output(int (*main)(int argc, char **argv), char **argv, int want)
{
	int saved, argc = 0, pipes[2];
	char *text = calloc(1, 65536);
	size_t len = 0;
	ssize_t got;

	assert_non_null(text);
	assert_int_equal(pipe(pipes), 0);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(pipes[1], STDOUT_FILENO);
	while (argv[argc])
		argc++;
	got = main(argc, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(pipes[1]);
	assert_int_equal(got, want);
	while ((got = read(pipes[0], text + len, 65535 - len)) > 0)
		len += (size_t)got;
	close(pipes[0]);
	return text;
}

#endif
