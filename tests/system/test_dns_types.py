# SPDX-License-Identifier: Apache-2.0
"""Records of other types for allowed names, and upstreams over TLS."""
import time

import pytest

import dnsd
import internet
import sluice
from dnsd import Name
from stage import ZONE

REC = [internet.RECORDER4, internet.RECORDER6]
SRV = f"_sip._tcp.typed.{ZONE}"
MAIL = dnsd.pack_name(f"mail.{ZONE}")
RDATA = {
    dnsd.TXT: [b"\x05hello", b"\x03one\x03two"],
    dnsd.MX: [b"\x00\x0a" + MAIL],
    dnsd.CAA: [b"\x00\x05issueca.example"],
}
DOT = f"tls://{internet.DNS4}#dns.{ZONE}"


@pytest.fixture(scope="module")
def names(world):
    made = {
        f"typed.{ZONE}": Name(REC, ttl=3600, other=dict(RDATA)),
        SRV: Name(other={dnsd.SRV: [b"\0\1\0\2\x13\xc4" + MAIL]}),
        f"aliased.{ZONE}": Name(cname=f"typed.{ZONE}"),
        f"large.{ZONE}": Name(other={dnsd.TXT: [bytes([255]) + bytes([65 + i]) * 255
                                               for i in range(20)]}),
        f"huge.{ZONE}": Name(other={dnsd.TXT: [(bytes([255]) + b"x" * 255) * 80]}),
        f"wrong.{ZONE}": Name(other={dnsd.TXT: b"\x09short", dnsd.MX: b"\0"}),
    }
    world.dns.names.update(made)
    yield
    for name in made:
        del world.dns.names[name]


def rules(types, upstream="system"):
    return (f"version: 1\nallow: [{{host: .typed.{ZONE}}}, {{host: aliased.{ZONE}}},"
            f" {{host: large.{ZONE}}}, {{host: huge.{ZONE}}}, {{host: wrong.{ZONE}}},"
            f" {{host: rec.{ZONE}, ports: [9999]}}, {{host: silent.{ZONE}}}]\n"
            f"dns: {{types: [{types}], upstream: ['{upstream}']}}\n")


def ask(agent, name, qtype, tcp=False):
    answer = agent.ok("dns", "8.8.8.8", dnsd.question(name, qtype, edns=True).hex(), tcp)
    return dnsd.parse_reply(bytes.fromhex(answer))


@pytest.mark.parametrize("upstream", ["system", DOT], ids=["plain", "tls"])
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("qtype", RDATA)
def test_allowed_type_of_an_allowed_name_is_answered(names, policy, jail, upstream, tcp, qtype):
    agent = jail("-p", policy(rules("A, AAAA, TXT, MX, SRV, CAA", upstream)))
    for name in (f"typed.{ZONE}", f"aliased.{ZONE}"):
        reply = ask(agent, name, qtype, tcp)
        assert reply.rcode == 0 and sorted(reply.rdata) == sorted(RDATA[qtype])
        assert set(reply.types) == {qtype} and set(reply.owners) == {name}
        assert max(reply.ttls) <= 60 and reply.others == 0


