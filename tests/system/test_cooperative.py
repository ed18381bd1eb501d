# SPDX-License-Identifier: Apache-2.0
"""`sluice proxy`: the same decisions for programs that were told to use it."""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import time

import pytest

import dnsd
import internet
import sluice
import stage
from cooperate import Proxy, hear, listen
from stage import ZONE
from test_smuggling import CASES
from waiting import wait_for

WWW, REC, SECOND = f"www.{ZONE}", f"rec.{ZONE}", f"second.{ZONE}"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
RULES = f"""
version: 1
allow:
  - {{host: {WWW}}}
  - {{host: git.{ZONE}}}
  - {{host: {REC}, ports: [80, 443, 8080, 9999, 25, 9000]}}
  - {{host: {SECOND}, ports: [80]}}
  - {{host: nowhere.{ZONE}, ports: [9999]}}
  - {{host: "*.special.{ZONE}", ports: [80, 443]}}
  - {{ip: {internet.SECOND4}, ports: [8080, 443]}}
dns: {{types: [A, AAAA, TXT]}}
"""
URLLIB = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())"


@pytest.fixture(scope="module")
def proxy(world):
    folder = stage.directory(stage.HOME / "tests" / "cooperative")
    (folder / "policy.yaml").write_text(RULES)
    stage.give(folder)
    proxy = Proxy("--only", "-p", folder / "policy.yaml")
    yield proxy
    proxy.kill()


@pytest.fixture
def start(world):
    """Proxies that end with the test."""
    proxies = []

    def make(*options, **kwargs):
        proxies.append(Proxy(*options, **kwargs))
        return proxies[-1]
    yield make
    for one in proxies:
        one.kill()


def get(host, path, method="GET", more=""):
    return f"{method} http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


def connect(target):
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()


def denied(proxy):
    return [e for e in proxy.events("conn.open") if e["verdict"] == "deny"]


def last_denied(proxy, before):
    """The last one beyond those that were told of before; the client may hear of it first."""
    return wait_for(lambda: denied(proxy)[before:])[-1]


# ---- programs ----

WAYS = {"http": ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"),
        "socks": ("all_proxy", "ALL_PROXY")}


@pytest.mark.core
@pytest.mark.parametrize("way, argv, expected", [
    ("http", ["curl", "-sSf", f"http://{WWW}/hello"], "over http"),
    ("http", ["curl", "-sSf", f"https://{WWW}/hello"], "over https"),
    ("http", ["curl", "-sSf", "-p", f"http://{WWW}/hello"], "over http"),
    ("socks", ["curl", "-sSf", f"http://{WWW}/hello"], "over http"),
    ("socks", ["curl", "-sSf", f"https://{WWW}/hello"], "over https"),
    ("http", ["wget", "-qO-", f"http://{WWW}/hello"], "over http"),
    ("http", ["wget", "-qO-", f"https://{WWW}/hello"], "over https"),
    ("http", ["python3", "-c", URLLIB, f"http://{WWW}/hello"], "over http"),
    ("http", ["python3", "-c", URLLIB, f"https://{WWW}/hello"], "over https"),
    ("http", ["sh", "-c", f"git clone -q https://git.{ZONE}/git/hello.git && cat hello/hello.txt"],
     "hello from git"),
    ("socks", ["sh", "-c", f"git clone -q https://git.{ZONE}/git/hello.git && cat hello/hello.txt"],
     "hello from git"),
])
def test_program_works_by_its_variables(proxy, place, way, argv, expected):
    before = len(proxy.events("conn.open"))
    other = WAYS["socks" if way == "http" else "http"]
    done = proxy.client("env", "-C", place, *argv, without=other)
    assert done.returncode == 0 and expected in done.stdout, done.stderr
    opened = wait_for(lambda: proxy.events("conn.open")[before:])
    assert all(e["verdict"] == "allow" for e in opened)


