# SPDX-License-Identifier: Apache-2.0
"""Sessions of real programs are learnt, and run again under what was learnt: allowed whole.

Twice if they speak TLS: as it is spliced, and with what is inside of it seen (full).
"""
import os

import pytest

import internet
import sluice
import stage
from stage import ZONE
from test_clients import CLIENTS
import test_grpc as grpc_tests
import test_websocket as websocket_tests
from test_learn import again, learnt, target
from test_grpc import server as grpc_server        # noqa: F401
from test_programs import PROGRAMS
from test_websocket import server as websocket_server        # noqa: F401

NTP = ("import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); "
       "s.connect((sys.argv[1], 123)); s.send(b'ntp?'); print(s.recv(99).decode())")
MAIL = ("import socket, sys; s = socket.create_connection((sys.argv[1], 25), 5); "
        "print(s.recv(99).decode()); s.sendall(b'QUIT\\r\\n'); print(s.recv(99).decode())")
ECHO = ("import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5); "
        "s.sendall(b'hello from afar\\n'); print(s.recv(99).decode())")
LOOKUP = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], 80)[0][4][0])"
CRAWL = " && ".join(f"curl -sSf -o /dev/null {scheme}://{name}.{ZONE}{path}"
                    for name in ("www", "other", "git", "npm")
                    for scheme in ("http", "https") for path in ("/hello", "/hello?page=2"))
API = (f"for i in 1 2 3; do curl -sSf -d question https://rec.{ZONE}/v1/threads/$i/runs; done; "
       f"curl -sSf https://rec.{ZONE}/v1/models; curl -sSf -X DELETE https://rec.{ZONE}/v1/threads/1")
WEBSOCKET = ["curl", "-sSm2", "--http1.1", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H",
             "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="]
CLONE = ("HOME=$PWD GIT_TERMINAL_PROMPT=0 git clone -q https://github.com/acme/tool copy && "
         "cat copy/hello.txt")
REGISTRY = ("npm --loglevel=error --no-update-notifier --cache=cache --fetch-retries=0 "
            "--registry=https://registry.npmjs.org/ install --audit tiny-thing")
DEBIAN = CLIENTS["apt"][0][2].replace(f"https://apt.{ZONE}/apt", "http://deb.debian.org/apt")

# what is run in an empty folder; what it prints; what must be in the policy if it is seen inside TLS
SESSIONS = {
    **{name: (argv, expected, None) for name, (argv, _, expected) in PROGRAMS.items()
       if name not in ("curl-http2-offered", "curl-ipv4", "curl-ipv6", "wget-http")},
    **{name: (*CLIENTS[name], None) for name in ("openssl", "gnutls", "python-requests", "node-https",
                                                 "ruby", "php", "go")},
    "ntp": ([sluice.PYTHON, "-c", NTP, f"time.{ZONE}"], "ntp?", 'ports: ["123/udp"]'),
    "mail": ([sluice.PYTHON, "-c", MAIL, f"mail.{ZONE}"], "220 mail", "ports: [25]"),
    "echo": ([sluice.PYTHON, "-c", ECHO, f"rec.{ZONE}", "9999"], "hello from afar", "ports: [9999]"),
    "literal": ([sluice.PYTHON, "-c", ECHO, internet.RECORDER4, "9999"], "hello from afar",
                f'ip: "{internet.RECORDER4}"'),
    "tls-elsewhere": (["curl", "-sSf", f"https://rec.{ZONE}:8443/x"], "you asked", "ports: [8443]"),
    "look-up": ([sluice.PYTHON, "-c", LOOKUP, f"rec.{ZONE}"], ":", "ports: [9]"),
    "crawl": (["sh", "-c", CRAWL], "", '"/hello"'),
    "api": (["sh", "-c", API], "you asked", '"/v1/threads/*/runs"'),
    "websocket": (["sh", "-c", " ".join(f"'{a}'" for a in WEBSOCKET) +
                   f" http://rec.{ZONE}:8080/live; test $? = 28"], "", "websocket: true"),
    "github": (["sh", "-c", CLONE], "hello from git", 'presets: ["github"]'),
    "registry": (["sh", "-c", REGISTRY], "", 'presets: ["npm"]'),
    "debian": (["sh", "-c", DEBIAN], "tiny_1.0_all.deb", 'presets: ["debian"]'),
}

