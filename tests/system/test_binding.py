# SPDX-License-Identifier: Apache-2.0
"""Name, destination, SNI and Host must agree, on every connection and every request."""
import json

import pytest

import internet
import sluice
from stage import ZONE

REC, DENIED = f"rec.{ZONE}", f"denied.{ZONE}"
ACCESS_DENIED = "0231"      # a fatal alert: level 2, description 49


@pytest.fixture(scope="module")
def bound(world):
    """REC is allowed, whole; DENIED, on the same server, is not."""
    agent = sluice.jail("--allow", f"{REC}:80,443,8080,8443,9999", "--allow", f"www.{ZONE}")
    yield agent
    agent.kill()


def get(token, host, more=""):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"


def is_alert(answer):
    return answer["data"].startswith("15") and answer["data"].endswith(ACCESS_DENIED)


def forbidden(answer):
    """The JSON of a 403 answer."""
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 403"), answer
    assert "content-type: application/json" in head.lower()
    found = json.loads(body)
    assert found["verdict"] == "deny"
    return found


# HTTP

@pytest.mark.core
@pytest.mark.parametrize("port", [80, 8080])
def test_right_host_passes(world, bound, token, port):
    host = REC if port == 80 else f"{REC}:{port}"
    assert "200 OK" in bound.ok("requests", REC, port, [get(token, host)])[0]
    assert world.recorder.requests(token.encode())


@pytest.mark.parametrize("host", [REC.upper(), REC + ".", f"{REC}:80"])
def test_other_spellings_of_the_host_pass(world, bound, token, host):
    assert "200 OK" in bound.ok("requests", REC, 80, [get(token, host)])[0]


@pytest.mark.core
@pytest.mark.parametrize("port", [80, 8080])
@pytest.mark.parametrize("host", [DENIED, f"www.{ZONE}", internet.RECORDER4, f"x.{REC}", "localhost"])
def test_other_host_is_refused(world, bound, token, port, host):
    answer = bound.ok("requests", REC, port, [get(token, host)])[0]
    found = forbidden(answer)
    assert found["reason"] in ("host_mismatch", "malformed")
    assert not world.recorder.arrived(token.encode())


@pytest.mark.parametrize("port, named", [(80, f"{REC}:81"), (8080, f"{REC}:81")])
def test_host_with_another_port_is_refused(world, bound, token, port, named):
    forbidden(bound.ok("requests", REC, port, [get(token, named)])[0])
    assert not world.recorder.arrived(token.encode())