def test_records_and_their_verdicts(world, names, policy, token):
    agent = sluice.jail("-p", policy(rules("A, TXT, SRV")))
    assert ask(agent, SRV, dnsd.SRV).rdata == [b"\0\1\0\2\x13\xc4" + MAIL]
    assert sorted(ask(agent, f"typed.{ZONE}", dnsd.TXT).rdata) == sorted(RDATA[dnsd.TXT])
    assert ask(agent, f"typed.{ZONE}", dnsd.MX).types == []
    assert ask(agent, f"typed.{ZONE}", dnsd.AAAA).types == []
    assert ask(agent, f"{token}.{ZONE}", dnsd.TXT).rcode == dnsd.NXDOMAIN
    assert ask(agent, f"never-{token}.typed.{ZONE}", dnsd.TXT).rcode == dnsd.NXDOMAIN
    assert ask(agent, f"typed.{ZONE}", dnsd.HTTPS).types == []
    events = agent.end().of("dns.query")
    assert [(e["type"], e["verdict"], e["reason"]) for e in events] == [
        ("SRV", "allow", "allowed"), ("TXT", "allow", "allowed"), ("MX", "deny", "dns_type"),
        ("AAAA", "deny", "dns_type"), ("TXT", "deny", "no_rule"), ("TXT", "allow", "allowed"),
        ("HTTPS", "allow", "allowed")]
    assert {q.type for q in world.dns.asked(f"typed.{ZONE}")
            if q.type not in (dnsd.A, dnsd.AAAA)} <= {dnsd.TXT, dnsd.SRV, dnsd.MX, dnsd.CAA}
    assert world.dns.asked(f"{token}.{ZONE}") == []


def test_upstream_hears_of_allowed_types_only(world, names, policy, jail, fresh):
    name = fresh(addresses=REC, other=dict(RDATA))
    agent = jail("-p", policy(f"version: 1\nallow: [{{host: {name}}}]\n"
                              "dns: {types: [A, AAAA, TXT]}\n"))
    for qtype in (dnsd.TXT, dnsd.MX, dnsd.SRV, dnsd.CAA, dnsd.HTTPS, dnsd.ANY, 0, 10, 65280):
        ask(agent, name, qtype)
    assert {q.type for q in world.dns.asked(name)} == {dnsd.TXT}


@pytest.mark.parametrize("name,qtype", [(f"typed.{ZONE}", dnsd.MX), (SRV, dnsd.SRV)])
def test_targets_are_not_made_reachable(world, names, policy, jail, name, qtype):
    """mail.ZONE answers outside; the record that names it opens nothing."""
    agent = jail("-p", policy(rules("A, AAAA, MX, SRV")))
    assert ask(agent, name, qtype).rdata
    before = len(world.dns.asked(f"mail.{ZONE}"))
    assert ask(agent, f"mail.{ZONE}", dnsd.A).rcode == dnsd.NXDOMAIN
    assert agent.fails("tcp", f"mail.{ZONE}", 25)
    assert agent.fails("tcp", internet.RECORDER4, 25)
    assert len(world.dns.asked(f"mail.{ZONE}")) == before


@pytest.mark.parametrize("upstream", ["system", DOT], ids=["plain", "tls"])
def test_sizes(names, policy, jail, upstream):
    agent = jail("-p", policy(rules("A, TXT", upstream)))
    cut = ask(agent, f"large.{ZONE}", dnsd.TXT)
    assert cut.truncated
    whole = ask(agent, f"large.{ZONE}", dnsd.TXT, tcp=True)
    assert len(whole.rdata) == 20 and not whole.truncated
    assert ask(agent, f"huge.{ZONE}", dnsd.TXT, tcp=True).rcode == dnsd.SERVFAIL
    assert sorted(ask(agent, f"typed.{ZONE}", dnsd.TXT, tcp=True).rdata) == sorted(RDATA[dnsd.TXT])


@pytest.mark.parametrize("qtype", [dnsd.TXT, dnsd.MX])
def test_data_without_the_layout_of_their_type_fail(names, policy, jail, qtype):
    agent = jail("-p", policy(rules("A, TXT, MX", DOT)))
    assert ask(agent, f"wrong.{ZONE}", qtype).rcode == dnsd.SERVFAIL
    assert sorted(ask(agent, f"typed.{ZONE}", qtype).rdata) == sorted(RDATA[qtype])


@pytest.mark.core
def test_upstream_over_tls(world, names, policy, jail, fresh):
    name = fresh(addresses=[internet.RECORDER4])
    agent = jail("-p", policy(f"version: 1\nallow: [{{host: {name}, ports: [9999]}}]\n"
                              f"dns: {{upstream: ['{DOT}']}}\n"))
    assert agent.ok("tcp", name, 9999, "hello")["data"] == "hello"
    assert {q.transport for q in world.dns.asked(name)} == {"tls"}
    assert not world.wire.carries(name.split(".")[0].encode())


