/* SPDX-License-Identifier: Apache-2.0 */
/* lonely.h - a network namespace for one test program: loopback, and what the test adds */
#ifndef SLUICE_TESTS_LONELY_H
#define SLUICE_TESTS_LONELY_H

/*
 * Enter a fresh network namespace (and a user namespace, if need be) with
 * loopback up.  Exits with 77 (meson: skipped) where namespaces are not to be
 * had, and with 1 if SLUICE_TESTS_MUST_RUN is set.
 */
void lonely_enter(void);

#endif
