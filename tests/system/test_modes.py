# SPDX-License-Identifier: Apache-2.0
"""Modes monitor and internal on the data path, and check beside them."""
import json
import pathlib
import shutil

import pytest

import internet
import sluice
import stage
from stage import ZONE
from waiting import wait_for

PEER4, PEER6 = "10.20.0.5", "fd00:20::5"
WARNING = "mode monitor: every public destination passes"


def http(token, host, port=8080):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"


def check(*options, target):
    return json.loads(sluice.call("check", "--only", "--format", "json", *options, target).out)


# ---- nat-filtered: ports alone ----

def test_nat_filtered_opens_ports_of_whatever_is_public(world, outside, policy, token):
    rules = policy((stage.TOP / "packaging/policies/nat-filtered.yaml").read_text())
    told = sluice.call("policy", "lint", rules)
    assert told.code == 0 and "*: every public host: data can go anywhere" in told.out
    agent, start = sluice.jail("--only", "--preset", "nat-filtered"), world.wire.mark()
    # what looks public, and is this machine's own
    home = sluice.Agent([])
    try:
        home.ok("serve", 9418, "from-home", internet.HOME4, stay=True)
        assert outside.ok("tcp", internet.HOME4, 9418, wait=5)["data"] == "from-home"
        for host, name in ((f"rec.{ZONE}", f"rec.{ZONE}"), (internet.RECORDER4, internet.RECORDER4),
                           (internet.RECORDER6, f"[{internet.RECORDER6}]")):
            answer = agent.do("requests", host, 80, [http(token, name, 80)], wait=8)
            assert "200 OK" in answer.get("ok", [""])[0], (host, answer)
        agent.do("tcp", internet.RECORDER4, 9418, token + "-git")
        wait_for(lambda: world.recorder.arrived(f"{token}-git".encode()))
        bad = token + "-bad"
        for host, port in ((f"rec.{ZONE}", 8080), (internet.RECORDER4, 8080), (internet.RECORDER6, 8080),
                           ("10.20.0.5", 80), ("169.254.169.254", 80), (f"private10.{ZONE}", 80),
                           (internet.HOME4, 9418)):
            assert "200 OK" not in str(agent.do("requests", host, port, [http(bad, f"[{host}]" if ":" in host else host,
                                                                              port)])), (host, port)
        for host in f"rec.{ZONE}", internet.RECORDER4:
            agent.do("udp", host, 9999, bad)
        assert len(world.recorder.requests(token.encode())) >= 3
        assert "from-home" not in str(agent.do("tcp", internet.HOME4, 9418))
        # and what is learnt of it is hosts
        learnt = sluice.call("learn", agent.end().log)
        assert learnt.code == 0 and f"rec.{ZONE}" in learnt.out and "nat-filtered" not in learnt.out, learnt
        assert not world.recorder.arrived(bad.encode()) and not world.wire.carries(bad.encode(), start)
    finally:
        agent.kill()
        home.kill()


# ---- monitor ----

@pytest.fixture(scope="module")
def watched(world):
    agent = sluice.jail("--only", "--mode", "monitor", "--deny", f"denied.{ZONE}",
                        "--deny", internet.SECOND4)
    yield agent
    agent.kill()


@pytest.mark.core
@pytest.mark.parametrize("host, address", [(f"rec4.{ZONE}", internet.RECORDER4),
                                           (f"rec6.{ZONE}", internet.RECORDER6),
                                           (internet.RECORDER4, internet.RECORDER4),
                                           (internet.RECORDER6, internet.RECORDER6)])
def test_monitor_lets_every_public_destination_pass(world, watched, token, host, address):
    assert watched.ok("half_close", host, 9999, token)["data"] == token
    assert [s["address"] for s in world.recorder.arrived(token.encode())] == [address]


@pytest.mark.parametrize("host", [f"rec4.{ZONE}", internet.RECORDER4])
def test_monitor_lets_datagrams_pass(world, watched, token, host):
    assert watched.ok("udp", host, 9999, token, wait=8) == token


