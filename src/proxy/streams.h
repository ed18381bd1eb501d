/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams.h - a flow whose inspected TLS carries HTTP/2: request by request, as http.h's
 *
 * The bridge (proxy/http2.h) knows streams and no policy; here each request is judged
 * by the gate's policy, and the keeper is asked about what that does not allow, which
 * records.  Questions go out as requests come; the keeper answers them in order.  The
 * flow stays in STREAMS meanwhile: other streams go on.  Each is counted under the rule
 * that allows it (proxy/meter.h); what is beyond a limit is asked about too.
 */
#ifndef SLUICE_PROXY_STREAMS_H
#define SLUICE_PROXY_STREAMS_H

#include "proxy/flow.h"

/* May HTTP/2 be offered just now?  Not if the flows that speak it hold too much memory. */
bool streams_offered(struct proxy *x);

/* From INSPECT, both handshakes over.  Return: false: no memory */
bool streams_start(struct flow *f);

/* End what stands, and tell of it; for all flows */
void streams_over(struct flow *f);

void streams_tick(struct flow *f);	/* once a second */

/* The keeper's answer to the question that was asked first; @d NULL: it passes */
void streams_answered(struct flow *f, const struct talk_deny *d, struct span body);

/* May all that stands go on?  REASON_ALLOWED, or why not. */
enum reason streams_rejudge(struct flow *f);

#endif
