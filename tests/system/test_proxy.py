# SPDX-License-Identifier: Apache-2.0
"""upstream_proxy: everything goes through it, it is asked for what was decided and nothing else."""
import base64
import json
import pathlib
import socket
import time

import pytest

import connectd
import internet
import sluice
import stage
from stage import ZONE
from waiting import wait_for

ADDRESS, PORT = "10.20.0.5", 3128       # private: the machine owner's word
URL = f"http://{ADDRESS}:{PORT}"
USER, PASSWORD = "agent", "pr0xy-pass/w0rd"
AUTH = base64.b64encode(f"{USER}:{PASSWORD}".encode())
WITH_AUTH = f"http://{USER}:{PASSWORD.replace('/', '%2F')}@{ADDRESS}:{PORT}"
REC = f"rec4.{ZONE}"
FAR = "far.corp.example"        # only the proxy knows it
TO = {REC: internet.RECORDER4, FAR: internet.RECORDER4, f"rec6.{ZONE}": internet.RECORDER6,
      f"private10.{ZONE}": "10.20.0.5", f"mixed.{ZONE}": "10.20.0.5"}
OPEN = ("--only", "--allow", f"*.{ZONE}:80,443,9999,25,8080", "--allow", f"{FAR}:9999")


@pytest.fixture(scope="module")
def server(world):
    return connectd.Proxy(world, ADDRESS, PORT, TO)


@pytest.fixture
def proxy(server):
    server.heads.clear()
    server.script = None
    yield server
    server.script = None


@pytest.fixture
def start(jail):
    def begin(*options, url=URL, **variables):
        return jail(*(options or OPEN), env=sluice.environment(https_proxy=url, **variables))
    return begin


def straight(world, mark, address):
    """Frames on the wire to the address: what did not go through the proxy."""
    raw = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return [f for f in world.wire.since(mark)
            if (f[22:54] if ":" in address else f[26:34]).find(raw) >= 0]


def check(*options, target, url=URL, **variables):
    env = sluice.environment(https_proxy=url, **variables)
    return json.loads(sluice.call("check", "--format", "json", *options, target, env=env).out)


# ---- what passes ----

@pytest.mark.core
def test_everything_goes_through_and_the_proxy_hears_only_the_destination(world, proxy, start, token):
    agent = start(url=WITH_AUTH)
    mark = world.wire.mark()
    got = agent.ok("command", "curl", "-sSm9", f"http://{REC}/{token}-plain")
    assert f"you asked {REC}" in got["out"], got
    got = agent.ok("command", "curl", "-sSkm9", f"https://{REC}/{token}-tls")
    assert f"you asked {REC}" in got["out"], got
    assert agent.ok("tcp", REC, 9999, token + "-raw")["data"] == token + "-raw"
    assert agent.ok("tcp", REC, 25)["data"].startswith("220 mail")
    for word in ("-plain", "-tls", "-raw"):
        assert world.recorder.arrived((token + word).encode())
    expected = [f"CONNECT {REC}:{port} HTTP/1.1" for port in (80, 443, 9999, 25)]
    assert proxy.asked == expected
    for head, line in zip(proxy.heads, expected):
        host = line.split()[1]
        assert head.decode() == (f"{line}\r\nHost: {host}\r\nConnection: close\r\n"
                                 f"Proxy-Connection: close\r\n"
                                 f"Proxy-Authorization: Basic {AUTH.decode()}\r\n\r\n")
    assert not straight(world, mark, internet.RECORDER4)
    done = agent.end()
    assert not done.denied()
    assert {tuple(e["ips"]) for e in done.of("conn.open")} == {(ADDRESS,)}
    assert {e["ip"] for e in done.of("conn.close")} == {ADDRESS}
    assert [e["status"] for e in done.of("http")] == [200]


def test_the_tap_would_have_seen_a_straight_connection(world, proxy, jail, token):
    mark = world.wire.mark()
    jail(*OPEN).ok("tcp", REC, 9999, token)
    assert straight(world, mark, internet.RECORDER4) and not proxy.heads


