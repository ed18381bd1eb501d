/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One alert is on its way at a time, so they arrive in their order.  What is answered with 2xx
 * has arrived; with 408, 429, 5xx, or not at all, it is tried again later; with anything else it
 * never will, and is lost.  Redirects are not followed: what an alert says is for the address
 * that the policy names.  The answer's body is read and thrown away, 64 KiB at most: once it
 * has begun the status counts, whatever becomes of the rest.
 */
#include "daemon/courier.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "daemon/clock.h"
#include "daemon/role.h"
#include "jail/jail.h"
#include "net/trust.h"

#define CONNECT_LIMIT_MS 5000L
#define TRY_LIMIT_MS 10000L
#define ANSWER_MAX 65536	/* bytes of a body that are read */
#define SIGNATURE "X-Sluice-Signature: sha256="

struct courier {
	CURLM		*multi;
	CURL		*easy;
	struct curl_slist *fields;	/* of the try that is under way */
	char		*alerts[COURIER_QUEUE_MAX];	/* the first is under way, or next */
	size_t		 count;
	bool		 under_way;
	unsigned	 tries;		/* of the first */
	int64_t		 next_ms;	/* no try before */
	size_t		 answered;	/* bytes */
	struct courier_count done;
	struct buf	 key, ca;
	const char	*certificates[3];	/* where they are, if not where OpenSSL looks */
	bool		 ending;
	int64_t		 end_ms;
};

static _Noreturn void fail(const char *why)
{
	role_complain("courier", why);
	_exit(1);
}

/* ---- what the keeper says ---- */

static void tell(const struct courier *c)
{
	/* a keeper that does not read it has gone */
	if (send(ROLE_FD, &c->done, sizeof(c->done), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* The oldest that is not under way makes room */
static void drop_oldest(struct courier *c)
{
	size_t at = c->under_way;

	free(c->alerts[at]);
	memmove(&c->alerts[at], &c->alerts[at + 1], (c->count - at - 1) * sizeof(*c->alerts));
	c->count--;
	c->done.lost++;
	if (!at)
		c->tries = 0;
	tell(c);
}

static void take_alert(struct courier *c, const char *text)
{
	if (c->count == COURIER_QUEUE_MAX)
		drop_oldest(c);
	c->alerts[c->count] = strdup(text);
	if (!c->alerts[c->count])
		fail("out of memory");
	c->count++;
}

static void take(struct courier *c, char letter, const char *text)
{
	switch ((enum courier_letter)letter) {
	case LETTER_ADDRESS:
		curl_easy_setopt(c->easy, CURLOPT_URL, text);
		break;
	case LETTER_KEY:
		buf_add_str(&c->key, text);
		break;
	case LETTER_PROXY:
		curl_easy_setopt(c->easy, CURLOPT_PROXY, text);
		break;
	case LETTER_PROXY_USER:
		curl_easy_setopt(c->easy, CURLOPT_PROXYUSERPWD, text);
		break;
	case LETTER_NO_PROXY:
		curl_easy_setopt(c->easy, CURLOPT_NOPROXY, text);
		break;
	case LETTER_CA:
		buf_add_str(&c->ca, text);
		break;
	case LETTER_ALERT:
		take_alert(c, text);
		break;
	}
}

static void hear(struct courier *c)
{
	static char packet[COURIER_PACKET_MAX + 1];
	ssize_t n;

	while (!c->ending && (n = recv(ROLE_FD, packet, sizeof(packet) - 1, MSG_DONTWAIT)) != -1) {
		if (n == 0) {
			c->ending = true;
			c->end_ms = clock_ms() + COURIER_END_MS;
			c->next_ms = 0;		/* one more try, at once */
			return;
		}
		packet[n] = '\0';
		take(c, packet[0], packet + 1);
	}
	if (!c->ending && errno != EAGAIN && errno != EINTR)
		_exit(0);
}

/* ---- the way to the webhook ---- */

static size_t swallow(char *bytes, size_t size, size_t count, void *arg)
{
	struct courier *c = arg;

	(void)bytes;
	c->answered += size * count;
	return c->answered > ANSWER_MAX ? 0 : size * count;
}

/* With what the policy's tls_ca has, besides the machine's own */
static CURLcode trust_more(CURL *easy, void *ssl, void *arg)
{
	const struct courier *c = arg;

	(void)easy;
	if (c->ca.len)
		trust_parse(ssl, buf_span(&c->ca));
	return CURLE_OK;
}

static void add_signature(struct courier *c, const char *body)
{
	char field[sizeof(SIGNATURE) + 2 * EVP_MAX_MD_SIZE] = SIGNATURE;
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), c->key.at, (int)c->key.len, (const uint8_t *)body, strlen(body), mac,
		  &len))
		fail("HMAC failed");
	for (unsigned i = 0; i < len; i++)
		snprintf(field + strlen(field), 3, "%02x", mac[i]);
	c->fields = curl_slist_append(NULL, "Content-Type: application/json");
	c->fields = curl_slist_append(c->fields, "Expect:");
	c->fields = curl_slist_append(c->fields, field);
	if (!c->fields)
		fail("out of memory");
}

