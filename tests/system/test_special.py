# SPDX-License-Identifier: Apache-2.0
"""Allowed names that resolve to addresses which no allowed name may reach."""
import time

import pytest

import internet
import sluice
import zone
from stage import ZONE


WAIT = 5        # seconds for an answer that ends by itself


def http(token, host, port=8080):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"


def ask(agent, host, token):
    """One request, up to the end of its answer, however slow the machine is."""
    return agent.do("tcp", host, 8080, http(token, host), WAIT)


@pytest.fixture(scope="module")
def trusting(world):
    """A jail that allows every name of the zone, by wildcard and each exactly."""
    names = [*zone.SPECIAL, *zone.SPECIAL_SILENT, *zone.ODD]
    agent = sluice.jail("--allow", f"*.{ZONE}:80,8080,9999",
                        *(x for n in names for x in ("--allow", f"{n}.{ZONE}:80,8080,9999")))
    yield agent
    agent.kill()


@pytest.fixture(scope="module")
def loopback_server(world):
    """Home's own servers, on every address of home."""
    agent = sluice.Agent([])
    agent.ok("serve", 8080, "from-home", "::", stay=True)
    yield agent
    agent.kill()


REACHABLE = [n for n in zone.SPECIAL if n != "router4"]


@pytest.mark.core
@pytest.mark.parametrize("name", REACHABLE)
def test_special_address_is_not_reached(world, outside, trusting, loopback_server, token, name):
    host = f"{name}.{ZONE}"
    control = ask(outside, host, "out" + token)
    assert world.arrived(b"out" + token.encode()) or control.get("ok", {}).get("data") == "from-home"
    answer = ask(trusting, host, "in" + token)
    assert not world.arrived(b"in" + token.encode())
    assert "from-home" not in str(answer) and "you asked" not in str(answer)


@pytest.mark.parametrize("name", [*zone.SPECIAL, *zone.SPECIAL_SILENT])
def test_special_address_is_denied_with_its_reason(world, name):
    host = f"{name}.{ZONE}"
    start = world.wire.mark()
    done = sluice.run("--allow", f"{host}:8080", command=["curl", "-sm5", f"http://{host}:8080/"])
    assert done.code != 0
    assert done.reasons() == {"special_address"}, done.denied()
    to = zone.SPECIAL.get(name) or zone.SPECIAL_SILENT[name]
    assert not any(b"GET / HTTP" in frame for frame in world.wire.since(start)), to


def test_alias_to_special_address_is_denied(world, trusting, token):
    host = f"alias-private.{ZONE}"
    trusting.do("tcp", host, 8080, http(token, host))
    assert not world.arrived(token.encode())


def test_special_addresses_are_dropped_from_a_mixed_answer(world, trusting, token):
    host = f"mixed.{ZONE}"
    assert "ok" in ask(trusting, host, token)
    [request] = world.recorder.requests(token.encode())
    assert request["address"] == internet.RECORDER4


@pytest.mark.parametrize("name", ["flip", "flipback"])
def test_a_flipping_name_never_reaches_the_private_side(world, outside, trusting, token, name):
    host = f"{name}.{ZONE}"
    for turn in range(6):
        ask(outside, host, f"out{token}")
    assert {r["address"] for r in world.recorder.requests(b"out" + token.encode())} \
        == {internet.RECORDER4, "10.20.0.5"}
    for turn in range(12):
        ask(trusting, host, f"in{token}")
        time.sleep(0.6)
    assert {r["address"] for r in world.recorder.requests(b"in" + token.encode())} \
        <= {internet.RECORDER4}


