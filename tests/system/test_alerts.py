# SPDX-License-Identifier: Apache-2.0
"""Alerts: once a crossing, in the log, on stderr and in the metrics."""
import pty
import subprocess

import pytest

import internet
import scrape
import sluice
from stage import ZONE
from terminals import read_until, until

REC = f"rec.{ZONE}"
LIMITS = ("limits: {requests: 20/min, unique_hosts: 5, upload_per_request: 100000,"
          " error_rate: 30%}\n")


def get(host, path="hello"):
    return f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def post(host, size):
    return f"POST /up HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n" + "p" * size


def alerts(done):
    return [(e["kind"], e["value"], e["threshold"]) for e in done.of("alert")]


def raised(port, kinds):
    page = scrape.page(port)
    return {kind: page("sluice_alerts_total", kind=kind) for kind in kinds}


@pytest.mark.core
def test_published_expectations(jail, policy, fresh):
    """20 requests a minute, 5 hosts, 100,000 bytes out per request, 30 % errors."""
    web, rec = [internet.NGINX4], [internet.RECORDER4]
    unknown = [fresh(addresses=rec if i in (3, 4, 5) else web) for i in range(6)]
    agent = jail("--metrics", "127.0.0.1:0", "-p",
                 policy(f"version: 1\nallow:\n  - {{host: '*.{ZONE}', ports: [80]}}\n" + LIMITS))
    port = scrape.port(agent)
    for host in (REC, f"second.{ZONE}", f"www.{ZONE}", REC, f"second.{ZONE}"):
        assert "200 OK" in agent.ok("requests", host, 80, [get(host)])[0]
    assert scrape.page(port)("sluice_alerts_total") == 0
    none = dict.fromkeys(("host_diversity", "large_upload", "error_rate"), 0)
    third, later = {**none, "host_diversity": 1, "error_rate": 1}, dict.fromkeys(none, 1)
    for number, host in enumerate(unknown, 1):
        request = post(host, 150000) if number == 4 else get(host, "hello" if number > 3 else "no")
        answer = agent.ok("requests", host, 80, [request])[0]
        assert ("404" if number < 4 else "200 OK") in answer.split("\r\n")[0]
        wanted = none if number < 3 else third if number == 3 else later
        # the answer is there a moment before it is counted
        assert until(lambda: raised(port, none) == wanted), (number, raised(port, none))
    done = agent.end()
    assert sorted(alerts(done)) == [("error_rate", 37, 30), ("host_diversity", 6, 5),
                                    ("large_upload", 150000, 100000)]
    said = {e["kind"]: e["message"] for e in done.of("alert")}
    assert unknown[2] in said["host_diversity"] and unknown[3] in said["large_upload"]
    assert not done.denied() and done.of("session.end")[0]["totals"]["alerts"] == 3
    lines = [line for line in done.err.splitlines() if "alert" in line]
    assert lines and lines[0].startswith("sluice: alert: ") and len(lines) <= 3, done.err


def flood(count):
    return ("sh", "-c", f"i=0; while [ $i -lt {count} ]; do "
            "getent hosts n$i.denied.example; i=$((i+1)); done; true")


@pytest.mark.core
def test_denied_rate_is_told_once(world):
    done = sluice.run(command=flood(80))
    assert [kind for kind, _, _ in alerts(done)] == ["denied_rate"]
    assert alerts(done) == [("denied_rate", 101, 100)]
    assert done.err.count("sluice: alert: 101 denials in the window, 100 are allowed\n") == 1
    quiet = sluice.run("-q", command=flood(80))
    assert alerts(quiet) and quiet.err == ""
    few = sluice.run(command=flood(20))
    assert not alerts(few)


def test_denied_rate_does_not_kill(policy):
    done = sluice.run("-p", policy("version: 1\nlimits: {requests: 1000/min, on_exceed: kill}\n"),
                      command=flood(80))
    assert done.code == 0 and len(alerts(done)) == 1


def test_random_names_are_told_once(world, jail):
    agent = jail("-q")
    for i in range(30):
        name = f"{i:02d}f7a91c3e5b8d2064{i:02d}.t.example"
        for _ in range(2):
            agent.do("resolve", name, "inet")
    assert [a for a in alerts(agent.end()) if a[0] == "dns_entropy"] == [("dns_entropy", 21, 20)]


def test_colour_only_on_a_terminal(world):
    ours, theirs = pty.openpty()
    argv = [str(sluice.PROGRAM), "run", "--log", str(sluice.new_log()), "--", *flood(80)]
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs,
                       env=sluice.environment(**env), check=True, timeout=60, **sluice.as_user())
        text = read_until(ours, b"sluice: alert: 101 denials")
        assert (b"\033[33msluice: alert: 101 denials" in text) == coloured


def test_one_line_a_second(jail, policy, fresh):
    """Many bounds at once: the log has them all, the terminal not."""
    agent = jail("-p", policy(f"version: 1\nallow:\n  - {{host: '*.{ZONE}', ports: [80]}}\n"
                              "limits: {requests: 1/min, unique_hosts: 1, upload_total: 100,"
                              " download_total: 100, upload_per_request: 10}\n"))
    names = [fresh(addresses=[internet.RECORDER4]) for _ in range(3)]
    for host in names:
        agent.ok("requests", host, 80, [post(host, 50)], wait=10)
    done = agent.end()
    kinds = {kind for kind, _, _ in alerts(done)}
    assert kinds == {"request_rate", "host_diversity", "upload_total", "download_total",
                     "large_upload"}
    lines = [line for line in done.err.splitlines() if "alert" in line]
    first, last = done.of("alert")[0]["ts"], done.of("alert")[-1]["ts"]
    assert 1 < len(lines) < len(done.of("alert")) and "more" in lines[-1], (lines, first, last)