IN_CLEAR = {"curl-http", "curl-upload", "git-protocol", "git-ssh", "ssh", "ntp", "mail", "echo", "literal",
            "look-up", "websocket", "debian"}


def folder(place, name):
    path = stage.directory(place / name)
    os.chown(path, stage.UID, stage.GID)
    return path


@pytest.mark.parametrize("name, full", [(name, "=full") for name in SESSIONS] +
                         [(name, "") for name in SESSIONS if name not in IN_CLEAR])
def test_session(world, place, name, full):
    argv, expected, seen = SESSIONS[name]
    path = target(f"{name}{full}.yaml")
    root = {"root": True} if name == "debian" else {}
    first = sluice.run("--only", f"--learn{full}", path, command=argv, cwd=folder(place, "first"), **root)
    assert first.code == 0 and expected in first.out, first.out + first.err
    text = path.read_text()
    assert sluice.call("policy", "lint", "--only", path).code == 0
    assert "# -" not in text, text
    if seen and (full or not seen.startswith(("presets", '"/'))):
        assert seen in text, text
    told = sluice.call("check", "--only", "-p", path, "--format", "json", "--log", first.log, **root)
    assert told.code == 0 and told.json()["now_denied"] == 0, (told.out, text)
    second = sluice.run("--only", "-p", path, command=argv, cwd=folder(place, "second"), **root)
    assert second.code == 0 and expected in second.out, (second.out, second.err, text)
    # what the name servers did not know the first time, or is no type to ask for, is not learnt
    missing = {e.get("name") for e in first.denied()
               if e["reason"] in ("resolve_failed", "dns_type")} - {None}
    assert not [e for e in second.denied() if e.get("name") not in missing], (second.denied(), text)
    other = sluice.run("--only", "-p", path, command=["curl", "-sfm5", f"http://second.{ZONE}/"])
    assert other.code != 0 and other.denied()


def test_websockets(websocket_server, token):       # noqa: F811
    kind, name, log = websocket_server
    host = f"https://{name}:{websocket_tests.PORT}"
    command = [sluice.PYTHON, "-c", websocket_tests.CLIENT, f"wss{host[5:]}/ws/{token}"]
    if kind == "node":
        command = ["node", "-e", websocket_tests.STREAMS, host, f"/ws/{token}", f"/open/{token}"]
    path = target(f"websocket-{kind}.yaml")
    first, text = learnt(path, "--learn=full", path, command=command)
    assert "websocket: true" in text and '"/ws/*"' in text, text
    second = again(path, command, log=first.log)
    assert second.out == first.out and first.out


def test_grpc(grpc_server, token):      # noqa: F811
    name, log = grpc_server
    script = """
print(call("Echo")(b"hello", metadata=meta, timeout=15))
print(sum(int(n) for n in stream("Count")(b"1000", metadata=meta, timeout=15)))
"""
    command = [sluice.PYTHON, "-c", grpc_tests.CLIENT + script, f"{name}:{grpc_tests.PORT}", token]
    path = target("grpc.yaml")
    first, text = learnt(path, "--learn=full", path, command=command)
    assert '"/test.Service/Echo"' in text and '"/test.Service/Count"' in text, text
    second = again(path, command, log=first.log)
    assert second.out == first.out and "hello" in first.out
    other = sluice.run("--only", "-p", path, command=[
        sluice.PYTHON, "-c", grpc_tests.CLIENT + "status(lambda: call('Fail')(b'x', metadata=meta, timeout=15))",
        f"{name}:{grpc_tests.PORT}", token])
    assert other.reasons() == {"path"}, other.denied()