def test_credentials_stay_with_the_keeper(world, proxy, start, token):
    agent = start(url=WITH_AUTH)
    assert agent.ok("tcp", REC, 9999, token)["data"] == token
    proxy.script = lambda peer: peer.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
    page = agent.ok("tcp", REC, 80, f"GET / HTTP/1.1\r\nHost: {REC}\r\n\r\n")["data"]
    assert AUTH in proxy.heads[-1]      # the control: it was sent
    secrets = (PASSWORD.encode(), AUTH, PASSWORD.replace("/", "%2F").encode())
    assert not any(s.decode() in text for s in secrets
                   for text in (page, str(agent.ok("environment"))))
    assert "proxy" not in str(agent.ok("environment")).lower()
    holders = {name: memory_has(sluice.role(agent.process.pid, name), secrets)
               for name in ("gate", "resolver", "broker")}
    assert memory_has(agent.process.pid, secrets)     # the control: the keeper holds them
    assert not any(holders.values()), holders
    done = agent.end()
    log = pathlib.Path(done.log).read_bytes() + done.err.encode()
    assert not any(s in log for s in secrets)


def memory_has(pid, words):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if "r" not in rights or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            first, last = (int(x, 16) for x in span.split("-"))
            if last - first > 1 << 28:      # a sanitizer's shadow is terabytes of nothing
                continue
            memory.seek(first)
            try:
                data = memory.read(last - first)
            except OSError:
                continue
            if any(w in data for w in words):
                return True
    return False


def test_a_name_that_only_the_proxy_knows(world, proxy, start, token):
    agent = start()
    assert agent.ok("tcp", FAR, 9999, token)["data"] == token
    assert proxy.asked == [f"CONNECT {FAR}:9999 HTTP/1.1"]


def test_the_proxy_may_have_a_name(world, proxy, start, fresh, token):
    agent = start(url=f"http://{fresh(addresses=[ADDRESS])}:{PORT}")
    assert agent.ok("tcp", REC, 9999, token)["data"] == token
    assert len(proxy.heads) == 1


# ---- what is denied does not reach the proxy ----

@pytest.mark.parametrize("host, port, reason", [
    ("denied.other.example", 443, "no_rule"), (REC, 7, "port"),
    (f"private10.{ZONE}", 8080, "special_address"), (f"mixed.{ZONE}", 8080, "special_address"),
    (f"metadata.{ZONE}", 80, "special_address"), (internet.RECORDER4, 9999, "ip_literal"),
    ("169.254.169.254", 80, "special_address")])
def test_what_is_denied_never_reaches_the_proxy(world, proxy, start, token, host, port, reason):
    agent = start()
    agent.do("tcp", host, port, token)
    assert not proxy.heads and not world.arrived(token.encode())
    assert agent.end().reasons() == {reason}


def test_private_true_reaches_it_by_name(world, proxy, start, policy, token):
    host = f"private10.{ZONE}"
    path = policy(f"version: 1\nallow: [{{host: {host}, ports: [9999], private: true}}]\n"
                  f"upstream_proxy: {URL}\n")
    agent = start("--only", "-p", path, url=None)
    assert agent.ok("tcp", host, 9999, token)["data"] == token
    assert proxy.asked == [f"CONNECT {host}:9999 HTTP/1.1"]


def test_literals_need_their_rule(world, proxy, start, token):
    agent = start("--only", "--allow", f"{internet.RECORDER4}:9999",
                  "--allow", f"[{internet.RECORDER6}]:9999")
    for address in (internet.RECORDER4, internet.RECORDER6):
        assert agent.ok("tcp", address, 9999, token)["data"] == token
    assert proxy.asked == [f"CONNECT {internet.RECORDER4}:9999 HTTP/1.1",
                           f"CONNECT [{internet.RECORDER6}]:9999 HTTP/1.1"]


def test_this_machine_is_not_reached_through_the_proxy(world, proxy, start, token):
    home = sluice.Agent([])
    try:
        home.ok("serve", 9996, "from-home", internet.HOME4, stay=True)
        agent = start("--only", "--allow", f"{internet.HOME4}:9996")
        assert agent.ok("tcp", internet.HOME4, 9996)["data"] == "from-home"
        assert not proxy.heads
    finally:
        home.kill()


