# SPDX-License-Identifier: Apache-2.0
"""--metrics: true numbers, for who may read them, from a process that holds nothing else."""
import errno
import os
import pathlib
import signal
import socket
import time

import pytest

import scrape
import sluice
import stage
from stage import ZONE
from waiting import wait_for

REC = f"rec.{ZONE}"


def get(token="x", host=REC):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}\r\n\r\n"


@pytest.fixture
def metered(jail):
    """A jail with metrics, and the port of its page."""
    def start(*options, **kwargs):
        agent = jail("--metrics", "127.0.0.1:0", *options, **kwargs)
        return agent, scrape.port(agent)
    return start


def opens(agent):
    """The kernel tells of some a moment later."""
    return sluice.events_so_far(agent.log, "conn.open")


@pytest.mark.core
def test_numbers_are_those_of_the_log(metered):
    agent, port = metered("--allow", f"{REC}:80")
    before = scrape.page(port)
    assert all("200 OK" in a for a in agent.ok("requests", REC, 80, [get(), get()]))
    agent.fails("tcp", "21.9.0.40", 80)
    agent.do("resolve", f"denied.{ZONE}")
    agent.ok("requests", REC, 80, ["PROPFIND / HTTP/1.1\r\nHost: wrong.example\r\n\r\n"])
    denied = "agent_network_connection_attempts_total"
    page = wait_for(lambda: (p := scrape.page(port))("sluice_active_connections") == 0 and
                    any(e.get("host") == "21.9.0.40" for e in opens(agent)) and
                    p(denied, verdict="deny") == sum(e["verdict"] == "deny" for e in opens(agent)) and p)
    done = agent.end()
    opened, http, names = done.of("conn.open"), done.of("http"), done.of("dns.query")
    closed = done.of("conn.close")
    for verdict in ("allow", "deny"):
        def count(events, **more):
            return sum(e["verdict"] == verdict and more.items() <= e.items() for e in events)
        assert page("agent_network_connection_attempts_total", verdict=verdict) == count(opened) > 0
        assert page("sluice_dns_queries_total", verdict=verdict) == count(names) > 0
        assert page("sluice_http_requests_total", verdict=verdict) == count(http) > 0
        assert page("sluice_http_requests_total", verdict=verdict, method="GET") == \
            count(http, method="GET")
    assert page("sluice_http_requests_total", method="other", verdict="deny") == 1
    for reason in {e["reason"] for e in opened if e["verdict"] == "deny"}:
        assert page("agent_network_blocked_connections_total", reason=reason) == \
            sum(e["reason"] == reason for e in opened)
    assert page("agent_network_blocked_connections_total") == \
        page("agent_network_connection_attempts_total", verdict="deny")
    assert page("agent_vm_network_tx_bytes_total") == sum(e["bytes_out"] for e in closed) > 0
    assert page("agent_vm_network_rx_bytes_total") == sum(e["bytes_in"] for e in closed) > 0
    assert page("sluice_active_connections") == 0
    assert page("sluice_upstream_connect_seconds_count") == \
        sum(e["verdict"] == "allow" for e in opened)
    assert page("sluice_decision_seconds_count") >= len(opened) + len(names) - 1
    assert before("sluice_records_total") == 1 < page("sluice_records_total") <= len(done.events)
    assert page("sluice_log_max_bytes") == 1000000000 and page("sluice_fail_closed_total") == 0
    assert 0 < page("sluice_descriptors") < page("sluice_descriptors_max")
    assert page("sluice_names") == 1 and "rec." not in page.text and "wrong" not in page.text


def test_what_is_open_is_a_gauge(metered):
    agent, port = metered("--allow", f"{REC}:9000")
    agent.ok("hold", REC, 9000, 3, stay=True)
    wait_for(lambda: scrape.page(port)("sluice_active_connections") == 3)
    wait_for(lambda: scrape.page(port)("sluice_held_connections") == 3)
    agent.ok("release", stay=True)
    wait_for(lambda: scrape.page(port)("sluice_active_connections") == 0)


def test_packets_are_the_kernels_count(metered):
    agent, port = metered("--allow", f"{REC}:9999/udp", "--allow", f"{REC}:9003")
    time.sleep(1.2)
    before = scrape.page(port)
    agent.ok("datagrams", REC, 9999, 100, 50)
    page = wait_for(lambda: (p := scrape.page(port)) and all(
        p(f"agent_vm_network_{way}_packets_total") > before(f"agent_vm_network_{way}_packets_total") + 50
        for way in ("tx", "rx")) and p)
    sent = page("agent_vm_network_tx_packets_total") - before("agent_vm_network_tx_packets_total")
    received = page("agent_vm_network_rx_packets_total") - before("agent_vm_network_rx_packets_total")
    # 50 datagrams each way, and a few of DNS
    assert 50 < sent < 60 and 50 < received < 60
    # what is inside of the jail is not counted
    agent.ok("command", sluice.PYTHON, "-c", """
import socket
a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in 'ab')
a.bind(('127.0.0.1', 0))
for _ in range(1000):
    b.sendto(b'x', a.getsockname()); a.recv(1)
""")
    time.sleep(2.2)
    # (the page before may have been of a moment before the last of the datagrams)
    sent = scrape.page(port)("agent_vm_network_tx_packets_total") - before("agent_vm_network_tx_packets_total")
    assert 50 < sent < 60


