# SPDX-License-Identifier: Apache-2.0
"""Approvals on every way out: a proxy's clients, datagrams, inspected TLS; and what they never beat."""
import pathlib
import subprocess
import time

import pytest

import dnsd
import internet
import sluice
import stage
from cooperate import Proxy
from stage import ZONE
from terminals import until
from test_ask import LETTERS, terminal 
from test_control import ASK, Later, approvals, asking, events, get, host, waiting, works  
from test_http2 import PORT, server    
from test_reload import reload
from waiting import wait_for

SYSTEM = pathlib.Path("/etc/sluice")


def opened(agent, count):
    return wait_for(lambda: len(events(agent, "conn.open")) >= count and events(agent, "conn.open"))


def decide(*argv):
    done = sluice.call(*argv)
    assert done.code == 0, done.err


# ---- ways out ----

@pytest.fixture
def proxy(world, policy):
    it = Proxy("--only", "-p", policy(ASK))
    yield it
    it.kill()


@pytest.mark.parametrize("way,scheme", [("http", "http"), ("http", "https"), ("socks5h", "http")])
def test_client_of_a_proxy_waits(world, proxy, token, way, scheme):
    name, port = f"rec.{ZONE}", 443 if scheme == "https" else 80
    before = len(world.dns.asked(name))
    curl = ["curl", "-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_code} %{http_connect}", "-x",
            f"{way}://127.0.0.1:{proxy.http_port if way == 'http' else proxy.socks_port}"]
    assert proxy.ask(name).rcode == dnsd.NXDOMAIN       # a true address is not known before
    for number, verdict in enumerate(("reject", "approve", "reject")):
        client = subprocess.Popen([*curl, f"{scheme}://{name}/{token}{number}"], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=sluice.environment(), cwd=stage.WORK, **sluice.as_user())
        [one] = waiting()
        assert (one["host"], one["port"]) == (name, port)
        assert number or len(world.dns.asked(name)) == before
        decide(verdict, one["id"])
        out, err = client.communicate(timeout=20)
        assert out.startswith("200") == (verdict == "approve"), (out, err)
    assert [bool(world.arrived(f"{token}{number}".encode())) for number in range(3)] == \
        [False, True, False]
    told = wait_for(lambda: proxy.events("conn.open")[2:] and proxy.events("conn.open"))
    assert [e["reason"] for e in told] == ["approval_denied", "allowed_approved", "approval_denied"]


def test_datagrams_wait(world, asking, token):
    agent = asking()
    name = f"time.{ZONE}"
    for number, verdict in enumerate(("reject", "approve")):
        later = Later(agent, "udp", name, 9999, f"{token}{number}", 10)
        [one] = waiting()
        assert (one["host"], one["port"], one["transport"]) == (name, 9999, "udp")
        assert "9999/udp" in sluice.call("approvals").out
        assert not world.arrived(token.encode())
        decide(verdict, one["id"])
        assert later.get().get("ok") == (f"{token}1" if number else None)
    assert not world.arrived(f"{token}0".encode()) and world.arrived(f"{token}1".encode())
    later = Later(agent, "udp", name, 9999, token, 10)      # once is one flow
    decide("approve", waiting()[0]["id"], "--session")
    assert later.get()["ok"] == token and agent.ok("udp", name, 9999, token, 3) == token
    assert [e["reason"] for e in opened(agent, 4)] == ["approval_denied", *["allowed_approved"] * 3]


def test_client_that_spoke_while_it_waited_is_heard(world, asking, host, token):
    """On a port where anything may be said, nothing of it is looked at before."""
    agent = asking()
    code = (f"import socket\ns = socket.create_connection(('{host}', 9999), 25)\n"
            f"s.sendall(b'{token}')\nprint(s.recv(99).decode())\n")
    later = Later(agent, "command", sluice.PYTHON, "-c", code, limit=40)
    [one] = waiting()
    assert not until(lambda: world.arrived(token.encode()), 0.3)
    decide("approve", one["id"])
    assert until(lambda: world.arrived(token.encode())) and later.get()["ok"]["out"] == f"{token}\n"


def test_inspected_requests_of_an_approved_connection(asking, host, token):
    agent = asking("", "--inspect")
    text = "".join(f"GET /{token}{number} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"
                   for number, more in enumerate(["", "", "Connection: close\r\n"]))
    later = Later(agent, "https", host, 443, host, text, wait=5, limit=40)
    decide("approve", waiting()[0]["id"])
    assert later.get()["ok"].count("HTTP/1.1 200") == 3
    told = wait_for(lambda: events(agent, "http")[2:] and events(agent, "http"))
    assert [(e["path"], e["reason"]) for e in told] == [(f"/{token}{number}", "allowed_approved") for number in range(3)]
    later = Later(agent, "https", host, 443, host, text, wait=5, limit=40)      # once is one connection
    decide("reject", waiting()[0]["id"])
    assert "ok" not in later.get()
    assert [e["reason"] for e in opened(agent, 2)] == ["allowed_approved", "approval_denied"]