def test_datagrams_cannot_go_through(world, proxy, start, token):
    options = ("--only", "--allow", f"{REC}:9999/udp")
    agent = start(*options)
    assert agent.do("udp", REC, 9999, token).get("ok") is None
    assert not world.arrived(token.encode()) and not proxy.heads
    done = agent.end()
    assert done.reasons() == {"unsupported"}
    found = check(*options, target=f"{REC}:9999/udp")
    assert (found["verdict"], found["reason"]) == ("deny", "unsupported")
    assert "UDP cannot go through upstream_proxy" in found["message"]
    assert check(*options, target=f"{REC}:9999/udp", url=None)["verdict"] == "allow"


@pytest.mark.parametrize("bypass", [f".{ZONE}", f"localhost, {ZONE} 10.0.0.0/8", "*",
                                    f"{REC}:9999"])
def test_no_proxy(world, proxy, start, token, bypass):
    agent = start(NO_PROXY=bypass)
    mark = world.wire.mark()
    assert agent.ok("tcp", REC, 9999, token)["data"] == token
    assert not proxy.heads and straight(world, mark, internet.RECORDER4)


# ---- the proxy's answers ----

def says(*pieces, pause=0.0, stay=0.0):
    def script(peer):
        for piece in pieces:
            peer.sendall(piece)
            time.sleep(pause)
        time.sleep(stay)
    return script


