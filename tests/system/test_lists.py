# SPDX-License-Identifier: Apache-2.0
"""Deny rules by category, host_list and ip_list, on the data path of a live jail."""
import os

import pytest

import dnsd
import internet
import sluice
import stage
from stage import HOME, ZONE

REC, WWW = f"rec.{ZONE}", f"www.{ZONE}"
CONFIG = HOME / ".config" / "sluice"


@pytest.fixture
def category(world):
    """A category of the user's that takes in another."""
    folder = CONFIG / "categories.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drops.yaml").write_text(f"category: drops\ndomains: [drop.{ZONE}]\nincludes: [leaks]\n")
    (folder / "leaks.yaml").write_text(f"category: leaks\nhosts: [leak.{ZONE}]\n")
    stage.give(HOME / ".config")
    yield folder
    for name in ("drops", "leaks"):
        (folder / f"{name}.yaml").unlink()


def ask(agent, name):
    reply = agent.ok("dns", "8.8.8.8", dnsd.question(name, dnsd.A, edns=True).hex(), False)
    return dnsd.parse_reply(bytes.fromhex(reply))


def denied(done, name):
    return [(e["reason"], e["rule"]) for e in done.of("dns.query")
            if e["name"] == name and e["verdict"] == "deny"]


@pytest.mark.core
def test_listed_names_get_nxdomain_and_nothing_goes_upstream(world, jail, place, policy, category):
    (place / "ads.hosts").write_text(f"# ads\n0.0.0.0 ads.{ZONE}\n{REC}\n")
    path = policy(f"version: 1\nallow:\n  - host: '*.{ZONE}'\n    ports: [80, 9999]\n"
                  "deny:\n  - {category: drops, id: no-drops, reason: none of that}\n"
                  "  - {host_list: ads.hosts, id: no-ads}\n")
    agent = jail("-p", path)
    # the rule that allows does allow
    assert ask(agent, WWW).rcode == 0
    before = len(world.dns.queries)
    for name, rule in ((f"drop.{ZONE}", "no-drops"), (f"x.y.drop.{ZONE}", "no-drops"),
                       (f"leak.{ZONE}", "no-drops"), (f"ads.{ZONE}", "no-ads"),
                       (REC, "no-ads"), (f"X.{REC.upper()}", "no-ads")):
        reply = ask(agent, name)
        assert reply.rcode == dnsd.NXDOMAIN and reply.ede == [15], name
        assert not reply.addresses
    assert {q.name.lower() for q in world.dns.queries[before:]} <= {WWW}
    done = agent.end()
    assert denied(done, f"leak.{ZONE}") == [("category", "no-drops")]
    assert denied(done, f"x.y.drop.{ZONE}") == [("category", "no-drops")]
    assert denied(done, f"ads.{ZONE}") == [("host_list", "no-ads")]
    assert denied(done, f"x.{REC}") == [("host_list", "no-ads")]
    assert "leak." in done.err


def test_a_host_that_resolves_into_a_list_is_not_reached(world, jail, place, policy, token):
    (place / "bad.netset").write_text(f"{internet.RECORDER4} ; one\n{internet.RECORDER6}\n")
    rules = "deny:\n  - {ip_list: bad.netset, id: bad}\n"
    wild = policy(f"version: 1\nallow:\n  - host: '*.{ZONE}'\n    ports: [9999]\n" + rules)
    agent = jail("-p", wild)
    agent.do("tcp", REC, 9999, token)
    assert not world.recorder.arrived(token.encode())
    assert "ip_list" in agent.end().reasons()
    # the control: named exactly it is
    exact = policy(f"version: 1\nallow:\n  - host: {REC}\n    ports: [9999]\n" + rules, "exact.yaml")
    agent = jail("-p", exact)
    assert agent.ok("half_close", REC, 9999, token)["data"] == token
    assert world.recorder.arrived(token.encode())


def test_an_address_of_a_list_is_not_reached(world, jail, place, policy, token):
    (place / "bad.netset").write_text(f"{internet.RECORDER4}\n")
    allow = f"version: 1\nallow:\n  - ip: 21.9.0.0/24\n    ports: [9999]\n"
    agent = jail("-p", policy(allow))
    assert agent.ok("half_close", internet.RECORDER4, 9999, f"a{token}")["data"] == f"a{token}"
    agent = jail("-p", policy(allow + "deny:\n  - ip_list: bad.netset\n", "listed.yaml"))
    agent.do("tcp", internet.RECORDER4, 9999, f"b{token}")
    assert "ip_list" in agent.end().reasons()
    assert not world.recorder.arrived(f"b{token}".encode())
    assert world.recorder.arrived(f"a{token}".encode())


def test_a_list_is_read_only_in_the_jail(world, jail, place, policy):
    lists = place / "lists"
    lists.mkdir()
    (lists / "ads.hosts").write_text(f"ads.{ZONE}\n")
    path = policy(f"version: 1\nallow: [{{host: {WWW}}}]\ndeny: [{{host_list: lists/ads.hosts}}]\n")
    done = sluice.run("-p", path, command=["sh", "-c", f"echo x >>{lists}/ads.hosts; "
                      f"mv {lists} {lists}2; rm -f {lists}/ads.hosts; echo y >{place}/mine"])
    assert (lists / "ads.hosts").read_text() == f"ads.{ZONE}\n"
    assert (place / "mine").read_text() == "y\n"
    assert done.err.count("ads.hosts") >= 2


@pytest.mark.parametrize("what, why", [("fifo", "not a regular file"), ("folder", "not a regular file"),
                                       ("absent", "No such file"), ("locked", "Permission denied"),
                                       ("empty", "found nothing in the list"),
                                       ("broken", ":2:3: found a_!.test")])
def test_a_list_that_cannot_be_read_refuses_the_policy(world, place, policy, what, why):
    os.mkfifo(place / "fifo")
    (place / "folder").mkdir()
    (place / "empty").write_text("# nothing\n")
    (place / "broken").write_text("a.test\n  a_!.test\n")
    (place / "locked").write_text("a.test\n")
    path = policy(f"version: 1\nallow: [{{host: {WWW}}}]\ndeny: [{{host_list: {what}}}]\n")
    (place / "locked").chmod(0)
    done = sluice.run("-p", path, command=["touch", place / "ran"])
    assert done.code == 125 and not (place / "ran").exists()
    [line] = done.err.splitlines()
    assert line.startswith(f"sluice: {place}/{what}") and why in line


@pytest.mark.core
def test_published_names(world, policy):
    """Names, verdicts and reasons as people publish them."""
    path = policy("version: 1\nallow:\n  - host: .openai.com\n  - host: .anthropic.com\n"
                  "  - host: .arxiv.org\n  - host: .google.com\n"
                  "deny:\n  - category: file_sharing\n  - category: vpn_proxy\n"
                  "  - category: crypto\n")
    for name, want, words in (
            ("api.openai.com", "allowed", ""), ("docs.anthropic.com", "allowed", ""),
            ("arxiv.org", "allowed", ""), ("scholar.google.com", "allowed", ""),
            ("pastebin.com", "category", "category file_sharing (paste_sites)"),
            ("nordvpn.com", "category", "category vpn_proxy (vpn_and_proxy)"),
            ("transfer.sh", "category", "category file_sharing"),
            ("evil-site.com", "no_rule", "default deny")):
        for target in (f"https://{name}/", f"dns:{name}", f"{name}:443"):
            found = sluice.call("check", "-p", path, "--format", "json", target).json()
            found = found[0] if isinstance(found, list) else found
            assert found["reason"] == want and words in found["message"], found
