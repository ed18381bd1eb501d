# SPDX-License-Identifier: Apache-2.0
"""http://sluice.internal/: what the jail may read of what holds for it."""
import json

import pytest

import sluice
from stage import ZONE

WWW = f"www.{ZONE}"
OWN = "sluice.internal"
CURL = ["curl", "-sS", "--max-time", "10"]


def page(*arguments, options):
    return sluice.run(*options, command=[*CURL, *arguments])


@pytest.mark.core
@pytest.mark.parametrize("mode", ["filtered", "isolated", "internal", "monitor"])
def test_the_policy_that_holds(world, policy, mode):
    text = {"internal": "peers: [172.28.1.0/24]\n"}.get(mode, f"allow: [{{host: {WWW}}}]\n")
    rules = policy(f"version: 1\nmode: {mode}\n{text}deny: [{{host: '*.{ZONE}', ports: [25]}}]\n")
    done = page(f"http://{OWN}/policy", options=["--only", "-p", rules])
    shown = sluice.call("policy", "show", "--only", "-p", rules)
    assert shown.code == 0 and done.out == shown.out, done.err
    assert f"mode: {mode}\n" in done.out
    (opened,) = done.of("conn.open")
    assert (opened["host"], opened["verdict"], opened["rule"]) == (OWN, "allow", None)
    (request,) = done.of("http")
    assert (request["path"], request["status"]) == ("/policy", 200)
    (closed,) = done.of("conn.close")
    assert (closed["end"], closed["bytes_in"]) == ("server", request["bytes_in"])


@pytest.mark.core
def test_denials_and_what_would_allow_them(world):
    done = sluice.run("--only", "--allow", WWW, command=[
        "sh", "-c", f"{' '.join(CURL)} http://other.{ZONE}/ https://third.{ZONE}/ 2>/dev/null;"
        f"{' '.join(CURL)} http://{OWN}/denials"])
    found = {d["host"]: d for d in json.loads(done.out)["denials"]}
    assert set(found) == {f"other.{ZONE}", f"third.{ZONE}"}
    assert found[f"other.{ZONE}"]["reason"] == "no_rule"
    assert found[f"other.{ZONE}"]["suggest"] == f"--allow other.{ZONE}"


@pytest.mark.parametrize("arguments, status, reason", [
    ((f"http://{OWN}/nothing",), "404", None), (("-d", "x", f"http://{OWN}/policy"), "405", None),
    (("-H", f"Host: {WWW}", f"http://{OWN}/policy"), "403", "host_mismatch"),
    (("-H", f"Host: x.{OWN}", f"http://{OWN}/"), "403", "host_mismatch"),
])
def test_nothing_else_is_answered(world, arguments, status, reason):
    done = page("-w", "\n%{http_code}", *arguments, options=["--only", "--allow", WWW])
    assert done.out.rpartition("\n")[2] == status
    assert "mode:" not in done.out and done.reasons() == ({reason} if reason else set())


def test_one_answer_a_connection(jail):
    agent = jail("--only", "--allow", WWW)
    head = f"GET / HTTP/1.1\r\nHost: {OWN}\r\n\r\n"
    answer = agent.ok("tcp", OWN, 80, head * 3 + "rest" * 1000, 10)["data"]
    assert answer.count("HTTP/1.1 200 OK") == 1
    assert answer.endswith("}\n")
    assert agent.fails("tcp", OWN, 443, "x") == 111
    assert agent.fails("tcp", OWN, 8080, "x") == 111
    for garbage in ("x" * 70000, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "\x16\x03\x01"):
        answer = agent.do("tcp", OWN, 80, garbage)
        assert "200 OK" not in str(answer), answer
    done = agent.end()
    assert {"malformed"} <= done.reasons(), done.reasons()


def test_limits_do_not_count_it(world, policy):
    rules = policy(f"version: 1\nallow: [{{host: {WWW}}}]\nlimits: {{requests: 1/h, unique_hosts: 1}}\n")
    done = page(f"http://{OWN}/", f"http://{OWN}/denials", f"http://{WWW}/hello", f"http://{OWN}/",
                options=["--only", "-p", rules])
    assert f"hello from {WWW}" in done.out and done.out.count('"see"') == 2, done.out
    assert not done.of("alert")
