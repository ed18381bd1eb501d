/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#define SIG_BYTES 64
#define PEM_MAX 65536	/* bytes of a key file that are looked at */

bool make_parents(const char *path, struct err *err)
{
	char part[PATH_MAX];

	if (strlen(path) >= sizeof(part))
		return err_sys(err, ENAMETOOLONG, "%s", path);
	for (size_t i = 0; path[i]; i++) {
		part[i] = path[i];
		if (path[i] != '/' || i == 0)
			continue;
		part[i] = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return err_sys(err, errno, "cannot make %s", part);
		part[i] = '/';
	}
	return true;
}

static bool set_public(struct public_key *p)
{
	uint8_t hash[32];

	if (!EVP_Digest(p->raw, sizeof(p->raw), hash, NULL, EVP_sha256(), NULL))
		return false;
	hex_encode(p->raw, sizeof(p->raw), p->hex);
	hex_encode(hash, KEY_ID_HEX / 2, p->id);
	p->hex[HASH_HEX] = '\0';
	p->id[KEY_ID_HEX] = '\0';
	return true;
}

bool public_key_set(struct public_key *p, struct span hex)
{
	return hex_decode(hex, p->raw, sizeof(p->raw)) && set_public(p);
}

static bool public_of(EVP_PKEY *pkey, struct public_key *p)
{
	size_t len = sizeof(p->raw);

	return EVP_PKEY_is_a(pkey, "ED25519") &&
	       EVP_PKEY_get_raw_public_key(pkey, p->raw, &len) && len == sizeof(p->raw) &&
	       set_public(p);
}

bool public_key_verify(const struct public_key *p, struct span prev, struct span sig)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p->raw,
						     sizeof(p->raw));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t raw[SIG_BYTES];
	bool good;

	good = pkey && ctx && prev.len == HASH_HEX && hex_decode(sig, raw, sizeof(raw)) &&
	       EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	       EVP_DigestVerify(ctx, raw, sizeof(raw), prev.at, prev.len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return good;
}

bool key_sign(const struct key *k, const char prev[HASH_HEX], char ret_sig[SIG_HEX])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t raw[SIG_BYTES];
	size_t len = sizeof(raw);
	bool good;

	good = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pair) == 1 &&
	       EVP_DigestSign(ctx, raw, &len, (const uint8_t *)prev, HASH_HEX) == 1 &&
	       len == sizeof(raw);
	EVP_MD_CTX_free(ctx);
	if (good)
		hex_encode(raw, sizeof(raw), ret_sig);
	return good;
}

size_t public_key_read(struct public_key ret_keys[KEYS_MAX], const char *path, struct err *err)
{
	BIO *bio = BIO_new_file(path, "r");
	size_t count = 0;
	EVP_PKEY *pkey;

	if (!bio) {
		err_sys(err, errno, "cannot read %s", path);
		return 0;
	}
	while (count < KEYS_MAX && (pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL))) {
		count += public_of(pkey, &ret_keys[count]);
		EVP_PKEY_free(pkey);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (!count)
		err_set(err, "%s: no Ed25519 public key in it (keys/audit.key.pub is one)", path);
	return count;
}