def test_monitor_logs_what_it_lets_pass(world, jail, token):
    agent = jail("--only", "--mode", "bridge", "--allow", f"rec6.{ZONE}:9999")
    for host in (f"rec4.{ZONE}", f"rec6.{ZONE}", internet.SECOND4):
        agent.ok("half_close", host, 9999, token)
    agent.ok("udp", internet.SECOND4, 123, token)
    done = agent.end()
    assert done.of("session.start")[0]["mode"] == "monitor"
    assert done.err.count(WARNING) == 1
    names = {(e["name"], e["reason"], e["rule"]) for e in done.of("dns.query")}
    assert names == {(f"rec4.{ZONE}", "allowed_monitor", None),
                     (f"rec6.{ZONE}", "allowed", "flag:allow[0]")}
    opened = [(e["host"], e["port"], e["proto"], e["verdict"], e["reason"]) for e in
              done.of("conn.open")]
    assert sorted(opened) == sorted([
        (f"rec4.{ZONE}", 9999, "tcp", "allow", "allowed_monitor"),
        (f"rec6.{ZONE}", 9999, "tcp", "allow", "allowed"),
        (internet.SECOND4, 9999, "tcp", "allow", "allowed_monitor"),
        (internet.SECOND4, 123, "udp", "allow", "allowed_monitor")])
    assert not done.denied()


def test_monitor_without_a_word_is_not_told_in_other_modes(world):
    assert WARNING not in sluice.run("--allow", f"rec4.{ZONE}", command=["true"]).err


DENIED = {
    "deny-host": (f"denied.{ZONE}", 8080, "deny_rule"),
    "deny-address": (internet.SECOND4, 8080, "deny_rule"),
    "deny-resolved": (f"second4.{ZONE}", 8080, None),
    "private": (PEER4, 8080, "special_address"),
    "private-name": (f"private10.{ZONE}", 8080, None),
    "metadata": ("169.254.169.254", 8080, "special_address"),
    "metadata-public": ("168.63.129.16", 8080, "special_address"),
    "neighbour": (internet.NEIGHBOUR4, 8080, None),
    "home": (internet.HOME4, 8080, None),
}


@pytest.mark.core
@pytest.mark.parametrize("case", DENIED)
def test_monitor_does_not_open_what_is_denied(world, watched, outside, fresh, token, case):
    host, port, reason = DENIED[case]
    if case == "deny-resolved":
        host = fresh(addresses=[internet.SECOND4])
    if case != "home":
        outside.ok("tcp", host, port, http("out" + token, host))
        assert world.arrived(b"out" + token.encode())
    watched.do("tcp", host, port, http("in" + token, host))
    assert not world.arrived(b"in" + token.encode())
    if reason:
        found = check("--mode", "monitor", "--deny", f"denied.{ZONE}", "--deny", internet.SECOND4,
                      target=f"{host}:{port}")
        assert (found["verdict"], found["reason"]) == ("deny", reason)


def test_monitor_stays_under_the_ceiling(world, jail, token):
    folder = pathlib.Path("/etc/sluice")
    folder.mkdir(exist_ok=True)
    try:
        (folder / "policy.yaml").write_text(
            f"version: 1\nceiling: [{{host: rec4.{ZONE}, ports: [9999]}}]\n")
        agent = jail("--only", "--mode", "monitor")
        agent.ok("tcp", f"rec4.{ZONE}", 9999, "in" + token)
        assert agent.do("tcp", f"rec6.{ZONE}", 9999, "no" + token).get("error")
        agent.do("tcp", f"rec4.{ZONE}", 7, "no" + token)
        agent.do("tcp", internet.RECORDER4, 9999, "no" + token)
        assert agent.end().reasons() == {"ceiling"}
        found = check("--mode", "monitor", target=f"rec6.{ZONE}:9999")
        assert (found["verdict"], found["reason"]) == ("deny", "ceiling")
    finally:
        shutil.rmtree(folder)
    assert world.arrived(b"in" + token.encode()) and not world.arrived(b"no" + token.encode())


