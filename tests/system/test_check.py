# SPDX-License-Identifier: Apache-2.0
"""sluice check: every target form, JSON, batch, exit codes, the same decision as the data path."""
import json

import pytest

import internet
import sluice
from stage import ZONE

POLICY = f"""
version: 1
allow:
  - {{host: exact.example.org, id: exact}}
  - {{host: "*.wild.example.org"}}
  - {{host: .both.example.org}}
  - {{host: ssh.example.org, ports: [22]}}
  - {{host: range.example.org, ports: ["8000-8010"]}}
  - {{host: time.example.org, ports: [123/udp]}}
  - {{ip: 203.0.113.0/24, ports: [22]}}
  - {{ip: "2d00:9::/64", ports: [22]}}
  - {{host: rec.{ZONE}, ports: [80, 8080]}}
deny:
  - {{host: bad.wild.example.org, reason: bad one}}
  - {{host: .evil.both.example.org}}
  - {{ip: 203.0.113.66}}
"""

# target: verdict, reason
TARGETS = {
    "https://exact.example.org/": ("allow", "allowed"),
    "https://exact.example.org/any/path?q=1": ("allow", "allowed"),
    "http://exact.example.org/": ("allow", "allowed"),
    "https://EXACT.Example.ORG./": ("allow", "allowed"),
    "POST https://exact.example.org/x": ("allow", "allowed"),
    "https://exact.example.org:444/": ("deny", "port"),
    "https://sub.exact.example.org/": ("deny", "no_rule"),
    "https://example.org/": ("deny", "no_rule"),
    "https://a.wild.example.org/": ("allow", "allowed"),
    "https://a.b.c.wild.example.org/": ("allow", "allowed"),
    "https://wild.example.org/": ("deny", "no_rule"),
    "https://awild.example.org/": ("deny", "no_rule"),
    "https://bad.wild.example.org/": ("deny", "deny_rule"),
    "https://x.bad.wild.example.org/": ("allow", "allowed"),
    "https://both.example.org/": ("allow", "allowed"),
    "https://a.both.example.org/": ("allow", "allowed"),
    "https://evil.both.example.org/": ("deny", "deny_rule"),
    "https://x.evil.both.example.org/": ("deny", "deny_rule"),
    "ssh.example.org:22": ("allow", "allowed"),
    "ssh.example.org:23": ("deny", "port"),
    "ssh.example.org:22/udp": ("deny", None),
    "https://ssh.example.org/": ("deny", "port"),
    "range.example.org:8000": ("allow", "allowed"),
    "range.example.org:8010": ("allow", "allowed"),
    "range.example.org:8011": ("deny", "port"),
    "range.example.org:7999": ("deny", "port"),
    "time.example.org:123/udp": ("allow", "allowed"),
    "time.example.org:123": ("deny", None),
    "203.0.113.5:22": ("allow", "allowed"),
    "203.0.113.66:22": ("deny", "deny_rule"),
    "203.0.113.5:23": ("deny", "port"),
    "203.0.114.5:22": ("deny", "ip_literal"),
    "[2d00:9::1]:22": ("allow", "allowed"),
    "8.8.8.8:443": ("deny", "ip_literal"),
    "10.0.0.1:443": ("deny", "special_address"),
    "127.0.0.1:80": ("deny", "special_address"),
    "169.254.169.254:80": ("deny", "special_address"),
    "[::1]:80": ("deny", "special_address"),
    "[::ffff:10.0.0.1]:80": ("deny", "special_address"),
    "[64:ff9b::a00:1]:80": ("deny", "special_address"),
    "[2606:4700::1]:443": ("deny", "ip_literal"),
    "dns:exact.example.org": ("allow", "allowed"),
    "dns:exact.example.org/AAAA": ("allow", "allowed"),
    "dns:exact.example.org/TXT": ("deny", "dns_type"),
    "dns:a.wild.example.org": ("allow", "allowed"),
    "dns:nothing.example.org": ("deny", "no_rule"),
    "dns:bad.wild.example.org": ("deny", "deny_rule"),
}


@pytest.fixture(scope="module")
def rules(world):
    path = sluice.stage.directory(sluice.stage.HOME / "check") / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.mark.core
@pytest.mark.parametrize("target", TARGETS)
def test_target(rules, target):
    verdict, reason = TARGETS[target]
    done = sluice.call("check", "--only", "--format", "json", "-p", rules, target)
    found = done.json()
    assert found["target"] == target and found["verdict"] == verdict
    assert reason is None or found["reason"] == reason
    assert done.code == (0 if verdict == "allow" else 1)
    assert {"target", "verdict", "reason", "rule", "layer", "message"} <= set(found)


def test_denial_says_what_would_allow_it(rules):
    found = sluice.call("check", "--only", "--format", "json", "-p", rules,
                        "POST https://evil.com/x").json()
    assert found == {"target": "POST https://evil.com/x", "verdict": "deny", "reason": "no_rule",
                     "rule": None, "layer": None,
                     "message": "No rule matches evil.com (default deny)",
                     "fixable_by": "user", "suggest": "--allow evil.com"}


