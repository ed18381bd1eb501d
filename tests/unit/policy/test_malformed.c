/* SPDX-License-Identifier: Apache-2.0 */
/* Every mistake in a policy file has its place and its words */
#include "policy_unit.h"

#define UPSTREAM "system, ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT, tls://ADDRESS#NAME; at most 3"
#define TYPES "A, AAAA, CAA, CNAME, LOC, MX, NAPTR, NS, OPENPGPKEY, PTR, SMIMEA, SOA, SRV, SSHFP, " \
	"TLSA, TXT, URI"
#define V "version: 1\n"
#define KEYS " (accepted: version, mode, default, presets, allow, deny, private_networks, " \
	"host_ports, publish, dns, limits, peers, log, ceiling, upstream_proxy, tls_ca, alerts)"
#define ALERTS " (accepted: a mapping like {webhook: URL})"
#define WEBHOOKS " that is no URL (accepted: https://HOST[:PORT]/PATH or http://, without a user)"
#define RULE_KEYS " (accepted: host, ip, preset, ports, protocol, private, unsafe_wildcard, " \
	"over_lists, under_ceiling, reason, id, methods, paths, expires, rate, bandwidth, quota, max_request, websocket, " \
	"inspect, ech, inject, credentials, repos)"
#define DENY_KEYS " (accepted: host, ip, category, ip_list, host_list, ports, reason, id, methods, " \
	"paths, expires, quiet)"
#define PROJECT_KEYS " (accepted: version, mode, presets, allow, deny, limits)"
#define PROJECT_RULE_KEYS " (accepted: host, ip, preset, ports, protocol, over_lists, under_ceiling, reason, id, methods, " \
	"paths, expires, rate, bandwidth, quota, max_request, websocket, inspect, ech, credentials, " \
	"repos)"
#define HOSTS " (accepted: NAME, \"*.NAME\" for what is below it, \".NAME\" for both; " \
	"addresses are ip rules)"
#define PORTS "ports: 443, \"8000-8010\", \"123/udp\"; 53 and 853 are sluice's own)"
#define NETS " (accepted: an address or a network like 203.0.113.0/24, with no bits beyond its " \
	"prefix)"
#define MODES " (accepted: filtered, restricted, nat-filtered, isolated, none, internal, " \
	"monitor or bridge)"
#define PROXIES " (accepted: http://[USER:PASSWORD@]HOST:PORT)"
#define DEFAULTS " (accepted: deny or ask; allow with mode: monitor)"
#define METHODS "methods in capitals, like GET)"
#define PATHS "paths like /v1/*, with no \"//\", dot segments, encoded " \
	"slashes, ? or #; * stops at /, ** does not)"
#define TIMES " (accepted: a day like 2027-01-31, or an RFC 3339 time)"
#define RATE_LIST " (accepted: N/s, N/min or N/h, or a list of them)"
#define RATES " (accepted: N/s, N/min or N/h)"
#define BITS " (accepted: bits a second: 500kbit, 10mbit, 1gbit)"
#define BYTES " (accepted: bytes: 500, 10kB, 1MB, 2GB, 1KiB, 1MiB, 1GiB)"
#define HEADERS " (accepted: the name of a header field; not Host and the like)"
#define SOURCES " (accepted: ${env:NAME}, ${file:PATH}, ${cmd:COMMAND})"
#define WITH_TLS "(accepted: with protocol auto or tls, a port for it, and not inspect: never)"
#define INJECTS " (accepted: {header: NAME, value: TEXT})"
#define PEERS "networks like 172.28.1.0/24; not loopback, metadata or multicast)"
#define RULES " (accepted: a list of rules like {host: NAME})"

struct row {
	const char *text, *want;	/* want: behind "p.yaml:" */
};

