# SPDX-License-Identifier: Apache-2.0
"""The audit log and what reads it: fields, chain, tampering, show, report."""
import contextlib
import hashlib
import json
import pathlib
import re
import shutil
import socket
import time

import pytest

import internet
import sluice
import stage
from stage import ZONE

REC = f"rec.{ZONE}"
SCRIPT = (f"curl -s http://{REC}/path?secret=1; curl -s https://{REC}/x; "
          f"curl -sm3 http://denied.{ZONE}/; curl -sm3 http://8.8.8.8/; "
          f"curl -sm3 http://{REC}:8080/; exit 3")


@pytest.fixture(scope="module")
def session(world):
    done = sluice.run("--allow", REC, "--session", "seen", "--label", "k=v",
                      command=["sh", "-c", SCRIPT])
    assert done.code == 3
    return done


@pytest.mark.core
def test_chain_and_order(session):
    kinds = [e["event"] for e in session.events]
    assert kinds[0] == "session.start" and kinds[-2:] == ["session.end", "checkpoint"]
    assert {e["session"] for e in session.events} == {"seen"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", e["ts"])
               for e in session.events)
    assert [e["ts"] for e in session.events] == sorted(e["ts"] for e in session.events)


def test_prev_is_the_last_field(session):
    for line in session.log.read_text().splitlines():
        assert list(json.loads(line))[-1] == "prev"


FIELDS = {
    "session.start": {"mode", "command", "labels", "policy_sha256", "version", "key_id", "key"},
    "dns.query": {"name", "type", "verdict", "reason", "rule", "answer"},
    "conn.open": {"conn", "host", "ips", "port", "proto", "verdict", "reason", "rule", "layer"},
    "conn.close": {"conn", "host", "ip", "port", "bytes_out", "bytes_in", "duration_ms", "end"},
    "http": {"conn", "host", "port", "method", "path", "status", "verdict", "reason", "rule",
             "bytes_out", "bytes_in"},
    "checkpoint": {"key_id", "sig"},
    "session.end": {"exit_code", "totals"},
}


@pytest.mark.parametrize("event", FIELDS)
def test_fields_of(session, event):
    found = session.of(event)
    assert found
    for entry in found:
        missing = FIELDS[event] - set(entry)
        assert not missing or (event == "dns.query" and entry["verdict"] == "deny"
                               and missing == {"answer"}), (missing, entry)


def test_session_end_totals(session):
    [end] = session.of("session.end")
    assert end["exit_code"] == 3
    totals = end["totals"]
    assert set(totals) == {"connections", "denied", "dns", "bytes_out", "bytes_in", "alerts"}
    assert totals["connections"] >= 2 and totals["denied"] >= 3 and totals["bytes_in"] > 0


def test_tls_connection_tells_sni_and_proto(session):
    [event] = [e for e in session.of("conn.open") if e["proto"] == "tls"]
    assert event["sni"] == REC and event["verdict"] == "allow" and event["port"] == 443
    assert set(event["ips"]) == {internet.RECORDER4, internet.RECORDER6}


def test_query_strings_are_not_recorded(session):
    assert "secret" not in session.log.read_text()
    assert any(e["path"].startswith("/path") for e in session.of("http"))


@pytest.mark.parametrize("rest", ["", "Content-Length: 9000", "Transfer-Encoding: chunked"])
def test_request_that_is_cut_off_is_recorded(world, rest):
    """A client that goes before the answer does not hide what it asked for."""
    host = f"Host: {REC}:8080\r\n"
    heads = [f"GET /one HTTP/1.1\r\n{host}\r\n",
             f"DELETE /two HTTP/1.1\r\n{host}{rest}" + ("\r\n\r\nno" if rest else "\r\n")]
    agent = sluice.jail("--allow", f"{REC}:8080")
    try:
        assert agent.ok("send_and_reset", REC, 8080, heads)
        done = agent.end()
    finally:
        agent.kill()
    assert world.wire.carries(b"DELETE /two")
    assert [(e["method"], e["path"]) for e in done.of("http")] == [("GET", "/one"), ("DELETE", "/two")]


def test_verdict_is_written_before_the_connection_counts(world, token):
    """When the server sees the connection its record is there already.

    The jail's own connect() returns before: it has reached the gate, and nobody else.
    """
    agent = sluice.jail("--allow", f"{REC}:9000")
    try:
        start = len(world.recorder.seen)

        def seen():
            return [s for s in world.recorder.seen[start:] if (s["kind"], s.get("port")) == ("connect", 9000)]
        agent.ok("hold", REC, 9000, 1, stay=True)
        deadline = time.monotonic() + 10
        while not seen() and time.monotonic() < deadline:
            time.sleep(0.001)
        assert seen()
        events = sluice.read_log(agent.log)
        assert any(e["event"] == "conn.open" and e["verdict"] == "allow" for e in events)
    finally:
        agent.kill()


def test_log_is_private(session):
    assert session.log.stat().st_mode & 0o777 == 0o600
    assert session.log.stat().st_uid == stage.UID


def verify(log, *options):
    return sluice.call("log", "verify", *options, log)


