/* SPDX-License-Identifier: Apache-2.0 */
/* loader.h - what the parts of loading share; for the files of policy/ only */
#ifndef SLUICE_POLICY_LOADER_H
#define SLUICE_POLICY_LOADER_H

#include "policy/draft.h"
#include "policy/load.h"

#define FILE_MAX (64u << 20)	/* bytes of one policy or preset file */
#define NOTE_MAX 1024		/* bytes of a rule's reason: */
#define ID_MAX 64		/* bytes of a rule's id: */

/* Mappings in which a key may stand; bits, for the table in schema.c */
enum where {
	IN_FILE = 1, IN_DNS = 2, IN_ALLOW = 4, IN_DENY = 8,
	IN_PRESET = 16, IN_PRESET_HOST = 32, IN_PRESET_READ = 64,
	IN_CEILING = 128, IN_BANDWIDTH = 256, IN_QUOTA = 512, IN_INJECT = 1024,
	IN_CREDENTIALS = 2048, IN_LIMITS = 4096, IN_LOG = 8192, IN_CATEGORY = 16384,
	IN_VARIANT = 32768, IN_APPROVED = 65536, IN_PROJECT = 131072, IN_PROJECT_ALLOW = 262144,
	IN_ALERTS = 524288,
};

/* An id that a file gives, to find the one that is there twice */
struct given_id {
	struct span	text;
	struct spot	spot;
	uint32_t	order;
};

/* The item of a list that is being read */
struct item {
	struct image_rule	 rule;
	struct image_more	 more;
	struct span		 inject;	/* the value, as it was written */
	const struct node	*inject_at, *more_at;	/* the value of a key that needs HTTP */
	bool			 has_more;
	const struct node	*at;
	const struct node	*subject;	/* the value of host, ip, preset or a list's key */
	const struct node	*ports;
	struct span		 id;
	bool			 is_preset;
	bool			 is_net;
	bool			 is_list;	/* category, host_list, ip_list */
	unsigned		 index;		/* in its list */
	unsigned		 others;	/* keys besides host, ip, preset, reason */
};

#define NARROW_PORTS_MAX 64	/* ranges, of a rule for a preset and of a preset's host */
#define REPO_MAX 256		/* bytes of a repository's name, and of a template for it */

/* What an allow rule says of the preset that it names */
struct narrow {
	const struct node	*at;		/* NULL: of a preset that nothing narrows */
	const char		*file;		/* and the number in its list, for ids */
	unsigned		 index;
	struct span		 id;
	uint32_t		 note;
	struct port_range	 ports[NARROW_PORTS_MAX];
	size_t			 port_count;	/* 0: all of the preset's */
	const struct node	*methods, *repos;	/* lists, or NULL */
	int64_t			 expires_s;
};

struct loader {
	const struct policy_input *in;
	struct draft	 draft;
	struct arena	 arena;		/* trees of all files */
	struct buf	 ids;		/* struct given_id */
	struct buf	 presets;	/* uint32_t: texts, "NAME" or "NAME:VARIANT", of those that are open */
	struct err	*err;
	/* the file that is being read */
	const char	*file;
	enum layer	 layer;
	bool		 untrusted;	/* policy_file.untrusted */
	bool		 widest;	/* policy_file.widest */
	const char	*project;	/* policy_file.project */
	bool		 elsewhere;	/* what is read is about another project */
	const char	*preset;	/* its name, in a preset file */
	struct category_visit *category;	/* in a category's file */
	const char	*variant;	/* of which hosts are opened: "" for the preset's own */
	bool		 shut;		/* hosts are only read: they are not what is opened */
	bool		 writes;	/* variant write: not only reading */
	bool		 has_repos;	/* the preset has templates for repositories */
	const struct narrow *narrow;	/* NULL: nothing narrows the preset */
	bool		 opened;	/* some rule came of what is being opened */
	bool		 blind;		/* none of the variant */
	struct item	 item;
	uint32_t	 file_text;	/* its name among the draft's texts */
	enum mode	 file_mode;	/* what the file says; MODE_NUM: nothing */
	const struct node *default_allow;	/* the value, if the file says so */
	unsigned	 index;		/* of the value in the list being read */
	struct draft_dns dns;		/* of this file */
	struct policy_log log;		/* of this file */
};

