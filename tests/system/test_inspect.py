# SPDX-License-Identifier: Apache-2.0
"""What is inside of TLS: judged where a rule needs it, end to end everywhere else."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import struct
import time

import pytest

import daemons
import internet
import sluice
import stage
import test_reload
from stage import ROOT, ZONE, call
from waiting import wait_for

WWW, REC = f"www.{ZONE}", f"rec.{ZONE}"
RULES = f"""
version: 1
allow:
  - {{host: {WWW}, methods: [GET], paths: ["/hello", "/big"]}}
  - {{host: {REC}, methods: [GET, POST], paths: ["/open/**"]}}
"""
CURL = ["curl", "-sS", "--max-time", "20"]


def curl(*arguments, options, **kwargs):
    return sluice.run(*options, command=[*CURL, *arguments], **kwargs)


@pytest.fixture
def reading(policy):
    return ["--only", "-p", policy(RULES)]


def requests(done):
    return [(e["method"], e["path"], e["status"], e["verdict"], e["reason"])
            for e in done.of("http")]


@pytest.mark.core
def test_allowed_request_inside_tls(world, reading):
    done = curl(f"https://{WWW}/hello", options=reading)
    assert done.out == f"hello from {WWW} over https\n", done.err
    assert requests(done) == [("GET", "/hello", 200, "allow", "allowed")]
    (opened,) = done.of("conn.open")
    assert (opened["proto"], opened["sni"], opened["verdict"]) == ("tls", WWW, "allow")


@pytest.mark.core
@pytest.mark.parametrize("arguments, reason", [
    ((f"https://{REC}/shut/TOKEN",), "path"),
    (("-X", "DELETE", f"https://{REC}/open/TOKEN"), "method"),
    (("-H", f"Host: {WWW}", f"https://{REC}/open/TOKEN"), "host_mismatch"),
])
def test_denied_request_inside_tls(world, outside, reading, token, arguments, reason):
    arguments = [a.replace("TOKEN", token) for a in arguments]
    done = curl("-w", "\n%{http_code} %{content_type}", *arguments, options=reading)
    body, _, status = done.out.rpartition("\n")
    assert status == "403 application/json", (done.out, done.err)
    found = json.loads(body)
    assert found["verdict"] == "deny" and found["reason"] == reason
    assert found["target"].split(" ")[1].startswith("https://")
    assert [e["reason"] for e in done.of("http")] == [reason]
    assert not [s for s in world.recorder.seen if token.encode() in s.get("data", b"")]
    # the positive control: what is allowed does arrive
    done = curl(f"https://{REC}/open/{token}", options=reading)
    assert world.recorder.requests(token.encode()), done.err


def test_malformed_request_inside_tls(world, reading, token):
    done = curl("--http1.1", "-H", "Content-Length: 3", "-H", "Transfer-Encoding: chunked",
                "-d", "abc", f"https://{REC}/open/{token}", options=reading)
    assert done.code != 0 and done.reasons() == {"malformed"}
    assert not world.recorder.arrived(token.encode())


TALK = """
import socket, ssl, sys
host, *texts = sys.argv[1:]
raw = socket.create_connection((host, 443), 10)
tls = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
def answer():
    data = b""
    while True:
        head, end, body = data.partition(b"\\r\\n\\r\\n")
        lengths = [int(line[15:]) for line in head.split(b"\\r\\n") if line.lower().startswith(b"content-length:")]
        part = tls.recv(65536) if not end or len(body) < sum(lengths) else b""
        data += part
        if not part:
            return data
for text in texts:
    tls.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
    print(answer().split(b"\\r\\n")[0].decode(), flush=True)