def test_monitor_binds_names(world, watched, token):
    [answer] = watched.ok("requests", f"rec4.{ZONE}", 8080, [http(token, f"rec6.{ZONE}")], wait=8)
    assert answer.startswith("HTTP/1.1 403") and "host_mismatch" in answer
    assert not world.arrived(token.encode())


def test_default_allow_is_for_monitor_alone(policy):
    bad = policy("version: 1\nmode: filtered\ndefault: allow\n")
    assert sluice.call("check", "--only", "-p", bad, "https://a.example/").code == 125
    good = policy("version: 1\nmode: monitor\ndefault: allow\n")
    found = check("-p", good, target="https://a.example/")
    assert (found["verdict"], found["reason"]) == ("allow", "allowed_monitor")


# ---- internal ----

INTERNAL = f"""version: 1
mode: internal
peers: [10.20.0.0/16, "fd00:20::/64", {internet.NEIGHBOUR4}/32, {internet.HOME4}/32]
allow: [{{host: rec4.{ZONE}, ports: [9999]}}, {{ip: {internet.RECORDER4}, ports: [9999]}}]
deny: [{{ip: 10.20.0.5, ports: [7]}}]
"""


@pytest.mark.core
@pytest.mark.parametrize("address", [PEER4, PEER6, internet.NEIGHBOUR4])
def test_internal_reaches_peers(world, policy, jail, token, address):
    path = policy(INTERNAL)
    agent = jail("--only", "-p", path)
    assert agent.ok("half_close", address, 9999, token)["data"] == token
    assert agent.ok("udp", address, 9999, "u" + token, wait=8) == "u" + token
    assert [s["address"] for s in world.recorder.arrived(token.encode())] == [address] * 2
    done = agent.end()
    assert not done.denied()
    assert {(e["verdict"], e["reason"]) for e in done.of("conn.open")} == {("allow", "allowed")}
    shown = f"[{address}]" if ":" in address else address
    assert check("-p", path, target=f"{shown}:9999")["verdict"] == "allow"


INTERNAL_DENIED = {
    "name": (f"rec4.{ZONE}", 9999, "mode"), "literal": (internet.RECORDER4, 9999, "mode"),
    "literal6": (internet.RECORDER6, 9999, "mode"), "other-private": ("192.168.77.5", 9999, "mode"),
    "denied-peer": (PEER4, 7, "deny_rule"), "metadata": ("169.254.169.254", 9999, "mode"),
}


@pytest.mark.parametrize("case", INTERNAL_DENIED)
def test_internal_reaches_nothing_else(world, policy, jail, outside, token, case):
    host, port, reason = INTERNAL_DENIED[case]
    outside.ok("tcp", host, port, "out" + token)
    path = policy(INTERNAL)
    agent = jail("--only", "-p", path)
    assert agent.do("tcp", host, port, "in" + token).get("ok", {}).get("data", "") == ""
    assert world.arrived(b"out" + token.encode()) and not world.arrived(b"in" + token.encode())
    assert agent.end().reasons() == {reason}
    shown = f"[{host}]" if ":" in host else host
    found = check("-p", path, target=f"{shown}:{port}")
    assert (found["verdict"], found["reason"]) == ("deny", reason)


def test_internal_never_reaches_the_host_itself(world, policy, jail, outside, token):
    home = sluice.Agent([])
    try:
        home.ok("serve", 9997, "from-home", internet.HOME4, stay=True)
        assert outside.ok("tcp", internet.HOME4, 9997, wait=5)["data"] == "from-home"
        agent = jail("--only", "-p", policy(INTERNAL))
        assert "from-home" not in str(agent.do("tcp", internet.HOME4, 9997))
        assert agent.end().reasons() == {"special_address"}
    finally:
        home.kill()


@pytest.mark.parametrize("name, mode", [("restricted", "filtered"), ("nat-filtered", "filtered"),
                                        ("none", "isolated"), ("bridge", "monitor"),
                                        ("internal", "internal")])
def test_modes_have_the_names_that_people_know(name, mode):
    done = sluice.run("--only", "--mode", name, command=["true"])
    assert done.code == 0 and done.of("session.start")[0]["mode"] == mode
