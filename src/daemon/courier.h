/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier.h - the role that brings alerts to the webhook; one per session, if there is one
 *
 * Holds	a socket to the keeper, the webhook's URL and key
 * Should	POST each alert as JSON, signed, once it was taken
 * Mustn't	open a file but what name service and TLS read, listen, exec, signal
 * Accepts	alerts of the keeper; any bytes of the webhook
 *
 * It goes where the policy says (alerts.webhook), by no rule: no jailed process can reach the
 * webhook by it, or say more to it than what an alert tells.
 *
 * Each packet of the keeper is a letter and a text.  First come the ADDRESS and the rest of
 * what it needs, then ALERTs.  It answers with struct courier_count after each that is done
 * with.  When the keeper closes, what waits is tried for COURIER_END_MS, and it ends.
 */
#ifndef SLUICE_DAEMON_COURIER_H
#define SLUICE_DAEMON_COURIER_H

#include <stdint.h>

#define COURIER_PACKET_MAX 65536	/* bytes */
#define COURIER_QUEUE_MAX 100		/* alerts that wait; beyond it the oldest is dropped */
#define COURIER_TRIES 5			/* of one alert: at once, and after 1, 2, 4, 8 seconds */
#define COURIER_END_MS 3000
#define COURIER_LATE_MS 500		/* more, until the keeper ends it */

enum courier_letter {
	LETTER_ADDRESS = 'u', LETTER_KEY = 'k', LETTER_PROXY = 'p', LETTER_PROXY_USER = 'c',
	LETTER_NO_PROXY = 'n', LETTER_CA = 'a',		/* PEM, beside the machine's own; may repeat */
	LETTER_ALERT = 'j',				/* JSON */
};

struct courier_count {
	uint64_t sent, lost;
};

/* --cert-file FILE, --cert-dir FOLDERS */
int courier_main(int argc, char **argv);

#endif
