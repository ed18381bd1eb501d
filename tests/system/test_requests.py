# SPDX-License-Identifier: Apache-2.0
"""Rules for some requests: by method, path, size, credential; ceilings, modes, ends of rules."""
import hashlib
import json

import pytest

import sluice
from stage import ZONE

REC = f"rec.{ZONE}"
KEY = "k-3f9a"
POLICY = f"""version: 1
allow:
  - host: {REC}
    ports: [80, 443, 8080]
    methods: [GET, POST]
    paths: ["/ok/**"]
    max_request: 10B
    id: narrow
  - host: www.{ZONE}
    ports: [80]
    credentials: {{header: X-Key, sha256: [{hashlib.sha256(KEY.encode()).hexdigest()}]}}
    id: key
  - {{host: old.{ZONE}, expires: 2020-01-01, id: old}}
deny:
  - {{host: {REC}, paths: ["/ok/secret/**"], id: secret, reason: not for agents}}
"""


def policy(text, name="requests"):
    path = sluice.stage.directory(sluice.stage.HOME / name) / "policy.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def agent(world):
    agent = sluice.jail("--only", "-p", policy(POLICY))
    yield agent
    agent.kill()


def request(method, path, host=REC, more="", body=""):
    if body:
        more += f"Content-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n{body}"


def denied(answer, status, reason, rule):
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}"), answer
    found = json.loads(body)
    assert (found["verdict"], found["reason"], found["rule"]) == ("deny", reason, rule)


@pytest.mark.core
@pytest.mark.parametrize("port", [80, 8080])
def test_request_that_the_rule_is_for_passes(world, agent, token, port):
    host = REC if port == 80 else f"{REC}:{port}"
    answer = agent.ok("requests", REC, port, [request("GET", f"/ok/{token}", host)], 10)[0]
    assert "200 OK" in answer
    assert world.recorder.requests(token.encode())


@pytest.mark.core
@pytest.mark.parametrize("method, path, body, status, reason, rule", [
    ("PUT", "/ok/{}", "", 403, "method", "narrow"),
    ("GET", "/no/{}", "", 403, "path", "narrow"),
    ("GET", "/ok/secret/{}", "", 403, "deny_rule", "secret"),
    ("GET", "/ok/%73ecret/{}", "", 403, "deny_rule", "secret"),
    ("GET", "/ok/../no/{}", "", 403, "malformed", None),
    ("GET", "/ok/%2e%2e/no/{}", "", 403, "malformed", None),
    ("GET", "/ok/a%2fb/{}", "", 403, "malformed", "secret"),
    ("POST", "/ok/{}", "x" * 11, 413, "request_size", "narrow"),
])
def test_other_requests_do_not_arrive(world, agent, token, method, path, body, status, reason,
                                      rule):
    answer = agent.ok("requests", REC, 80, [request(method, path.format(token), body=body)], 10)[0]
    denied(answer, status, reason, rule)
    assert not world.recorder.requests(token.encode())


@pytest.mark.parametrize("field", ["X-HTTP-Method-Override", "X-HTTP-Method", "x-method-override",
                                   "X_HTTP_Method_Override"])
def test_another_method_in_a_field_does_not_arrive(world, agent, token, field):
    answer = agent.ok("requests", REC, 80, [request("POST", f"/ok/{token}",
                                                    more=f"{field}: DELETE\r\n")], 10)[0]
    denied(answer, 403, "method", "narrow")
    assert not world.recorder.requests(token.encode())


@pytest.mark.core
def test_second_request_of_a_connection_is_judged(world, agent, token):
    answers = agent.ok("requests", REC, 80, [request("GET", "/ok/1"),
                                             request("DELETE", f"/ok/{token}")], 10)
    assert "200 OK" in answers[0]
    denied(answers[1], 403, "method", "narrow")
    assert not world.recorder.requests(token.encode())


@pytest.mark.parametrize("value, passes", [(KEY, True), (KEY + "x", False), ("", False)])
def test_only_the_credential_passes(world, agent, token, value, passes):
    more = f"X-Key: {value}\r\n" if value else ""
    host = f"www.{ZONE}"
    answer = agent.ok("requests", host, 80, [request("GET", f"/{token}", host, more)], 10)[0]
    if passes:      # this server has no such page, and says so
        assert answer.startswith("HTTP/1.1 404") and "nginx" in answer
    else:
        denied(answer, 403, "credential", "key")
        assert not world.recorder.requests(token.encode())


@pytest.mark.core
def test_tls_that_cannot_be_seen_is_refused(world, agent):
    """The server's answer does not come, though the name is right."""
    closed = sluice.jail("--only", "--no-inspect", "-p", policy(POLICY))
    try:
        answer = closed.ok("tls_hello", REC, 443, REC)
        assert answer["data"].startswith("15") and answer["data"].endswith("0231"), answer
    finally:
        closed.kill()
    # the same is answered where it may be looked inside
    assert "200 OK" in agent.ok("https", REC, 443, REC, request("GET", "/ok/seen", more="Connection: close\r\n"), 10)


def test_rule_that_is_over_allows_nothing(world):
    done = sluice.run("--only", "-p", policy(POLICY), command=["getent", "ahosts", f"old.{ZONE}"])
    assert done.code != 0
    assert "expired" in done.reasons()


def test_monitor_passes_what_no_rule_denies(world, token):
    """Monitor lets everything public pass, but not what a deny rule names."""
    text = f"version: 1\nmode: monitor\ndeny: [{{host: www.{ZONE}}}]\n"
    agent = sluice.jail("--only", "-p", policy(text, "monitor"))
    try:
        assert "200 OK" in agent.ok("requests", REC, 80, [request("GET", f"/{token}")], 10)[0]
        assert world.recorder.requests(token.encode())
        agent.fails("requests", f"www.{ZONE}", 80, [request("GET", "/", f"www.{ZONE}")])
    finally:
        agent.end()