static const struct row rows[] = {
	{ "", "1:1: found nothing (accepted: a mapping)" },
	{ "# nothing\n", "1:1: found nothing (accepted: a mapping)" },
	{ "version: 2\n", "1:10: found 2 (accepted: 1)" },
	{ "version: \"1\"\n", "1:10: found \"1\" (accepted: 1)" },
	{ "version: 1.0\n", "1:10: found 1.0 (accepted: 1)" },
	{ "mode: filtered\n", "1:1: found no version (accepted: version: 1)" },
	{ "- version: 1\n", "1:1: found a list (accepted: a mapping)" },
	{ "version\n", "1:1: found version (accepted: a mapping)" },
	{ V "version: 1\n", "2:1: duplicate key version (accepted: each key once)" },
	{ V "hosts: []\n", "2:1: unknown key hosts" KEYS },
	{ V "? [a]\n: b\n", "2:3: unknown key a list" KEYS },
	{ V "<<: {}\n", "2:1: unknown key <<" KEYS },
	{ V "mode: open\n", "2:7: found open" MODES },
	{ V "mode: [filtered]\n", "2:7: found a list" MODES },
	{ V "mode:\n", "2:6: found nothing" MODES },
	{ V "default: allow\n", "2:10: found allow without mode: monitor" DEFAULTS },
	{ V "default: asks\n", "2:10: found asks" DEFAULTS },
	{ V "default: maybe\n", "2:10: found maybe" DEFAULTS },
	{ V "presets: npm\n", "2:10: found npm (accepted: a list of preset names)" },
	{ V "presets: [nosuch]\n",
	  "2:11: found the unknown preset nosuch (accepted: a name that `sluice presets` "
	  "lists)" },
	{ V "presets: ['npm:write']\n",
	  "2:11: found the unknown variant npm:write (accepted: npm)" },
	{ V "presets: [[npm]]\n", "2:11: found a list (accepted: preset names)" },
	{ V "allow:\n", "2:7: found nothing (accepted: a list of rules like {host: NAME})" },
	{ V "allow: {host: a.example}\n",
	  "2:8: found a mapping (accepted: a list of rules like {host: NAME})" },
	{ V "allow:\n  - a.example\n",
	  "3:5: found a.example (accepted: rules like {host: NAME})" },
	{ V "allow:\n  - {}\n",
	  "3:5: found a rule without a subject (accepted: host, ip or preset)" },
	{ V "allow:\n  - host: 10.0.0.1\n", "3:11: found 10.0.0.1" HOSTS },
	{ V "allow:\n  - host: 5\n", "3:11: found 5" HOSTS },
	{ V "allow:\n  - host: https://a.example/\n", "3:11: found https://a.example/" HOSTS },
	{ V "allow:\n  - host: \"*\"\n",
	  "3:11: found every name (accepted: names, or unsafe_wildcard: true)" },
	{ V "allow:\n  - host: \"*\"\n    private: true\n    unsafe_wildcard: true\n",
	  "3:5: found private in a rule for every name (accepted: with the names that are meant)" },
	{ V "allow:\n  - host: *.example.com\n",
	  "3:11: found an alias (accepted: values written out; quote what begins with *)" },
	{ V "allow:\n  - host: \"*.com\"\n",
	  "3:11: found a wildcard over the public suffix com (accepted: a name below it, or "
	  "unsafe_wildcard: true)" },
	{ V "allow:\n  - host: .github.io\n",
	  "3:11: found a wildcard over the public suffix github.io (accepted: a name below it, "
	  "or unsafe_wildcard: true)" },
	{ V "allow:\n  - host: localhost\n",
	  "3:11: found localhost, which is the jail's own (accepted: other names; host_ports "
	  "opens ports of the host)" },
	{ V "allow:\n  - {host: a.example, ip: 192.0.2.1}\n",
	  "3:27: found a second subject of the rule (accepted: one)" },
	{ V "allow:\n  - {host: a.example, host: b.example}\n",
	  "3:23: duplicate key host (accepted: each key once)" },
	{ V "allow:\n  - {host: a.example, ports: 443}\n",
	  "3:30: found 443 (accepted: a list of " PORTS },
	{ V "allow:\n  - {host: a.example, ports: []}\n",
	  "3:30: found an empty list (accepted: a list of " PORTS },
	{ V "allow:\n  - {host: a.example, ports: [443, 53]}\n",
	  "3:36: found 53 (accepted: " PORTS },
	{ V "allow:\n  - {host: a.example, ports: [0]}\n", "3:31: found 0 (accepted: " PORTS },
	{ V "allow:\n  - {host: a.example, ports: [https]}\n",
	  "3:31: found https (accepted: " PORTS },
	{ V "allow:\n  - {host: a.example, ports: [443, null]}\n",
	  "3:36: found nothing (accepted: " PORTS },
	{ V "allow:\n  - {host: a.example, protocol: ssh}\n",
	  "3:33: found ssh (accepted: auto, tls, http, tcp or udp)" },
	{ V "allow:\n  - {host: a.example, protocol: udp}\n",
	  "3:5: found protocol udp without ports (accepted: ports such as \"123/udp\")" },
	{ V "allow:\n  - {host: a.example, ports: [123], protocol: udp}\n",
	  "3:31: found a TCP port under a protocol of UDP (accepted: \"PORT/udp\" with "
	  "protocol udp, else TCP ports)" },
	{ V "allow:\n  - {host: a.example, ports: [443/udp], protocol: tls}\n",
	  "3:31: found a UDP port under a protocol of TCP (accepted: \"PORT/udp\" with "
	  "protocol udp, else TCP ports)" },
	{ V "allow:\n  - {host: a.example, private: yes}\n",
	  "3:32: found yes (accepted: true or false)" },
	{ V "allow:\n  - {host: a.example, private: \"true\"}\n",
	  "3:32: found \"true\" (accepted: true or false)" },
	{ V "allow:\n  - {host: a.example, quiet: true}\n", "3:23: unknown key quiet" RULE_KEYS },
	{ V "allow:\n  - {host: a.example, reason: [a, b]}\n",
	  "3:31: found a list (accepted: a text of at most 1024 bytes)" },
	{ V "allow:\n  - {host: a.example, reason: 5}\n",
	  "3:31: found 5 (accepted: a text of at most 1024 bytes)" },
	{ V "allow:\n  - {host: a.example, reason: \"a\\0b\"}\n",
	  "3:31: found a control character in a value (accepted: printable text)" },
	{ V "allow:\n  - {host: a.example, reason: \"\\x9b31m\"}\n",
	  "3:31: found a control character in a value (accepted: printable text)" },
	{ V "allow:\n  - {host: a.example, id: a b}\n",
	  "3:27: found a b (accepted: 1 to 64 letters, digits and . _ - : /)" },
	{ V "allow:\n  - {host: a.example, id: x}\n  - {host: b.example, id: x}\n",
	  "4:27: found the id x, which p.yaml:3:27 has (accepted: each once)" },
	{ V "allow:\n  - ip: 203.0.113.0/24\n",
	  "3:5: found an ip rule without ports (accepted: ports: [22])" },
	{ V "allow:\n  - {ip: 203.0.113.1/24, ports: [22]}\n",
	  "3:10: found 203.0.113.1/24" NETS },
	{ V "allow:\n  - {ip: a.example, ports: [22]}\n", "3:10: found a.example" NETS },
	{ V "allow:\n  - {ip: 10.0.0.0/8, ports: [22], private: true}\n",
	  "3:5: found private or unsafe_wildcard in an ip rule (accepted: with host only)" },
	{ V "allow:\n  - {preset: npm, ports: [22]}\n",
	  "3:5: found a preset narrowed to nothing (accepted: ports and methods that it has)" },
	{ V "allow:\n  - {preset: npm, repos: [a/b]}\n",
	  "3:5: found repos for a preset whose paths name no repository (accepted: without "
	  "repos)" },
	{ V "allow:\n  - {preset: npm, rate: 1/s}\n",
	  "3:19: found rate in a rule for a preset (accepted: preset, repos, ports, methods, "
	  "expires, reason, id)" },
	{ V "allow:\n  - {preset: npm, repos: [a//b]}\n",
	  "3:27: found a//b (accepted: OWNER/NAME or OWNER; * is any name or part of one)" },
	{ V "allow:\n  - {preset: npm, repos: [../b]}\n",
	  "3:27: found ../b (accepted: OWNER/NAME or OWNER; * is any name or part of one)" },
	{ V "allow:\n  - {preset: npm, repos: ['**']}\n",
	  "3:27: found \"**\" (accepted: OWNER/NAME or OWNER; * is any name or part of one)" },
	{ V "allow:\n  - {preset: npm, repos: [a/]}\n",
	  "3:27: found a/ (accepted: OWNER/NAME or OWNER; * is any name or part of one)" },
	{ V "allow:\n  - {preset: npm, repos: []}\n",
	  "3:26: found an empty list (accepted: a list of OWNER/NAME or OWNER; * is any name or "
	  "part of one)" },
	{ V "deny:\n  - category: nosuch\n",
	  "3:15: found the unknown category nosuch (accepted: the name of a category)" },
	{ V "deny:\n  - category: [a]\n",
	  "3:15: found a list (accepted: the name of a category)" },
	{ V "deny:\n  - {host: a.test, category: a}\n",
	  "3:30: found a second subject of the rule (accepted: one)" },
	{ V "allow:\n  - category: a\n", "3:5: unknown key category" RULE_KEYS },
	{ V "allow:\n  - host_list: a\n", "3:5: unknown key host_list" RULE_KEYS },
	{ V "deny:\n  - host_list: ''\n",
	  "3:16: found \"\" (accepted: the path of a file, from the folder of the policy file on)" },
	{ V "deny:\n  - ip_list:\n",
	  "3:13: found nothing (accepted: the path of a file, from the folder of the policy file "
	  "on)" },
	{ V "deny:\n  - {preset: npm}\n",
	  "3:6: unknown key preset" DENY_KEYS },
	{ V "deny:\n  - {host: a.example, protocol: tls}\n",
	  "3:23: unknown key protocol" DENY_KEYS },
	{ V "private_networks: [10.20.0.1/16]\n",
	  "2:20: found 10.20.0.1/16 (accepted: networks like 10.20.0.0/16, or HOST=NETWORK for "
	  "that host alone)" },
	{ V "host_ports: [x]\n",
	  "2:14: found x (accepted: PORT or JAIL:PORT, each port in the jail once)" },
	{ V "host_ports: [5432, \"5432:15432\"]\n",
	  "2:20: found \"5432:15432\" (accepted: PORT or JAIL:PORT, each port in the jail "
	  "once)" },
	{ V "publish: [\"[::1]\"]\n",
	  "2:11: found \"[::1]\" (accepted: [ADDRESS:]PORT[:JAIL], each port of the host once)" },
	{ V "dns: {synthetic: [28.0.0.0/20]}\n",
	  "2:19: found 28.0.0.0/20 (accepted: networks, IPv4 of /8 to /16 and IPv6 of /64 to "
	  "/96)" },
	{ V "dns: {synthetic: [127.0.0.0/8]}\n",
	  "2:19: found 127.0.0.0/8 (accepted: networks, IPv4 of /8 to /16 and IPv6 of /64 to "
	  "/96)" },
	{ V "dns: {upstream: []}\n",
	  "2:17: found an empty list (accepted: a list of " UPSTREAM ")" },
	{ V "dns: {upstream: system}\n", "2:17: found system (accepted: a list of " UPSTREAM ")" },
	{ V "dns: {upstream: [null]}\n", "2:18: found nothing (accepted: " UPSTREAM ")" },
	{ V "dns: {upstream: [dns.quad9.net]}\n",
	  "2:18: found dns.quad9.net (accepted: " UPSTREAM ")" },
	{ V "dns: {upstream: [\"9.9.9.9:0\"]}\n",
	  "2:18: found \"9.9.9.9:0\" (accepted: " UPSTREAM ")" },
	{ V "dns: {upstream: [0.0.0.0]}\n", "2:18: found 0.0.0.0 (accepted: " UPSTREAM ")" },
	{ V "dns: {upstream: [\"tls://9.9.9.9\"]}\n",
	  "2:18: found a server without the name that its certificate must have (accepted: "
	  "tls://ADDRESS#NAME)" },
	{ V "dns: {upstream: [\"tls://9.9.9.9#1.2.3.4\"]}\n",
	  "2:18: found a server with what is no host name behind '#' (accepted: "
	  "tls://ADDRESS#NAME)" },
	{ V "dns: {upstream: [\"tls://dns.quad9.net#dns.quad9.net\"]}\n",
	  "2:18: found \"tls://dns.quad9.net#dns.quad9.net\" (accepted: " UPSTREAM ")" },
	{ V "dns: {upstream: [\"tls://9.9.9.9#a.b\", system]}\n",
	  "2:39: found servers with and without tls:// in one list, which would fall back to "
	  "plain DNS (accepted: all tls://, or none)" },
	{ V "dns: {upstream: [1.1.1.1, \"tls://9.9.9.9#a.b\"]}\n",
	  "2:27: found servers with and without tls:// in one list, which would fall back to "
	  "plain DNS (accepted: all tls://, or none)" },
	{ V "dns: {upstream: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}\n",
	  "2:45: found more servers (accepted: at most 3)" },
	{ V "dns: {types: []}\n", "2:14: found an empty list (accepted: a list of " TYPES ")" },
	{ V "dns: {types: [TXT, HTTPS]}\n",
	  "2:20: found HTTPS, which is never answered (accepted: " TYPES ")" },
	{ V "dns: {types: [svcb]}\n",
	  "2:15: found SVCB, which is never answered (accepted: " TYPES ")" },
	{ V "dns: {types: [ANY]}\n",
	  "2:15: found ANY, which is never answered (accepted: " TYPES ")" },
	{ V "dns: {types: [TYPE64]}\n",
	  "2:15: found SVCB, which is never answered (accepted: " TYPES ")" },
	{ V "dns: {types: [TYPE65280]}\n",
	  "2:15: found TYPE65280, which is never answered (accepted: " TYPES ")" },
	{ V "dns: {types: [TXTT]}\n", "2:15: found TXTT (accepted: " TYPES ")" },
	{ V "dns: {types: [16]}\n", "2:15: found 16 (accepted: " TYPES ")" },
	{ V "dns: {typs: [TXT]}\n",
	  "2:7: unknown key typs (accepted: synthetic, upstream, types)" },
	{ V "dns: [a]\n",
	  "2:6: found a list (accepted: a mapping with synthetic, upstream, types)" },
	{ V "dns: {synthetic: []}\n",
	  "2:18: found an empty list (accepted: a list of networks, IPv4 of /8 to /16 and IPv6 "
	  "of /64 to /96)" },
	{ V "allow: &a []\n", "2:8: found an anchor or a tag (accepted: plain values)" },
	{ V "allow: &a []\ndeny: *a\n",
	  "2:8: found an anchor or a tag (accepted: plain values)" },
	{ V "mode: !!str filtered\n", "2:7: found an anchor or a tag (accepted: plain values)" },
	{ V "--- \nversion: 1\n", "2:1: found a second document (accepted: one)" },
	{ V "allow: [\n",
	  "3:1: found what is no YAML: while parsing a flow node, did not find expected node "
	  "content" },
	{ V "\tmode: filtered\n",
	  "2:1: found what is no YAML: while scanning a plain scalar, found a tab character "
	  "that violates indentation" },
	{ V "mode: \"\\q\"\n",
	  "2:8: found what is no YAML: while parsing a quoted scalar, found unknown escape "
	  "character" },
	{ V "a: [[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]\n",
	  "2:19: found more than 16 levels inside each other" },
	{ V "mode: f\xff\n", "2:8: found bytes that YAML does not take (accepted: UTF-8 text)" },
	{ V "x: a\x01" "b\n", "2:5: found bytes that YAML does not take (accepted: UTF-8 text)" },
};