# rule text, name, does it open the way
OPENERS = {
    "private-true": ("- {host: HOST, ports: [8080], private: true}", "private10", True),
    "private-true-ula": ("- {host: HOST, ports: [8080], private: true}", "ula", True),
    "private-true-cgn": ("- {host: HOST, ports: [8080], private: true}", "cgn", True),
    "private-true-not-metadata": ("- {host: HOST, ports: [8080], private: true}", "metadata",
                                  False),
    "private-true-not-public-metadata": ("- {host: HOST, ports: [8080], private: true}",
                                         "metadata-public", False),
    "private-true-not-loopback": ("- {host: HOST, ports: [8080], private: true}", "loopback4",
                                  False),
    "private-true-not-home": ("- {host: HOST, ports: [8080], private: true}", "home4", False),
    "ip-rule": ("- {host: HOST, ports: [8080]}\n  - {ip: 10.20.0.0/16, ports: [8080]}",
                "private10", True),
    "ip-rule-metadata": ("- {host: HOST, ports: [8080]}\n  - {ip: 169.254.169.254, ports: [8080]}",
                         "metadata", True),
    "ip-rule-elsewhere": ("- {host: HOST, ports: [8080]}\n  - {ip: 10.21.0.0/16, ports: [8080]}",
                          "private10", False),
    "private-networks": ("- {host: HOST, ports: [8080]}\nprivate_networks: [10.20.0.0/16]",
                         "private10", True),
    "private-networks-wildcard": ("- {host: '*.farm.example', ports: [8080]}\n"
                                  "private_networks: [10.20.0.0/16]", "private10", False),
    "private-networks-neighbour": ("- {host: HOST, ports: [8080]}\n"
                                   f"private_networks: [{internet.NEIGHBOUR4}/32]",
                                   "neighbour4", True),
    "private-networks-not-metadata": ("- {host: HOST, ports: [8080]}\n"
                                      "private_networks: [169.254.0.0/16]", "metadata", False),
    "nat64-by-address-inside": ("- {host: HOST, ports: [8080]}\nprivate_networks: [10.20.0.0/16]",
                                "nat64", True),
}


@pytest.mark.parametrize("case", OPENERS)
def test_only_the_named_rules_open_special_addresses(world, policy, jail, token, case):
    rules, name, opens = OPENERS[case]
    host = f"{name}.{ZONE}"
    text = "version: 1\nallow:\n  " + rules.replace("HOST", host) + "\n"
    ask(jail("--policy", policy(text)), host, token)
    assert bool(world.recorder.requests(token.encode())) == opens


@pytest.mark.parametrize("flag, opens", [("10.20.0.0/16", True), ("10.21.0.0/16", False),
                                         (f"private10.{ZONE}=10.20.0.0/16", True),
                                         (f"other.{ZONE}=10.20.0.0/16", False)])
def test_private_network_flag(world, jail, token, flag, opens):
    host = f"private10.{ZONE}"
    agent = jail("--allow", f"{host}:8080", "--private-network", flag)
    ask(agent, host, token)
    assert bool(world.recorder.requests(token.encode())) == opens


@pytest.mark.parametrize("address, opens", [(internet.RECORDER4, True), (internet.SECOND4, False),
                                            (internet.RECORDER6, False)])
def test_ip_rule_opens_that_literal_and_no_other(world, policy, jail, token, address, opens):
    agent = jail("-p", policy("version: 1\nallow:\n"
                              f"  - {{ip: {internet.RECORDER4}, ports: [9999]}}\n"))
    agent.do("half_close", address, 9999, token)
    assert bool(world.recorder.arrived(token.encode())) == opens
    agent.do("tcp", address, 7, "p" + token)
    assert not world.recorder.arrived(b"p" + token.encode())


def test_ip_rule_for_ipv6_network(world, policy, jail, token):
    agent = jail("-p", policy("version: 1\nallow:\n  - {ip: '2d00:9::/64', ports: [9999]}\n"))
    agent.ok("half_close", internet.RECORDER6, 9999, token)
    assert world.recorder.arrived(token.encode())


def test_ip_rule_for_udp(world, policy, jail, token):
    agent = jail("-p", policy("version: 1\nallow:\n"
                              f"  - {{ip: {internet.RECORDER4}, ports: [9999/udp]}}\n"))
    assert agent.ok("udp", internet.RECORDER4, 9999, token, WAIT) == token
    assert agent.fails("udp", internet.RECORDER4, 7, "p" + token)


@pytest.mark.parametrize("address, reason", [("8.8.8.8", "ip_literal"),
                                             ("10.20.0.5", "special_address"),
                                             ("169.254.169.254", "special_address"),
                                             (internet.RECORDER6, "ip_literal")])
def test_literal_denials_name_their_reason(address, reason):
    url = f"http://[{address}]/" if ":" in address else f"http://{address}/"
    done = sluice.run("--allow", f"www.{ZONE}", command=["curl", "-sm5", url])
    assert done.code != 0
    assert done.reasons() == {reason}, done.events