@pytest.mark.core
def test_the_jail_does_not_reach_it(world, metered, jail, place):
    agent, port = metered("--allow", f"{REC}:80")
    assert agent.fails("tcp", "127.0.0.1", port) and agent.fails("tcp", "::1", port)
    assert agent.fails("tcp", "21.5.0.2", port)         # an address of the host's
    assert scrape.ask(port)[0] == 200                   # and it serves
    path = place / "metrics.sock"
    inside = jail("--metrics", f"unix:{path}")
    assert scrape.ask(path)[0] == 200
    assert path.stat().st_mode & 0o7777 == 0o600
    assert inside.fails("unix_connect", str(path), "x")
    inside.end()
    assert not path.exists()


def test_a_host_port_is_no_way_to_it(world):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = sluice.run("--metrics", f"127.0.0.1:{port}", "--host-port", f"9000:{port}",
                      command=["true"])
    assert done.code == 125 and f"port {port} is a host port" in done.err


@pytest.mark.parametrize("where,why", [
    ("0.0.0.0:0", "not loopback"), ("[::]:0", "not loopback"), ("21.5.0.2:0", "not loopback"),
    ("example.com:80", "not an address"), ("none", "not an address"), ("127.0.0.1", "not an address"),
    ("unix:/no/such/folder/x", "No such file"), ("unix:", "not a path"),
])
def test_where_it_may_not_be(world, where, why):
    done = sluice.run("--metrics", where, command=["true"])
    assert done.code == 125 and why in done.err and done.err.count("\n") == 1


def test_public_if_that_is_meant(world, jail):
    agent = jail("--metrics", "21.5.0.2:0", "--metrics-public")
    assert "http://21.5.0.2:" in agent.errors.read_text()
    done = sluice.run("--metrics-public", command=["true"])
    assert done.code == 125 and "no --metrics" in done.err


def is_left(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(str(path)) == errno.ECONNREFUSED


def test_a_path_that_is_taken(world, jail, place):
    path = place / "m.sock"
    agent = jail("--metrics", f"unix:{path}")
    done = sluice.run("--metrics", f"unix:{path}", command=["true"])
    assert done.code == 125 and "in use" in done.err and scrape.ask(path)[0] == 200
    agent.kill()                        # leaves its socket behind, and its exporter goes a moment later
    wait_for(lambda: is_left(path))
    assert path.exists()
    again = jail("--metrics", f"unix:{path}")
    assert scrape.ask(path)[0] == 200
    again.end()
    (place / "file").write_text("mine")
    stage.give(place)
    done = sluice.run("--metrics", f"unix:{place / 'file'}", command=["true"])
    assert done.code == 125 and (place / "file").read_text() == "mine"


def raw(port, data, half_close=True):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(data)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
        return answer


def test_requests_of_strangers(metered):
    agent, port = metered()
    assert scrape.ask(port, path="/")[0] == 404
    assert scrape.ask(port, method="POST")[0] == 405
    assert scrape.ask(port, headers={"Host": "evil.example"})[0] == 403     # DNS rebinding
    assert scrape.ask(port, headers={"Host": "localhost:1"})[0] == 200
    status, headers, text = scrape.ask(port, method="HEAD")
    assert status == 200 and int(headers["Content-Length"]) > 1000 and text == ""
    assert raw(port, b"\0\1\2\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert raw(port, b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 9000).startswith(b"HTTP/1.1 431")
    assert raw(port, b"") == b"" and raw(port, b"GET /met") == b""
    assert scrape.ask(port)[0] == 200
    assert not agent.end().err.replace(f"sluice: metrics: http://127.0.0.1:{port}/metrics\n", "")


def test_slow_strangers_keep_nobody_out_for_long(metered):
    _, port = metered()
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    start = time.monotonic()
    answers = []
    while not answers and time.monotonic() < start + 30:
        try:
            answers.append(scrape.ask(port)[0])
        except OSError:
            pass
    assert answers == [200]
    for s in held:
        s.close()


@pytest.mark.core
def test_the_session_outlives_the_exporter(world, metered):
    agent, port = metered("--allow", f"{REC}:80")
    exporter = sluice.role(agent.process.pid, "exporter")
    status = wait_for(lambda: (s := pathlib.Path(f"/proc/{exporter}/status").read_text()) and "Seccomp:\t2" in s and s)
    assert "CapEff:\t0000000000000000" in status and "Seccomp:\t2" in status
    fds = [os.readlink(f"/proc/{exporter}/fd/{n}") for n in os.listdir(f"/proc/{exporter}/fd")]
    assert sum("socket" in fd for fd in fds) == 1 and not any("memfd" in fd for fd in fds), fds
    maps = pathlib.Path(f"/proc/{exporter}/maps").read_text()
    assert [line.split()[1] for line in maps.splitlines() if "memfd:counters" in line] == ["r--s"]
    os.kill(exporter, signal.SIGKILL)
    wait_for(lambda: "served no more" in agent.errors.read_text())
    assert "200 OK" in agent.ok("requests", REC, 80, [get()])[0]
    assert agent.fails("tcp", "21.9.0.40", 80)
    with pytest.raises(OSError):
        scrape.ask(port)
    done = agent.end()
    assert done.code == 0 and done.err.count("served no more") == 1


def test_a_broken_log_shows(metered, policy):
    agent, port = metered("-p", policy("version: 1\nallow:\n  - {host: " + REC + ", ports: [80]}\n"
                                       "log: {max: 64KiB}\n"))
    for _ in range(30):
        agent.do("requests", REC, 80, [get()] * 5)
    wait_for(lambda: scrape.page(port)("sluice_fail_closed_total") == 1)
    assert scrape.page(port)("sluice_records_total") > 10
