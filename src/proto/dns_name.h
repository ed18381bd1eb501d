/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_name.h - domain names on the wire and as text (RFC 1035 sections 3.1 and 5.1)
 *
 * The normal form of a name's text: labels joined by dots, lower case, no
 * trailing dot, "." for the root; every octet outside [!-~], and every dot and
 * backslash inside a label, is written \DDD.  So each name has one text and
 * each text one name.
 */
#ifndef SLUICE_PROTO_DNS_NAME_H
#define SLUICE_PROTO_DNS_NAME_H

#include "base/wire.h"
#include "proto/dns_msg.h"

#define DNS_LABEL_MAX 63	/* octets of a label, RFC 1035 2.3.4 */
#define DNS_NAME_WIRE_MAX 255	/* octets of a name with its length octets, RFC 1035 2.3.4 */

/*
 * dns_name_read() - take a name from a message
 * @text:	receives the normal form and a NUL
 * @ret_plain:	every octet is a letter, digit, '-' or '_'
 *
 * Compression is refused: in a question there is nothing before to point to,
 * so a pointer is either a mistake or a trap (RFC 9267 section 2).
 *
 * Return: length of the text; 0 if it is no name, @text is empty then.
 */
size_t dns_name_read(struct wire *w, char text[DNS_NAME_TEXT_MAX], bool *ret_plain);

/*
 * dns_name_put() - write a name, uncompressed
 * @text:	as above; the case is kept, one trailing dot is ignored
 *
 * Return: false if the text is no name; @w may then hold a part of it.  That
 *         it did not fit is told by @w itself.
 */
bool dns_name_put(struct wire_out *w, struct span text);

/*
 * dns_name_unpack() - take a name that may be compressed (RFC 1035 4.1.4)
 * @msg:	the whole message
 * @w:		a reader over a part of @msg; left behind the name where it stands
 * @out:	receives the name on the wire, its case kept, without pointers
 *
 * A pointer must lead to before the run of labels that it ends, and behind the
 * header; so there is no loop (RFC 9267 section 2).
 *
 * Return: octets written; 0 if it is no name, @w is spent then.
 */
size_t dns_name_unpack(struct span msg, struct wire *w, uint8_t out[DNS_NAME_WIRE_MAX]);

#endif
