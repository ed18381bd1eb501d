/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define PIECE_BYTES (1u << 20)	/* a multiple of every page size */

/* Give back the whole pages of what was copied; free() wants the bytes before the first one */
static void give_back(const uint8_t *from, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)from + page - 1) / page * page;
	uintptr_t end = ((uintptr_t)from + len) / page * page;

	if (len == PIECE_BYTES && first < end)
		madvise((void *)first, end - first, MADV_DONTNEED);
}

static bool write_all(int fd, struct span image)
{
	while (image.len) {
		struct span piece = span_head(image, PIECE_BYTES);
		size_t done = 0;

		while (done < piece.len) {
			ssize_t n = write(fd, piece.at + done, piece.len - done);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return false;
			done += (size_t)n;
		}
		give_back(piece.at, piece.len);
		image = span_skip(image, piece.len);
	}
	return true;
}

static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

static bool move_to(int fd, struct span image, struct shared_policy *s)
{
	size_t len = image.len;
	void *at;

	if (!write_all(fd, image) || fcntl(fd, F_ADD_SEALS, seals) < 0)
		return false;
	at = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return false;
	s->policy = policy_attach(span_of(at, len));
	s->len = len;
	if (s->policy)
		return true;
	munmap(at, len);
	errno = EBADMSG;
	return false;
}

bool share_policy(struct policy *p, struct shared_policy *ret_shared, struct err *err)
{
	AUTO_CLOSE int fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool ok = fd >= 0 && move_to(fd, policy_image(p), ret_shared);

	if (!ok)
		err_sys(err, errno, "cannot hold the policy in memory");
	else
		ret_shared->fd = TAKE_FD(fd);
	ret_shared->secrets = -1;
	policy_free(p);
	return ok;
}

bool share_secrets(const struct policy_secrets *secrets, struct shared_policy *s, struct err *err)
{
	struct buf packed = buf_new(SECRETS_PACKED_MAX);
	AUTO_CLOSE int fd = -1;
	bool ok = true;

	if (!secrets->count)
		return true;
	fd = memfd_create("secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ok = fd >= 0 && policy_secrets_pack(secrets, &packed) &&
	     write(fd, packed.at, packed.len) == (ssize_t)packed.len && fcntl(fd, F_ADD_SEALS, seals) == 0;
	if (packed.at)
		explicit_bzero(packed.at, packed.len);
	buf_done(&packed);
	if (!ok)
		return err_sys(err, errno, "cannot hold the values of inject in memory");
	s->secrets = TAKE_FD(fd);
	return true;
}

void share_done(struct shared_policy *s)
{
	if (!s->policy)
		return;
	munmap((void *)(uintptr_t)s->policy, s->len);
	close(s->fd);
	if (s->secrets >= 0)
		close(s->secrets);
	*s = (struct shared_policy){ 0 };
}