"""


def test_each_request_of_a_kept_connection(world, reading, token):
    good = f"GET /open/{token}a HTTP/1.1\\r\\nHost: {REC}\\r\\n\\r\\n"
    other = f"GET /open/{token}b HTTP/1.1\\r\\nHost: {WWW}\\r\\n\\r\\n"
    done = sluice.run(*reading, command=[sluice.PYTHON, "-c", TALK, REC, good, good, other])
    assert done.out.split("\n")[:3] == ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK",
                                        "HTTP/1.1 403 Forbidden"], (done.out, done.err)
    assert len(world.recorder.requests(token.encode() + b"a")) == 2
    assert not world.recorder.arrived(token.encode() + b"b")
    assert len(done.of("conn.open")) == 1
    assert [e["verdict"] for e in done.of("http")] == ["allow", "allow", "deny"]


def test_what_is_not_http_inside_tls(world, reading, token):
    for text in (f"{token}\\r\\n\\r\\n", f"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n{token}",
                 f"CONNECT {REC}:443 HTTP/1.1\\r\\nHost: {REC}:443\\r\\nX: {token}\\r\\n\\r\\n"):
        done = sluice.run(*reading, command=[sluice.PYTHON, "-c", TALK, REC, text])
        assert "200" not in done.out and done.denied(), text
    assert not world.recorder.arrived(token.encode())


# Trust and certificates

def issuer(host, *options, port=443):
    script = (f"openssl s_client -connect {host}:{port} -servername {host} </dev/null 2>/dev/null"
              " | openssl x509 -noout -issuer")
    return sluice.run(*options, command=["sh", "-c", script])


@pytest.mark.core
def test_only_what_a_rule_needs_is_opened(world, reading, policy):
    assert "sluice session CA" in issuer(WWW, *reading).out
    assert "CN = test CA" in issuer(WWW, "--only", "--allow", WWW).out
    assert "sluice session CA" in issuer(WWW, "--only", "--allow", WWW, "--inspect").out
    never = policy(f"version: 1\nallow: [{{host: {WWW}, inspect: never}}]\n", "never.yaml")
    assert "CN = test CA" in issuer(WWW, "--only", "-p", never, "--inspect").out


def test_no_inspect(world, reading, token):
    done = curl(f"https://{REC}/open/{token}", options=[*reading, "--no-inspect"])
    assert done.code == 35 and done.reasons() == {"inspection_required"}
    assert not world.recorder.arrived(token.encode())
    done = sluice.run(*reading, "--no-inspect", command=["grep", "-c", "BEGIN", stage.BUNDLE])
    assert int(done.out) == stage.BUNDLE.read_text().count("BEGIN")
    # plain HTTP is judged as ever
    done = curl(f"http://{REC}/open/{token}", options=[*reading, "--no-inspect"])
    assert world.recorder.requests(token.encode())


def test_the_certificate_is_what_strict_clients_want(world, reading, place):
    stage.give(place)
    script = (f"openssl s_client -connect {WWW}:443 -servername {WWW} -verify_hostname {WWW} "
              f"-verify_return_error -x509_strict </dev/null 2>&1 | tee {place}/said "
              f"| openssl x509 > {place}/leaf.pem; "
              f"openssl verify -x509_strict -purpose sslserver -verify_hostname {WWW} "
              f"{place}/leaf.pem; openssl x509 -in {place}/leaf.pem -noout -text")
    done = sluice.run(*reading, command=["sh", "-c", script])
    assert f"{place}/leaf.pem: OK" in done.out, done.out
    assert "Verify return code: 0 (ok)" in (place / "said").read_text()
    for sign in (f"DNS:{WWW}", "TLS Web Server Authentication", "Authority Key Identifier",
                 "Subject Key Identifier", "CA:FALSE", "Digital Signature"):
        assert sign in done.out, sign
    # outside nobody trusts it
    with pytest.raises(Exception):
        call("openssl", "verify", "-CAfile", str(stage.BUNDLE), str(place / "leaf.pem"))


def server(world, fresh, place, port, *options, names, days="2"):
    """A TLS server with a certificate that was made so; its name."""
    name = fresh(addresses=[internet.SECOND4])
    key, cert = place / f"{port}.key", place / f"{port}.pem"
    call("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(key), "-out", str(place / "csr"), "-subj", "/CN=x")
    (place / "ext").write_text("subjectAltName=DNS:" + (names or name) + "\n")
    call("openssl", "x509", "-req", "-in", str(place / "csr"), "-days", days, "-extfile",
         str(place / "ext"), "-out", str(cert), *[o.replace("KEY", str(key)) for o in options])
    process = daemons.start(world, "openssl", "s_server", "-accept",
                            f"{internet.SECOND4}:{port}", "-key", str(key), "-cert", str(cert),
                            "-www", "-quiet", log=f"server-{port}.out")
    daemons.wait_for(internet.SECOND4, port)
    return name, process


BY_CA = ["-CA", str(ROOT / "ca.pem"), "-CAkey", str(ROOT / "ca.key"), "-CAcreateserial"]
BAD = {
    "good": (4430, BY_CA, None, "2", None),
    "expired": (4431, BY_CA, None, "-1", "certificate has expired"),
    "other-name": (4432, BY_CA, f"other.{ZONE}", "2", "hostname mismatch"),
    "self-signed": (4433, ["-signkey", "KEY"], None, "2", "self-signed certificate"),
}


@pytest.mark.core
@pytest.mark.parametrize("kind", BAD)
def test_bad_certificates_of_servers(world, fresh, policy, place, kind):
    port, options, names, days, words = BAD[kind]
    name, process = server(world, fresh, place, port, *options, names=names, days=days)
    try:
        rules = policy(f"version: 1\nallow: [{{host: {name}, ports: [{port}], methods: [GET]}}]\n")
        done = curl("-w", "\n%{http_code}", f"https://{name}:{port}/secret", limit=60,
                    options=["--only", "-p", rules])
    finally:
        process.kill()
        process.wait()
    body, _, status = done.out.rpartition("\n")
    if not words:
        assert status == "200", (done.out, done.err)
        return
    assert status == "502", (done.out, done.err)
    found = json.loads(body)
    assert found["reason"] == "upstream_failed" and words in found["message"].lower(), found
    (closed,) = done.of("conn.close")
    assert (closed["end"], closed["reason"]) == ("error", "upstream_failed")
    assert words in closed["detail"].lower()


@pytest.mark.core
def test_a_ca_of_the_policy(world, fresh, policy, place, jail):
    """tls_ca adds to what is trusted, for its policy alone, and goes with it."""
    name, process = server(world, fresh, place, 4434, "-signkey", "KEY", names=None)
    url = f"https://{name}:4434/"
    rules = f"version: 1\nallow: [{{host: {name}, ports: [4434], methods: [GET]}}]\n"
    path = policy(rules + "tls_ca: [4434.pem]\n")
    agent = jail("--only", "-p", path)
    hold = f"(sleep 60 | openssl s_client -connect {name}:4434 -servername {name})"

    def status():
        return agent.ok("command", *CURL, "-o", "/dev/null", "-w", "%{http_code}", url)["out"]
    try:
        assert status() == "200"
        agent.ok("command", "sh", "-c", f"{hold} >{place}/held 2>&1 &")
        wait_for(lambda: (place / "held").exists() and "Verif" in (place / "held").read_text())
        opened = test_reload.events(agent, "conn.open")[1:]
        assert opened[0]["verdict"] == "allow"
        path.write_text(rules)
        assert test_reload.reload(agent)["changed"] is True
        closed = wait_for(lambda: test_reload.events(agent, "conn.close")[1:])
        assert (closed[0]["end"], closed[0]["reason"]) == ("killed", "upstream_failed")
        assert status() == "502"
        path.write_text(rules + f"tls_ca: ['{place}/4434.pem']\n")
        assert test_reload.reload(agent)["changed"] is True
        assert status() == "200"
    finally:
        agent.end()
        process.kill()
        process.wait()


@pytest.mark.parametrize("text, why", [("nothing", "found no certificate"), (None, "No such file")])
def test_a_ca_that_is_none_refuses_the_policy(world, policy, place, text, why):
    if text:
        (place / "ca.pem").write_text(text)
    path = policy(f"version: 1\nallow: [{{host: {WWW}}}]\ntls_ca: [ca.pem]\n")
    done = sluice.run("-p", path, command=["touch", place / "ran"])
    assert done.code == 125 and not (place / "ran").exists()
    [line] = done.err.splitlines()
    assert line.startswith(f"sluice: {place}/ca.pem: ") and why in line


def test_a_ca_is_read_only_in_the_jail(world, policy, place):
    (place / "ca.pem").write_bytes((ROOT / "ca.pem").read_bytes())
    path = policy(f"version: 1\nallow: [{{host: {WWW}}}]\ntls_ca: [ca.pem]\n")
    done = sluice.run("-p", path, command=["sh", "-c", f"echo x >>{place}/ca.pem; "
                      f"rm -f {place}/ca.pem; echo y >{place}/mine"])
    assert (place / "ca.pem").read_bytes() == (ROOT / "ca.pem").read_bytes()
    assert (place / "mine").read_text() == "y\n" and done.err.count("ca.pem") >= 2


def test_a_server_that_is_not_there(world, fresh, policy, place):
    name = fresh(addresses=[internet.SECOND4])
    rules = policy(f"version: 1\nallow: [{{host: {name}, ports: [4439], methods: [GET, POST]}}]\n")
    body = place / "body"
    body.write_bytes(os.urandom(1 << 20))
    stage.give(place)
    for more in ([], ["--data-binary", f"@{body}", "-H", "Expect:"]):
        done = curl("-w", "\n%{http_code}", *more, f"https://{name}:4439/",
                    options=["--only", "-p", rules])
        answer, _, status = done.out.rpartition("\n")
        assert status == "502" and json.loads(answer)["reason"] == "upstream_failed", done.out


def test_a_server_that_speaks_no_tls(world, fresh, policy):
    name = fresh(addresses=[internet.RECORDER4])
    rules = policy(f"version: 1\nallow: [{{host: {name}, ports: [7], methods: [GET]}}]\n")
    done = curl("-w", "\n%{http_code}", f"https://{name}:7/", options=["--only", "-p", rules])
    body, _, status = done.out.rpartition("\n")
    assert status == "502" and json.loads(body)["reason"] == "upstream_failed", done.out


# How an EC private key on P-256 begins in DER: version 1, then 32 bytes (RFC 5915).  PEM is not
# looked for: the keeper reads the key that signs the log from it.
PRIVATE = re.compile(rb"(?s)\x02\x01\x01\x04\x20.{32}\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")


def memory(pid):
    """All that a process may write in its memory."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb") as mem, open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            ends, rights, *_ = line.split()
            first, last = (int(e, 16) for e in ends.split("-"))
            # a sanitizer's shadow is terabytes of nothing
            if not rights.startswith("rw") or last - first > 1 << 28:
                continue
            try:
                mem.seek(first)
                parts.append(mem.read(last - first))
            except (OSError, ValueError):
                pass
    return b"\n".join(parts)


