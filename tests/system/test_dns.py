# SPDX-License-Identifier: Apache-2.0
"""DNS in the jail: synthetic answers for allowed names, nothing forwarded for others."""
import ipaddress
import pathlib
import time

import pytest

import dnsd
import internet
import sluice
from stage import ZONE
from waiting import wait_for

REC = f"rec.{ZONE}"
POOL4, POOL6 = ipaddress.ip_network("28.0.0.0/12"), ipaddress.ip_network("2d00:736c::/64")
SERVERS = ["8.8.8.8", internet.DNS4, internet.OTHER_DNS4, "10.1.2.3", "2001:4860:4860::8888"]


@pytest.fixture(scope="module")
def some(world):
    names = ["rec", "rec4", "rec6", "texts", "slow", "empty", "servfail", "silent", "alias",
             "alias-loop", "never-existed"]
    agent = sluice.jail(*(x for n in names for x in ("--allow", f"{n}.{ZONE}:80,9999")),
                        "--allow", f"*.deep.{ZONE}")
    yield agent
    agent.kill()


def ask(agent, name, qtype=dnsd.A, server="8.8.8.8", tcp=False, edns=True):
    answer = agent.ok("dns", server, dnsd.question(name, qtype, edns=edns).hex(), tcp)
    assert answer is not None, "no answer"
    return dnsd.parse_reply(bytes.fromhex(answer))


@pytest.mark.core
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_any_server_address_gives_a_synthetic_ipv4_answer(some, server, tcp):
    reply = ask(some, REC, server=server, tcp=tcp)
    [address] = reply.addresses
    assert reply.rcode == 0 and ipaddress.ip_address(address) in POOL4


@pytest.mark.parametrize("name", ["rec", "rec4", "rec6"])
def test_answers_do_not_depend_on_the_upstream_family_alone(some, name):
    """A name with only one family upstream is reachable by each that is answered."""
    for address in some.ok("resolve", f"{name}.{ZONE}"):
        assert some.ok("tcp", address, 9999, "hello")["data"] == "hello"


def test_synthetic_ipv6_answer(some):
    [address] = ask(some, REC, dnsd.AAAA).addresses
    assert ipaddress.ip_address(address) in POOL6


def test_same_name_same_address(some):
    assert ask(some, REC).addresses == ask(some, REC.upper(), server="1.1.1.1").addresses


def test_different_names_different_addresses(some):
    assert ask(some, REC).addresses != ask(some, f"rec4.{ZONE}").addresses


def test_real_addresses_are_not_told(some):
    assert internet.RECORDER4 not in some.ok("resolve", REC)


def test_wildcard_names_resolve(some):
    assert ask(some, f"a.b.deep.{ZONE}").addresses
    assert ask(some, f"deep.{ZONE}").rcode == dnsd.NXDOMAIN


@pytest.mark.core
@pytest.mark.parametrize("qtype", [dnsd.A, dnsd.AAAA, dnsd.TXT, dnsd.HTTPS, dnsd.ANY, dnsd.MX])
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_denied_name_is_nxdomain_blocked_and_never_forwarded(world, some, token, qtype, tcp):
    reply = ask(some, f"{token}.{ZONE}", qtype, tcp=tcp)
    assert reply.rcode == dnsd.NXDOMAIN and reply.ede == [15]
    assert world.dns.asked(token) == []


def test_denied_name_that_exists_is_not_forwarded(world, some):
    before = len(world.dns.asked(f"denied.{ZONE}"))
    assert ask(some, f"denied.{ZONE}").ede == [15]
    assert len(world.dns.asked(f"denied.{ZONE}")) == before


def test_no_extended_error_for_a_client_without_edns(some, token):
    reply = ask(some, f"{token}.{ZONE}", edns=False)
    assert reply.rcode == dnsd.NXDOMAIN and reply.ede == []


def test_allowed_name_that_does_not_exist_is_nxdomain_without_blocked(world, some):
    reply = ask(some, f"never-existed.{ZONE}")
    assert reply.rcode == dnsd.NXDOMAIN and reply.ede == []
    assert world.dns.asked("never-existed")


