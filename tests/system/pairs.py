# SPDX-License-Identifier: Apache-2.0
"""Policies over the keys that exist, and requests near their edges, all from a seed.

A policy is a dict in the shape of the file: JSON is YAML.  A request is a target
of `sluice check` and what a client does to make it.
"""
import dataclasses

import internet
from stage import ZONE

# Every one of them exists; RECORDED ones are served by what writes down all it gets
RECORDED = ["rec", "rec4", "rec6", "mail", "time", "second", "denied", "deep", "a.deep",
            "a.b.deep"]
NAMES = RECORDED + ["www", "other", "git", "ssh", "db", "alias", "mixed"]
# Names with addresses that need more than a rule for the name
SPECIAL = ["private10", "private192", "cgn", "metadata", "home4", "neighbour4", "ula", "nat64",
           "mapped", "loopback4", "metadata-public"]
ABSENT = ["absent", "x.absent", "rec.absent"]
PATTERNS = [f"*.{ZONE}", f".{ZONE}", f"*.deep.{ZONE}", f".deep.{ZONE}", f".rec.{ZONE}",
            f"*.a.deep.{ZONE}", f".a.deep.{ZONE}", f"*.rec.{ZONE}", f".absent.{ZONE}"]
NETS = ["21.9.0.0/24", "21.9.0.40", "21.9.0.40/31", "21.0.0.0/8", "2d00:9::/64", "2d00:9::40",
        "10.20.0.5", "10.20.0.0/16", "fd00:20::/32", "169.254.169.254", "0.0.0.0/0", "2000::/3"]
# No 127.0.0.1 and ::1: those are the jail's own.  The last is synthetic, and nobody's.
LITERALS = [internet.RECORDER4, internet.RECORDER6, internet.SECOND4, internet.NGINX4,
            internet.HOME4, internet.NEIGHBOUR4, "10.20.0.5", "fd00:20::5", "169.254.169.254",
            "64:ff9b::a14:5", internet.OTHER_DNS4, "192.0.2.5", "28.15.7.7"]
# Where the recorders listen, and 5432 and 8100, where they do not.  No 53 and 853: those
# are sluice's own.
TCP = [7, 22, 25, 80, 443, 5432, 5433, 8080, 8100, 8443, 9418, 9999]
UDP = [7, 123, 443, 9999]
# By what is said there: where it is taken, in clear, so that a token can be seen
SERVED = {"http": {80, 8080}, "raw": {7, 22, 25, 5433, 9418, 9999}, "udp": set(UDP)}
# What serves elsewhere than the recorders
OTHERS = {"www": {80, 443}, "other": {80, 443}, "git": {80, 443, 9418}, "ssh": {22}, "db": {5432},
          "home4": set(), "loopback4": set(), "mapped": set(), internet.NGINX4: {80, 443, 9418},
          internet.HOME4: set(), "192.0.2.5": set()}
RECORDING = set(TCP) - {5432, 8100}
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
PATHS = ["/", "/v1", "/v1/", "/v1/a", "/v1/a/b", "/v1/b", "/V1/a", "/v2/a", "/v1/%61", "/v1//a",
         "/v1/a%2fb", "/v1/../v2/a", "/v1/./a", "/v1/%2e%2e/v2", "/v1/a;b", "/v1/a\\b", "/v1/%00",
         "/v1/%zz", "/v1/a.", "/v1/*"]
GLOBS = ["/v1/*", "/v1/**", "/v2/*", "/", "/v1/a", "/**", "/v1/a*", "/v1", "/*"]
TYPES = {"A": 1, "AAAA": 28, "TXT": 16, "MX": 15, "SRV": 33, "CAA": 257, "NS": 2, "PTR": 12,
         "ANY": 255, "SOA": 6}
CATEGORY = "agreement"          # in the user's categories.d, see the test


@dataclasses.dataclass
class Request:
    target: str
    kind: str           # dns, http, tls, conn
    host: str           # name or address
    named: bool
    port: int = 0
    udp: bool = False
    method: str = "GET"
    path: str = "/"
    qtype: str = "A"
    said: str = ""      # the name in SNI or Host, if it is not the right one; "-": none

    @property
    def authority(self):
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def conn_target(self):
        return f"{self.authority}:{self.port}{'/udp' if self.udp else ''}"

    @property
    def answered(self):
        """Somebody listens there."""
        label = self.host.removesuffix(f".{ZONE}")
        if label in OTHERS:
            return not self.udp and self.port in OTHERS[label]
        return self.udp or self.port in RECORDING

    @property
    def key(self):
        """Events of one key come in the order of the requests."""
        if self.kind == "dns":
            return ("dns", self.host, self.qtype)
        return ("conn", self.host, self.port, self.udp)


