/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/tls_ca.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "policy/lists.h"

static bool file_bad(struct loader *l, const char *path, const char *found)
{
	struct spot s = { .file = path };

	return spot_bad(&s, l->err, "found %s (accepted: " ACCEPTS_TLS_CA ", at most 1 MB)", found);
}

static bool file_read(struct loader *l, const char *path, struct buf *text)
{
	const struct policy_input *in = l->in;
	ptrdiff_t got = in->list_read ? 1 : -1;

	while (got > 0 && buf_reserve(text, 4096)) {
		got = in->list_read(in->arg, path, l->layer, text->len, text->at + text->len, 4096);
		text->len += got > 0 ? (size_t)got : 0;
	}
	if (text->full)
		return file_bad(l, path, "too many bytes");
	return got == 0 || file_bad(l, path, "no file that can be read");
}

/* One block of a PEM file, written anew: nothing else of the file comes into the image */
static const char *take_block(const char *name, const unsigned char *der, long len, BIO *to)
{
	bool is_cert = !strcmp(name, PEM_STRING_X509) || !strcmp(name, PEM_STRING_X509_OLD);
	X509 *cert = is_cert ? d2i_X509(NULL, &der, len) : NULL;
	bool ok = cert && PEM_write_bio_X509(to, cert) == 1;

	X509_free(cert);
	if (strstr(name, "PRIVATE KEY"))
		return "a private key, which does not belong there";
	return ok ? NULL : "a block that is no certificate";
}

/* Return: NULL, or what is wrong */
static const char *certificates(struct span text, BIO *to)
{
	BIO *from = BIO_new_mem_buf(text.at, (int)text.len);
	const char *wrong = "no certificate";
	char *name, *header;
	unsigned char *der;
	long len;

	while (from && PEM_read_bio(from, &name, &header, &der, &len)) {
		wrong = take_block(name, der, len, to);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)len);
		if (wrong)
			break;
	}
	/* the end is told as an error too; another one is a block that is cut or garbled */
	if (!wrong && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		wrong = "a block that is not PEM";
	BIO_free(from);
	ERR_clear_error();
	return wrong;
}

static bool add_file(struct loader *l, const char *path)
{
	struct buf text = buf_new(TLS_CA_BYTES_MAX);
	BIO *pem = BIO_new(BIO_s_mem());
	struct image_ca ca = { .path = draft_text(&l->draft, span_str(path)) };
	const char *wrong = NULL;
	char *at;
	long len;
	bool ok = pem && file_read(l, path, &text);

	if (ok)
		wrong = certificates(buf_span(&text), pem);
	if (ok && !wrong) {
		len = BIO_get_mem_data(pem, &at);
		ca.pem = draft_text(&l->draft, span_of(at, (size_t)len));
		buf_add(&l->draft.tls_ca, &ca, sizeof(ca));
	}
	BIO_free(pem);
	explicit_bzero(text.at, text.len);
	buf_done(&text);
	return wrong ? file_bad(l, path, wrong) : ok;
}

bool set_tls_ca(struct loader *l, const struct node *value)
{
	struct buf path = buf_new(LIST_PATH_MAX + 1);
	bool ok = list_path(l, value, &path);

	if (ok && l->draft.tls_ca.len == TLS_CA_FILES_MAX * sizeof(struct image_ca))
		ok = loader_bad(l, value, "found more files than fit (accepted: at most %u)",
				TLS_CA_FILES_MAX);
	else if (ok)
		ok = add_file(l, (const char *)path.at);
	buf_done(&path);
	return ok;
}