BAD_HEADS = {
    "no-host": "GET /TOKEN HTTP/1.1\r\n\r\n",
    "two-hosts": f"GET /TOKEN HTTP/1.1\r\nHost: {REC}\r\nHost: {DENIED}\r\n\r\n",
    "two-hosts-denied-first": f"GET /TOKEN HTTP/1.1\r\nHost: {DENIED}\r\nHost: {REC}\r\n\r\n",
    "empty-host": "GET /TOKEN HTTP/1.1\r\nHost:\r\n\r\n",
    "space-before-colon": f"GET /TOKEN HTTP/1.1\r\nHost : {DENIED}\r\nHost: {REC}\r\n\r\n",
    "folded-host": f"GET /TOKEN HTTP/1.1\r\nHost: {REC}\r\n {DENIED}\r\n\r\n",
    "absolute-form-other": f"GET http://{DENIED}/TOKEN HTTP/1.1\r\nHost: {REC}\r\n\r\n",
    "absolute-form-and-host-other": f"GET http://{REC}/TOKEN HTTP/1.1\r\nHost: {DENIED}\r\n\r\n",
    "absolute-form-https": f"GET https://{DENIED}/TOKEN HTTP/1.1\r\nHost: {REC}\r\n\r\n",
    "absolute-form-userinfo": f"GET http://{REC}@{DENIED}/TOKEN HTTP/1.1\r\nHost: {REC}\r\n\r\n",
    "connect": f"CONNECT {DENIED}:443 HTTP/1.1\r\nHost: {DENIED}:443\r\nX: TOKEN\r\n\r\n",
    "connect-host-allowed": f"CONNECT {DENIED}:443 HTTP/1.1\r\nHost: {REC}\r\nX: TOKEN\r\n\r\n",
    "connect-to-itself": f"CONNECT {REC}:443 HTTP/1.1\r\nHost: {REC}:443\r\nX: TOKEN\r\n\r\n",
    "bare-lf": f"GET /TOKEN HTTP/1.1\nHost: {DENIED}\n\n",
    "bare-cr": f"GET /TOKEN HTTP/1.1\r\nHost: {REC}\r\nX: a\rHost: {DENIED}\r\n\r\n",
    "nul": f"GET /TOKEN HTTP/1.1\r\nHost: {REC}\0{DENIED}\r\n\r\n",
    "length-and-chunked": f"POST /TOKEN HTTP/1.1\r\nHost: {REC}\r\nContent-Length: 4\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two-lengths": f"POST /TOKEN HTTP/1.1\r\nHost: {REC}\r\nContent-Length: 4\r\n"
                   "Content-Length: 5\r\n\r\nabcde",
    "signed-length": f"POST /TOKEN HTTP/1.1\r\nHost: {REC}\r\nContent-Length: +4\r\n\r\nabcd",
    "chunked-not-last": f"POST /TOKEN HTTP/1.1\r\nHost: {REC}\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
    "http09": "GET /TOKEN\r\n",
    "http10-no-host": "GET /TOKEN HTTP/1.0\r\n\r\n",
    "http2-preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "upgrade-h2c": f"GET /TOKEN HTTP/1.1\r\nHost: {REC}\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                   "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "upgrade-websocket": f"GET /TOKEN HTTP/1.1\r\nHost: {REC}\r\nConnection: Upgrade\r\n"
                         "Upgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"
                         "Sec-WebSocket-Version: 13\r\n\r\n",
    "upgrade-unknown": f"GET /TOKEN HTTP/1.1\r\nHost: {REC}\r\nConnection: Upgrade\r\n"
                       "Upgrade: anything/1\r\n\r\n",
    "backslash-target": f"GET \\\\{DENIED}/TOKEN HTTP/1.1\r\nHost: {REC}\r\n\r\n",
    "not-http": "TOKEN is not HTTP at all\r\n\r\n",
    "header-without-colon": f"GET /TOKEN HTTP/1.1\r\nHost: {REC}\r\nnonsense\r\n\r\n",
    "ssh-on-80": "SSH-2.0-TOKEN\r\n",
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_head_that_two_servers_could_read_differently_is_refused(world, bound, token, name):
    """Also ways to make an allowed web server fetch, tunnel or switch protocol."""
    before = len(world.recorder.requests(b"PRI * HTTP/2"))
    bound.do("tcp", REC, 80, BAD_HEADS[name].replace("TOKEN", token), 1.5)
    assert not world.arrived(token.encode())
    assert len(world.recorder.requests(b"PRI * HTTP/2")) == before


def test_absolute_form_of_the_same_host_passes(world, bound, token):
    head = f"GET http://{REC}/{token} HTTP/1.1\r\nHost: {REC}\r\n\r\n"
    assert "200 OK" in bound.ok("requests", REC, 80, [head])[0]


def test_second_request_to_another_host_is_refused(world, bound, token):
    first, second = bound.ok("requests", REC, 80, [get(token + "a", REC), get(token + "b", DENIED)])
    assert "200 OK" in first
    assert forbidden(second)["reason"] == "host_mismatch"
    assert world.recorder.requests(token.encode() + b"a")
    assert not world.recorder.arrived(token.encode() + b"b")


def test_many_requests_on_one_connection_pass_and_are_recorded(world, token):
    agent = sluice.jail("--allow", f"{REC}:80")
    answers = agent.ok("requests", REC, 80, [get(f"{token}{n}", REC) for n in range(20)])
    assert all("200 OK" in a for a in answers)
    done = agent.end()
    assert len(done.of("http")) == 20
    assert {e["status"] for e in done.of("http")} == {200}


def test_pipelined_second_host_is_refused(world, bound, token):
    both = get(token + "a", REC) + get(token + "b", DENIED)
    answer = bound.ok("tcp", REC, 80, both, 8)["data"]      # it is closed
    assert not world.recorder.arrived(token.encode() + b"b")
    assert "200 OK" in answer


def test_second_host_hidden_in_a_body_is_body(world, bound, token):
    inner = get(token + "x", DENIED)
    head = f"POST /{token} HTTP/1.1\r\nHost: {REC}\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
    assert "200 OK" in bound.ok("requests", REC, 80, [head])[0]
    [request] = world.recorder.requests(token.encode())
    assert request["line"].startswith("POST") and request["data"].endswith(inner.encode())


def test_second_host_after_a_chunked_body_is_refused(world, bound, token):
    body = f"POST /{token}a HTTP/1.1\r\nHost: {REC}\r\nTransfer-Encoding: chunked\r\n\r\n" \
           "4\r\nwxyz\r\n0\r\n\r\n"
    answers = bound.ok("requests", REC, 80, [body, get(token + "b", DENIED)])
    assert "200 OK" in answers[0]
    assert "403" in answers[1]
    assert not world.recorder.arrived(token.encode() + b"b")


def test_request_head_in_single_bytes(world, bound, token):
    answer = bound.ok("tcp_in_pieces", REC, 80, list(get(token, REC)), 0.001)
    assert "200 OK" in answer["data"]


def test_other_host_in_single_bytes_is_refused(world, bound, token):
    bound.do("tcp_in_pieces", REC, 80, list(get(token, DENIED)), 0.001)
    assert not world.recorder.arrived(token.encode())


def test_expect_continue(world, bound, token):
    done = bound.ok("command", "curl", "-sS", "-H", "Expect: 100-continue", "-d", token * 400,
                    f"http://{REC}/{token}")
    assert "you asked" in done["out"], done


# TLS

@pytest.mark.core
@pytest.mark.parametrize("port", [443, 8443])
def test_right_sni_passes(world, bound, token, port):
    answer = bound.ok("https", REC, port, REC, get(token, REC, "Connection: close\r\n"))
    assert "200 OK" in answer
    assert world.recorder.requests(token.encode())


@pytest.mark.core
@pytest.mark.parametrize("port", [443, 8443])
@pytest.mark.parametrize("pieces", [1, 7, 200])
def test_other_sni_gets_access_denied(world, bound, token, port, pieces):
    """Also when the ClientHello comes in many segments."""
    name = f"{token}.{ZONE}"
    answer = bound.ok("tls_hello", REC, port, name, pieces, 0.002)
    assert is_alert(answer), answer
    assert not world.arrived(token.encode())


@pytest.mark.parametrize("pieces", [2, 50, 200])
def test_right_sni_in_many_segments_passes(bound, pieces):
    answer = bound.ok("tls_hello", REC, 443, REC, pieces, 0.002)
    assert answer["data"].startswith("16"), answer


def test_right_sni_in_many_records(bound):
    answer = bound.ok("tls_records", REC, 443, REC)
    assert answer["data"][:2] in ("16", "15"), answer


def test_other_sni_in_many_records_is_refused(world, bound, token):
    answer = bound.ok("tls_records", REC, 443, f"{token}.{ZONE}")
    assert not answer["data"].startswith("16")
    assert not world.arrived(token.encode())


def test_no_sni_is_refused(world, bound):
    before = len([s for s in world.recorder.seen if s["kind"] == "sni"])
    answer = bound.ok("tls_hello", REC, 443, None)
    assert is_alert(answer), answer
    assert len([s for s in world.recorder.seen if s["kind"] == "sni"]) == before


NOT_TLS = {"http": "GET /TOKEN HTTP/1.1\r\nHost: " + REC + "\r\n\r\n", "ssh": "SSH-2.0-TOKEN\r\n",
           "text": "hello TOKEN\r\n", "binary": "\0\1\2\3TOKEN", "tls-like": "\x16\x03\x01\x00\x05TOKEN",
           "sslv2": "\x80\x2e\x01\x00\x02TOKEN", "record-too-long": "\x16\x03\x01\xff\xffTOKEN" + "x" * 900}


@pytest.mark.parametrize("name", NOT_TLS)
def test_what_is_not_tls_on_443_is_refused(world, bound, token, name):
    bound.do("tcp", REC, 443, NOT_TLS[name].replace("TOKEN", token), 2)
    assert not world.arrived(token.encode())


def test_garbage_then_tls_is_refused(world, bound, token):
    bound.do("tcp_in_pieces", REC, 443, ["x", "\x16\x03\x01" + token])
    assert not world.arrived(token.encode())


REASONS = {
    "sni_mismatch": ("tls_hello", REC, 443, f"nope.{ZONE}"),
    "sni_missing": ("tls_hello", REC, 443, None),
    "protocol": ("tcp", REC, 443, "hello there, this is not TLS\r\n"),
    "host_mismatch": ("requests", REC, 80, [get("x", DENIED)]),
    "malformed": ("requests", REC, 80, ["GET / HTTP/1.1\r\nHost : x\r\n\r\n"]),
    "port": ("tcp", REC, 9998, "x"),
    "no_rule": ("tcp", DENIED, 80, "x"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_reason_in_the_log(world, reason):
    agent = sluice.jail("--allow", f"{REC}:80,443")
    do, *args = REASONS[reason]
    agent.do(do, *args)
    done = agent.end()
    assert done.reasons() == {reason}, done.denied()


def test_denied_request_is_not_counted_as_answered(world):
    agent = sluice.jail("--allow", f"{REC}:80")
    agent.do("requests", REC, 80, [get("x", DENIED)])
    [event] = [e for e in agent.end().of("http") if e["verdict"] == "deny"]
    assert event["reason"] == "host_mismatch" and event["status"] in (0, 403, None)


# protocol: in a rule

@pytest.mark.parametrize("protocol, port, send, passes", [
    ("tcp", 443, "SSH-2.0-TOKEN\r\n", True), ("tcp", 9999, "anything TOKEN", True),
    ("tls", 9999, "anything TOKEN", False), ("http", 9999, "anything TOKEN", False),
    ("auto", 9999, "anything TOKEN", True)])
def test_protocol_of_a_rule(world, policy, jail, token, protocol, port, send, passes):
    text = f"version: 1\nallow:\n  - {{host: {REC}, ports: [{port}], protocol: {protocol}}}\n"
    agent = jail("-p", policy(text))
    agent.do("tcp", REC, port, send.replace("TOKEN", token), 1.5)
    assert world.arrived(token.encode()) == passes


def test_what_looks_like_tls_on_another_port_is_bound(world, policy, jail, token):
    text = f"version: 1\nallow:\n  - {{host: {REC}, ports: [9999]}}\n"
    agent = jail("-p", policy(text))
    agent.do("tls_hello", REC, 9999, f"{token}.{ZONE}")
    assert not world.arrived(token.encode())


def test_what_looks_like_http_on_another_port_is_bound(world, bound, token):
    bound.do("requests", REC, 9999, [get(token, DENIED)])
    assert not world.arrived(token.encode())