static bool write_all(int fd, struct span s)
{
	while (s.len) {
		ssize_t put = write(fd, s.at, s.len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		s = span_skip(s, (size_t)put);
	}
	return fsync(fd) == 0;
}

/*
 * Give @bytes the name @path if nobody has it: under a name of their own first,
 * so that no one ever reads half a key.  That @path exists already is success.
 */
static bool publish_file(const char *path, mode_t mode, struct span bytes, struct err *err)
{
	char own[PATH_MAX];
	uint64_t tag;
	bool good;
	int fd;

	if (RAND_bytes((uint8_t *)&tag, sizeof(tag)) != 1)
		return err_set(err, "no random numbers for %s", path);
	if (snprintf(own, sizeof(own), "%s.%016llx", path, (unsigned long long)tag) >=
	    (int)sizeof(own))
		return err_sys(err, ENAMETOOLONG, "%s", path);
	fd = open(own, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(err, errno, "cannot make %s", own);
	good = write_all(fd, bytes) && (link(own, path) == 0 || errno == EEXIST);
	if (!good)
		err_sys(err, errno, "cannot make %s", path);
	close(fd);
	unlink(own);
	return good;
}

/* Write the private (@path) or public half (@path.pub) of @pair as PEM */
static bool publish_half(EVP_PKEY *pair, bool private, const char *path, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	bool good = false;
	char *pem;
	long len;

	if (bio && (private ? PEM_write_bio_PKCS8PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL)
			    : PEM_write_bio_PUBKEY(bio, pair)) == 1) {
		len = BIO_get_mem_data(bio, &pem);
		good = publish_file(path, private ? 0600 : 0644, span_of(pem, (size_t)len), err);
	} else {
		err_set(err, "cannot write the key %s: OpenSSL failed", path);
	}
	BIO_free(bio);
	return good;
}

static bool make_key(const char *path, struct err *err)
{
	EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bool good;

	if (!pair)
		return err_set(err, "cannot make the key %s: OpenSSL failed", path);
	good = publish_half(pair, true, path, err);
	EVP_PKEY_free(pair);
	return good;
}

/* Return: the descriptor, -1 and @err, or -1 without if there is no such file */
static int open_private(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return -1;
	if (fd < 0 || fstat(fd, &st)) {
		err_sys(err, errno, "cannot read the key %s", path);
		return -1;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > PEM_MAX) {
		err_set(err, "%s: not a key file", path);
		return -1;
	}
	if (st.st_mode & 077 || st.st_uid != geteuid()) {
		err_set(err, "%s: others may use this key (chown it to yourself, chmod 600)", path);
		return -1;
	}
	return TAKE_FD(fd);
}

static bool load_pair(struct key *k, int fd, const char *path, struct err *err)
{
	FILE *file = fdopen(fd, "r");
	char no_password[] = "";	/* or OpenSSL would ask on the terminal */

	if (!file) {
		close(fd);
		return err_sys(err, errno, "cannot read the key %s", path);
	}
	k->pair = PEM_read_PrivateKey(file, NULL, NULL, no_password);
	fclose(file);
	if (k->pair && public_of(k->pair, &k->public))
		return true;
	ERR_clear_error();
	key_done(k);
	return err_set(err, "%s: not an Ed25519 private key (move it away to get a new one)", path);
}

bool key_open(struct key *k, const char *path, struct err *err)
{
	char public_path[PATH_MAX];
	struct err none = { 0 };
	int fd;

	*k = (struct key){ 0 };
	if (snprintf(public_path, sizeof(public_path), "%s.pub", path) >= (int)sizeof(public_path))
		return err_sys(err, ENAMETOOLONG, "%s", path);
	fd = open_private(path, &none);
	if (fd < 0 && !none.text[0]) {
		if (!make_parents(path, err) || !make_key(path, err))
			return false;
		fd = open_private(path, &none);
	}
	if (fd < 0)
		return err_set(err, "%s", none.text[0] ? none.text : "the key was removed");
	if (!load_pair(k, fd, path, err))
		return false;
	if (access(public_path, F_OK) == 0 || publish_half(k->pair, false, public_path, err))
		return true;
	key_done(k);
	return false;
}

void key_done(struct key *k)
{
	EVP_PKEY_free(k->pair);
	k->pair = NULL;
}

static bool make_secret(const char *path, struct err *err)
{
	uint8_t raw[32];
	char hex[2 * sizeof(raw) + 1];

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return err_set(err, "no random numbers for %s", path);
	hex_encode(raw, sizeof(raw), hex);
	hex[sizeof(hex) - 1] = '\n';
	return publish_file(path, 0600, span_of(hex, sizeof(hex)), err);
}

static bool read_secret(int fd, const char *path, struct buf *ret, struct err *err)
{
	ssize_t n = buf_reserve(ret, ret->max) ? read(fd, ret->at, ret->max) : -1;

	if (n < 0)
		return err_sys(err, errno, "cannot read the key %s", path);
	if ((size_t)n == ret->max)
		return err_set(err, "%s: too long for a key", path);
	ret->len = (size_t)n;
	while (ret->len && (ret->at[ret->len - 1] == '\n' || ret->at[ret->len - 1] == '\r'))
		ret->len--;
	return ret->len || err_set(err, "%s: no key in it (remove it to get a new one)", path);
}

bool secret_open(const char *path, struct buf *ret, struct err *err)
{
	struct err none = { 0 };
	AUTO_CLOSE int fd = open_private(path, &none);

	if (fd < 0 && !none.text[0]) {
		if (!make_parents(path, err) || !make_secret(path, err))
			return false;
		fd = open_private(path, &none);
	}
	if (fd < 0)
		return err_set(err, "%s", none.text[0] ? none.text : "the key was removed");
	return read_secret(fd, path, ret, err);
}