@pytest.mark.parametrize("qtype", [dnsd.TXT, dnsd.MX, dnsd.SRV, dnsd.HTTPS, dnsd.SVCB, 10, 257])
def test_other_types_of_an_allowed_name_are_empty_and_not_forwarded(world, some, qtype):
    reply = ask(some, f"texts.{ZONE}", qtype)
    assert reply.rcode == 0 and reply.types == []
    assert all(q.type in (dnsd.A, dnsd.AAAA) for q in world.dns.asked("texts"))


@pytest.mark.parametrize("name", ["servfail", "alias-loop"])
def test_upstream_failure_is_servfail(some, name):
    assert ask(some, f"{name}.{ZONE}").rcode == dnsd.SERVFAIL


def test_silent_upstream_is_servfail_within_ten_seconds(some):
    start = time.monotonic()
    answer = some.ok("dns", "8.8.8.8", dnsd.question(f"silent.{ZONE}", dnsd.A).hex(), False, 53, 11,
                     limit=14)
    assert answer and dnsd.parse_reply(bytes.fromhex(answer)).rcode == dnsd.SERVFAIL
    assert time.monotonic() - start < 10.5


def test_slow_upstream_does_not_delay_others(world, fresh, jail):
    slow = fresh(addresses=[internet.RECORDER4], delay=1.0)
    agent = jail("--allow", slow, "--allow", REC)
    agent.ok("resolve", REC)
    waiting = agent.ok("popen", "getent", "ahosts", slow, stay=True)
    wait_for(lambda: world.dns.asked(slow))
    agent.ok("resolve", REC)
    assert agent.ok("running", waiting, stay=True) is None      # it was answered before the other
    wait_for(lambda: agent.ok("running", waiting, stay=True) is not None)
    assert agent.ok("running", waiting, stay=True) == 0


def test_alias_is_answered_by_its_own_name(some):
    [address] = ask(some, f"alias.{ZONE}").addresses
    assert some.ok("tcp", address, 9999, "hello")["data"] == "hello"


@pytest.mark.core
def test_ptr_of_a_synthetic_address_gives_the_name(some):
    for address in some.ok("resolve", REC):
        reply = ask(some, ipaddress.ip_address(address).reverse_pointer, dnsd.PTR)
        assert reply.names == [REC]


@pytest.mark.parametrize("address", [internet.RECORDER4, "10.0.0.1", "28.15.255.1",
                                     internet.RECORDER6])
def test_ptr_of_other_addresses_is_not_forwarded(world, some, address):
    pointer = ipaddress.ip_address(address).reverse_pointer
    assert ask(some, pointer, dnsd.PTR).rcode == dnsd.NXDOMAIN
    assert world.dns.asked(pointer) == []


@pytest.mark.parametrize("name", ["localhost", "foo.localhost"])
def test_localhost_stays_local(world, some, name):
    assert set(ask(some, name).addresses) <= {"127.0.0.1"}
    assert set(ask(some, name, dnsd.AAAA).addresses) <= {"::1"}
    assert world.dns.asked("localhost") == []


def test_localhost_resolves_by_the_system(some):
    assert set(some.ok("resolve", "localhost")) <= {"127.0.0.1", "::1"}


def test_host_name_of_the_machine_resolves_to_loopback(world, some):
    assert set(some.ok("resolve", "home")) <= {"127.0.0.1", "::1"}
    assert not [q for q in world.dns.asked("home") if q.name.split(".")[0] == "home"]