@pytest.mark.core
def test_whole_log_verifies(session):
    done = verify(session.log)
    last = session.log.read_bytes().splitlines()[-1]
    assert done.code == 0
    assert hashlib.sha256(last).hexdigest() in done.out
    assert verify(session.log, "--strict").code == 0
    assert verify(session.log, "--head", hashlib.sha256(last).hexdigest()).code == 0
    assert verify(session.log, "--head", "0" * 64).code == 1


def lines_of(session):
    return session.log.read_bytes().split(b"\n")[:-1]


TAMPER = {
    "edited": lambda n: n[:3] + [n[3].replace(b"verdict", b"Verdict").replace(b"allow", b"deny")
                                 if b"verdict" in n[3] else n[3].replace(b'"v":1', b'"v": 1')] + n[4:],
    "edited-first": lambda n: [n[0].replace(b"filtered", b"isolated")] + n[1:],
    "missing": lambda n: n[:2] + n[3:], "missing-first": lambda n: n[1:],
    "inserted": lambda n: n[:2] + [n[1]] + n[2:],
    "reordered": lambda n: n[:1] + [n[2], n[1]] + n[3:],
    "signature": lambda n: n[:-1] + [re.sub(rb'"sig":"(.)', lambda m: b'"sig":"' +
                                            (b"A" if m[1] != b"A" else b"B"), n[-1])],
    "checkpoint-repeated": lambda n: n[:2] + [n[-1]] + n[2:],
    "garbage": lambda n: n[:2] + [b"not json"] + n[2:],
    "whitespace": lambda n: n[:2] + [n[2] + b" "] + n[3:],
    "blank-line": lambda n: n[:2] + [b""] + n[2:],
    "appended": lambda n: n + [b'{"v":1,"seq":99}'],
    "crlf": lambda n: [line + b"\r" for line in n],
}


@pytest.mark.parametrize("name", TAMPER)
def test_tampering_shows(session, place, name):
    log = place / "log.jsonl"
    changed = TAMPER[name](lines_of(session))
    assert changed != lines_of(session)
    log.write_bytes(b"\n".join(changed) + b"\n")
    stage.give(place)
    done = verify(log)
    assert done.code == 1 and re.search(r"\d", done.out + done.err), done


def test_rechained_forgery_shows_by_its_signature(session, place):
    """Edit a line and mend the whole chain: the checkpoint can't be mended."""
    log, before, out = place / "log.jsonl", "0" * 64, []
    for number, line in enumerate(lines_of(session)):
        event = json.loads(line)
        if event["event"] == "session.end":
            event["exit_code"] = 0
        event["prev"] = before
        text = json.dumps(event, separators=(",", ":")).encode()
        before = hashlib.sha256(text).hexdigest()
        out.append(text)
    log.write_bytes(b"\n".join(out) + b"\n")
    stage.give(place)
    assert verify(log).code == 1


def test_cut_off_end_is_named_not_an_error_without_strict(session, place):
    log = place / "log.jsonl"
    log.write_bytes(b"\n".join(lines_of(session)[:-2]) + b"\n")
    stage.give(place)
    assert verify(log).code == 0
    assert verify(log, "--strict").code == 1


def test_torn_last_line_is_named_not_an_error_without_strict(session, place):
    log = place / "log.jsonl"
    log.write_bytes(session.log.read_bytes()[:-40])
    stage.give(place)
    done = verify(log)
    assert done.code == 0 and "torn" in (done.out + done.err).lower()
    assert verify(log, "--strict").code == 1


def test_other_key_is_an_error(session, place):
    other = place / "other.pub"
    public = session.events[0]["key"]
    shutil.copy(stage.HOME / ".local/state/sluice/keys/audit.key.pub", other)
    text = other.read_text()
    assert public.strip() in text or len(text) > 20
    stage.give(place)
    assert verify(session.log, "--key", other).code == 0
    stage.call("openssl", "genpkey", "-algorithm", "ed25519", "-out", str(place / "k"))
    made = sluice.call("run", "--", "true", env=sluice.environment(XDG_STATE_HOME=place / "state"))
    assert made.code == 0
    assert verify(session.log, "--key", place / "state/sluice/keys/audit.key.pub").code == 1


def test_another_log_is_known_by_the_head(session):
    """Both are true, and of the same key: only what was noted elsewhere tells them apart."""
    other = sluice.run(command=["true"])
    head = hashlib.sha256(lines_of(session)[-1]).hexdigest()
    assert verify(other.log, "--strict").code == 0
    assert verify(session.log, "--strict", "--head", head).code == 0
    done = verify(other.log, "--strict", "--head", head)
    assert done.code == 1 and "head" in done.out + done.err


@pytest.mark.parametrize("content", [b"", b"\n", b"x", b"{}", b"\0" * 100, b"[" * 100000])
def test_what_is_no_log_is_an_error(place, content):
    (place / "x").write_bytes(content)
    stage.give(place)
    assert verify(place / "x").code in (1, 125)


