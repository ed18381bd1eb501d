/* SPDX-License-Identifier: Apache-2.0 */
/*
 * units.h - numbers with units, as policies write them
 *
 * Digits and a unit, nothing else: no sign, blank, fraction, or zero in front
 * ("010" is octal to some readers).  Zero is no amount of anything: what is to
 * be closed is closed by a rule, not by a limit of nothing.
 * Each returns false if the text is not of its form or beyond its bound.
 */
#ifndef SLUICE_POLICY_UNITS_H
#define SLUICE_POLICY_UNITS_H

#include "policy/policy.h"

#define RATE_COUNT_MAX 1000000000	/* in any window */
#define BYTES_MAX (UINT64_C(1) << 60)	/* so that sums of a few never overflow */

/* "30/min": N/s, N/min or N/h */
bool units_rate(struct span text, struct rate *ret_rate);

/* "1MB": bytes; kB MB GB TB are 1000s, KiB MiB GiB TiB 1024s, without a unit bytes */
bool units_bytes(struct span text, uint64_t *ret_bytes);

/* "10mbit": bits a second, as bytes a second; kbit mbit gbit are 1000s.  At least 8 kbit. */
bool units_bandwidth(struct span text, uint64_t *ret_bytes_per_s);

/* "30%": 1 to 100 */
bool units_percent(struct span text, uint32_t *ret_percent);

/* "50": 1 to @max */
bool units_count(struct span text, uint64_t max, uint64_t *ret_count);

/*
 * units_expires() - "2027-01-31", to the end of that day UTC, or an RFC 3339 time
 * @ret_s:	seconds since 1970, the first second that is over
 *
 * A fraction of a second is cut off.  Years from 1970 to 9999.
 */
bool units_expires(struct span text, int64_t *ret_s);

#define TIME_TEXT_MAX 40	/* with its NUL, and what a compiler thinks may be needed */

/* "2027-01-31T00:00:00Z" of seconds since 1970, of the years that units_expires() reads */
const char *units_time(int64_t s, char ret_text[TIME_TEXT_MAX]);

#endif