def test_streams_go_on_while_a_connection_waits(world, jail, policy, server, host, token, place):
    """Of one connection that was approved all pass, also while somebody is asked about another."""
    agent = jail("--only", "--inspect", "-p", policy(ASK))
    urls = " ".join(f"{server.url}/open/{token}{number}" for number in range(5))
    agent.ok("popen", "sh", "-c",
             f"curl -sS -m 30 --http2 -Z {urls} {server.url}/slow -w '%{{http_version}}\\n' >{place}/got 2>/dev/null & "
             f"until [ -e {place}/go ]; do sleep 0.05; done; curl -sS -m 30 http://{host}/{token}other >{place}/other; wait",
             stay=True)
    [one] = waiting()
    assert one["host"] == server.name and not server.seen(token)
    decide("approve", one["id"], "--session")
    wait_for(lambda: len(server.seen(token)) == 5)
    (place / "go").touch()
    [two] = waiting()
    assert two["host"] == host and len(server.seen(token)) == 5
    before = (place / "got").stat().st_size
    assert until(lambda: (place / "got").stat().st_size > before + 50000, 8)      # 64 kB/s
    assert not world.arrived(f"{token}other".encode())
    decide("approve", two["id"])
    assert until(lambda: "you asked" in (place / "other").read_text())
    assert len(events(agent, "conn.open")) == 2
    assert {line[0] for line in server.seen(token)} == {"HTTP/2.0"}


@pytest.fixture
def system(world):
    """The system's own file, for the length of a test."""
    def write(text):
        SYSTEM.mkdir(exist_ok=True)
        (SYSTEM / "policy.yaml").write_text(text)
    yield write
    (SYSTEM / "policy.yaml").unlink(missing_ok=True)
    SYSTEM.rmdir()


# ---- what they never beat ----

def test_system_that_denies_is_not_asked(world, system, terminal, token):     
    """A weaker layer cannot make a question of it; the control is the same command without that file."""
    command = ("sh", "-c", f"curl -sS -m 20 http://rec.{ZONE}/{token}; echo code $?")
    system("version: 1\ndefault: deny\n")
    t = terminal(*command)
    t.until(b"the system layer demands default: deny")
    assert t.end()[0] == 125
    system("version: 1\n")
    t = terminal(*command)
    letters, _ = t.question()
    t.type(b"y" + letters)
    t.until(b"code 0")
    assert world.arrived(token.encode())


def refused(world, agent, name, token, reason):
    answer = str(get(agent, name, token).get())
    assert approvals() == [] and not world.arrived(token.encode())
    assert reason in answer or until(lambda: reason in {e["reason"] for e in events(agent, "dns.query")})


def test_ceiling_beats_an_approval(world, system, asking, fresh, token):      
    inside, outside = (fresh(addresses=[internet.RECORDER4]) for _ in range(2))
    system(f"version: 1\nceiling: [{{host: {inside}, ports: [80], paths: [/in/**]}}]\n")
    agent = asking()
    refused(world, agent, outside, token, "ceiling")
    later = get(agent, inside, f"in/{token}in")
    decide("approve", waiting()[0]["id"], "--session")
    assert works(later) and world.arrived(f"{token}in".encode())
    refused(world, agent, inside, f"{token}out", "ceiling")


def test_deny_rule_beats_what_was_approved(world, policy, jail, host, token):     
    path = policy(ASK)
    agent = jail("--only", "-p", path)
    later = get(agent, host)
    decide("approve", waiting()[0]["id"], "--session")
    assert works(later)
    agent.ok("open_http", host, stay=True)
    assert "200" in agent.ok("next_http", "/one", stay=True)
    for deny in (f"host: {host}", f"ip: {internet.RECORDER4}/32"):
        path.write_text(f"{ASK}deny: [{{{deny}}}]\n")
        reload(agent)
        assert until(lambda: [e["reason"] for e in events(agent, "conn.close") if e["end"] == "killed"] == ["deny_rule"])
        refused(world, agent, host, token, "deny_rule")
    path.write_text(ASK)
    reload(agent)
    assert works(get(agent, host, token)) and world.arrived(token.encode()) and approvals() == []


def test_name_that_moves_to_a_special_address(world, asking, fresh, token):   
    """What was approved is the name, not where it leads."""
    name = fresh(addresses=[internet.RECORDER4], ttl=0)
    agent = asking("private_networks: [10.20.0.0/16]\n")
    later = get(agent, name)
    decide("approve", waiting()[0]["id"], "--session")
    assert works(later)
    good = world.dns.names[name].addresses
    world.dns.names[name].addresses = ["10.20.0.5", "127.0.0.1", "169.254.169.254"]
    time.sleep(1.1)         # an answer counts for a second
    refused(world, agent, name, token, "special_address")
    world.dns.names[name].addresses = good
    time.sleep(1.1)
    assert works(get(agent, name, token)) and world.arrived(token.encode())


@pytest.mark.parametrize("limit", ["requests_per_host: 1/h", "unique_hosts: 1", "upload_per_request: 10B"])
def test_limits_beat_an_approval(world, asking, fresh, token, limit):     
    one, two = (fresh(addresses=[internet.RECORDER4]) for _ in range(2))
    agent = asking(f"limits: {{{limit}, on_exceed: block}}\n")
    later = get(agent, one, f"{token}1")
    decide("approve", waiting()[0]["id"], "--session")
    assert works(later) and world.arrived(f"{token}1".encode())
    if limit.startswith("upload"):
        answer = str(agent.ok("tcp", one, 80, f"POST /{token}2 HTTP/1.1\r\nHost: {one}\r\n"
                                              f"Content-Length: 11\r\n\r\nhello world", 5))
    elif limit.startswith("unique"):
        later = get(agent, two, f"{token}2")
        answer = str(later.get())
    else:
        answer = str(get(agent, one, f"{token}2").get())
    assert "429" in answer and not world.arrived(f"{token}2".encode()) and approvals() == []
