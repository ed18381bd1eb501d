# SPDX-License-Identifier: Apache-2.0
"""The names of the test internet."""
import dnsd
import internet
from dnsd import Name
from stage import ZONE

WEB = [internet.NGINX4, internet.NGINX6]
REC = [internet.RECORDER4, internet.RECORDER6]

GOOD = {
    "www": WEB, "other": WEB, "git": WEB, "npm": WEB, "apt": WEB,
    "ssh": [internet.SSH4, internet.SSH6], "db": [internet.POSTGRES4, internet.POSTGRES6],
    "rec": REC, "rec4": REC[:1], "rec6": REC[1:], "mail": REC, "time": REC,
    "second": [internet.SECOND4, internet.SECOND6], "denied": REC, "a.deep": REC, "a.b.deep": REC,
    "deep": REC,
}

# Names whose every address is one that an allowed host may not have: name -> address.
# The second table's really answer when asked from home.
SPECIAL_SILENT = {
    "unspecified4": "0.0.0.0", "unspecified6": "::", "broadcast": "255.255.255.255",
    "multicast4": "224.0.0.251", "multicast6": "ff02::fb", "linklocal6": "fe80::1",
    "documentation4": "192.0.2.5", "documentation6": "2001:db8::5", "reserved": "240.0.0.5",
    "sixtofour": "2002:a14:5::1", "teredo": "2001::f5eb:fffa", "discard": "100::5",
    "compatible": "::10.20.0.5", "nat64local": "64:ff9b:1::a14:5", "thisnet": "0.1.2.3",
    "ietf": "192.0.0.8", "relay6to4": "192.88.99.1", "sitelocal": "fec0::5",
}
SPECIAL = {
    "private10": "10.20.0.5", "private192": "192.168.77.5", "private172": "172.20.0.5",
    "cgn": "100.64.0.5", "benchmark": "198.18.0.5", "metadata": "169.254.169.254",
    "metadata-public": "168.63.129.16", "ula": "fd00:20::5", "nat64": "64:ff9b::a14:5",
    "mapped": "::ffff:10.20.0.5", "loopback4": "127.0.0.1", "loopback4b": "127.9.9.9",
    "loopback6": "::1", "mapped-loopback": "::ffff:127.0.0.1",
    "home4": internet.HOME4, "home6": internet.HOME6,
    "neighbour4": internet.NEIGHBOUR4, "neighbour6": internet.NEIGHBOUR6,
    "router4": internet.GATEWAY4,
}

# Of the shipped presets (stage.SHIPPED)
SHIPPED = {"github.com": WEB, "github-cloud.s3.amazonaws.com": REC, "registry.npmjs.org": WEB,
           "deb.debian.org": WEB}

ODD = {
    "mixed": Name(["10.20.0.5", internet.RECORDER4]),
    "flip": Name(flip=[[internet.RECORDER4], ["10.20.0.5"]], ttl=0),
    "flipback": Name(flip=[["10.20.0.5"], [internet.RECORDER4]], ttl=0),
    "alias": Name(cname=f"alias2.{ZONE}"), "alias2": Name(cname=f"rec.{ZONE}"),
    "alias-private": Name(cname=f"private10.{ZONE}"),
    "alias-loop": Name(cname=f"alias-loop.{ZONE}"),
    "servfail": Name(rcode=dnsd.SERVFAIL), "refused": Name(rcode=dnsd.REFUSED),
    "silent": Name(silent=True), "slow": Name(REC, delay=0.7), "empty": Name([]),
    "broken6": Name([internet.NOWHERE6, internet.RECORDER4]),
    "broken4": Name([internet.NOWHERE4, internet.RECORDER6]),
    "closed6": Name([internet.SSH6, internet.RECORDER4]),      # 8080: refused, then served
    "nowhere": Name([internet.NOWHERE4]),
    "texts": Name(REC, other={dnsd.TXT: b"\x05hello", dnsd.HTTPS: b"\x00\x01\x00",
                              dnsd.SVCB: b"\x00\x01\x00"}),
}


def fill(names):
    for name, addresses in GOOD.items():
        names[f"{name}.{ZONE}"] = Name(list(addresses))
    for name, addresses in SHIPPED.items():
        names[name] = Name(list(addresses))
    for name, address in {**SPECIAL, **SPECIAL_SILENT}.items():
        names[f"{name}.{ZONE}"] = Name([address])
    for name, entry in ODD.items():
        names[f"{name}.{ZONE}"] = entry