/*
 * schema_read() - take in every key of a mapping
 *
 * Return: false and l->err at the first one that is wrong.
 */
bool schema_read(struct loader *l, const struct node *map, enum where where);

/* "FILE:LINE:COLUMN: ..." about @n.  Return: false */
bool loader_bad(struct loader *l, const struct node *n, const char *fmt, ...) PRINTF(3, 4);

/* The item's subject is @value, unless it has one */
bool item_take_subject(struct loader *l, const struct node *value);

/* Small letters, digits, '-' and '_': a name that is safe as a file's name */
bool preset_name_is_good(struct span name);

/*
 * preset_open() - add the rules of a preset, unless they are there already
 * @name:	as it was typed: NAME or NAME:VARIANT; NAME may be an alias
 * @spot:	where, for messages
 * @narrow:	what narrows it, or NULL
 *
 * A variant opens the preset and more.
 */
bool preset_open(struct loader *l, struct span name, const struct spot *spot,
		 const struct narrow *narrow);

/* narrow_read() - what the item, which names a preset, says of it */
bool narrow_read(struct loader *l, struct narrow *n);

/*
 * narrow_host() - add the item, a host of a preset, as the preset is being opened
 * @host:	its mapping in the preset's file; NULL: the host is from elsewhere
 * @read:	the list of requests that read it; NULL: the preset knows none, all pass
 * @list:	for the rule's id
 */
bool narrow_host(struct loader *l, const struct node *host, const struct node *read,
		 const char *list);

/* flags_read() - add what the command line asks for */
bool flags_read(struct loader *l);

/* host_proxy_read() - the host's proxy variables, if no file says upstream_proxy */
bool host_proxy_read(struct loader *l);

/* mode_from() - a mode by its name or alias */
bool mode_from(struct span name, enum mode *ret_mode);

/* What is accepted, for messages of files and flags alike */
#define ACCEPTS_MODE "filtered, restricted, nat-filtered, isolated, none, internal, monitor or " \
	"bridge"
#define ACCEPTS_DEFAULT "deny or ask; allow with mode: monitor"
#define ACCEPTS_PORTS "ports: 443, \"8000-8010\", \"123/udp\"; 53 and 853 are sluice's own"
#define ACCEPTS_HOST "NAME, \"*.NAME\" for what is below it, \".NAME\" for both; " \
	"addresses are ip rules"
#define ACCEPTS_IP "an address or a network like 203.0.113.0/24, with no bits beyond its prefix"
#define ACCEPTS_PRIVATE "networks like 10.20.0.0/16, or HOST=NETWORK for that host alone"
#define ACCEPTS_HOST_PORT "PORT or JAIL:PORT, each port in the jail once"
#define ACCEPTS_PUBLISH "[ADDRESS:]PORT[:JAIL], each port of the host once"
#define ACCEPTS_PRESET "small letters, digits, - and _"
#define ACCEPTS_LIST "the path of a file, from the folder of the policy file on"
#define ACCEPTS_SUFFIX "a name below it"
#define ACCEPTS_METHODS "methods in capitals, like GET"
#define ACCEPTS_PATHS "paths like /v1/*, with no \"//\", dot segments, encoded slashes, ? or #; " \
	"* stops at /, ** does not"
#define ACCEPTS_EXPIRES "a day like 2027-01-31, or an RFC 3339 time"
#define ACCEPTS_RATE "N/s, N/min or N/h"
#define ACCEPTS_RATES ACCEPTS_RATE ", or a list of them"
#define ACCEPTS_BYTES "bytes: 500, 10kB, 1MB, 2GB, 1KiB, 1MiB, 1GiB"
#define ACCEPTS_BANDWIDTH "bits a second: 500kbit, 10mbit, 1gbit"
#define ACCEPTS_HEADER "the name of a header field; not Host and the like"
#define ACCEPTS_DETAIL "redact, full or none"
#define ACCEPTS_PROXY "http://[USER:PASSWORD@]HOST:PORT"
#define ACCEPTS_PEERS "networks like 172.28.1.0/24; not loopback, metadata or multicast"

#endif