/* Keys that say more of a rule, limits, and what else a file may hold */
static const struct row more_rows[] = {
	{ V "allow:\n  - {host: a.example, methods: []}\n",
	  "3:32: found an empty list (accepted: a list of " METHODS },
	{ V "allow:\n  - {host: a.example, methods: GET}\n",
	  "3:32: found GET (accepted: a list of " METHODS },
	{ V "allow:\n  - {host: a.example, methods: [get]}\n",
	  "3:33: found get (accepted: " METHODS },
	{ V "allow:\n  - {host: a.example, methods: [null]}\n",
	  "3:33: found nothing (accepted: " METHODS },
	{ V "allow:\n  - {host: a.example, methods: [\"GE T\"]}\n",
	  "3:33: found \"GE T\" (accepted: " METHODS },
	{ V "allow:\n  - {host: a.example, methods: [5]}\n",
	  "3:33: found 5 (accepted: " METHODS },
	{ V "allow:\n  - {host: a.example, methods: [ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH]}\n",
	  "3:33: found ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH (accepted: " METHODS },
	{ V "allow:\n  - {host: a.example, paths: []}\n",
	  "3:30: found an empty list (accepted: a list of " PATHS },
	{ V "allow:\n  - {host: a.example, paths: [v1]}\n", "3:31: found v1 (accepted: " PATHS },
	{ V "allow:\n  - {host: a.example, paths: [\"/a//b\"]}\n",
	  "3:31: found \"/a//b\" (accepted: " PATHS },
	{ V "allow:\n  - {host: a.example, paths: [\"/a/../b\"]}\n",
	  "3:31: found \"/a/../b\" (accepted: " PATHS },
	{ V "allow:\n  - {host: a.example, paths: [\"/a%2fb\"]}\n",
	  "3:31: found \"/a%2fb\" (accepted: " PATHS },
	{ V "allow:\n  - {host: a.example, paths: [\"/a?b\"]}\n",
	  "3:31: found \"/a?b\" (accepted: " PATHS },
	{ V "allow:\n  - {host: a.example, paths: [\"/***\"]}\n",
	  "3:31: found \"/***\" (accepted: " PATHS },
	{ V "allow:\n  - {host: a.example, paths: [null]}\n",
	  "3:31: found nothing (accepted: " PATHS },
	{ V "allow:\n  - {host: a.example, expires: 2027-02-29}\n",
	  "3:32: found 2027-02-29" TIMES },
	{ V "allow:\n  - {host: a.example, expires: never}\n", "3:32: found never" TIMES },
	{ V "allow:\n  - {host: a.example, expires: null}\n", "3:32: found nothing" TIMES },
	{ V "allow:\n  - {host: a.example, expires: 2027-01-31T00:00:00}\n",
	  "3:32: found 2027-01-31T00:00:00" TIMES },
	{ V "allow:\n  - {host: a.example, expires: 1800000000}\n",
	  "3:32: found 1800000000" TIMES },
	{ V "allow:\n  - {host: a.example, rate: 30}\n", "3:29: found 30" RATES },
	{ V "allow:\n  - {host: a.example, rate: 0/s}\n", "3:29: found 0/s" RATES },
	{ V "allow:\n  - {host: a.example, rate: 30/day}\n", "3:29: found 30/day" RATES },
	{ V "allow:\n  - {host: a.example, rate: 1.5/s}\n", "3:29: found 1.5/s" RATES },
	{ V "allow:\n  - {host: a.example, rate: -1/s}\n", "3:29: found -1/s" RATES },
	{ V "allow:\n  - {host: a.example, rate: 99999999999999999999/s}\n",
	  "3:29: found 99999999999999999999/s" RATES },
	{ V "allow:\n  - {host: a.example, rate:}\n",
	  "3:27: found what is no YAML: while scanning a plain scalar, found unexpected ':'" },
	{ V "allow:\n  - {host: a.example, rate: true}\n", "3:29: found true" RATES },
	{ V "allow:\n  - {host: a.example, rate: [1/s]}\n", "3:29: found a list" RATES },
	{ V "allow:\n  - {host: a.example, bandwidth: 1mbit}\n",
	  "3:34: found 1mbit (accepted: {down: 10mbit, up: 1mbit, burst: 1MB})" },
	{ V "allow:\n  - {host: a.example, bandwidth: {}}\n",
	  "3:34: found a mapping (accepted: {down: 10mbit, up: 1mbit, burst: 1MB})" },
	{ V "allow:\n  - {host: a.example, bandwidth: {burst: 1MB}}\n",
	  "3:34: found a burst alone (accepted: {down: 10mbit, up: 1mbit, burst: 1MB})" },
	{ V "allow:\n  - {host: a.example, bandwidth: {up: 1MB}}\n", "3:39: found 1MB" BITS },
	{ V "allow:\n  - {host: a.example, bandwidth: {up: 1kbit}}\n", "3:39: found 1kbit" BITS },
	{ V "allow:\n  - {host: a.example, bandwidth: {sideways: 1mbit}}\n",
	  "3:35: unknown key sideways (accepted: down, up, burst)" },
	{ V "allow:\n  - {host: a.example, quota: {}}\n",
	  "3:30: found a mapping (accepted: {down: 1GB, up: 50MB})" },
	{ V "allow:\n  - {host: a.example, quota: {up: 0}}\n", "3:35: found 0" BYTES },
	{ V "allow:\n  - {host: a.example, quota: {up: 1mb}}\n", "3:35: found 1mb" BYTES },
	{ V "allow:\n  - {host: a.example, quota: 1GB}\n",
	  "3:30: found 1GB (accepted: {down: 1GB, up: 50MB})" },
	{ V "allow:\n  - {host: a.example, max_request: 0}\n", "3:36: found 0" BYTES },
	{ V "allow:\n  - {host: a.example, max_request: unlimited}\n",
	  "3:36: found unlimited" BYTES },
	{ V "allow:\n  - {host: a.example, max_request: 99999999999TiB}\n",
	  "3:36: found 99999999999TiB" BYTES },
	{ V "allow:\n  - {host: a.example, websocket: 1}\n",
	  "3:34: found 1 (accepted: true or false)" },
	{ V "allow:\n  - {host: a.example, websocket: \"true\"}\n",
	  "3:34: found \"true\" (accepted: true or false)" },
	{ V "allow:\n  - {host: a.example, inspect: maybe}\n",
	  "3:32: found maybe (accepted: auto, always or never)" },
	{ V "allow:\n  - {host: a.example, inspect: true}\n",
	  "3:32: found true (accepted: auto, always or never)" },
	{ V "allow:\n  - {host: a.example, ech: true}\n",
	  "3:28: found true (accepted: deny or allow)" },
	{ V "allow:\n  - {host: a.example, ech: deny, ech: allow}\n",
	  "3:34: duplicate key ech (accepted: each key once)" },
	{ V "allow:\n  - {host: a.example, inject: {}}\n", "3:31: found a mapping" INJECTS },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key}}\n",
	  "3:31: found inject without header or value" INJECTS },
	{ V "allow:\n  - {host: a.example, inject: {value: v}}\n",
	  "3:31: found inject without header or value" INJECTS },
	{ V "allow:\n  - {host: a.example, inject: {header: Host, value: v}}\n",
	  "3:40: found Host" HEADERS },
	{ V "allow:\n  - {host: a.example, inject: {header: \"X Key\", value: v}}\n",
	  "3:40: found \"X Key\"" HEADERS },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: \"\"}}\n",
	  "3:54: found no value (accepted: a text of at most 8192 bytes; ${env:NAME}, "
	  "${file:PATH}, ${cmd:COMMAND} in it)" },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: \"${env:}\"}}\n",
	  "3:31: found a $ that begins no source" SOURCES },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: \"$X\"}}\n",
	  "3:31: found a $ that begins no source" SOURCES },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: v}, protocol: http}\n",
	  "3:31: found inject where no TLS is inspected " WITH_TLS },
	{ V "allow:\n  - {host: a.example, ports: [80], inject: {header: X-Key, value: v}}\n",
	  "3:44: found inject where no TLS is inspected " WITH_TLS },
	{ V "allow:\n  - {host: a.example, ports: [443/udp], inject: {header: X-Key, value: v}}\n",
	  "3:49: found inject where no TLS is inspected " WITH_TLS },
	{ V "allow:\n  - {host: a.example, inject: {header: Range, value: v}}\n",
	  "3:40: found Range" HEADERS },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: \"${env:1A}\"}}\n",
	  "3:31: found a $ that begins no source" SOURCES },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: \"${file:}\"}}\n",
	  "3:31: found a $ that begins no source" SOURCES },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: \"${cmd:a\"}}\n",
	  "3:31: found a $ that begins no source" SOURCES },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: v}, inspect: never}\n",
	  "3:31: found inject where no TLS is inspected " WITH_TLS },
	{ V "allow:\n  - {host: a.example, credentials: {}}\n",
	  "3:36: found a mapping (accepted: {header: NAME, sha256: [HEX]})" },
	{ V "allow:\n  - {host: a.example, credentials: {header: X-Key, sha256: []}}\n",
	  "3:60: found an empty list (accepted: a list of SHA-256 of values: 64 hex digits "
	  "each)" },
	{ V "allow:\n  - {host: a.example, credentials: {header: X-Key, sha256: [abc]}}\n",
	  "3:61: found abc (accepted: SHA-256 of values: 64 hex digits each)" },
	{ V "allow:\n  - {host: a.example, credentials: {header: X-Key, sha256: "
	  "[zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]}}\n",
	  "3:61: found zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef (accepted: "
	  "SHA-256 of values: 64 hex digits each)" },
	{ V "allow:\n  - {host: a.example, credentials: {header: Connection, sha256: "
	  "[0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef]}}\n",
	  "3:45: found Connection" HEADERS },
	{ V "allow:\n  - {host: a.example, repos: [a/b]}\n",
	  "3:5: found repos without a preset (accepted: with one)" },
	{ V "allow:\n  - {host: .example.net, inject: {header: X-Key, value: v}}\n",
	  "3:34: found inject in a rule for more than one host (accepted: with an exact host "
	  "only)" },
	{ V "deny:\n  - {host: a.example, rate: 1/s}\n", "3:23: unknown key rate" DENY_KEYS },
	{ V "deny:\n  - {host: a.example, quiet: yes}\n",
	  "3:30: found yes (accepted: true or false)" },
	{ V "deny:\n  - {host: a.example, methods: null}\n",
	  "3:32: found nothing (accepted: a list of " METHODS },
	{ V "deny:\n  - {host: a.example, expires: tomorrow}\n", "3:32: found tomorrow" TIMES },
	{ V "limits:\n", "2:8: found nothing (accepted: a mapping of limits)" },
	{ V "limits: {}\n", "2:9: found a mapping (accepted: a mapping of limits)" },
	{ V "limits: []\n", "2:9: found an empty list (accepted: a mapping of limits)" },
	{ V "limits: {requests: 600}\n", "2:20: found 600" RATE_LIST },
	{ V "limits: {requests: 0/min}\n", "2:20: found 0/min" RATE_LIST },
	{ V "limits: {requests: []}\n", "2:20: found an empty list" RATE_LIST },
	{ V "limits: {requests_per_host: [1/s, 2/d]}\n", "2:35: found 2/d" RATE_LIST },
	{ V "limits: {requests: [[1/s]]}\n", "2:21: found a list" RATE_LIST },
	{ V "limits: {unique_hosts: 0}\n", "2:24: found 0 (accepted: 1 to 1000000)" },
	{ V "limits: {unique_hosts: 1e9}\n", "2:24: found 1e9 (accepted: 1 to 1000000)" },
	{ V "limits: {upload_total: -1}\n", "2:24: found -1" BYTES },
	{ V "limits: {download_total: .inf}\n", "2:26: found .inf" BYTES },
	{ V "limits: {error_rate: 30}\n", "2:22: found 30 (accepted: 1% to 100%)" },
	{ V "limits: {error_rate: 0%}\n", "2:22: found 0% (accepted: 1% to 100%)" },
	{ V "limits: {on_exceed: ignore}\n",
	  "2:21: found ignore (accepted: alert, block or kill)" },
	{ V "limits: {requests: 1/s, requests: 2/s}\n",
	  "2:25: duplicate key requests (accepted: each key once)" },
	{ V "limits: {uploads: 1MB}\n",
	  "2:10: unknown key uploads (accepted: requests, requests_per_host, unique_hosts, "
	  "upload_per_request, upload_total, download_total, error_rate, on_exceed)" },
	{ V "peers: 172.28.1.0/24\n", "2:8: found 172.28.1.0/24 (accepted: a list of " PEERS },
	{ V "peers: [127.0.0.1]\n", "2:9: found 127.0.0.1 (accepted: " PEERS },
	{ V "peers: [169.254.169.254]\n", "2:9: found 169.254.169.254 (accepted: " PEERS },
	{ V "peers: [224.0.0.0/4]\n", "2:9: found 224.0.0.0/4 (accepted: " PEERS },
	{ V "peers: [172.28.1.1/24]\n", "2:9: found 172.28.1.1/24 (accepted: " PEERS },
	{ V "peers: [null]\n", "2:9: found nothing (accepted: " PEERS },
	{ V "log: {}\n", "2:6: found a mapping (accepted: a mapping like {sync: true})" },
	{ V "log: {dns: none}\n", "2:12: found none (accepted: true or false)" },
	{ V "log: {paths: all}\n", "2:14: found all (accepted: redact, full or none)" },
	{ V "log: {command: false}\n", "2:16: found false (accepted: redact, full or none)" },
	{ V "log: {max: 1kB}\n",
	  "2:12: found 1kB (accepted: bytes: 500, 10kB, 1MB, 2GB, 1KiB, 1MiB, 1GiB, at least "
	  "65536)" },
	{ V "log: {sync: 1}\n", "2:13: found 1 (accepted: true or false)" },
	{ V "log: {paths: all}\n", "2:14: found all (accepted: redact, full or none)" },
	{ V "ceiling: []\n",
	  "2:10: found a ceiling, which only the system's file has (accepted: in "
	  "/etc/sluice/policy.yaml)" },
	{ V "ceiling:\n", "2:9: found nothing" RULES },
	{ V "ceiling: {host: a.example}\n", "2:10: found a mapping" RULES },
	{ V "upstream_proxy: socks5://proxy.example:1080\n",
	  "2:17: found a proxy of a kind that is not supported" PROXIES },
	{ V "upstream_proxy: http://user:secret@proxy.example\n",
	  "2:17: found a proxy without a port" PROXIES },
	{ V "upstream_proxy: 3128\n", "2:17: found 3128" PROXIES },
	{ V "alerts: {}\n", "2:9: found a mapping" ALERTS },
	{ V "alerts: https://hooks.example/x\n", "2:9: found https://hooks.example/x" ALERTS },
	{ V "alerts: {hook: x}\n", "2:10: unknown key hook (accepted: webhook)" },
	{ V "alerts: {webhook: ftp://hooks.example/x}\n", "2:19: found a webhook" WEBHOOKS },
	{ V "alerts: {webhook: https://user:word@hooks.example/x}\n", "2:19: found a webhook" WEBHOOKS },
	{ V "alerts: {webhook: 'https://hooks.example/x y'}\n", "2:19: found a webhook" WEBHOOKS },
	{ V "alerts: {webhook: https:///x}\n", "2:19: found a webhook" WEBHOOKS },
	{ V "alerts: {webhook: https://hooks.example:0/x}\n", "2:19: found a webhook" WEBHOOKS },
	{ V "alerts: {webhook: 'https://[::1/x'}\n", "2:19: found a webhook" WEBHOOKS },
	{ V "mode: monitor\ndefault: [ask]\n", "3:10: found a list" DEFAULTS },
	{ V "mode: isolated\ndefault: allow\n",
	  "3:10: found allow without mode: monitor" DEFAULTS },
	{ V "default: null\n", "2:10: found nothing" DEFAULTS },
	{ V "mode: null\n", "2:7: found nothing" MODES },
	{ V "allow: null\n", "2:8: found nothing" RULES },
	{ V "deny: null\n", "2:7: found nothing" RULES },
	{ V "presets: null\n", "2:10: found nothing (accepted: a list of preset names)" },
};

