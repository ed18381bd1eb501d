# SPDX-License-Identifier: Apache-2.0
"""What is allowed works as without sluice: TCP, UDP, half-close, order, size, families."""
import hashlib
import time

import pytest

import daemons
import internet
import sluice
from stage import ZONE

REC = f"rec.{ZONE}"


@pytest.fixture(scope="module")
def open_jail(world):
    agent = sluice.jail(
        "--allow", f"{REC}:7,22,25,80,443,8080,9000,9001,9999", "--allow", f"www.{ZONE}",
        "--allow", f"time.{ZONE}:123/udp,443/udp,9999/udp",
        *(x for n in ("broken6", "broken4", "closed6", "rec4", "rec6", "nowhere", "mail", "ssh")
          for x in ("--allow", f"{n}.{ZONE}:25,8080,9001,9999")))
    yield agent
    agent.kill()


@pytest.mark.core
@pytest.mark.parametrize("port", [7, 22, 9999])
def test_any_tcp_by_name(open_jail, port, token):
    assert open_jail.ok("talk", REC, port, token, len(token)) == token


def test_half_close_reaches_the_server_and_the_answer_comes_back(open_jail):
    answer = open_jail.ok("half_close", REC, 9001, "x" * 100000)
    assert answer == {"data": "100000 bytes, then the end\n", "end": "eof"}


@pytest.mark.core
@pytest.mark.parametrize("port", [25])
def test_server_that_speaks_first_is_not_delayed(outside, open_jail, port):
    open_jail.ok("resolve", f"mail.{ZONE}")
    for _ in range(5):      # a delay would be there each time; that of a busy machine is not
        answer = open_jail.ok("tcp_first_bytes", f"mail.{ZONE}", port)
        assert answer["data"] == "2", answer
        if answer["seconds"] < 0.25:
            return
    assert answer["seconds"] < 0.25, answer


def test_where_all_must_speak_first_the_silent_are_ended_and_recorded(world):
    """The gate is told of these late, by the kernel (TCP_DEFER_ACCEPT): it must hear of them."""
    agent = sluice.jail("--allow", f"www.{ZONE}")
    for _ in range(3):      # the kernel begins with the second connection
        agent.ok("tcp", f"www.{ZONE}", 80, "", wait=0)
    answer = agent.ok("tcp", f"www.{ZONE}", 443, "", wait=30, limit=45)
    assert answer == {"data": "", "end": "ECONNRESET"}
    done = agent.end()
    opens = [(e["port"], e["verdict"]) for e in done.of("conn.open")]
    assert opens.count((80, "allow")) == 3 and opens.count((443, "deny")) == 1, opens
    assert all(e["ip"] is None for e in done.of("conn.close"))


def test_server_that_speaks_first_keeps_talking(open_jail):
    said = "220 mail.farm.example ESMTP\r\nEHLO x\r\n"
    assert open_jail.ok("talk", REC, 25, "EHLO x\r\n", len(said)) == said


@pytest.mark.parametrize("start", ["z", "\0", "4", "x" * 40, "EHLO x", "PING\r\n"])
def test_client_half_line_is_forwarded_at_once(open_jail, start):
    """What can't become TLS or HTTP must not wait for more for ever."""
    assert open_jail.ok("talk", REC, 9999, start, len(start)) == start


@pytest.mark.parametrize("start", ["G", "POS"])
def test_client_half_line_is_forwarded_at_the_end_of_the_stream(open_jail, start):
    """What could become HTTP is held until it can't."""
    assert open_jail.ok("half_close", REC, 9999, start)["data"] == start


@pytest.mark.parametrize("name", ["broken6", "broken4", "closed6", "rec4", "rec6"])
def test_the_family_that_works_is_found(open_jail, name, token):
    """Silent or refusing addresses cost a moment, not the connection (RFC 8305)."""
    start = time.monotonic()
    host = f"{name}.{ZONE}"
    answer = open_jail.ok("requests", host, 8080,
                          [f"GET /{token} HTTP/1.1\r\nHost: {host}:8080\r\n\r\n"], 10)
    assert "200 OK" in answer[0]
    assert time.monotonic() - start < 4     # an attempt is given up after ten


def test_unreachable_upstream_fails_within_ten_seconds(open_jail):
    start = time.monotonic()
    answer = open_jail.do("tcp", f"nowhere.{ZONE}", 8080, "x", 12, limit=14)
    assert answer.get("error") not in (None, "hang") or answer["ok"]["end"] != "timeout", answer
    assert time.monotonic() - start < 11


