# SPDX-License-Identifier: Apache-2.0
"""What is inside of TLS: judged where a rule needs it, end to end everywhere else."""
import json
import os
import pathlib
import ssl
import subprocess

import pytest

import internet
import sluice
import stage
from stage import ROOT, ZONE

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