/* What only other layers may say */
static const struct row project_rows[] = {
	{ V "dns: {}\n",
	  "2:1: key dns is not for a project file" PROJECT_KEYS },
	{ V "host_ports: [1]\n",
	  "2:1: key host_ports is not for a project file" PROJECT_KEYS },
	{ V "private_networks: []\n",
	  "2:1: key private_networks is not for a project file" PROJECT_KEYS },
	{ V "allow:\n  - {host: a.example, private: true}\n",
	  "3:23: key private is not for a project file" PROJECT_RULE_KEYS },
	{ V "allow:\n  - {host: a.example, unsafe_wildcard: false}\n",
	  "3:23: key unsafe_wildcard is not for a project file" PROJECT_RULE_KEYS },
	{ V "allow:\n  - {ip: 10.0.0.1, ports: [22]}\n",
	  "3:10: found special-purpose addresses in a project file (accepted: public "
	  "addresses)" },
	{ V "allow:\n  - {ip: 0.0.0.0/0, ports: [22]}\n",
	  "3:10: found special-purpose addresses in a project file (accepted: public "
	  "addresses)" },
	{ V "allow:\n  - {host: a.example, inject: {header: X-Key, value: v}}\n",
	  "3:23: key inject is not for a project file" PROJECT_RULE_KEYS },
	{ V "mode: monitor\n",
	  "2:7: found monitor, which is not for a project file (accepted: filtered, internal or "
	  "isolated)" },
	{ V "peers: [172.28.1.0/24]\n", "2:1: key peers is not for a project file" PROJECT_KEYS },
	{ V "log: {sync: true}\n", "2:1: key log is not for a project file" PROJECT_KEYS },
	{ V "default: deny\n",
	  "2:1: key default is not for a project file" PROJECT_KEYS },
};

