# SPDX-License-Identifier: Apache-2.0
"""Nothing leaves that no rule allows.

Every attempt is made twice with the same code: outside of any jail, where it must
arrive (else the attempt proves nothing), and in the jail, where its bytes must
reach no server and no wire.
"""
import pytest

import dnsd
import internet
import sluice
from stage import ZONE


def question(token):
    return dnsd.question(f"{token}.{ZONE}", dnsd.A).hex()


def http(token, host="x"):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}\r\n\r\n"


# name: how it is made, given a token that it carries out
ATTEMPTS = {
    "tcp-literal4": lambda t: ("tcp", internet.RECORDER4, 9999, t),
    "tcp-literal6": lambda t: ("tcp", internet.RECORDER6, 9999, t),
    "tcp-literal-mapped": lambda t: ("tcp", f"::ffff:{internet.RECORDER4}", 9999, t),
    "tcp-literal-nat64": lambda t: ("tcp", "64:ff9b::a14:5", 9999, t),
    "http-literal4": lambda t: ("tcp", internet.RECORDER4, 80, http(t)),
    "http-literal6": lambda t: ("tcp", internet.RECORDER6, 80, http(t)),
    "http-other-port": lambda t: ("tcp", internet.RECORDER4, 8080, http(t)),
    "http-private10": lambda t: ("tcp", "10.20.0.5", 80, http(t)),
    "http-private192": lambda t: ("tcp", "192.168.77.5", 80, http(t)),
    "http-private172": lambda t: ("tcp", "172.20.0.5", 80, http(t)),
    "http-cgn": lambda t: ("tcp", "100.64.0.5", 80, http(t)),
    "http-metadata": lambda t: ("tcp", "169.254.169.254", 80, http(t)),
    "http-metadata-public": lambda t: ("tcp", "168.63.129.16", 80, http(t)),
    "http-ula": lambda t: ("tcp", "fd00:20::5", 80, http(t)),
    "neighbour4": lambda t: ("tcp", internet.NEIGHBOUR4, 80, http(t)),
    "neighbour6": lambda t: ("tcp", internet.NEIGHBOUR6, 80, http(t)),
    "ssh-literal": lambda t: ("tcp", internet.RECORDER4, 22, t),
    "smtp-literal": lambda t: ("tcp", internet.RECORDER4, 25, t),
    "dns-configured-udp": lambda t: ("dns", internet.DNS4, question(t)),
    "dns-configured-tcp": lambda t: ("dns", internet.DNS4, question(t), True),
    "dns-configured-ipv6": lambda t: ("dns", internet.DNS6, question(t)),
    "dns-other-udp": lambda t: ("dns", internet.OTHER_DNS4, question(t)),
    "dns-other-tcp": lambda t: ("dns", internet.OTHER_DNS4, question(t), True),
    "dns-other-ipv6-udp": lambda t: ("dns", internet.OTHER_DNS6, question(t)),
    "dns-other-ipv6-tcp": lambda t: ("dns", internet.OTHER_DNS6, question(t), True),
    "dns-over-tls-port": lambda t: ("tcp", internet.OTHER_DNS4, 853, t),
    "dns-over-tls-hello": lambda t: ("tls_hello", internet.OTHER_DNS4, 443, f"{t}.example"),
    "dns-labels": lambda t: ("resolve", f"{t}.tunnel.{ZONE}"),
    "dns-many-labels": lambda t: ("resolve", f"{t}.a.b.c.d.e.f.{ZONE}"),
    "dns-txt": lambda t: ("dns", internet.DNS4, dnsd.question(f"{t}.{ZONE}", dnsd.TXT).hex()),
    "dns-null": lambda t: ("dns", internet.DNS4, dnsd.question(f"{t}.{ZONE}", 10).hex()),
    "dns-single-label": lambda t: ("resolve", t),
    "udp-literal4": lambda t: ("udp", internet.RECORDER4, 9999, t),
    "udp-literal6": lambda t: ("udp", internet.RECORDER6, 9999, t),
    "udp-unconnected": lambda t: ("udp", internet.RECORDER4, 9999, t, 0.7, False),
    "udp-ntp": lambda t: ("udp", internet.RECORDER4, 123, t),
    "udp-quic": lambda t: ("udp", internet.RECORDER4, 443, "\xc3\0\0\0\1" + t + "\0" * 1200),
    "udp-metadata": lambda t: ("udp", "169.254.169.254", 123, t),
    "tls-literal": lambda t: ("tls_hello", internet.RECORDER4, 443, f"{t}.example"),
    "tls-other-port": lambda t: ("tls_hello", internet.RECORDER6, 8443, f"{t}.example"),
    "curl": lambda t: ("command", "curl", "-sm5", f"http://rec.{ZONE}/{t}"),
    "curl-https": lambda t: ("command", "curl", "-skm5", f"https://rec.{ZONE}:8443/{t}"),
    "curl-noproxy-literal": lambda t: ("command", "curl", "-sm5", "--noproxy", "*",
                                       f"http://{internet.RECORDER4}/{t}"),
    "curl-as-proxy": lambda t: ("command", "curl", "-sm5", "-x", f"http://{internet.RECORDER4}:80",
                                f"http://www.{ZONE}/{t}"),
    "curl-resolve": lambda t: ("command", "curl", "-sm5", "--resolve",
                               f"www.{ZONE}:80:{internet.RECORDER4}", f"http://www.{ZONE}/{t}"),
    # a port that the kernel gives to nobody by itself
    "bound-source": lambda t: ("tcp", internet.RECORDER4, 9999, t, 0.5, ("0.0.0.0", 20123)),
    "source-equals-target-port": lambda t: ("tcp", internet.RECORDER4, 9999, t, 0.5,
                                            ("0.0.0.0", 9999)),
    "mptcp": lambda t: ("mptcp", internet.RECORDER4, 9999, t),
    "fast-open": lambda t: ("fast_open", internet.RECORDER4, 9999, t),
}