def holds_a_key(data):
    return PRIVATE.search(data)


def files_since(began):
    """(path, bytes) of all that were written since where others may read; of the machine's own one may go meanwhile."""
    tops = stage.HOME, "/run", "/tmp", "/dev/shm", "/var/lib"
    for folder, _, names in (found for top in tops for found in os.walk(top)):
        for path in (pathlib.Path(folder) / name for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= began:
                    yield path, path.read_bytes()


def test_the_key_of_the_ca_is_in_no_file_and_not_in_the_keeper(world, reading):
    began = time.time()
    agent = sluice.jail(*reading)
    try:
        pid = agent.process.pid
        gate = sluice.role(pid, "gate")
        assert "sluice session CA".encode() in memory(gate)     # it is read at all
        for other in [pid, *sluice.children(pid)]:
            assert not holds_a_key(memory(other)), sluice.children(pid).get(other, "keeper")
        looked = 0
        for path, data in files_since(began):
            assert not holds_a_key(data), path
            looked += 1
        assert looked
    finally:
        agent.kill()
    # the positive control
    key = call("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-outform", "DER")
    assert holds_a_key(key) and holds_a_key(memory(os.getpid()))


# Bodies and other forms

def test_large_answers_and_bodies(world, policy, place, token):
    rules = policy(f"version: 1\nallow:\n  - {{host: {WWW}, methods: [GET]}}\n"
                   f"  - {{host: {REC}, methods: [POST]}}\n")
    body = place / "body"
    body.write_bytes(token.encode() + os.urandom(6 << 20))
    stage.give(place)
    done = curl("--max-time", "100", "-o", "/dev/null", "-w", "%{size_download} ", f"https://{WWW}/big", "--next",
                "-sS", "--data-binary", f"@{body}", f"https://{REC}/up",
                options=["--only", "-p", rules], limit=120)
    assert done.out.startswith(f"{daemons.BIG} you asked"), (done.out[:200], done.err)
    (arrived,) = world.recorder.requests(token.encode())
    assert arrived["data"].endswith(body.read_bytes()[-1000:])
    assert [e["bytes_in"] > daemons.BIG for e in done.of("http")] == [True, False]
    assert [e["bytes_out"] > 6 << 20 for e in done.of("http")] == [False, True]


def test_sizes_credentials_and_rates(world, policy, token):
    rules = policy(f"""
version: 1
allow:
  - {{host: {REC}, max_request: 10, rate: 3/min}}
""")
    done = curl("-w", "%{http_code}\n", "-o", "/dev/null", "-d", "x" * 11, f"https://{REC}/{token}",
                options=["--only", "-p", rules])
    assert done.out == "413\n" and done.reasons() == {"request_size"}
    assert not world.recorder.arrived(token.encode())
    done = curl("-w", "%{http_code} ", *["-o", "/dev/null", f"https://{REC}/{token}"] * 4,
                options=["--only", "-p", rules])
    assert done.out == "200 200 200 429 ", (done.out, done.err)


def test_a_websocket_inside_tls(world, policy, token):
    script = r"""
import socket, ssl, sys
host, token = sys.argv[1:]
raw = socket.create_connection((host, 443), 10)
tls = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
tls.sendall((f"GET /{token} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n"
             "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
             "Sec-WebSocket-Version: 13\r\n\r\n").encode())
print(tls.recv(4096).split(b"\r\n")[0].decode())
data = b"x" * 300000
tls.sendall(data)
got = b""
while len(got) < len(data):
    part = tls.recv(65536)
    assert part
    got += part
print(got == data)
"""
    for yes in ("true", "false"):
        rules = policy(f"version: 1\nallow: [{{host: {REC}, methods: [GET], websocket: {yes}}}]\n")
        done = sluice.run("--only", "-p", rules, command=[sluice.PYTHON, "-c", script, REC, token])
        if yes == "true":
            assert done.out == "HTTP/1.1 101 Switching Protocols\nTrue\n", (done.out, done.err)
        else:
            assert "101" not in done.out and done.reasons() == {"protocol"}


def test_a_hidden_name_is_looked_for_inside(world, policy, token):
    """A hello with ECH: its rule does not need inspection, and yet it is inspected."""
    check = sluice.call("check", "--only", "--allow", REC, f"https://{REC}/")
    assert check.code == 0
    # curl and OpenSSL 3.0 offer none: a hello with an empty extension of that type, by hand
    hello = ech_hello(REC)
    script = ("import socket, sys; s = socket.create_connection((sys.argv[1], 443), 10);"
              "s.sendall(bytes.fromhex(sys.argv[2])); print(s.recv(5).hex())")
    done = sluice.run("--only", "--allow", REC,
                      command=[sluice.PYTHON, "-c", script, REC, hello.hex()])
    assert done.out.startswith("160303"), (done.out, done.err)      # a ServerHello, of the gate's
    assert not done.denied()
    done = sluice.run("--only", "--allow", REC, "--no-inspect",
                      command=[sluice.PYTHON, "-c", script, REC, hello.hex()])
    assert done.out.startswith("15") and done.reasons() == {"ech"}


def ech_hello(name):
    """A TLS 1.2 and 1.3 hello as a browser sends it, with GREASE for ECH."""
    def ext(kind, data):
        return struct.pack("!HH", kind, len(data)) + data
    host = name.encode()
    extensions = b"".join([
        ext(0, struct.pack("!HBH", len(host) + 3, 0, len(host)) + host),
        ext(10, bytes.fromhex("0004001d0017")), ext(11, bytes.fromhex("0100")),
        ext(13, bytes.fromhex("00080403080404010503")),
        ext(43, bytes.fromhex("0403040303")),
        ext(51, bytes.fromhex("0024001d0020") + os.urandom(32)),
        ext(0xfe0d, bytes.fromhex("0000010001") + b"\x01" + struct.pack("!H", 32)
            + os.urandom(32) + struct.pack("!H", 144) + os.urandom(144)),
    ])
    body = (b"\x03\x03" + os.urandom(32) + b"\x20" + os.urandom(32)
            + bytes.fromhex("0006130113021303") + b"\x01\x00"
            + struct.pack("!H", len(extensions)) + extensions)
    return (b"\x16\x03\x01" + struct.pack("!H", len(body) + 4) + b"\x01"
            + struct.pack("!I", len(body))[1:] + body)


def test_check_judges_the_request(world, reading):
    for target, code, reason in ((f"https://{REC}/open/a", 0, "allowed"),
                                 (f"DELETE https://{REC}/open/a", 1, "method"),
                                 (f"https://{REC}/shut", 1, "path")):
        done = sluice.call("check", *reading, "--format", "json", target)
        found = json.loads(done.out)
        found = found[0] if isinstance(found, list) else found
        assert (done.code, found["reason"]) == (code, reason), done.out
        done = sluice.call("check", *reading, "--no-inspect", "--format", "json", target)
        assert '"inspection_required"' in done.out, done.out


def test_no_role_reads_the_configuration_of_openssl(place, reading):
    """It can name code to load.  Whoever opens it here waits for ever."""
    pipe, conf = place / "conf", pathlib.Path("/etc/ssl/openssl.cnf").resolve()
    os.mkfifo(pipe)
    subprocess.run(["mount", "--bind", pipe, conf], check=True)
    try:
        control = subprocess.run(["timeout", "2", "openssl", "rand", "1"], capture_output=True)
        assert control.returncode == 124
        done = sluice.run(*reading, command=["true"], limit=30)
        assert done.code == 0, done.err
    finally:
        subprocess.run(["umount", conf], check=True)