static void set_out(struct courier *c)
{
	add_signature(c, c->alerts[0]);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->fields);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->alerts[0]);
	c->answered = 0;
	c->tries++;
	if (curl_multi_add_handle(c->multi, c->easy) != CURLM_OK)
		fail("libcurl failed");
	c->under_way = true;
}

static bool may_come_later(CURLcode result, long status)
{
	return result != CURLE_OK || status == 408 || status == 429 || status >= 500;
}

static void come_back(struct courier *c, CURLcode result)
{
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (c->answered)
		result = CURLE_OK;
	curl_multi_remove_handle(c->multi, c->easy);
	curl_slist_free_all(c->fields);
	c->fields = NULL;
	c->under_way = false;
	if (may_come_later(result, status) && c->tries < COURIER_TRIES) {
		c->next_ms = clock_ms() + (1000 << (c->tries - 1));
		return;
	}
	if (result == CURLE_OK && status >= 200 && status < 300)
		c->done.sent++;
	else
		c->done.lost++;
	free(c->alerts[0]);
	memmove(c->alerts, c->alerts + 1, --c->count * sizeof(*c->alerts));
	c->tries = 0;
	c->next_ms = 0;
	tell(c);
}

static void perform(struct courier *c)
{
	const CURLMsg *m;
	int left;

	if (curl_multi_perform(c->multi, &left) != CURLM_OK)
		fail("libcurl failed");
	while ((m = curl_multi_info_read(c->multi, &left)))
		if (m->msg == CURLMSG_DONE)
			come_back(c, m->data.result);
}

static int wait_ms(const struct courier *c)
{
	int64_t until = INT64_MAX, now = clock_ms();

	if (c->count && !c->under_way)
		until = c->next_ms;
	if (c->ending && c->end_ms < until)
		until = c->end_ms;
	if (until <= now)
		return 0;
	return until - now < 1000 ? (int)(until - now) : 1000;
}

static void serve(struct courier *c)
{
	while (!c->ending || (c->count && clock_ms() < c->end_ms)) {
		struct curl_waitfd keeper = { .fd = ROLE_FD, .events = CURL_WAIT_POLLIN };

		if (curl_multi_poll(c->multi, &keeper, c->ending ? 0 : 1, wait_ms(c), NULL) !=
		    CURLM_OK)
			fail("libcurl failed");
		if (!c->ending)
			hear(c);
		perform(c);
		if (c->count && !c->under_way && clock_ms() >= c->next_ms)
			set_out(c);
	}
	c->done.lost += c->count;
	tell(c);
}

/* ---- the start ---- */

static void read_arguments(struct courier *c, int argc, char **argv)
{
	static const struct option rows[] = {
		{ "cert-file", required_argument, NULL, 'f' },
		{ "cert-dir", required_argument, NULL, 'd' }, { NULL, 0, NULL, 0 },
	};
	size_t count = 0;
	int o;

	while ((o = getopt_long(argc, argv, "", rows, NULL)) != -1) {
		if (o == 'f')
			curl_easy_setopt(c->easy, CURLOPT_CAINFO, optarg);
		else if (o == 'd')
			curl_easy_setopt(c->easy, CURLOPT_CAPATH, optarg);
		else
			fail("started by hand (sluice run starts it)");
		if (count < ARRAY_SIZE(c->certificates) - 1)
			c->certificates[count++] = optarg;
	}
}

static void prepare(struct courier *c)
{
	curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c->easy, CURLOPT_PROXY, "");	/* unless the policy has one */
	curl_easy_setopt(c->easy, CURLOPT_USERAGENT, "sluice");
	curl_easy_setopt(c->easy, CURLOPT_POST, 1L);
	curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_LIMIT_MS);
	curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, TRY_LIMIT_MS);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, swallow);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_FUNCTION, trust_more);
	curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_DATA, c);
}

/* Libraries that a lookup of a name loads: code, and later there is none to be loaded */
static void load_resolver(void)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;

	if (getaddrinfo("localhost", "80", &hints, &found) == 0)
		freeaddrinfo(found);
}

int courier_main(int argc, char **argv)
{
	static struct courier c;
	struct err err = { "" };

	c.key = buf_new(COURIER_PACKET_MAX);
	c.ca = buf_new(TRUST_BYTES_MAX);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fail("libcurl does not start");
	c.multi = curl_multi_init();
	c.easy = curl_easy_init();
	if (!c.multi || !c.easy)
		fail("libcurl does not start");
	prepare(&c);
	read_arguments(&c, argc, argv);
	load_resolver();
	if (!confine_courier(c.certificates, &err))
		fail(err.text);
	serve(&c);
	return 0;
}
