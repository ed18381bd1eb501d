/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_ca.h - certificates of CAs that servers may be verified by, besides the machine's own
 *
 * They lie in the image as PEM: gate and keeper have the same ones, a reload
 * brings others, and they are part of the policy's hash.
 */
#ifndef SLUICE_POLICY_TLS_CA_H
#define SLUICE_POLICY_TLS_CA_H

#include "policy/loader.h"

#define TLS_CA_BYTES_MAX (1u << 20)	/* of one file */
#define ACCEPTS_TLS_CA "paths of files with certificates in PEM form"

/* Setter of one entry of tls_ca; the file is read with the policy */
bool set_tls_ca(struct loader *l, const struct node *value);

#endif