@pytest.mark.core
@pytest.mark.parametrize("upstream,why", [
    (f"tls://{internet.DNS4}#dns.elsewhere.example", "hostname mismatch"),
    (f"tls://{internet.DNS4}:53#dns.{ZONE}", ""),
    (f"tls://{internet.OTHER_DNS4}#dns.{ZONE}", ""),
    (f"tls://{internet.DNS6}#dns.{ZONE}", "refused"),
    (f"tls://{internet.NOWHERE4}#dns.{ZONE}", "in time"),
], ids=["name", "plain", "echo", "nobody", "silence"])
def test_upstream_that_is_not_verified_gets_no_question(world, policy, fresh, upstream, why):
    name = fresh(addresses=REC)
    agent = sluice.jail("-p", policy(f"version: 1\nallow: [{{host: {name}}}]\n"
                                     f"dns: {{upstream: ['{upstream}']}}\n"))
    start = time.monotonic()
    answer = agent.ok("dns", "8.8.8.8", dnsd.question(name, dnsd.A).hex(), False, 53, 11, limit=14)
    assert dnsd.parse_reply(bytes.fromhex(answer)).rcode == dnsd.SERVFAIL
    assert time.monotonic() - start < 10
    done = agent.end()
    assert [e["reason"] for e in done.of("dns.query")] == ["resolve_failed"]
    assert why in done.err and upstream.split("#")[1] in done.err
    assert world.dns.asked(name) == [] and world.other_dns.asked(name) == []
    assert not world.wire.carries(name.split(".")[0].encode())


def test_unknown_ca_is_not_trusted(world, policy, fresh, place):
    name = fresh(addresses=REC)
    other = place / "other.pem"
    other.write_text("".join(open("/etc/ssl/certs/ca-certificates.crt").read().partition(
        "-----END CERTIFICATE-----\n")[:2]))
    path = policy(f"version: 1\nallow: [{{host: {name}}}]\ndns: {{upstream: ['{DOT}']}}\n")
    env = sluice.environment(SSL_CERT_FILE=other, SSL_CERT_DIR="/nowhere")
    agent = sluice.jail("-p", path, env=env)
    assert ask(agent, name, dnsd.A).rcode == dnsd.SERVFAIL
    assert "unable to get local issuer certificate" in agent.end().err
    assert world.dns.asked(name) == []


def test_other_server_of_the_policy(world, policy, jail, fresh):
    name = fresh(addresses=REC)
    world.other_dns.names[name] = Name(REC)
    agent = jail("-p", policy(f"version: 1\nallow: [{{host: {name}}}]\n"
                              f"dns: {{upstream: ['{internet.OTHER_DNS4}:53']}}\n"))
    assert ask(agent, name, dnsd.A).addresses
    assert world.other_dns.asked(name) and not world.dns.asked(name)


def test_check_says_the_same(policy):
    path = policy(rules("A, TXT"))
    for target, verdict, reason, suggest in (
            (f"dns:typed.{ZONE}/TXT", "allow", "allowed", None),
            (f"dns:typed.{ZONE}/MX", "deny", "dns_type", "dns: {types: [A, MX, TXT]}"),
            (f"dns:typed.{ZONE}/HTTPS", "deny", "dns_type", None),
            (f"dns:elsewhere.{ZONE}/TXT", "deny", "no_rule", f"--allow elsewhere.{ZONE}")):
        done = sluice.call("check", "--format", "json", "-p", path, target).json()
        assert (done["verdict"], done["reason"], done["suggest"]) == (verdict, reason, suggest)
        if suggest is None and verdict == "deny":
            assert done["fixable_by"] == "nobody"
