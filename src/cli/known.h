/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known.h - what the data knows of names, for lint: shared hosting, hosts that data can
 * be left with (exfil_risk of the presets), servers that answer for others
 */
#ifndef SLUICE_CLI_KNOWN_H
#define SLUICE_CLI_KNOWN_H

#include "base/err.h"

struct known;

/* Reads the data folder.  Return: to free with known_done(), or NULL and @err */
struct known *known_open(struct err *err);
void known_done(struct known *k);

/* In words, borrowed, or NULL.  @name: normal form; @arg: a struct known */
const char *known_shared(void *arg, const char *name);
const char *known_leaks(void *arg, const char *name);
const char *known_fronts(void *arg, const char *name);

#endif