class Pairs:
    """Everything that one number determines."""

    def __init__(self, random):
        self.random = random
        self.near, self.near_ports = [], []     # what the policy speaks of

    def some(self, choices, most):
        return self.random.sample(choices, self.random.randint(1, most))

    def chance(self, percent):
        return self.random.random() * 100 < percent

    # ---- policies ----

    def name(self):
        if self.near and self.chance(70):
            return self.random.choice(self.near)
        pool = NAMES if self.chance(80) else SPECIAL if self.chance(70) else ABSENT
        return f"{self.random.choice(pool)}.{ZONE}"

    def host(self):
        if self.chance(55):
            name = self.name()
            return name.upper() if self.chance(5) else name + "." if self.chance(5) else name
        return self.random.choice(PATTERNS)

    def ports(self, udp):
        choices = [*UDP, "900-9999", "100-500"] if udp else [*TCP, "8000-8100", "9000-9999", "20-25"]
        return [f"{p}/udp" if udp else p for p in self.some(choices, 3)]

    def narrow(self, rule):
        if self.chance(60):
            rule["methods"] = self.some(METHODS, 3)
        if self.chance(60) or "methods" not in rule:
            rule["paths"] = self.some(GLOBS, 2)

    def expire(self, rule):
        rule["expires"] = self.random.choice(["2020-01-01", "2099-12-31", "2024-05-05T05:05:05Z",
                                              "2098-01-01T00:00:00Z"])

    def allow(self):
        if self.chance(18):
            rule = {"ip": self.random.choice(NETS), "ports": self.ports(self.chance(20))}
        else:
            rule = {"host": self.host()}
            if self.chance(20):
                rule["ports"] = self.ports(True)
            elif self.chance(70):
                rule["ports"] = self.ports(False)
            if self.chance(10) and not rule["host"].startswith((".", "*")):
                rule["private"] = True
        udp = str(rule.get("ports", [0])[0]).endswith("/udp")
        if self.chance(40):
            rule["protocol"] = "udp" if udp else self.random.choice(["tls", "http", "tcp", "auto"])
        if self.chance(30) and not udp:
            self.narrow(rule)
        if self.chance(15):
            self.expire(rule)
        return rule

    def subject(self):
        kind = self.random.choices(["host", "ip", "category", "host_list", "ip_list"],
                                   [55, 15, 10, 10, 10])[0]
        value = {"host": self.name if self.chance(75) else self.host, "ip": lambda: self.random.choice(NETS[:9]),
                 "category": lambda: CATEGORY, "host_list": lambda: "some.hosts",
                 "ip_list": lambda: "some.netset"}[kind]()
        return {kind: value}

    def deny(self):
        rule = self.subject()
        if self.chance(30):
            rule["ports"] = self.ports(self.chance(20))
        if self.chance(35):
            self.narrow(rule)
        if self.chance(15):
            self.expire(rule)
        return rule

    def policy(self):
        text = {"version": 1, "allow": [self.allow() for _ in range(self.random.randint(2, 8))]}
        if self.chance(70):
            text["deny"] = [self.deny() for _ in range(self.random.randint(1, 4))]
        if self.chance(30):
            text["dns"] = {"types": ["A", "AAAA", *self.some(["TXT", "MX", "SRV", "CAA"], 3)]}
        if self.chance(15):
            text["mode"] = "monitor"
        if self.chance(15):
            text["private_networks"] = self.some(["10.20.0.0/16", "192.168.0.0/16", "fd00::/8"], 2)
        return text

    def look(self, *texts):
        """From now on requests are near these policies."""
        rules = [r for t in texts for kind in ("allow", "deny", "ceiling") for r in t.get(kind, [])]
        for host in [r["host"].lower().rstrip(".") for r in rules if "host" in r]:
            base = host.lstrip("*").lstrip(".")
            self.near += [f"{n}.{ZONE}" for n in NAMES + SPECIAL + ABSENT
                          if f"{n}.{ZONE}" == base or
                          (base != host and base != ZONE and f"{n}.{ZONE}".endswith("." + base))]
        for r in rules:
            self.near_ports += [p for p in r.get("ports", [80, 443]) if p in TCP]

    def system(self, below):
        """The strongest layer: a ceiling near the policy below it, and a rule of its own at times."""
        text = {"version": 1, "ceiling": [self.allow() for _ in range(self.random.randint(1, 3))]}
        for rule in below["allow"]:
            if self.chance(60):
                text["ceiling"].append({k: v for k, v in rule.items() if self.chance(75) or k in
                                        ("host", "ip", "ports", "protocol")})
        for rule in text["ceiling"]:
            rule.pop("private", None)
        if self.chance(30):
            text["allow"] = [self.allow()]
        if self.chance(30):
            text["deny"] = [{"host": self.name()}]
        return text

    # ---- requests ----

    def request(self):
        make = self.random.choices([self.dns, self.http, self.tls, self.conn, self.literal],
                                   [12, 33, 22, 22, 11])[0]
        return make()

    def dns(self):
        host, qtype = self.name(), self.random.choices(list(TYPES), [20, 15, *[8] * 8])[0]
        target = f"dns:{host}" + ("" if qtype == "A" and self.chance(50) else f"/{qtype}")
        return Request(target, "dns", host, True, qtype=qtype)

    def port(self):
        return self.random.choice(self.near_ports if self.near_ports and self.chance(60) else TCP)

    def url(self, scheme, host, named):
        usual = 443 if scheme == "https" else 80
        port = self.port() if self.chance(50) else usual
        r = Request("", "tls" if scheme == "https" else "http", host, named, port)
        method = self.random.choice(METHODS)
        r.method, r.path = method, self.random.choice(PATHS)
        shown = r.authority.upper() if self.chance(5) else r.authority
        shown += f":{port}" if port != usual or self.chance(10) else ""
        bare = method == "GET" and self.chance(50)
        r.target = f"{'' if bare else method + ' '}{scheme}://{shown}{r.path}"
        if named and self.chance(12):
            r.said = self.random.choice(["-", f"{self.random.choice(NAMES)}.{ZONE}"])
        if r.said == host:
            r.said = ""
        return r

    def http(self):
        return self.url("http", self.name(), True)

    def tls(self):
        return self.url("https", self.name(), True)

    def conn(self):
        udp = self.chance(30)
        r = Request("", "conn", self.name(), True, self.random.choice(UDP) if udp else self.port(), udp)
        r.target = r.conn_target
        return r

    def literal(self):
        host = self.random.choice(LITERALS)
        if self.chance(40):
            return self.url("http", host, False)
        udp = self.chance(30)
        r = Request("", "conn", host, False, self.random.choice(UDP) if udp else self.port(), udp)
        r.target = r.conn_target
        return r
