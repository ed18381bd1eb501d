# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 inside of inspected TLS: each stream is judged, and only what is allowed goes on."""
import hashlib
import json
import threading
import time

import pytest

import daemons
import internet
import sluice
import stage
from stage import ROOT, ZONE, call
from test_reload import events, reload
from waiting import wait_for

PORT = 4460
CONF = """
user root;
worker_processes 1;
daemon off;
pid {place}/pid;
error_log {place}/error;
events {{ worker_connections 512; }}
http {{
    log_format full '$server_protocol|$http_host|$request_method|$request_uri|$status';
    access_log {place}/access full;
    client_body_temp_path {place}/body;
    client_max_body_size 0;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    ssl_certificate {place}/pem;
    ssl_certificate_key {place}/key;
    default_type text/plain;
    server {{
        listen {address}:{port} ssl http2;
        listen {address}:{plain} ssl;
        root {www};
        location /open/ {{ return 200 "served\\n"; }}
        location /shut/ {{ return 200 "served\\n"; }}
        location /slow {{ limit_rate 64k; rewrite ^ /big break; }}
        location /up {{
            proxy_pass http://127.0.0.1:{port}/;
            proxy_buffering off;
        }}
    }}
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "taken\\n"; }} }}
}}
"""


def certify(name, place):
    """A key and a certificate of the tests' CA."""
    call("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(place / "key"), "-out", str(place / "csr"), "-subj", "/CN=x")
    (place / "ext").write_text(f"subjectAltName=DNS:{name}\n")
    call("openssl", "x509", "-req", "-in", str(place / "csr"), "-days", "2", "-extfile",
         str(place / "ext"), "-out", str(place / "pem"), "-CA", str(ROOT / "ca.pem"),
         "-CAkey", str(ROOT / "ca.key"), "-CAcreateserial")


class Server:
    def __init__(self, world, name, place):
        self.name, self.place = name, place
        self.url = f"https://{name}:{PORT}"
        certify(name, place)
        (place / "conf").write_text(CONF.format(
            place=place, address=internet.SECOND4, port=PORT, plain=PORT + 1, www=ROOT / "www"))
        self.process = daemons.start(world, "nginx", "-c", str(place / "conf"), log="http2.out")
        daemons.wait_for(internet.SECOND4, PORT)

    def seen(self, token):
        """Requests that arrived and carry the token, as the server logged them."""
        lines = daemons.asked(self.place / "access", internet.SECOND4, PORT + 1, tls=True)
        return [line.split("|") for line in lines if token in line]

    def end(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def server(world, fresh, place):
    (place / "nginx").mkdir()
    it = Server(world, fresh(addresses=[internet.SECOND4]), place / "nginx")
    yield it
    it.end()


@pytest.fixture
def reading(policy, server):
    return ["--only", "-p", policy(f"""
version: 1
allow:
  - {{host: {server.name}, ports: [{PORT}, {PORT + 1}], methods: [GET, POST],
      paths: ["/open/**", "/big", "/up"]}}
""")]


SHOW = "%{http_code} %{http_version} %{num_connects}\n"


def curl(*arguments, options, **kwargs):
    return sluice.run(*options, command=["curl", "-sS", "--max-time", "40", "-w", SHOW,
                                         *arguments], **kwargs)


def requests(done):
    return [(e["method"], e["path"], e["status"], e["verdict"], e["reason"])
            for e in done.of("http")]


@pytest.mark.core
def test_requests_of_one_connection(world, server, reading, token):
    """Allowed, denied by path, by method, by authority, and allowed again."""
    part = ["--next", "-sS", "-w", SHOW, "-o", "/dev/null"]
    done = curl(f"{server.url}/open/{token}1", *part, f"{server.url}/shut/{token}2",
                *part, "-X", "DELETE", f"{server.url}/open/{token}3",
                *part, "-H", f"Host: www.{ZONE}", f"{server.url}/open/{token}4",
                *part, f"{server.url}/open/{token}5", options=reading)
    assert done.out == ("served\n200 2 1\n403 2 0\n403 2 0\n403 2 0\n200 2 0\n"), (done.out,
                                                                                  done.err)
    assert [line[0] for line in server.seen(token)] == ["HTTP/2.0"] * 2
    assert [line[3] for line in server.seen(token)] == [f"/open/{token}1", f"/open/{token}5"]
    assert len(done.of("conn.open")) == 1
    found = [(e["verdict"], e["reason"], e["status"] if e["verdict"] == "allow" else 0)
             for e in done.of("http")]
    assert found == [("allow", "allowed", 200), ("deny", "path", 0), ("deny", "method", 0),
                     ("deny", "host_mismatch", 0), ("allow", "allowed", 200)]
    (closed,) = done.of("conn.close")
    assert closed["end"] == "client" and "reason" not in closed, closed


@pytest.mark.core
def test_the_page_says_why(world, server, reading, token):
    done = curl("-H", f"X-Secret: {token}", "-d", token, f"{server.url}/shut/{token}",
                options=reading)
    body, _, _ = done.out.rpartition("403 2")
    found = json.loads(body)
    assert (found["verdict"], found["reason"]) == ("deny", "path")
    assert not server.seen(token)
    done = curl(f"{server.url}/open/{token}", options=reading)
    assert server.seen(token), done.err         # the positive control


@pytest.mark.parametrize("size", [1, 3000, 200000])
def test_a_server_that_answers_before_the_body(world, server, reading, place, token, size):
    """It resets the stream behind its answer, with NO_ERROR (RFC 9113 section 8.1)."""
    body = place / "body"
    body.write_bytes(b"x" * size)
    stage.give(place)
    one = f"curl -sS --max-time 20 -o /dev/null -w '%{{http_code}} ' --data-binary @{body}"
    loop = f"for n in $(seq 40); do {one} {server.url}/open/{token}$n || echo failed: $?; done"
    done = sluice.run(*reading, command=["sh", "-c", loop])
    assert done.out.split() == ["200"] * 40, (done.out, done.err)


def test_many_at_once(world, server, reading, token):
    urls = [f"{server.url}/{'shut' if n % 3 == 0 else 'open'}/{token}{n}" for n in range(60)]
    done = sluice.run(*reading, command=["nghttp", "-ns", *urls])
    assert len(server.seen(token)) == 40, (done.out, done.err)
    assert not [line for line in server.seen(token) if "/shut/" in line[3]]
    assert sorted(e["verdict"] for e in done.of("http")) == ["allow"] * 40 + ["deny"] * 20
    assert len(done.of("conn.open")) == 1


def test_a_hundred_streams_at_once(server, reading, token):
    load = ["h2load", "-n", "1000", "-c", "2", "-m", "100", f"{server.url}/open/{token}"]
    done = sluice.run(*reading, command=load, limit=90)
    assert "1000 succeeded, 0 failed, 0 errored, 0 timeout" in done.out, (done.out, done.err)
    assert "status codes: 1000 2xx" in done.out and len(server.seen(token)) == 1000


def test_large_answers_and_bodies(world, server, reading, place):
    body = place / "large"
    body.write_bytes(bytes(6 << 20))
    stage.give(place)
    done = curl("-o", "/dev/null", f"{server.url}/big", "--next", "-sS", "-w", SHOW,
                "--data-binary", f"@{body}", f"{server.url}/up", options=reading, limit=120)
    assert done.out == "200 2 1\ntaken\n200 2 0\n", (done.out, done.err)
    down, up = done.of("http")
    assert down["bytes_in"] > daemons.BIG and up["bytes_out"] > 6 << 20


def test_both_sides_speak_the_same(world, server, reading, token):
    """What the server does not speak the client is not given, and the other way round."""
    done = curl(f"https://{server.name}:{PORT + 1}/open/{token}", options=reading)
    assert done.out == "served\n200 1.1 1\n", (done.out, done.err)
    done = curl("--http1.1", f"{server.url}/open/{token}", options=reading)
    assert done.out == "served\n200 1.1 1\n", (done.out, done.err)
    assert [line[0] for line in server.seen(token)] == ["HTTP/1.1"] * 2
    script = ("for a in h2 h2,http/1.1 http/1.1 spdy/1; do openssl s_client -alpn $a -connect "
              f"{server.name}:$0 </dev/null 2>&1 | grep -ao 'ALPN protocol.*\\|alert number 120' | head -1; "
              "done")
    none, one, two = "alert number 120", "ALPN protocol: http/1.1", "ALPN protocol: h2"
    for port, found in ((PORT, [two, two, one, none]), (PORT + 1, [none, one, one, none])):
        done = sluice.run(*reading, command=["sh", "-c", script, str(port)])
        assert done.out.splitlines() == found, (port, done.err)


@pytest.fixture
def limited(policy, server):
    """A policy that allows the server with more keys of its rule, and limits."""
    def write(more, limits="", other=""):
        text = (f"version: 1\nallow:\n  - {{host: {server.name}, ports: [{PORT}], methods: [GET, POST], "
                f"{more}}}\n{other}")
        return ["--only", "-p", policy(text + (f"limits: {{{limits}}}\n" if limits else ""))]
    return write


PART = ["--next", "-sS", "-w", SHOW, "--max-time", "40", "-o", "/dev/null"]


@pytest.mark.core
@pytest.mark.parametrize("more, limits, reason", [
    ("rate: 3/min", "", "rate"), ("", "requests_per_host: 3/min, on_exceed: block", "limit")])
def test_rates_count_requests(server, limited, token, more, limits, reason):
    """What is beyond is answered on its stream, and what was allowed stands."""
    urls = [f"{server.url}/open/{token}{n}" for n in range(5)]
    done = curl("-o", "/dev/null", urls[0], *[x for url in urls[1:] for x in (*PART, url)],
                options=limited(more or "id: x", limits))
    assert done.out == "200 2 1\n200 2 0\n200 2 0\n429 2 0\n429 2 0\n", (done.out, done.err)
    assert [line[3] for line in server.seen(token)] == [f"/open/{token}{n}" for n in range(3)]
    assert [e["reason"] for e in done.of("http") if e["verdict"] == "deny"] == [reason] * 2
    done = curl("-i", *urls[:1], *PART[:-2], "-i", *urls[1:2], options=limited("rate: 1/min", ""))
    head, _, body = done.out.rpartition("HTTP/2 429")[2].replace("\r", "").partition("\n\n")
    assert "retry-after: " in head and json.loads(body.rpartition("429 2")[0])["reason"] == "rate", done.out


@pytest.mark.parametrize("length", ["known", "unknown"])
@pytest.mark.parametrize("more, limits, status, reason", [
    ("max_request: 100kB", "", 413, "request_size"),
    ("id: x", "upload_per_request: 100kB, on_exceed: block", 429, "limit")])
def test_bodies_have_a_bound(server, limited, place, length, more, limits, status, reason):
    body = place / "body"
    body.write_bytes(bytes(300000))
    (place / "small").write_bytes(bytes(100000))
    stage.give(place)
    how = (lambda name: ["--data-binary", f"@{place}/{name}"] if length == "known" else
           ["-X", "POST", "-T", f"{place}/{name}", "-H", "Content-Length:"])
    done = curl("-o", "/dev/null", *how("body"), f"{server.url}/up", *PART, *how("small"),
                f"{server.url}/up", *PART, f"{server.url}/open/", options=limited(more, limits))
    assert done.out.startswith(f"{status} 2"), (done.out, done.err)
    assert [line[:3] for line in done.out.splitlines()[1:]] == ["200", "200"], (done.out, done.err)
    assert [e["reason"] for e in done.of("http") if e["verdict"] == "deny"] == [reason]
    # what is above the bound never left: of a body of unknown length what is below it did
    sent = [e["bytes_out"] for e in done.of("http") if e["verdict"] == "allow"]
    assert len(sent) == (2 if length == "known" else 3)
    assert length == "known" or 100000 <= sent[0] < 101000, sent


def test_a_quota_ends_a_stream(server, limited, token):
    rules = limited("paths: [/big], quota: {down: 1MB}", other=(
        f"  - {{host: {server.name}, ports: [{PORT}], methods: [GET], paths: [\"/open/**\"]}}\n"))
    size = "%{http_code} %{http_version} %{size_download} %{exitcode}\n"
    done = sluice.run(*rules, command=[
        "curl", "-sS", "--max-time", "30", "-o", "/dev/null", "-w", size, f"{server.url}/big",
        "--next", "-sS", "-o", "/dev/null", "-w", size, f"{server.url}/big",
        "--next", "-sS", "-w", size, f"{server.url}/open/{token}"])
    cut, denied, _, other = done.out.splitlines()
    status, version, got, code = cut.split()
    assert (status, version) == ("200", "2") and code != "0" and 900000 < int(got) <= 1000000, done.out
    assert denied.startswith("429 2") and other.startswith("200 2"), done.out
    assert [e["reason"] for e in done.of("http") if e["verdict"] == "deny"] == ["quota", "quota"]
    assert len(done.of("conn.open")) == 1 and server.seen(token)
    (closed,) = done.of("conn.close")
    assert closed["end"] == "client" and "reason" not in closed


@pytest.mark.parametrize("way", ["down", "up"])
def test_bandwidth_paces_streams(server, limited, place, way):
    """Those of its rule; others of the same connection do not wait for them."""
    (place / "body").write_bytes(bytes(1000000))
    stage.give(place)
    what = ["-r", "0-999999", f"{server.url}/big"] if way == "down" else [
        "--data-binary", f"@{place}/body", f"{server.url}/up"]
    rules = limited("paths: [/big, /up], bandwidth: {%s: 4mbit}" % way, other=(
        f"  - {{host: {server.name}, ports: [{PORT}], methods: [GET], paths: [\"/open/**\"]}}\n"))
    took = "%{http_version} %{time_total}\n"
    done = sluice.run(*rules, command=["curl", "-sS", "-Z", "--max-time", "30", "-w", took, "-o",
                                       "/dev/null", *what, "--next", "-sS", "-w", took, "-o",
                                       "/dev/null", f"{server.url}/open/"])
    fast, slow = sorted(float(line.split()[1]) for line in done.out.splitlines())
    assert {line.split()[0] for line in done.out.splitlines()} == {"2"}, (done.out, done.err)
    assert fast < slow / 2 and 1.5 < slow < 6, done.out         # 8 Mbit at 4 Mbit/s
    assert len(done.of("conn.open")) == 1


def test_kill_ends_the_command(server, limited, token):
    done = curl("-o", "/dev/null", f"{server.url}/open/{token}", *PART, f"{server.url}/big",
                options=limited("id: x", "download_total: 1MB, on_exceed: kill"))
    assert done.code != 0 and server.seen(token), done.err      # the first one passed
    assert [e["kind"] for e in done.of("alert")] == ["download_total"], done.err


# A client by hand: each argument is a request, fields as NAME=VALUE, of a stream of its own
RAW = r"""
import socket, ssl, struct, sys
host, port, *wanted = sys.argv[1:]
context = ssl.create_default_context()
context.set_alpn_protocols(["h2"])
tls = context.wrap_socket(socket.create_connection((host, int(port)), 10), server_hostname=host)
assert tls.selected_alpn_protocol() == "h2"
def frame(kind, flags, stream, data=b""):
    return struct.pack("!I", len(data))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + data
def field(text):
    name, _, value = text.partition("=")
    assert len(name) < 127 and len(value) < 127
    return b"\x10" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
def exactly(size):
    data = b""
    while len(data) < size:
        part = tls.recv(size - len(data))
        if not part:
            sys.exit()
        data += part
    return data
tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
for n, request in enumerate(wanted):
    tls.sendall(frame(1, 5, 2 * n + 1, b"".join(map(field, request.split()))))
    while True:
        head = exactly(9)
        kind, flags, stream = head[3], head[4], struct.unpack("!I", head[5:])[0]
        data = exactly(int.from_bytes(head[:3], "big"))
        if kind == 3:
            print("reset", struct.unpack("!I", data)[0], flush=True)
            break
        if kind == 7:
            print("goaway", struct.unpack("!I", data[4:8])[0], flush=True)
        if kind in (0, 1) and flags & 1 and stream == 2 * n + 1:
            print("answer", flush=True)
            break
tls.close()
"""


@pytest.mark.core
def test_malformed_requests(world, server, reading, token):
    good = f":method=GET :scheme=https :authority={server.name}:{PORT} :path=/open/{token}"
    bad = {
        "host": f"{good}-bad host=www.{ZONE}",
        "twice": f"{good}-bad :path=/open/{token}-bad2",
        "upper": f"{good}-bad X-Upper=1",
        "connection": f"{good}-bad connection=close",
        "encoding": f"{good}-bad transfer-encoding=chunked",
        "scheme": f"{good}-bad".replace("https", "http"),
    }
    done = sluice.run(*reading, command=[sluice.PYTHON, "-c", RAW, server.name, str(PORT), good,
                                         *bad.values(), good])
    assert done.out.split("\n") == ["answer", *["reset 1"] * len(bad), "answer", ""], (done.out,
                                                                                      done.err)
    assert len(server.seen(token)) == 2 and not server.seen(f"{token}-bad")
    assert [e["reason"] for e in done.of("http") if e["verdict"] == "deny"] == (
        ["malformed"] * len(bad))


def test_connect_and_trace(world, server, reading, token):
    for request in (f":method=CONNECT :authority={server.name}:{PORT}",
                    f":method=TRACE :scheme=https :authority={server.name}:{PORT} "
                    f":path=/open/{token}"):
        done = sluice.run("--only", "--allow", f"{server.name}:{PORT}", "--inspect",
                          command=[sluice.PYTHON, "-c", RAW, server.name, str(PORT), request])
        assert done.denied() and [e["verdict"] for e in done.of("http")] == ["deny"], (
            done.out, done.err)
    assert not server.seen(token)


def test_the_wrong_preface(world, server, reading, token):
    script = RAW.replace("PRI * HTTP/2.0", f"GET /open/{token} HTTP/1.1")
    done = sluice.run(*reading, command=[sluice.PYTHON, "-c", script, server.name, str(PORT), "x=y"])
    (closed,) = done.of("conn.close")
    assert (closed["end"], closed["reason"]) == ("killed", "malformed")
    assert not server.seen(token)


def more_comes(path):
    """Whoever writes there has got something, or more than until now."""
    before = path.stat().st_size if path.exists() else 0
    wait_for(lambda: path.exists() and path.stat().st_size > before, 20)


@pytest.mark.parametrize("later, reason", [
    ('paths: ["/other"]', "path"), ('paths: ["/slow"], rate: 1000/s', None)])
def test_a_policy_that_is_new(server, policy, jail, place, later, reason):
    """What stands is judged by it; and counted by it from then on."""
    got = place / "got"

    def rules(more):
        return policy(f"version: 1\nallow: [{{host: {server.name}, ports: [{PORT}], "
                      f"methods: [GET], {more}}}]\n")
    agent = jail("--only", "-p", rules('paths: ["/slow"]'))
    said = []
    curl_in = threading.Thread(target=lambda: said.append(agent.ok(
        "command", "curl", "-sS", "--max-time", "28", "-o", str(got), "-w",
        "%{http_version} %{http_code}", f"{server.url}/slow", limit=30)))
    curl_in.start()
    more_comes(got)
    rules('paths: ["/slow", "/more"]')
    reload(agent)
    more_comes(got)
    more_comes(got)     # what was on its way may have been the one before
    assert curl_in.is_alive() and not events(agent, "conn.close")      # the positive control
    rules(later)
    reload(agent)
    if not reason:
        more_comes(got)
        more_comes(got)
        assert curl_in.is_alive() and not events(agent, "conn.close")
        rules('paths: ["/slow"], quota: {down: 1kB}')
        reload(agent)
        curl_in.join(20)
        assert "2 200" in str(said) and [e["reason"] for e in events(agent, "http")
                                         if e["verdict"] == "deny"] == ["quota"], said
        return
    (closed,) = wait_for(lambda: events(agent, "conn.close"))
    assert (closed["end"], closed["reason"]) == ("killed", reason)
    curl_in.join(20)
    assert "2 200" in str(said), said
    (told,) = events(agent, "http")
    assert told["path"] == "/slow" and told["status"] == 200


@pytest.mark.parametrize("who", ["server", "client"])
def test_an_end_in_the_middle(server, policy, jail, place, who):
    """A request that stood is told of; a cut answer is no whole one."""
    rules = policy(f"version: 1\nallow: [{{host: {server.name}, ports: [{PORT}], methods: [GET], "
                   f"paths: [/slow]}}]\n")
    agent = jail("--only", "-p", rules)
    said = []
    curl_in = threading.Thread(target=lambda: said.append(agent.ok(
        "command", "curl", "-sS", "--max-time", "3" if who == "client" else "20", "-o", str(place / "got"),
        "-w", "%{http_version} %{http_code} %{exitcode}", f"{server.url}/slow", limit=30)))
    curl_in.start()
    more_comes(place / "got")
    if who == "server":
        server.process.terminate()
    (closed,) = wait_for(lambda: events(agent, "conn.close"))
    assert closed["end"] == {"server": "error", "client": "client"}[who], closed
    curl_in.join(20)
    assert "2 200 " in str(said) and "2 200 0" not in str(said), said
    (told,) = events(agent, "http")
    assert told["status"] == 200 and 0 < told["bytes_in"] < daemons.BIG


def test_credentials(server, policy, token):
    """They count on each stream."""
    digest = hashlib.sha256(b"right").hexdigest()
    rules = policy(f"version: 1\nallow: [{{host: {server.name}, ports: [{PORT}], methods: [GET], "
                   f"credentials: {{header: x-key, sha256: [{digest}]}}}}]\n")
    part = ["--next", "-sS", "-w", SHOW, "-o", "/dev/null"]
    done = curl("-o", "/dev/null", "-H", "X-Key: right", f"{server.url}/open/{token}1",
                *part, "-H", "X-Key: wrong", f"{server.url}/open/{token}2",
                *part, f"{server.url}/open/{token}3", options=["--only", "-p", rules])
    assert done.out == "200 2 1\n403 2 0\n403 2 0\n", (done.out, done.err)
    assert [line[3] for line in server.seen(token)] == [f"/open/{token}1"]


# Opens connections with many requests each, for whose answers there is all room, and reads none;
# then asks for one small thing
FLOOD = RAW.partition("tls.sendall(b\"PRI")[0] + r"""
import time
class Gone(Exception):
    pass
def connect():
    s = socket.create_connection((host, int(port)), 10)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    tls = context.wrap_socket(s, server_hostname=host)
    kind = tls.selected_alpn_protocol()
    tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, struct.pack("!HI", 4, 2**31 - 1)) +
                frame(8, 0, 0, struct.pack("!I", 2**31 - 1 - 65535)))
    return tls
def request(tls, stream, path):
    tls.sendall(frame(1, 5, stream, b"".join(map(field, [
        ":method=GET", ":scheme=https", f":authority={host}:{port}", f":path={path}"]))))
tls.close()
held = []
for n in range(int(wanted[0])):
    tls = connect()
    for stream in range(1, 200, 2):
        request(tls, stream, "/big")
    held.append(tls)
    time.sleep(0.05)
time.sleep(2)
tls = connect()
request(tls, 1, wanted[1])
while True:
    head = exactly(9)
    data = exactly(int.from_bytes(head[:3], "big"))
    if head[3] in (0, 1) and head[4] & 1:
        print("served", flush=True)
        break
"""


def test_memory_under_attack(server, reading, jail, token):
    """A command that lets the gate hold all it can: the gate's memory has a bound."""
    agent = jail(*reading)
    gate = sluice.role(agent.process.pid, "gate")
    before, most, said = sluice.memory_kib(gate), 0, []
    attack = threading.Thread(target=lambda: said.append(agent.do(
        "command", sluice.PYTHON, "-c", FLOOD, server.name, str(PORT), "24", f"/open/{token}",
        limit=90)))
    attack.start()
    while attack.is_alive():
        most = max(most, sluice.memory_kib(gate))
        time.sleep(0.1)
    print("gate, KiB before and at most:", before, most, said)
    assert "served" in str(said), said
    assert server.seen(token)
    assert most > 100 << 10, (before, most)             # the attack was one
    assert most < before + (300 << 10), (before, most)