static struct span preset_text(void *arg, const char *name)
{
	(void)arg;
	if (strcmp(name, "npm"))
		return (struct span){ 0 };
	return SPAN("preset: npm\nhosts: [{host: registry.npmjs.org}]\n");
}

static void check(enum layer layer, const struct row *row)
{
	struct policy_file file = { layer, "p.yaml", span_str(row->text) };
	struct policy_input in = { .files = &file, .file_count = 1, .preset_text = preset_text };
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	if (p || strncmp(err.text, "p.yaml:", 7) || strcmp(err.text + 7, row->want))
		fail_msg("%s\n%s", row->text, p ? "was loaded" : err.text);
}

static void mistakes_have_their_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(LAYER_POLICY, &rows[i]);
	for (size_t i = 0; i < ARRAY_SIZE(more_rows); i++)
		check(LAYER_POLICY, &more_rows[i]);
}

static void project_files_may_say_less(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(project_rows); i++) {
		struct err err = { "" };
		struct policy *p = make_layer(LAYER_POLICY, project_rows[i].text, &err);

		check(LAYER_PROJECT, &project_rows[i]);
		/* it is right in another file */
		if (!p)
			fail_msg("%s", err.text);
		policy_free(p);
	}
}

/* Bytes that are not what they look like, and more of them than anybody writes */
static void odd_bytes_are_refused(void **state)
{
	static const struct {
		struct span text;
		const char *want;
	} odd[] = {
		{ SPAN("version: 1\0\nallow: []\n"), "p.yaml:1:11: found bytes that YAML does not take" },
		{ SPAN("\xff\xfe" "v\0e\0r\0"), "p.yaml:1:" },
		{ SPAN("version: 1\nallow: []\xc3\n"), "p.yaml:2:11: found bytes that YAML does not" },
		{ SPAN("\x1f\x8b\x08"), "p.yaml:1:1: found bytes that YAML does not take" },
		{ SPAN("\xef\xbb\xbf" "version: 2\n"), "p.yaml:1:" },
		{ SPAN("version: 1\r\nmode: open\r\n"), "p.yaml:2:7: found open" },
		{ SPAN("{"), "p.yaml:2:1: found what is no YAML" },
		{ SPAN("\"version: 1\""), "p.yaml:1:1: found \"version: 1\" (accepted: a mapping)" },
	};
	struct policy_file big = { LAYER_POLICY, "p.yaml", { NULL, 100u << 20 } };
	struct policy_input in = { .files = &big, .file_count = 1 };
	struct err err = { "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct policy_file file = { LAYER_POLICY, "p.yaml", odd[i].text };
		struct policy_input one = { .files = &file, .file_count = 1 };

		err = (struct err){ "" };
		if (policy_load(&one, &err) || strncmp(err.text, odd[i].want, strlen(odd[i].want)))
			fail_msg("%zu: %s", i, err.text);
	}
	/* not a byte of it is read */
	err = (struct err){ "" };
	assert_null(policy_load(&in, &err));
	assert_string_equal(err.text,
			    "p.yaml:1:1: found more than 64 MB (accepted: smaller files)");
}