def test_allow_names_its_rule_and_layer(rules):
    found = sluice.call("check", "--only", "--format", "json", "-p", rules,
                        "https://exact.example.org/").json()
    assert found["rule"] == "exact" and found["layer"] == "policy"


def test_rule_without_id_is_named_by_file_and_place(rules):
    found = sluice.call("check", "--only", "--format", "json", "-p", rules,
                        "https://a.wild.example.org/").json()
    assert found["rule"].endswith("allow[1]"), found


def test_text_form_names_verdict_and_reason(rules):
    done = sluice.call("check", "--only", "-p", rules, "https://evil.com/")
    assert done.code == 1 and "evil.com" in done.out and "deny" in done.out.lower()
    assert "\x1b" not in done.out


def test_worst_verdict_counts(rules):
    done = sluice.call("check", "--only", "-p", rules, "https://exact.example.org/",
                       "https://evil.com/", "https://exact.example.org/")
    assert done.code == 1 and len(done.out.strip().splitlines()) >= 3


@pytest.mark.parametrize("bad", ["", "http://", "ftp://a.example/", "a.example", "a.example:",
                                 "a.example:0", "a.example:99999", "a.example:80/sctp", "dns:",
                                 "https://a b/", "GET", "[::1:80", "dns:a.example/NOPE"])
def test_what_is_no_target_is_an_error(rules, bad):
    done = sluice.call("check", "--only", "--format", "json", "-p", rules, bad)
    assert done.code == 125


def test_user_information_in_a_url_is_malformed(rules):
    done = sluice.call("check", "--only", "--format", "json", "-p", rules,
                       "https://exact.example.org@evil.com/")
    assert (done.json()["reason"], done.code) == ("malformed", 1)


def test_batch_from_stdin_keeps_the_order_and_goes_on_after_errors(rules):
    lines = ["https://exact.example.org/", "what is this", "https://evil.com/", "8.8.8.8:443"]
    done = sluice.call("check", "--only", "-p", rules, "--batch", "-", stdin="\n".join(lines) + "\n")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [f["target"] for f in found] == lines
    assert [f["verdict"] for f in found] == ["allow", "error", "deny", "deny"]
    assert done.code == 125


def test_batch_from_a_file(rules, place):
    (place / "targets").write_text("https://exact.example.org/\nssh.example.org:22\n")
    done = sluice.call("check", "--only", "-p", rules, "--batch", place / "targets")
    assert done.code == 0 and len(done.out.splitlines()) == 2


def test_batch_of_many_is_fast(rules):
    text = "".join(f"https://h{n}.wild.example.org/\n" for n in range(20000))
    done = sluice.call("check", "--only", "-p", rules, "--batch", "-", stdin=text, limit=20)
    assert done.code == 0 and len(done.out.splitlines()) == 20000


def test_resolves_nothing_unless_asked(world, rules):
    start = world.wire.mark()
    sluice.call("check", "--only", "-p", rules, f"http://rec.{ZONE}/")
    assert world.wire.since(start) == []


def test_flags_mean_the_same_as_in_run(world):
    def verdict(*options, target):
        return sluice.call("check", "--only", "--format", "json", *options, target).json()
    assert verdict("--allow", "a.example:8080", target="a.example:8080")["verdict"] == "allow"
    assert verdict("--allow", "a.example", "--deny", "a.example",
                   target="https://a.example/")["reason"] == "deny_rule"
    assert verdict("--allow", "a.example", "--mode", "isolated",
                   target="https://a.example/")["reason"] == "mode"


SAME = ["rec", "denied", "www", "never-existed"]


@pytest.mark.parametrize("name", SAME)
def test_same_verdict_as_the_data_path(world, rules, name):
    url = f"http://{name}.{ZONE}/"
    said = sluice.call("check", "--only", "--format", "json", "-p", rules, url).json()
    done = sluice.run("--only", "-p", rules, command=["curl", "-sm5", url])
    events = done.of("dns.query")
    assert {e["verdict"] for e in events} == {said["verdict"]}
    assert {e["reason"] for e in events} == {said["reason"]}


@pytest.mark.parametrize("target", ["8.8.8.8:80", "10.0.0.1:80", f"[{internet.RECORDER6}]:22",
                                    f"[{internet.RECORDER6}]:23"])
def test_same_verdict_for_literals(world, rules, target):
    said = sluice.call("check", "--only", "--format", "json", "-p", rules, target).json()
    host, port = target.strip("[").replace("]", "").rsplit(":", 1)
    agent = sluice.jail("--only", "-p", rules)
    agent.do("tcp", host, int(port), "x")
    events = [e for e in agent.end().events if e["event"] in ("conn.open", "packet.drop")]
    assert events
    for event in events:
        if event["event"] == "conn.open":
            assert (event["verdict"], event["reason"]) == (said["verdict"], said["reason"])
        else:
            assert said["verdict"] == "deny"


def test_needs_no_rights(rules):
    done = sluice.call("check", "--only", "-p", rules, "https://exact.example.org/",
                       env={"PATH": "/nonexistent"})
    assert done.code == 0, done.err


def test_names_are_idna(world):
    done = sluice.call("check", "--only", "--format", "json", "--allow", "bücher.example",
                       "https://xn--bcher-kva.example/")
    assert done.json()["verdict"] == "allow"
