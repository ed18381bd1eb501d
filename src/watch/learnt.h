/* SPDX-License-Identifier: Apache-2.0 */
/* learnt.h - what is known of one place while a policy is learnt; for learn*.c only */
#ifndef SLUICE_WATCH_LEARNT_H
#define SLUICE_WATCH_LEARNT_H

#include "watch/learn.h"
#include "watch/learn_path.h"

#define LEARN_METHODS_MAX 32	/* names of methods: bits of a mask */
#define LEARN_METHOD_BYTES 24	/* of one; the longest that is registered has 17 */
#define LEARN_PRESET_WORDS (LEARN_PRESETS_MAX / 64)

/* What was said on a connection */
enum said { SAID_TCP, SAID_TLS, SAID_HTTP, SAID_UDP, SAID_NUM };

/* Why a person should look before it holds; the words are in learn_write.c */
enum doubt {
	DOUBT_NONE, DOUBT_RANDOM, DOUBT_ONCE, DOUBT_LATE, DOUBT_SPECIAL, DOUBT_OWN_ADDRESS,
	DOUBT_NUM
};

/* A host or an address, with a port; port 0: a name that was looked up */
struct learnt {
	char		 host[HOST_MAX + 3];	/* normal form; "": @addr.  "*.NAME" for a wildcard */
	struct addr	 addr;
	uint16_t	 port;
	bool		 udp;
	unsigned	 said;			/* bits of enum said, of those that are over */
	bool		 blind;			/* connections of which no request was seen */
	bool		 websocket;
	bool		 special;		/* it leads to special addresses */
	bool		 own;			/* to such that only an ip rule opens */
	bool		 merged;		/* a wildcard stands for it */
	uint64_t	 uses;			/* connections, or look-ups */
	uint64_t	 asked;			/* requests */
	uint64_t	 first;			/* the number of its first use among all */
	uint64_t	 session, sessions;	/* the last it was used in, and how many */
	struct requests	 requests;
	uint64_t	 presets[LEARN_PRESET_WORDS];	/* bits: it covers all that was seen here */
	enum doubt	 doubt;
	bool		 covered;		/* by a preset that was chosen */
};

/* A connection that is open; by its number */
struct open_conn {
	uint64_t	 conn;		/* 0: none */
	uint32_t	 place;
	bool		 asked;		/* a request was seen on it, allowed or not */
	bool		 passed;	/* one that was learnt */
	bool		 ssh;
	enum said	 said;
};

struct learn {
	struct learn_options	 o;
	struct learnt		*places;
	size_t			 count, size;
	uint32_t		*slots;		/* a hash table, at most half full; 0: free */
	struct open_conn	*open;
	size_t			 open_count;
	char			 methods[LEARN_METHODS_MAX][LEARN_METHOD_BYTES + 1];
	size_t			 method_count;
	uint32_t		 nodes_left;
	uint32_t		 dns_types;	/* bits of base/dns_type.h */
	uint64_t		 session;	/* sessions so far */
	uint64_t		 uses;		/* of all places */
	uint64_t		 left_out;	/* no rule can be written for it */
	uint64_t		 lost;		/* places beyond the bound */
	uint64_t		 unix_sockets, own_names;
	bool			 chosen[LEARN_PRESETS_MAX];
};

/* The place, made if it is new; NULL: there is no room.  The array may move. */
struct learnt *learnt_get(struct learn *l, const char *host, const struct addr *addr, uint16_t port,
			bool udp);

/*
 * learnt_conn_passes() - does a policy let a connection like those to this place pass?
 * @seen:	a request is judged by itself: it may be inspected
 */
bool learnt_conn_passes(const struct policy *p, const struct learnt *place, enum said said,
		       bool inspected);
bool learnt_request_passes(const struct policy *p, const struct learnt *place, bool tls,
			  struct span method, struct span path, bool websocket);
bool learnt_name_passes(const struct policy *p, const char *host, uint16_t type);

/* All of what is known of a place, the requests as the patterns that came of them */
bool learnt_passes(const struct learn *l, const struct policy *p, const struct learnt *place);

/* Which presets stand for which places: sets l->chosen and place.covered */
void presets_choose(struct learn *l);

/* What only looks like a name somebody chose: long, and with no pattern in it */
bool name_is_random(struct span host);

/* Which places are to be reviewed, and which siblings become a wildcard */
void places_doubt(struct learn *l);
void places_join(struct learn *l);

/* Was it used, and is a rule of its own to be written for it? */
bool learnt_counts(const struct learnt *place);

#endif