FAILING = {
    "407": says(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"),
    "403": says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nSECRET"),
    "302": says(b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\nSECRET"),
    "101": says(b"HTTP/1.1 101 Switching Protocols\r\n\r\nSECRET"),
    "garbage": says(b"SECRET\0\xff\r\n\r\n"),
    "line-feeds": says(b"HTTP/1.1 200 OK\n\nSECRET"),
    "two-lengths": says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nSECRET"),
    "half": says(b"HTTP/1.1 200 OK\r\nA: b\r\n"),
    "nothing": says(),
    "huge": says(b"HTTP/1.1 200 OK\r\n" + b"A: SECRET\r\n" * 4000, stay=0.5),
    "only-interim": says(b"HTTP/1.1 100 Continue\r\n\r\n" * 3),
}


@pytest.mark.core
@pytest.mark.parametrize("kind", FAILING)
def test_an_answer_that_is_no_2xx_lets_nothing_pass(world, proxy, start, token, kind):
    agent = start()
    proxy.script = FAILING[kind]
    page = agent.ok("tcp", REC, 80, f"GET /{token} HTTP/1.1\r\nHost: {REC}\r\n\r\n", wait=3)["data"]
    assert page.startswith("HTTP/1.1 502 ") and "SECRET" not in page
    body = json.loads(page.partition("\r\n\r\n")[2])
    assert body["reason"] == "upstream_failed" and "through upstream_proxy" in body["message"]
    if kind in ("407", "403", "302"):
        assert f"which answered {kind}" in body["message"]
    raw = agent.do("tcp", REC, 9999, token)
    assert raw.get("ok", {}).get("data", "") == "", raw
    proxy.script = None
    assert agent.ok("tcp", REC, 9999, "alive")["data"] == "alive"
    assert not world.arrived(token.encode())
    done = agent.end()
    closes = done.of("conn.close")
    # a client whose connection is reset may try the name's other address
    assert {e.get("reason") for e in closes[:-1]} == {"upstream_failed"} and len(closes) >= 3
    assert [e["bytes_out"] for e in closes] == [0] * (len(closes) - 1) + [5]


def test_a_slow_proxy_is_given_up(world, proxy, start, token):
    agent = start()
    proxy.script = says(*[b"H", b"T", b"T", b"P"] * 8, pause=0.5, stay=5)
    began = time.monotonic()
    agent.do("tcp", REC, 9999, token, wait=12, limit=14)
    assert 5 < time.monotonic() - began < 10.5
    assert not world.arrived(token.encode())
    assert {e["reason"] for e in agent.end().of("conn.close")} == {"upstream_failed"}


def test_a_proxy_that_is_not_there(world, start, token):
    agent = start(url=f"http://{ADDRESS}:3999")
    page = agent.ok("tcp", REC, 80, f"GET /{token} HTTP/1.1\r\nHost: {REC}\r\n\r\n", wait=3)["data"]
    assert page.startswith("HTTP/1.1 502 ") and "through upstream_proxy" in page
    assert not world.arrived(token.encode())


@pytest.mark.parametrize("split", [1, 7, 1000])
def test_what_follows_the_answer_is_the_servers(world, proxy, start, token, split):
    agent = start()
    whole = (b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.0 200 Connection Established\r\n"
             b"Proxy-agent: x/1\r\n\r\n" + token.encode())
    proxy.script = says(*[whole[at:at + split] for at in range(0, len(whole), split)],
                        pause=0.002, stay=0.7)
    assert agent.ok("tcp", REC, 9999, "hello", wait=10)["data"] == token


# ---- who says which proxy ----

def test_a_policy_counts_more_than_a_variable(world, proxy, start, policy, token):
    path = policy(f"version: 1\nallow: [{{host: {REC}, ports: [9999]}}]\nupstream_proxy: {URL}\n")
    agent = start("--only", "-p", path, url="http://10.20.0.5:1", no_proxy="*")
    assert agent.ok("tcp", REC, 9999, token)["data"] == token
    assert proxy.asked == [f"CONNECT {REC}:9999 HTTP/1.1"]


@pytest.mark.parametrize("url", ["socks5://h:1080", "https://h:443", "http://h", "http://u:s3cret@h:x"])
def test_other_proxies_are_an_error(policy, place, url):
    path = policy(f"version: 1\nupstream_proxy: {url}\n")
    for env, options in ((None, ("-p", path)), (sluice.environment(ALL_PROXY=url), ())):
        done = sluice.call("run", "--only", *options, "--", "touch", place / "ran", env=env)
        assert done.code == 125 and "http://[USER:PASSWORD@]HOST:PORT" in done.err
        assert "s3cret@" not in done.err and len(done.err.strip().splitlines()) == 1
        assert not (place / "ran").exists()


def test_a_project_has_no_proxy_to_name(place):
    (place / ".sluice.yaml").write_text(f"version: 1\nupstream_proxy: {URL}\n")
    stage.give(place)
    done = sluice.call("run", "--", "true", cwd=place)
    assert done.code == 125 and "not for a project file" in done.err


def test_dry_run_tells(policy):
    path = policy(f"version: 1\nupstream_proxy: {WITH_AUTH}\n")
    done = sluice.call("run", "--only", "-p", path, "--dry-run", "true")
    assert f"{URL}, with CONNECT; no UDP" in done.out and PASSWORD not in done.out


def test_a_reload_keeps_what_goes_through_and_ends_what_is_denied(world, proxy, start, policy, token):
    rules = f"version: 1\nallow: [{{host: {REC}, ports: [9999]}}, {{host: {FAR}, ports: [9999]}}]\n"
    path = policy(rules + f"upstream_proxy: {URL}\n")
    agent = start("--only", "-p", path, url=None)
    agent.ok("hold", REC, 9999, 1, stay=True)
    agent.ok("hold", FAR, 9999, 1, stay=True)
    assert agent.ok("alive", stay=True) == 2

    def reload(text):
        before = len(list_events(agent.log, "policy.reload"))
        path.write_text(text)
        agent.process.send_signal(1)
        wait_for(lambda: len(list_events(agent.log, "policy.reload")) > before)
    reload(rules + f"upstream_proxy: {URL}\nlimits: {{unique_hosts: 9}}\n")
    assert agent.ok("alive", stay=True) == 2
    reload(rules + f"upstream_proxy: {URL}\ndeny: [{{host: {FAR}}}]\n")
    wait_for(lambda: list_events(agent.log, "conn.close"))      # the record comes before what it tells of
    assert agent.ok("alive", stay=True) == 1
    path.write_text(rules)
    agent.process.send_signal(1)
    wait_for(lambda: "upstream_proxy cannot change" in agent.errors.read_text())


def list_events(log, kind):
    return sluice.events_so_far(log, kind)