def perform(agent, attempt, token):
    do, *args = ATTEMPTS[attempt](token)
    return agent.do(do, *args)


@pytest.fixture(scope="module")
def policed(world):
    """A jail in which something is allowed, but nothing of what is attempted."""
    agent = sluice.jail("--allow", f"www.{ZONE}")
    assert "ok" in agent.do("resolve", f"www.{ZONE}")
    yield agent
    agent.kill()


@pytest.mark.core
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_does_not_leave_a_closed_jail(world, outside, closed, token, attempt):
    perform(outside, attempt, "out" + token)
    assert world.arrived(("out" + token).encode()), "the attempt does not work at all"
    perform(closed, attempt, "in" + token)
    assert not world.arrived(("in" + token).encode())


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_does_not_leave_a_jail_with_rules(world, policed, token, attempt):
    perform(policed, attempt, "in" + token)
    assert not world.arrived(("in" + token).encode())


def test_forty_attempts_and_not_one_packet(world, outside, token):
    """Nothing allowed: the wire stays silent from before the start to after the end."""
    assert len(ATTEMPTS) >= 40
    start = world.wire.mark()
    perform(outside, "udp-literal4", "out" + token)
    assert len(world.wire.since(start)) >= 2
    start = world.wire.mark()
    agent = sluice.jail()
    for attempt in ATTEMPTS:
        perform(agent, attempt, token)
    done = agent.end()
    assert world.wire.since(start) == []
    assert world.dns.asked(token) == [] and world.other_dns.asked(token) == []
    assert len(done.denied()) >= 20


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", internet.HOME4, internet.HOME6,
                                     "127.0.0.53", "0.0.0.0"])
def test_servers_of_the_host_are_out_of_reach(world, outside, closed, token, address):
    """On loopback, on its own address: the jail finds its own loopback, or nothing."""
    listen = "::" if ":" in address else "0.0.0.0"
    host = sluice.Agent([])
    try:
        port = host.ok("serve", 0, token, listen, stay=True)
        assert outside.ok("tcp", address, port, "", 10)["data"] == token
        answer = closed.do("tcp", address, port)
        assert token not in str(answer), answer
        assert "error" in answer or answer["ok"]["data"] == ""
    finally:
        host.kill()