def test_unreachable_upstream_is_recorded(world):
    done = sluice.run("--allow", f"ssh.{ZONE}:8080", command=[
        "curl", "-sfm8", f"http://ssh.{ZONE}:8080/"])
    assert done.code != 0
    assert any("upstream_failed" in str(e) for e in done.of("conn.open", "conn.close", "http"))


# UDP

@pytest.mark.core
@pytest.mark.parametrize("port", [123, 9999])
@pytest.mark.parametrize("connected", [True, False])
def test_udp_by_name(open_jail, port, connected, token):
    for address in open_jail.ok("resolve", f"time.{ZONE}"):
        assert open_jail.ok("udp", address, port, token, 3, connected) == token


@pytest.mark.parametrize("size", [1, 512, 1400])
def test_udp_sizes(open_jail, size):
    assert open_jail.ok("udp", f"time.{ZONE}", 9999, "d" * size, 3) == "d" * size


def test_udp_port_that_is_not_allowed_is_unreachable(world, open_jail, token):
    assert open_jail.fails("udp", f"time.{ZONE}", 7, token, 3) == 111
    assert not world.arrived(token.encode())


def test_udp_to_a_name_allowed_for_tcp_only_is_unreachable(world, open_jail, token):
    assert open_jail.fails("udp", REC, 9999, token, 3) == 111
    assert not world.arrived(token.encode())


def test_tcp_to_a_name_allowed_for_udp_only_is_refused(world, open_jail, token):
    answer = open_jail.do("tcp", f"time.{ZONE}", 9999, token)
    assert "error" in answer or answer["ok"]["data"] == ""
    assert not world.arrived(token.encode())


def test_quic_on_an_allowed_udp_port_is_refused(world, open_jail, token):
    initial = "\xc3\0\0\0\1\x08" + token[:8] + "\0" + token + "\0" * 1200
    open_jail.do("udp", f"time.{ZONE}", 443, initial, 1)
    assert not world.arrived(token.encode())


def test_udp_is_recorded(world, token):
    agent = sluice.jail("--allow", f"time.{ZONE}:9999/udp")
    agent.ok("udp", f"time.{ZONE}", 9999, token, 3)
    done = agent.end()
    [event] = done.of("conn.open")
    assert (event["host"], event["port"], event["proto"]) == (f"time.{ZONE}", 9999, "udp")
    [event] = done.of("conn.close")
    assert event["bytes_out"] == event["bytes_in"] == len(token)


# size

SUM = "import sys, hashlib; h = hashlib.sha256()\n" \
      "while b := sys.stdin.buffer.read(1 << 20): h.update(b)\nprint(h.hexdigest())"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_bulk_arrives_whole(open_jail, scheme):
    digest = hashlib.sha256()
    for _ in range(daemons.BIG >> 20):
        digest.update(bytes(1 << 20))
    done = open_jail.ok("command", "sh", "-c",
                        f"curl -sS {scheme}://www.{ZONE}/big | python3 -c '{SUM}'", limit=40)
    assert done["out"].strip() == digest.hexdigest(), done["err"]


def test_bytes_are_counted(world):
    agent = sluice.jail("--allow", f"{REC}:9001")
    agent.ok("half_close", REC, 9001, "x" * 5000)
    [event] = agent.end().of("conn.close")
    assert event["bytes_out"] == 5000
    assert event["bytes_in"] == len("5000 bytes, then the end\n")
    assert event["end"] in ("client", "server")
    assert event["ip"] in (internet.RECORDER4, internet.RECORDER6)


def test_clients_that_do_not_read_do_not_fill_memory(jail):
    """Back-pressure: a download that nobody reads stops at the server."""
    agent = jail("--allow", f"www.{ZONE}")
    gate = sluice.role(agent.process.pid, "gate")
    before = sluice.memory_kib(gate)
    agent.ok("hold", f"www.{ZONE}", 80, 20, f"GET /big HTTP/1.1\r\nHost: www.{ZONE}\r\n\r\n",
             stay=True)
    time.sleep(1)
    assert sluice.memory_kib(gate) - before < 20 * 1024


def test_local_servers_of_the_jail_work(open_jail):
    for listen, reach in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "::1"),
                          ("::", "::1"), ("0.0.0.0", "localhost"), ("127.0.0.1", "localhost")):
        assert open_jail.ok("local_server", listen, reach) == "local"


def test_local_server_on_a_busy_port_does_not_steal_the_outside(open_jail, token):
    open_jail.ok("serve", 9999, "stolen", "0.0.0.0", stay=True)
    assert open_jail.ok("talk", f"rec4.{ZONE}", 9999, token, len(token)) == token