@pytest.mark.core
@pytest.mark.parametrize("url", ["http://denied.{z}/{t}", "https://denied.{z}/{t}"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_denied_does_not_arrive(world, proxy, outside, token, way, url):
    other = WAYS["socks" if way == "http" else "http"]
    url = url.format(z=ZONE, t=token)
    before, told = len(world.dns.asked("denied.")), len(denied(proxy))
    done = proxy.curl(url, without=other)
    assert done.returncode != 0 or '"no_rule"' in done.stdout
    assert not world.arrived(token.encode()) and len(world.dns.asked("denied.")) == before
    last = last_denied(proxy, told)
    assert (last["host"], last["reason"], last["rule"]) == (f"denied.{ZONE}", "no_rule", None)
    # the positive control: the same command without the variables
    every = [v for names in WAYS.values() for v in names]
    assert proxy.curl(url, without=every).returncode == 0
    assert world.recorder.requests(token.encode())


def test_page_says_what_would_allow_it(proxy):
    page = proxy.say(get(f"denied.{ZONE}", "/x")).partition(b"\r\n\r\n")
    assert page[0].startswith(b"HTTP/1.1 403 ")
    body = json.loads(page[2])
    assert (body["reason"], body["suggest"]) == ("no_rule", f"--allow denied.{ZONE}")
    assert body["target"] == f"GET http://denied.{ZONE}/x"
    page = proxy.say(connect(f"denied.{ZONE}:443")).partition(b"\r\n\r\n")
    assert page[0].startswith(b"HTTP/1.1 403 ") and b"application/json" in page[0]
    assert json.loads(page[2])["target"] == f"denied.{ZONE}:443"


# ---- the name that was asked for, SNI and Host agree ----

@pytest.mark.core
@pytest.mark.parametrize("way", ["http", "socks5h"])
def test_another_sni_in_the_tunnel_is_refused(world, proxy, token, way):
    at, before = proxy.http if way == "http" else proxy.socks, len(denied(proxy))
    done = proxy.curl("-k", "-x", at, "--connect-to", f"x{token}.{ZONE}:443:{REC}:443",
                      f"https://x{token}.{ZONE}/{token}")
    assert done.returncode != 0
    assert last_denied(proxy, before)["reason"] == "sni_mismatch"
    assert not world.arrived(token.encode())


@pytest.mark.parametrize("way", ["http", "socks5h"])
def test_another_host_in_the_tunnel_is_refused(world, proxy, token, way):
    at = proxy.http if way == "http" else proxy.socks
    done = proxy.curl("-p", "-x", at, "--connect-to", f"denied.{ZONE}:80:{REC}:80",
                      f"http://denied.{ZONE}/{token}")
    assert '"host_mismatch"' in done.stdout, done
    assert not world.arrived(token.encode())
    assert "200 OK" in proxy.curl("-ip", "-x", at, f"http://{REC}/{token}").stdout


def test_no_sni_is_refused(world, proxy):
    before = len(denied(proxy))
    with socket.create_connection(("127.0.0.1", proxy.http_port), 5) as s:
        s.sendall(connect(f"{REC}:443"))
        hear(s, ESTABLISHED)
        s.sendall(b"GET / HTTP/1.1\r\nHost: " + REC.encode() + b"\r\n\r\n")
        assert b"200 OK" not in listen(s)
    assert last_denied(proxy, before)["reason"] == "protocol"


# ---- absolute form ----

@pytest.mark.core
def test_kept_alive_connection_goes_to_each_host(world, proxy, token):
    before = len(proxy.events("conn.open"))
    with socket.create_connection(("127.0.0.1", proxy.http_port), 5) as s:
        for host, path in ((REC, "a"), (REC, "b"), (SECOND, "c"), (REC, "d")):
            s.sendall(get(host, f"/{path}{token}"))
            hear(s, f"you asked {host} for GET /{path}{token}".encode())
        s.sendall(get(f"denied.{ZONE}", f"/e{token}"))
        hear(s, b'"no_rule"')
    assert not world.arrived(b"e" + token.encode())
    opened = wait_for(lambda: proxy.events("conn.open")[before + 3:] and proxy.events("conn.open")[before:])
    assert [e["host"] for e in opened] == [REC, SECOND, REC, f"denied.{ZONE}"]

    def told():
        return [e for e in proxy.events("http") if token in e["path"]]
    ends = wait_for(lambda: told()[4:] and told())
    assert [(e["host"], e["verdict"]) for e in ends] == [
        (REC, "allow"), (REC, "allow"), (SECOND, "allow"), (REC, "allow"), (f"denied.{ZONE}", "deny")]
    (at_second,) = world.recorder.requests(b"/c" + token.encode())
    assert at_second["address"] in (internet.SECOND4, internet.SECOND6)


def test_pipelined_requests_go_apart(world, proxy, token):
    with socket.create_connection(("127.0.0.1", proxy.http_port), 5) as s:
        s.sendall(get(REC, f"/one{token}") + get(SECOND, f"/two{token}") + get(f"denied.{ZONE}", f"/three{token}"))
        assert hear(s, b'"no_rule"').count(b"200 OK") == 2
    (one,) = world.recorder.requests(b"/one" + token.encode())
    (two,) = world.recorder.requests(b"/two" + token.encode())
    assert b"two" + token.encode() not in one["data"] and one["address"] != two["address"]
    assert not world.arrived(b"three" + token.encode())


def test_what_is_for_the_proxy_stays_there(world, proxy, token):
    more = ("Proxy-Authorization: Basic c2VjcmV0OnNlY3JldA==\r\nProxy-Connection: keep-alive\r\n"
            "Connection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nX-Kept: 1\r\n")
    assert b"200 OK" in proxy.say(get(REC, f"/{token}", more=more))
    (request,) = world.recorder.requests(token.encode())
    head = request["data"].decode().lower()
    assert head.startswith(f"get /{token} http/1.1\r\n") and "x-kept: 1" in head
    for gone in ("proxy-", "x-mine", "keep-alive", "connection", "te:"):
        assert gone not in head, head


def test_bodies_go_through(world, proxy, token):
    done = proxy.curl("-d", "@/etc/services", f"http://{REC}:8080/{token}")
    assert done.returncode == 0
    (request,) = world.recorder.requests(token.encode())
    assert open("/etc/services", "rb").read().replace(b"\n", b"") in request["data"]
    chunked = proxy.curl("-H", "Transfer-Encoding: chunked", "-d", token, f"http://{REC}/chunked")
    assert chunked.returncode == 0 and world.arrived(token.encode())


# ---- what has two readings ----

WRONG = {
    "two-hosts": get("{h}", "/{t}", more="Host: {h}\r\n"),
    "length-and-chunks": get("{h}", "/{t}", "POST",
                             "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
    "folded": get("{h}", "/{t}", more="X: a\r\n b\r\n"),
    "other-host": get("{h}", "/{t}").replace(b"Host: {h}", b"Host: {d}"),
    "userinfo": get("u:p@{h}", "/{t}").replace(b"Host: u:p@", b"Host: "),
    "userinfo-to-host": get("{h}@{d}", "/{t}").replace(b"Host: {h}@", b"Host: "),
    "port-0": get("{h}:0", "/{t}"), "port-65536": get("{h}:65536", "/{t}"),
    "port-empty": get("{h}:", "/{t}"), "port-octal": get("{h}:0080", "/{t}"),
    "no-host": b"GET http:///{t} HTTP/1.1\r\nHost: {h}\r\n\r\n",
    "bare-lf": get("{h}", "/{t}").replace(b"\r\n", b"\n"),
    "nul": get("{h}", "/{t}", more="X: \0\r\n"),
    "backslash": get("{h}", "\\{t}"), "fragment": get("{h}", "/{t}#x"),
    "connection-names-host": get("{h}", "/{t}", more="Connection: host\r\n"),
    "connect-userinfo": connect("u@{h}:80") + get("{h}", "/{t}"),
    "connect-no-port": connect("{h}") + get("{h}", "/{t}"),
    "connect-port-0": connect("{h}:0") + get("{h}", "/{t}"),
    "connect-bad-port": connect("{h}:80x") + get("{h}", "/{t}"),
    "connect-port-65616": connect("{h}:65616") + get("{h}", "/{t}"),
    "connect-slash": connect("{h}:80/") + get("{h}", "/{t}"),
    "connect-url": connect("http://{h}:80") + get("{h}", "/{t}"),
    "connect-other-host": connect("{h}:80").replace(b"Host: {h}", b"Host: {d}") + get("{h}", "/{t}"),
    "connect-body": connect("{h}:80").replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello") +
    get("{h}", "/{t}"),
    "connect-hex": connect("0x15090028:80") + get("{h}", "/{t}"),
    "connect-short": connect("21.2359336:80") + get("{h}", "/{t}"),
    "connect-zone": connect("[fe80::1%25lo]:80") + get("{h}", "/{t}"),
    "http-2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + get("{h}", "/{t}"),
    "tls": b"\x16\3\1\0\5\1\n\r\n\r\n" + get("{h}", "/{t}"),
    "empty-line": b"\r\n" + get("{h}", "/{t}"),
}
NOT_A_PROXYS = {
    "origin": b"GET /{t} HTTP/1.1\r\nHost: {h}\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: {h}\r\n\r\n",
    "https": b"GET https://{h}/{t} HTTP/1.1\r\nHost: {h}\r\n\r\n",
}


def fill(data, token):
    return data.replace(b"{h}", REC.encode()).replace(b"{d}", f"denied.{ZONE}".encode()).replace(
        b"{t}", token.encode())


@pytest.mark.parametrize("name", [*WRONG, *NOT_A_PROXYS])
def test_wrong_request_does_not_arrive(world, proxy, token, name):
    data, before = fill(WRONG.get(name) or NOT_A_PROXYS[name], token), len(denied(proxy))
    answer = proxy.say(data)
    assert answer.startswith(b"HTTP/1.1 403 ") and answer.count(b"HTTP/1.1 ") == 1, answer
    assert not world.arrived(token.encode())
    assert last_denied(proxy, before)["reason"] == ("malformed" if name in WRONG else "unsupported")


def test_right_request_arrives(world, proxy, token):
    assert b"200 OK" in proxy.say(fill(get("{h}", "/{t}"), token))
    assert world.recorder.requests(token.encode())


@pytest.mark.parametrize("name, verdict, text", CASES, ids=[name for name, *_ in CASES])
def test_smuggling_in_a_tunnel(world, proxy, token, name, verdict, text):
    data = text.replace("{h}", REC).replace("{t}", token).encode("latin-1")
    with socket.create_connection(("127.0.0.1", proxy.http_port), 5) as s:
        s.sendall(connect(f"{REC}:80"))
        assert hear(s, ESTABLISHED) == ESTABLISHED
        s.sendall(data)
        answer = listen(s)
    check_case(world, token, verdict, answer)


@pytest.mark.parametrize("name, verdict, text", CASES, ids=[name for name, *_ in CASES])
def test_smuggling_in_absolute_form(world, proxy, token, name, verdict, text):
    text = re.sub(r"(?m)^([A-Z]+) /", r"\1 http://{h}/", text.replace("\r\n", "\n")).replace(
        "\n", "\r\n") if "\n" not in text.replace("\r\n", "") else text
    data = text.replace("{h}", REC).replace("{t}", token).encode("latin-1")
    answer = proxy.say(data)
    if verdict in ("pass", "both") and not re.match(rb"[A-Z]+ http://", data):
        verdict = "refused"
    check_case(world, token, verdict, answer)


def check_case(world, token, verdict, answer):
    def arrived():
        return [n for n in ("one", "two") if world.recorder.requests(f"/{n}-{token}".encode())]
    if verdict == "both":       # its answer may be a while after the first one's
        assert wait_for(lambda: arrived()[1:]), answer
    elif verdict == "pass":
        assert arrived() == ["one"], answer
    elif verdict == "first":
        assert not world.arrived(f"two-{token}".encode())
    else:
        assert not world.arrived(token.encode()), answer
        assert b"200 OK" not in answer


# ---- SOCKS ----

def socks(proxy, request, then=b"", wait=0.7):
    with socket.create_connection(("127.0.0.1", proxy.socks_port), 5) as s:
        s.sendall(b"\5\1\0")
        assert s.recv(2) == b"\5\0"
        s.sendall(request)
        s.settimeout(15)
        reply = s.recv(10)
        if then:
            s.sendall(then)
        return reply, listen(s, wait)


def by_name(host, port, command=1):
    return b"\5" + bytes([command]) + b"\0\3" + bytes([len(host)]) + host.encode() + struct.pack("!H", port)


def by_address(address, port):
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return b"\5\1\0" + (b"\4" if ":" in address else b"\1") + packed + struct.pack("!H", port)


@pytest.mark.core
def test_socks_carries_what_is_allowed(world, proxy, token):
    reply, data = socks(proxy, by_name(REC, 9999), token.encode())
    assert reply[:2] == b"\5\0" and data == token.encode()
    reply, data = socks(proxy, by_name(REC, 25))
    assert reply[:2] == b"\5\0" and data.startswith(b"220 ")    # the server speaks first


@pytest.mark.parametrize("request_, code, reason", [
    (by_name(f"denied.{ZONE}", 9999), 2, "no_rule"),
    (by_name(REC, 22), 2, "port"),
    (by_name(f"nowhere.{ZONE}", 9999), 4, "upstream_failed"),
    (by_name(f"missing.special.{ZONE}", 80), 4, "resolve_failed"),
    (by_name(REC, 9999, command=2), 7, "unsupported"),
    (by_name(REC, 9999, command=3), 7, "unsupported"),
    (by_address(internet.RECORDER4, 9999), 2, "ip_literal"),
    (by_address("127.0.0.1", 80), 2, "special_address"),
    (by_address("::1", 80), 2, "special_address"),
    (by_address("::ffff:127.0.0.1", 80), 2, "special_address"),
    (by_name("127.0.0.1", 80), 2, "special_address"),
    (by_name("0x7f.1", 80), 1, "malformed"),
    (b"\5\1\0\3\0\0\120", 1, "malformed"), (b"\5\1\1\3\1a\0\120", 1, "malformed"),
])
def test_socks_says_why_not(world, proxy, token, request_, code, reason):
    before, ended = len(denied(proxy)), len(proxy.events("conn.close"))
    reply, data = socks(proxy, request_, token.encode())
    assert reply == bytes([5, code, 0, 1]) + bytes(6) and data == b""
    assert not world.arrived(token.encode())
    if reason == "upstream_failed":
        wait_for(lambda: reason in {e["reason"] for e in proxy.events("conn.close")[ended:]})
    else:
        assert last_denied(proxy, before)["reason"] == reason


@pytest.mark.parametrize("data", [b"\4\1\0\120\25\11\0\50\0", b"GET http://x/ HTTP/1.1\r\n\r\n",
                                  b"\5\0", b"\x16\3\1\0\5"])
def test_not_socks_is_cut_off(world, proxy, data):
    before = len(denied(proxy))
    with socket.create_connection(("127.0.0.1", proxy.socks_port), 5) as s:
        s.sendall(data)
        assert listen(s) == b""
    assert last_denied(proxy, before)["reason"] == "malformed"


# ---- addresses ----

def test_address_under_a_rule(world, proxy, token):
    assert b"200 OK" in proxy.say(get(f"{internet.SECOND4}:8080", f"/{token}"))
    assert world.recorder.requests(token.encode())
    reply, data = socks(proxy, by_address(internet.SECOND4, 8080),
                        f"GET /s{token} HTTP/1.1\r\nHost: {internet.SECOND4}:8080\r\n\r\n".encode())
    assert reply[1] == 0 and b"200 OK" in data
    done = proxy.curl("-x", proxy.socks.replace("socks5h", "socks5"),
                      f"http://{internet.SECOND4}:8080/c{token}")
    assert done.returncode == 0


@pytest.mark.core
@pytest.mark.parametrize("target", [
    f"{internet.RECORDER4}:80", f"[{internet.RECORDER6}]:80", "127.0.0.1:80", "[::1]:80",
    "169.254.169.254:80", "10.20.0.5:80", f"{internet.HOME4}:80", "[::ffff:10.20.0.5]:80",
    "[64:ff9b::a14:5]:80", "28.0.0.17:80", "0.0.0.0:80"])
def test_address_without_a_rule(world, proxy, token, target):
    for data in (connect(target) + get(REC, f"/{token}"), get(target, f"/{token}")):
        before = len(denied(proxy))
        assert proxy.say(data).startswith(b"HTTP/1.1 403 ")
        assert last_denied(proxy, before)["reason"] in ("special_address", "ip_literal")
    assert not world.arrived(token.encode())


SPECIAL = {"loopback": ["127.0.0.1"], "private": ["10.20.0.5"], "metadata": ["169.254.169.254"],
           "home": [internet.HOME4], "neighbour": [internet.NEIGHBOUR4], "six": ["::1"],
           "mapped": ["::ffff:10.20.0.5"], "nat64": ["64:ff9b::a14:5"]}


@pytest.mark.core
@pytest.mark.parametrize("kind", SPECIAL)
def test_name_of_a_special_address(world, proxy, token, kind):
    name = f"{token}.special.{ZONE}"
    world.dns.names[name] = dnsd.Name(SPECIAL[kind])
    try:
        for data in (get(name, f"/{token}x"), connect(f"{name}:80"), connect(f"{name}:443")):
            answer = proxy.say(data)
            assert answer.startswith(b"HTTP/1.1 403 ") and b"special_address" in answer
        assert socks(proxy, by_name(name, 80))[0][1] == 2
        assert proxy.ask(name).addresses == [] and proxy.ask(name).rcode == dnsd.NXDOMAIN
    finally:
        del world.dns.names[name]
    assert not world.wire.carries(token.encode() + b"x")


def test_name_that_changes_its_address(world, proxy, token):
    """Rebinding: a good address when the name is asked for, then a private one."""
    name = f"{token}.special.{ZONE}"
    world.dns.names[name] = dnsd.Name(flip=[[internet.RECORDER4], ["10.20.0.5"]], ttl=0)
    try:
        answers = [proxy.say(get(name, f"/{token}", more="Connection: close\r\n"))
                   for _ in range(4) if not time.sleep(1.1)]
    finally:
        del world.dns.names[name]
    requests = world.recorder.requests(token.encode())
    assert {r["address"] for r in requests} <= {internet.RECORDER4}
    assert any(b"special_address" in a for a in answers), answers
    assert all(b"200 OK" in a or b"special_address" in a for a in answers)


# ---- DNS ----

@pytest.mark.core
@pytest.mark.parametrize("tcp", [False, True])
def test_dns_gives_true_addresses_of_what_is_allowed(world, proxy, tcp):
    before = len(proxy.events("dns.query"))
    assert proxy.ask(REC, tcp=tcp).addresses == [internet.RECORDER4]
    assert proxy.ask(REC, dnsd.AAAA, tcp=tcp).addresses == [internet.RECORDER6]
    event = wait_for(lambda: proxy.events("dns.query")[before + 1:])[-1]
    assert (event["name"], event["verdict"], event["answer"]) == (REC, "allow", internet.RECORDER6)


def test_dns_denies_the_rest(world, proxy):
    before = len(world.dns.asked("denied."))
    answer = proxy.ask(f"denied.{ZONE}")
    assert (answer.rcode, answer.addresses, answer.ede) == (dnsd.NXDOMAIN, [], [15])
    assert len(world.dns.asked("denied.")) == before
    assert proxy.ask(f"missing.special.{ZONE}").ede == []
    assert proxy.ask(REC, dnsd.HTTPS).types == []


def test_dns_filters_addresses(world, proxy, token):
    name = f"{token}.special.{ZONE}"
    world.dns.names[name] = dnsd.Name(["10.20.0.5", internet.RECORDER4, internet.SECOND4])
    try:
        assert sorted(proxy.ask(name).addresses) == sorted([internet.RECORDER4, internet.SECOND4])
    finally:
        del world.dns.names[name]


# ---- inside of TLS ----

def test_inside_of_tls(world, start, policy, token):
    path = policy(f"version: 1\nallow:\n  - {{host: {REC}, methods: [GET], paths: ['/open/**']}}\n")
    proxy = start("--only", "-p", path)
    done = proxy.curl(f"https://{REC}/open/{token}")
    assert done.returncode == 0 and f"for GET /open/{token}" in done.stdout, done.stderr
    for at in (proxy.http, proxy.socks):
        done = proxy.curl("-x", at, f"https://{REC}/shut/{token}s")
        assert '"path"' in done.stdout, done
    assert not world.recorder.requests(token.encode() + b"s")
    ca = proxy.variables["SSL_CERT_FILE"]
    assert os.stat(ca).st_mode & 0o777 == 0o600 and "PRIVATE" not in open(ca).read()
    proxy.end()
    assert not os.path.exists(ca)


# ---- the command ----

@pytest.mark.core
def test_it_says_what_it_is(world, start):
    proxy = start("--only", "--allow", WWW)
    assert "cooperative, not enforcement" in proxy.errors.read_text()
    assert proxy.variables["https_proxy"] == proxy.variables["HTTP_PROXY"] == \
        f"http://127.0.0.1:{proxy.http_port}"
    assert proxy.variables["no_proxy"] == "localhost,127.0.0.1,::1"
    done = proxy.end()
    assert done.code == 0
    assert [e["event"] for e in done.events][:1] == ["session.start"]
    assert [e["event"] for e in done.events][-2:] == ["session.end", "checkpoint"]
    assert sluice.call("log", "verify", done.log).code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_signals_end_it_in_order(world, start, token, number):
    proxy = start("--only", "--allow", f"{REC}:9999")
    s = socket.create_connection(("127.0.0.1", proxy.http_port), 5)
    s.sendall(connect(f"{REC}:9999"))
    hear(s, ESTABLISHED)
    s.sendall(token.encode())
    assert hear(s, token.encode()) == token.encode()
    done = proxy.end(number)
    assert done.code == 0 and listen(s) == b""
    (close,) = done.of("conn.close")
    (end,) = done.of("session.end")
    assert close["bytes_out"] == end["totals"]["bytes_out"] == len(token)
    assert done.events[-1]["event"] == "checkpoint"


def test_reload(world, start, policy, token):
    path = policy(f"version: 1\nallow:\n  - {{host: {REC}, ports: [80, 9999]}}\n")
    proxy = start("--only", "-p", path)
    tunnel = socket.create_connection(("127.0.0.1", proxy.http_port), 5)
    tunnel.sendall(connect(f"{REC}:9999"))
    hear(tunnel, ESTABLISHED)
    kept = socket.create_connection(("127.0.0.1", proxy.http_port), 5)
    kept.sendall(get(REC, "/kept"))
    assert b"200 OK" in hear(kept, b"GET /kept HTTP/1.1\n")      # its body too: nothing is left to come
    assert b"403" in proxy.say(get(SECOND, f"/a{token}"))
    # replaced, as editors do, where no jail protects it
    other = path.with_suffix(".new")
    other.write_text(f"version: 1\nallow:\n  - {{host: {SECOND}, ports: [80]}}\n")
    other.rename(path)
    proxy.process.send_signal(signal.SIGHUP)
    (event,) = wait_for(lambda: proxy.events("policy.reload"))
    assert event["changed"] is True
    assert b"200 OK" in proxy.say(get(SECOND, f"/b{token}"))
    for s in (tunnel, kept):
        assert listen(s) == b""
    assert b"403" in proxy.say(get(REC, f"/c{token}"))
    assert not world.arrived(b"c" + token.encode())
    path.write_text("version: 1\nallow: [nonsense\n")
    proxy.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "policy not reloaded" in proxy.errors.read_text())
    assert b"200 OK" in proxy.say(get(SECOND, f"/d{token}"))


@pytest.mark.parametrize("options, text", [
    (("--http", "nonsense"), "not an address to listen on"),
    (("--http", "127.0.0.1:99999"), "not an address to listen on"),
    (("--http", "::1:3128"), "not an address to listen on"),
    (("--socks", "example.com:1080"), "not an address to listen on"),
    (("--http", "none", "--socks", "none"), "nothing to listen on"),
    (("true",), "it takes no command"),
    (("--nonsense",), "nonsense"),
    (("--http", "203.0.113.5:3128"), "cannot listen on 203.0.113.5 port 3128"),
])
def test_what_it_refuses(world, options, text):
    done = sluice.call("proxy", "--only", *options)
    assert done.code == 125 and text in done.err and done.out == ""


def test_port_in_use(world, proxy):
    done = sluice.call("proxy", "--only", "--http", f"127.0.0.1:{proxy.http_port}", "--socks", "none")
    assert done.code == 125 and "cannot listen on 127.0.0.1" in done.err


def test_other_than_loopback_warns(world, start):
    where = ("--http", f"{internet.HOME4}:0", "--socks", "[::1]:0", "--dns", ":0")
    proxy = start("--only", "--allow", REC, where=where)
    assert "not loopback" in proxy.errors.read_text()
    assert proxy.http == f"http://{internet.HOME4}:{proxy.http_port}"
    assert proxy.socks == f"socks5h://[::1]:{proxy.socks_port}"
    assert "200 OK" in proxy.curl("-i", f"http://{REC}/").stdout


def test_upstream_proxy_may_not_be_itself(world):
    env = sluice.environment(http_proxy="http://127.0.0.1:3999")
    done = sluice.call("proxy", "--only", "--http", "127.0.0.1:3999", "--socks", "none", env=env)
    assert done.code == 125 and "this proxy itself" in done.err


# ---- bounds ----

def test_many_idle_connections_do_not_stop_others(world, start, token):
    proxy = start("--only", "--allow", REC)
    idle = [socket.create_connection(("127.0.0.1", p), 5)
            for p in (proxy.http_port, proxy.socks_port) for _ in range(400)]
    for s in idle[::2]:
        s.sendall(b"GET http://" if s.getpeername()[1] == proxy.http_port else b"\5")
    assert b"200 OK" in proxy.say(get(REC, f"/{token}"))
    gate = sluice.role(proxy.process.pid, "gate")
    before = cpu(gate)
    time.sleep(2)
    assert cpu(gate) - before < 0.2
    wait_for(lambda: all(closed(s) for s in idle[::2]), 14)
    assert not closed(idle[1])
    for s in idle:
        s.close()


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def closed(s):
    s.setblocking(False)
    try:
        return s.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_slow_head_has_ten_seconds(world, start, token):
    proxy = start("--only", "--allow", REC)
    with socket.create_connection(("127.0.0.1", proxy.http_port), 5) as s:
        begin = time.monotonic()
        for byte in get(REC, f"/{token}", more="X: " + "x" * 200 + "\r\n"):
            time.sleep(0.1)
            try:
                s.sendall(bytes([byte]))
            except OSError:
                break
        assert 9 < time.monotonic() - begin < 15
    assert not world.arrived(token.encode())


def test_at_its_bound_it_refuses_and_says_so(world, start):
    proxy = start("--only", "--allow", REC, limit="--nofile=1200:1200")
    flood = []
    with contextlib.suppress(ConnectionError):      # what finds no room is reset
        while len(flood) < 400:
            flood.append(socket.create_connection(("127.0.0.1", proxy.http_port), 5))
    assert len(flood) > 200
    wait_for(lambda: any(e["reason"] == "limit" for e in proxy.events("conn.open", "denials")))
    for s in flood:
        s.close()

    def served():
        with contextlib.suppress(ConnectionError):      # it may still be full, and then it resets
            return b"200 OK" in proxy.say(get(REC, "/"))
    wait_for(served)


def test_back_pressure(world, start):
    """A client that does not read stops the server, and costs no memory."""
    proxy = start("--only", "--allow", f"{REC}:9003")
    gate = sluice.role(proxy.process.pid, "gate")
    with socket.create_connection(("127.0.0.1", proxy.http_port), 5) as s:
        s.sendall(connect(f"{REC}:9003"))
        hear(s, ESTABLISHED)
        s.sendall(b"%d\n" % (200 << 20))
        time.sleep(1)
        assert sluice.memory_kib(gate) < 30000
        s.settimeout(5)
        left = 200 << 20
        while left and (got := s.recv(1 << 20)):
            left -= len(got)
        assert left == 0


def test_limits_hold(world, start, policy):
    path = policy(f"version: 1\nallow:\n  - {{host: {REC}, ports: [80], rate: 3/min}}\n")
    proxy = start("--only", "-p", path)
    answers = [proxy.say(get(REC, "/", more="Connection: close\r\n")) for _ in range(5)]
    assert [a[9:12] for a in answers] == [b"200"] * 3 + [b"429"] * 2
    with socket.create_connection(("127.0.0.1", proxy.http_port), 5) as s:
        s.sendall(get(REC, "/"))
        hear(s, b" 429 ")


@pytest.mark.parametrize("role, text", [("gate", "the gate is gone"), ("resolver", "resolver")])
def test_without_a_role_it_ends(world, start, role, text):
    proxy = start("--only", "--allow", REC)
    os.kill(sluice.role(proxy.process.pid, role), signal.SIGKILL)
    assert proxy.process.wait(10) == 125
    assert text in proxy.errors.read_text()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", proxy.http_port), 2)