MALFORMED = {
    "empty": "", "short": "5157", "header-only": "515701000001000000000000",
    "no-question": "515701000000000000000000",
    "two-questions": "515701000002000000000000" + "0161000001000101610000010001",
    "pointer-loop": "515701000001000000000000" + "c00c00010001",
    "label-too-long": "515701000001000000000000" + "40" + "61" * 64 + "0000010001",
    "name-too-long": "515701000001000000000000" + ("3f" + "61" * 63) * 5 + "0000010001",
    "is-a-response": "515781000001000000000000" + "01610000010001",
    "class-chaos": dnsd.question("version.bind", dnsd.TXT).hex()[:-4] + "0003",
    "opcode-update": "515728000001000000000000" + "01610000060001",
    "zone-transfer": dnsd.question(ZONE, 252).hex(),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_malformed_query_is_harmless_and_not_forwarded(world, some, name, tcp):
    before = len(world.dns.queries)
    some.do("dns", "8.8.8.8", MALFORMED[name], tcp, 53, 0.4)
    # for names that exist, and are in none of these, somebody else may still be asking
    assert not [q for q in world.dns.queries[before:] if q.name.lower() not in world.dns.names]
    assert ask(some, REC, tcp=tcp).addresses


def test_queries_are_recorded(world, token):
    agent = sluice.jail("--allow", REC)
    ask(agent, REC)
    ask(agent, f"{token}.{ZONE}", dnsd.AAAA)
    allowed, denied = agent.end().of("dns.query")
    assert (allowed["name"], allowed["type"], allowed["verdict"]) == (REC, "A", "allow")
    assert ipaddress.ip_address(allowed["answer"]) in POOL4
    assert (denied["name"], denied["type"], denied["verdict"], denied["reason"]) \
        == (f"{token}.{ZONE}", "AAAA", "deny", "no_rule")


def test_odd_bytes_in_a_name_stay_on_one_line(world):
    agent = sluice.jail()
    query = dnsd.question("PLACE.example", dnsd.A).replace(b"\5PLACE", b"\5\"\n\r\xff\\")
    agent.do("dns", "8.8.8.8", query.hex(), False, 53, 1)
    done = agent.end()
    assert [e["event"] for e in done.denied()] == ["dns.query"]


@pytest.mark.parametrize("ports", ["53", "853"])
def test_ports_53_and_853_belong_to_sluice(ports):
    done = sluice.call("run", "--allow", f"{REC}:{ports}", "--", "true")
    assert done.code == 125 and ports in done.err


# search domains and names of one label

@pytest.fixture
def searching(world):
    """Home's resolv.conf has a search domain."""
    path = pathlib.Path("/etc/resolv.conf")
    before = path.read_text()
    path.write_text(before + f"search {ZONE}\n")
    yield
    path.write_text(before)


def test_single_label_is_found_by_the_search_domain(searching, jail):
    agent = jail("--allow", f"{REC}:9999")
    assert agent.ok("tcp", "rec", 9999, "hello")["data"] == "hello"


def test_denied_single_label_leaks_nothing(world, searching, jail, token):
    agent = jail("--allow", f"{REC}:9999")
    assert "error" in agent.do("resolve", token)
    assert world.dns.asked(token) == []


def test_allowed_name_does_not_leak_with_search_domain_appended(world, searching, jail):
    agent = jail("--allow", f"{REC}:9999")
    assert agent.ok("resolve", REC)
    assert world.dns.asked(f"{REC}.{ZONE}") == []


def test_synthetic_pool_of_the_policy(policy, jail):
    agent = jail("-p", policy(f"version: 1\nallow:\n  - host: {REC}\ndns:\n"
                              "  synthetic: [198.19.0.0/16, 'fd73:6c75::/64']\n"))
    [four] = ask(agent, REC).addresses
    [six] = ask(agent, REC, dnsd.AAAA).addresses
    assert ipaddress.ip_address(four) in ipaddress.ip_network("198.19.0.0/16")
    assert ipaddress.ip_address(six) in ipaddress.ip_network("fd73:6c75::/64")
    assert "200 OK" in agent.ok("requests", REC, 80, [f"GET / HTTP/1.1\r\nHost: {REC}\r\n\r\n"])[0]


def test_synthetic_address_that_stands_for_nothing_is_denied(some):
    assert some.fails("tcp", "28.9.9.9", 80)


def test_idn_names_are_compared_as_a_labels(world, jail):
    world.dns.names[f"xn--bcher-kva.{ZONE}"] = dnsd.Name([internet.RECORDER4])
    agent = jail("--allow", f"b\u00fccher.{ZONE}:9999")
    assert agent.ok("tcp", f"xn--bcher-kva.{ZONE}", 9999, "hello")["data"] == "hello"
