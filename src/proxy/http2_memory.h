/* SPDX-License-Identifier: Apache-2.0 */
/* http2_memory.h - what HTTP/2 connections hold together; zeroed at first (proxy/http2.h) */
#ifndef SLUICE_PROXY_HTTP2_MEMORY_H
#define SLUICE_PROXY_HTTP2_MEMORY_H

#include <stddef.h>

struct http2_memory {
	size_t	used;		/* bytes */
	size_t	bridges;
};

#endif
