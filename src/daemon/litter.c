/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/litter.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/span.h"
#include "control/place.h"

static bool is_old(int dir, const char *name)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_mtim.tv_sec + LITTER_AGE_S < now.tv_sec;
}

static bool is_running(const char *folder, const char *session)
{
	AUTO_CLOSE int fd = control_connect(folder, session);

	return fd >= 0;
}

void litter_sweep(const char *folder, bool (*is_kept)(void *arg, const char *session), void *arg)
{
	char session[CONTROL_NAME_MAX + 1];
	const struct dirent *entry;
	DIR *dir = opendir(folder);

	while (dir && (entry = readdir(dir))) {
		struct span name = span_str(entry->d_name), ending = SPAN("-ca.pem");

		if (!span_ends(name, ending) || name.len == ending.len ||
		    !span_copy(span_head(name, name.len - ending.len), session, sizeof(session)))
			continue;
		if (!is_kept(arg, session) && !is_running(folder, session) && is_old(dirfd(dir), entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}