def test_show_tells_each_event(session):
    done = sluice.call("log", "show", session.log)
    assert done.code == 0
    assert f"denied.{ZONE}" in done.out and REC in done.out and "\x1b" not in done.out


def test_show_escapes_what_the_wire_sent(world):
    agent = sluice.jail("--allow", f"{REC}:80")
    agent.do("requests", REC, 80, [f"GET /\x1b[31mred HTTP/1.1\r\nHost: {REC}\r\n\r\n",
                                   f"GET / HTTP/1.1\r\nHost: \x1b]0;x\x07\r\n\r\n"])
    done = agent.end()
    assert b"\x1b" not in done.log.read_bytes()
    assert "\x1b" not in sluice.call("log", "show", done.log).out
    assert "\x1b" not in done.err


def test_many_denials_are_folded(world):
    agent = sluice.jail()
    agent.ok("dns_flood", "8.8.8.8", f"x#.{ZONE}", 3000, limit=30)
    done = agent.end()
    single = [e for e in done.of("dns.query")]
    folded = done.of("denials")
    assert len(single) < 1000 and folded
    assert len(single) + sum(e["count"] for e in folded) == 3000
    assert all({"reason", "count", "distinct", "sample"} <= set(e) and len(e["sample"]) <= 5
               for e in folded)


def test_allowed_events_are_never_folded(world):
    agent = sluice.jail("--allow", f"{REC}:80")
    head = f"GET / HTTP/1.1\r\nHost: {REC}\r\nConnection: close\r\n\r\n"
    assert agent.ok("fetch_many", REC, 80, head, 200, limit=40) is not None
    done = agent.end()
    assert len([e for e in done.of("conn.open") if e["verdict"] == "allow"]) == 200
    assert len(done.of("conn.close")) == 200


# report

@pytest.mark.core
def test_report_text(session):
    done = sluice.call("report", session.log)
    assert done.code == 0
    assert f"--allow denied.{ZONE}" in done.out and REC in done.out


def test_report_json(session):
    report = sluice.call("report", "--format", "json", session.log).json()
    text = json.dumps(report)
    assert f"denied.{ZONE}" in text and REC in text and f"--allow denied.{ZONE}" in text


def test_report_of_several_logs(session, world):
    other = sluice.run(command=["curl", "-sm3", f"http://second.{ZONE}/"])
    done = sluice.call("report", session.log, other.log)
    assert f"second.{ZONE}" in done.out and f"denied.{ZONE}" in done.out


def test_report_of_the_newest_log_by_default(world):
    sluice.call("run", "-q", "--", "curl", "-sm3", f"http://newest.{ZONE}/")
    done = sluice.call("report")
    assert done.code == 0 and f"newest.{ZONE}" in done.out


def test_report_of_nothing_is_an_error(world):
    done = sluice.call("report", "/nonexistent.jsonl")
    assert done.code != 0 and done.err.startswith("sluice: ")


@pytest.mark.parametrize("keys, path, command", [
    ("dns: false, paths: full, command: full", "/token/a1B2c3D4e5F6g7H8i9J0k1", "curl -s"),
    ("dns: false, paths: none, command: none", "***", ""),
    ("dns: true", "/token/***", "curl"),
])
def test_log_keeps_what_it_is_told_to(policy, keys, path, command):
    file = policy(f"version: 1\nlog: {{{keys}}}\nallow:\n  - {{host: {REC}, ports: [80]}}\n")
    done = sluice.run("-p", file, command=["curl", "-s", f"http://{REC}/token/a1B2c3D4e5F6g7H8i9J0k1",
                                           "--next", "-s", f"http://denied.{ZONE}/"])
    start = done.of("session.start")[0]["command"]
    assert start.startswith(command) and (start == command or " " in start)
    assert [e["path"] for e in done.of("http")] == [path]
    # what is denied has its record always, and totals are what they were
    queries = {(e["name"], e["verdict"]) for e in done.of("dns.query")}
    assert (f"denied.{ZONE}", "deny") in queries
    assert ((REC, "allow") in queries) == ("dns: true" in keys)
    totals = done.of("session.end")[0]["totals"]
    assert totals["dns"] >= 2 and totals["denied"] >= 1 and totals["connections"] == 1
    assert sluice.call("log", "verify", "--strict", done.log).code == 0


# copies

@pytest.mark.parametrize("option, socket_path", [
    ("--syslog", "/run/systemd/journal/dev-log"), ("--journald", "/run/systemd/journal/socket")])
def test_copies_are_the_lines_of_the_log(world, option, socket_path):
    done = sluice.call("run", option, "--", "true")
    assert done.code == 125 and option in done.err and "daemon" in done.err, done.err
    path = pathlib.Path(socket_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(path))
        path.chmod(0o666)
        try:
            done = sluice.run(option, command=["curl", "-sm3", f"http://copied.{ZONE}/"])
        finally:
            path.unlink()
        daemon.setblocking(False)
        heard = []
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(daemon.recv(1 << 17).decode().rstrip("\n"))
    lines = done.log.read_text().splitlines()
    assert [text[text.index("{"):] for text in heard] == lines and len(lines) > 3
