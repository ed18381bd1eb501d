# SPDX-License-Identifier: Apache-2.0
"""alerts.webhook: signed, retried, verified, and no way out for the jail."""
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import signal
import ssl
import threading
import time

import pytest

import internet
import sluice
import stage
from stage import ZONE, call
from waiting import wait_for

REC = f"rec.{ZONE}"
KEY = stage.HOME / ".local" / "state" / "sluice" / "keys" / "webhook.key"


class Hook:
    """A server in the test internet that writes down what is posted to it."""

    def __init__(self, world, certificate=None, answers=()):
        self.got, self.answers = [], list(answers)
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, dict(self.headers), body, time.monotonic()))
                status, more = hook.answers.pop(0) if hook.answers else (204, {})
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        with internet.entered(world.inet):
            self.server = http.server.ThreadingHTTPServer((internet.RECORDER4, 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def alerts(self):
        return [json.loads(body) for _, _, body, _ in self.got]


@pytest.fixture
def hook(world):
    made = []

    def start(*args, **kwargs):
        made.append(Hook(world, *args, **kwargs))
        return made[-1]
    yield start
    for h in made:
        h.server.shutdown()
        h.server.server_close()


@pytest.fixture
def alarmed(policy):
    """Options for a run whose alerts go to a URL."""
    def options(url, more="", limits="unique_hosts: 1"):
        return ["-q", "-p", policy(f"version: 1\nalerts: {{webhook: '{url}'}}\n{more}"
                                   f"allow:\n  - {{host: '*.{ZONE}', ports: [80, 8080]}}\n"
                                   f"limits: {{{limits}}}\n")]
    return options


TWO_HOSTS = ["sh", "-c", f"curl -so /dev/null http://{REC}/; curl -so /dev/null http://second.{ZONE}/"]


@pytest.mark.core
def test_signed_and_the_same_as_in_the_log(hook, alarmed):
    server = hook()
    done = sluice.run(*alarmed(f"http://{REC}:{server.port}/in?token=x"), command=TWO_HOSTS)
    assert done.code == 0 and done.err == ""
    (path, headers, body, _), = server.got
    assert path == "/in?token=x" and headers["Content-Type"] == "application/json"
    told, (recorded,) = json.loads(body), done.of("alert")
    assert {k: told[k] for k in ("session", "kind", "value", "threshold", "message")} == \
        {k: recorded[k] for k in ("session", "kind", "value", "threshold", "message")}
    assert told["v"] == 1 and told["event"] == "alert" and told["ts"][:10] == recorded["ts"][:10]
    key = KEY.read_bytes().strip()
    assert KEY.stat().st_mode & 0o777 == 0o600 and len(key) == 64
    assert headers["X-Sluice-Signature"] == \
        "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
    # no record of it: it is sluice itself that goes there
    assert str(server.port) not in done.log.read_text()


@pytest.mark.core
def test_tls_is_verified(world, hook, alarmed, place):
    good = hook(certificate=world.certificate)
    url = f"https://{REC}:{good.port}/x"
    assert sluice.run(*alarmed(url), command=TWO_HOSTS).code == 0 and len(good.got) == 1
    call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", place / "k.pem", "-out", place / "c.pem", "-days", "2", "-subj", "/CN=x",
         "-addext", f"subjectAltName=DNS:{REC}")
    stage.give(place)
    unknown = hook(certificate=(place / "c.pem", place / "k.pem"))
    url = f"https://{REC}:{unknown.port}/x"
    done = sluice.run(*alarmed(url), command=TWO_HOSTS)
    assert done.code == 0 and not unknown.got and "1 alerts did not arrive" in done.err
    done = sluice.run(*alarmed(url, f"tls_ca: [{place / 'c.pem'}]\n"), command=TWO_HOSTS)
    assert done.code == 0 and len(unknown.got) == 1 and done.err == ""
    # the right CA, another name
    done = sluice.run(*alarmed(f"https://{internet.RECORDER4}:{good.port}/x"), command=TWO_HOSTS)
    assert len(good.got) == 1 and "did not arrive" in done.err


def test_tried_again_later(hook, alarmed, jail):
    server = hook(answers=[(500, {}), (429, {}), (200, {})])
    agent = jail(*alarmed(f"http://{REC}:{server.port}/x"))
    for host in (REC, f"second.{ZONE}"):
        agent.ok("requests", host, 80, [f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"])
    wait_for(lambda: len(server.got) == 3, 30)
    times = [at for _, _, _, at in server.got]
    assert 0.9 < times[1] - times[0] < 3.5 and 1.9 < times[2] - times[1] < 5
    assert len({body for _, _, body, _ in server.got}) == 1
    assert agent.end().err == ""


@pytest.mark.parametrize("answer", [(302, {"Location": "ELSEWHERE"}), (404, {}), (307, {"Location": "ELSEWHERE"})])
def test_refused_for_good(hook, alarmed, answer):
    other = hook()
    status, more = answer
    server = hook(answers=[(status, {k: f"http://{REC}:{other.port}/y" for k in more})])
    done = sluice.run(*alarmed(f"http://{REC}:{server.port}/x"), command=TWO_HOSTS)
    assert len(server.got) == 1 and not other.got and "1 alerts did not arrive" in done.err


@pytest.mark.core
def test_a_webhook_that_is_not_there_keeps_nobody(alarmed):
    for where in (f"{internet.NOWHERE4}:80", f"{REC}:1", "no-such-name.invalid:80"):
        start = time.monotonic()
        done = sluice.run(*alarmed(f"http://{where}/x"), command=TWO_HOSTS)
        assert done.code == 0 and "1 alerts did not arrive" in done.err
        assert time.monotonic() - start < 20        # it is given up after 3
    assert sluice.run(*alarmed(f"http://{internet.NOWHERE4}/x"), command=["true"]).err == ""


@pytest.mark.core
def test_the_jail_has_no_way_to_it(hook, alarmed, jail):
    server = hook()
    agent = jail(*alarmed(f"http://{REC}:{server.port}/x"))
    assert agent.fails("tcp", REC, server.port)
    assert agent.fails("tcp", internet.RECORDER4, server.port)
    page = agent.ok("command", "curl", "-s", "http://sluice.internal/policy")["out"]
    assert "allow" in page and str(server.port) not in page
    assert not server.got and KEY.exists()
    assert agent.do("command", "cat", str(KEY))["ok"]["out"] == ""


@pytest.mark.core
def test_the_session_outlives_the_courier(hook, alarmed, jail):
    server = hook()
    agent = jail(*alarmed(f"http://{REC}:{server.port}/x"))
    courier = sluice.role(agent.process.pid, "courier")
    status = pathlib.Path(f"/proc/{courier}/status")        # it reads certificates first
    wait_for(lambda: "CapEff:\t0000000000000000" in status.read_text() and "Seccomp:\t2" in status.read_text())
    assert b"webhook" not in pathlib.Path(f"/proc/{courier}/cmdline").read_bytes()
    os.kill(courier, signal.SIGKILL)
    wait_for(lambda: "to the webhook no more" in agent.errors.read_text(), 15)
    for host in (REC, f"second.{ZONE}"):
        assert "200 OK" in agent.ok("requests", host, 80, [f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"])[0]
    done = agent.end()
    assert done.code == 0 and len(done.of("alert")) == 1 and not server.got
    assert done.err.count("to the webhook no more") == 1


def test_through_the_proxy_if_there_is_one(hook, alarmed):
    """upstream_proxy is asked, and the machine's variables are not beside it."""
    proxy, server = hook(), hook()
    options = alarmed(f"http://hooks.example:{server.port}/x",
                      f"upstream_proxy: 'http://{internet.RECORDER4}:{proxy.port}'\n",
                      "requests: 1/min")
    sluice.run(*options, command=["sh", "-c", f"for i in 1 2; do curl -so /dev/null http://{REC}/; done"])
    posted = [path for path, _, _, _ in proxy.got if path.startswith("http://hooks.example")]
    assert posted == [f"http://hooks.example:{server.port}/x"] and not server.got