static bool variables(void *arg, enum secret_kind kind, const char *name, const char *file,
		      struct secret_found *ret)
{
	const char *value = !strcmp(name, "SET") ? "s3cret" : !strcmp(name, "BAD") ? "a\nb" : NULL;

	(void)arg, (void)file;
	assert_int_equal(kind, SECRET_ENV);
	*ret = (struct secret_found){ span_str(value), "", "is not set" };
	return value;
}

/* The value of inject is apart from the image, and a variable that is unset is an error */
static void secrets_stay_apart(void **state)
{
	static const char text[] = "version: 1\nallow:\n- host: a.example\n"
		"- {host: b.example, inject: {header: X-Key, value: \"Bearer ${env:%s}!\"}}\n";
	struct policy_secrets secrets = { .count = 0 };
	struct policy_file file = { LAYER_POLICY, "p.yaml" };
	struct policy_input in = { .files = &file, .file_count = 1, .secret = variables,
				   .secrets = &secrets };
	struct err err = { "" };
	struct policy *p;
	struct span image;
	char yaml[256];

	(void)state;
	snprintf(yaml, sizeof(yaml), text, "SET");
	file.text = span_str(yaml);
	p = policy_load(&in, &err);
	assert_non_null(p);
	assert_int_equal(secrets.count, 1);
	assert_int_equal(secrets.list[0].rule, 1);
	assert_string_equal(secrets.list[0].value, "Bearer s3cret!");
	assert_string_equal(policy_rule(p, 1).inject_header, "x-key");
	image = policy_image(p);
	assert_null(memmem(image.at, image.len, "s3cret", 6));
	assert_null(memmem(image.at, image.len, "Bearer", 6));
	policy_secrets_done(&secrets);
	policy_free(p);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(yaml, sizeof(yaml), text, i ? "BAD" : "UNSET");
		file.text = span_str(yaml);
		err = (struct err){ "" };
		assert_null(policy_load(&in, &err));
		assert_string_equal(err.text, i ?
			"p.yaml:4:29: found ${env:BAD}, which is empty or holds what no header field "
			"can (accepted: printable ASCII)" :
			"p.yaml:4:29: found ${env:UNSET}, which is not set (accepted: variables that "
			"are set)");
		in.secret_optional = true;
	}
}