@pytest.mark.parametrize("address", [internet.RECORDER4, internet.RECORDER6, "8.8.8.8",
                                     "10.20.0.5", "169.254.169.254", "255.255.255.255"])
def test_denied_tcp_fails_at_once(closed, address):
    """Refused or reset, not left to time out."""
    answer = closed.do("tcp", address, 9999, "x", limit=3)
    assert answer.get("error") in ("ConnectionRefusedError", "ConnectionResetError",
                                   "OSError", "PermissionError") \
        or answer["ok"]["end"] == "ECONNRESET", answer


@pytest.mark.parametrize("address", [internet.RECORDER4, internet.RECORDER6])
@pytest.mark.parametrize("port", [443, 123, 9999])
def test_denied_udp_gets_port_unreachable(closed, address, port):
    """QUIC clients fall back at once."""
    answer = closed.do("udp", address, port, "x", 3)
    assert answer.get("error") == "ConnectionRefusedError", answer


@pytest.mark.parametrize("host", [internet.RECORDER4, internet.RECORDER6])
def test_icmp_echo_is_not_answered(world, closed, host):
    start = world.wire.mark()
    closed.fails("ping", host)
    assert world.wire.since(start) == []


@pytest.mark.parametrize("host", [internet.RECORDER4, internet.RECORDER6])
def test_icmp_echo_is_answered_outside(outside, host):
    assert outside.ok("ping", host) > 0


@pytest.mark.parametrize("attempt", ["tcp-literal4", "udp-literal4", "dns-other-udp", "dns-labels",
                                     "http-metadata", "tls-literal"])
def test_nothing_leaves_from_a_nested_user_namespace(world, closed, token, attempt):
    do, *args = ATTEMPTS[attempt](token)
    closed.do("nested_then", do, *args)
    assert not world.arrived(token.encode())


@pytest.mark.parametrize("attempt", ["tcp-literal4", "udp-literal4", "dns-other-udp", "dns-labels",
                                     "http-metadata", "tls-literal"])
def test_isolated_mode_lets_nothing_out(world, token, attempt, jail):
    agent = jail("--mode", "isolated", "--allow", f"rec.{ZONE}", "--allow", "*.farm.example")
    perform(agent, attempt, token)
    assert not world.arrived(token.encode())
    assert "error" in agent.do("resolve", f"rec.{ZONE}")


def test_interfaces_show_only_loopback(closed):
    done = closed.ok("command", "ip", "-o", "link")
    assert [line.split(":")[1].strip() for line in done["out"].splitlines()] == ["lo"]


@pytest.mark.parametrize("argv", [
    ["ip", "link", "set", "lo", "down"], ["ip", "addr", "add", "21.5.0.77/24", "dev", "lo"],
    ["ip", "route", "flush", "table", "local"], ["nft", "flush", "ruleset"],
    ["ip", "link", "add", "x", "type", "dummy"], ["sysctl", "-w", "net.ipv4.ip_forward=1"]])
@pytest.mark.parametrize("nested", [False, True], ids=["as-user", "as-nested-root"])
def test_the_network_of_the_jail_cannot_be_changed(closed, argv, nested):
    done = closed.ok("as_nested_root" if nested else "command", *argv)
    assert done["code"] != 0, done


@pytest.mark.parametrize("move, args", [
    ("bind_to_device", (internet.RECORDER4, 9999, "lo")),
    ("source_route", (internet.RECORDER4, 9999))])
def test_socket_options_lead_nowhere(world, closed, token, move, args):
    closed.do(move, *args, token)
    assert not world.arrived(token.encode())


def test_nested_network_namespace_leads_nowhere(world, closed):
    start = world.wire.mark()
    closed.fails("nested_network", internet.RECORDER4, 80)
    assert world.wire.since(start) == []