/* What a person types on the command line is judged the same */
static void flags_have_their_words(void **state)
{
	enum { ALLOW, DENY, PRESET, PRIVATE, HOST_PORT, PUBLISH, MODE };
	static const struct {
		int flag;
		const char *value, *want;
	} flags[] = {
		{ ALLOW, "https://a.example/", "--allow: found https://a.example/" },
		{ ALLOW, "a.example:", "--allow: found a.example: (accepted" },
		{ ALLOW, "a.example:53", "--allow: found a.example:53 (accepted" },
		{ ALLOW, "a.example:443,", "--allow: found a.example:443, (accepted" },
		{ ALLOW, "*.com", "--allow: found *.com (accepted: a name below it" },
		{ ALLOW, "localhost:80", "--allow: found localhost:80 (accepted: other names" },
		{ ALLOW, "10.0.0.1", "--allow: found 10.0.0.1 (accepted" },
		{ ALLOW, "2001:db8::1", "--allow: found 2001:db8::1 (accepted" },
		{ ALLOW, "[2001:db8::1]", "--allow: found [2001:db8::1] (accepted" },
		{ ALLOW, "[2001:db8::1]22", "--allow: found [2001:db8::1]22 (accepted" },
		{ ALLOW, "[a.example]:22", "--allow: found [a.example]:22 (accepted" },
		{ ALLOW, "[10.0.0.1]:22", "--allow: found [10.0.0.1]:22 (accepted" },
		{ ALLOW, "10.0.0.1/8:22", "--allow: found 10.0.0.1/8:22 (accepted" },
		{ ALLOW, "127.1:22", "--allow: found 127.1:22 (accepted" },
		{ ALLOW, "", "--allow: found  (accepted" }, { ALLOW, "[", "--allow: found [ (accepted" },
		{ DENY, "a.example:443", "--deny: found a.example:443 (accepted" },
		{ DENY, "", "--deny: found  (accepted" }, { ALLOW, "*:22", "--allow: found *:22 (accepted: names" },
		{ PRESET, "nosuch", "--preset: found the unknown preset nosuch" },
		{ PRESET, "npm:write", "--preset: found the unknown preset npm:write" },
		{ PRIVATE, "10.0.0.1/8", "--private-network: found 10.0.0.1/8 (accepted" },
		{ PRIVATE, "*.a.example=10.0.0.0/8", "--private-network: found *.a" },
		{ PRIVATE, "=10.0.0.0/8", "--private-network: found =10.0.0.0/8 (accepted" },
		{ HOST_PORT, "0", "--host-port: found 0 (accepted" },
		{ PUBLISH, "localhost:80", "--publish: found localhost:80 (accepted" },
		{ MODE, "open", "--mode: found open (accepted: filtered" },
		{ MODE, "Monitor", "--mode: found Monitor (accepted: filtered" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		char value[64];
		char *list[] = { value, NULL };
		char *const *lists[MODE + 1] = { NULL };
		struct err err = { "" };

		assert_true(span_copy(span_str(flags[i].value), value, sizeof(value)));
		lists[flags[i].flag] = list;
		struct policy_input in = {
			.allows = lists[ALLOW], .denies = lists[DENY], .presets = lists[PRESET],
			.private_networks = lists[PRIVATE], .host_ports = lists[HOST_PORT],
			.publishes = lists[PUBLISH], .mode = flags[i].flag == MODE ? value : NULL,
		};
		if (policy_load(&in, &err))
			fail_msg("%s was taken", value);
		if (strncmp(err.text, flags[i].want, strlen(flags[i].want)))
			fail_msg("%s", err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_have_their_words),
		cmocka_unit_test(project_files_may_say_less),
		cmocka_unit_test(odd_bytes_are_refused), cmocka_unit_test(secrets_stay_apart),
		cmocka_unit_test(flags_have_their_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
