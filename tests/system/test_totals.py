# SPDX-License-Identifier: Apache-2.0
"""Every access is in the log, the report and the metrics once, and the bytes are the servers'."""
import collections
import json
import os
import signal

import pytest

import counting
import internet
import scrape
import sluice
import stage
import zone
from stage import ZONE
from waiting import wait_for

# kind: jobs, requests in each
MEDLEY = {"http": (60, 20), "https": (400, 1), "inspected": (100, 8), "forbidden": (100, 1),
          "literal": (10, 50), "names": (20, 70), "datagrams": (60, 5)}
FRESH = 300     # more of http, one a connection


@pytest.fixture(scope="module")
def servers(world):
    return counting.Servers(world)


@pytest.fixture
def named(world):
    for host in ("rec", "second"):
        world.dns.names[f"{host}.{ZONE}"] = zone.Name([internet.RECORDER4])
    yield
    zone.fill(world.dns.names)


def jobs():
    made, number = [], 0
    for kind, (count, each) in [*MEDLEY.items(), ("http", (FRESH, 1))]:
        for _ in range(count):
            made.append((kind, number, each))
            number += each
    step = 617      # no divisor of the count: kinds are mixed, the same way each time
    assert len(made) % step and number >= 5000
    return [made[i * step % len(made)] for i in range(len(made))], number


def verdicts(events, kind):
    return collections.Counter(e["verdict"] for e in events if e["event"] == kind)


def test_five_thousand_mixed_requests(world, jail, policy, servers, named):
    plain, tls, udp = servers.plain_port, servers.tls_port, servers.udp_port
    written = policy(f"""
version: 1
allow:
  - {{host: rec.{ZONE}, ports: [{plain}, {tls}, {udp}/udp]}}
  - {{host: second.{ZONE}, ports: [{tls}], protocol: tls, methods: [POST], paths: ["/r/*"]}}
log: {{paths: full}}
""")
    agent = jail("--metrics", "127.0.0.1:0", "-q", "--only", "-p", written)
    port = scrape.port(agent)
    todo, asked = jobs()
    plan = {"zone": ZONE, "plain": plain, "tls": tls, "udp": udp, "jobs": todo, "threads": 16}
    out = agent.ok("command", sluice.PYTHON, "-B", str(stage.INSIDE / "medley.py"),
                   stdin=json.dumps(plan), limit=300)
    count = json.loads(out["out"] if isinstance(out, dict) else out)
    wait_for(lambda: servers.open == 0, 20)
    # flows of datagrams have no end but two minutes of silence, or another policy
    wait_for(lambda: scrape.page(port)("sluice_active_connections") <= MEDLEY["datagrams"][0], 20)
    written.write_text(written.read_text().replace(f", {udp}/udp", ""))
    os.kill(agent.process.pid, signal.SIGHUP)
    wait_for(lambda: scrape.page(port)("sluice_active_connections") == 0, 20)
    page = scrape.page(port)
    done = agent.end()
    events = done.events
    requests = {kind: n * each for kind, (n, each) in MEDLEY.items()}

    # the client: all that it did ended as it must
    good_names = sum(1 for kind, first, each in todo if kind == "names"
                     for n in range(first, first + each) if n % 3)
    allowed_http = requests["http"] + FRESH + requests["inspected"]
    seen_http = requests["http"] + FRESH
    assert count == {
        "status 200": allowed_http + requests["https"], "status 403": requests["forbidden"],
        "literal_refused": requests["literal"], "datagram": requests["datagrams"],
        "good name 0": good_names, "bad name 3": requests["names"] - good_names}
    assert sum(count.values()) == asked

    # the log: each request that it can see once, by its number
    log = [e for e in events if e["event"] == "http"]
    paths = collections.Counter(e["path"] for e in log if e["verdict"] == "allow")
    served = collections.Counter(p for c in servers.connections for p in c["requests"])
    assert set(paths.values()) == {1} and set(served.values()) == {1}
    spliced = {f"/r/{n}" for kind, first, each in todo if kind == "https"
               for n in range(first, first + each)}
    assert set(served) == set(paths) | spliced and len(paths) == allowed_http
    denials = collections.Counter()
    for e in events:
        if e["event"] == "denials":
            denials[e["reason"]] += e["count"]
    denied_http = sum(e["verdict"] == "deny" for e in log) + denials["path"]
    assert denied_http == requests["forbidden"]
    opened = verdicts(events, "conn.open")
    conns = (MEDLEY["http"][0] + FRESH + MEDLEY["https"][0] + MEDLEY["inspected"][0] +
             MEDLEY["forbidden"][0] + MEDLEY["datagrams"][0])
    assert opened["allow"] == conns
    assert opened["deny"] + denials["ip_literal"] == requests["literal"]
    names = verdicts(events, "dns.query")
    bad_names = names["deny"] + denials["no_rule"]
    assert bad_names == requests["names"] - good_names
    closed = [e for e in events if e["event"] == "conn.close"]
    assert len(closed) == conns and len({e["conn"] for e in closed}) == conns

    # its own totals, the report and the metrics say the same
    totals = events[-2]["totals"]
    assert totals == {
        "connections": conns + requests["literal"], "dns": names["allow"] + bad_names,
        "denied": requests["literal"] + bad_names + denied_http,
        "bytes_out": sum(e["bytes_out"] for e in closed),
        "bytes_in": sum(e["bytes_in"] for e in closed),
        "alerts": sum(e["event"] == "alert" for e in events)}
    report = sluice.call("report", "--format", "json", done.log).json()
    assert report["totals"] == totals
    assert sum(h["connections"] for h in report["hosts"]) == conns
    assert sum(h["bytes_out"] for h in report["hosts"]) == totals["bytes_out"]
    assert sum(h["bytes_in"] for h in report["hosts"]) == totals["bytes_in"]
    assert sum(d["count"] for d in report["denials"]) + report["denials_others"] + \
        sum(report["denials_folded"].values()) == totals["denied"]
    attempts = "agent_network_connection_attempts_total"
    assert page(attempts) == totals["connections"] and page(attempts, verdict="allow") == conns
    assert page("agent_network_blocked_connections_total", reason="ip_literal") == \
        requests["literal"] == page("agent_network_blocked_connections_total")
    assert page("sluice_dns_queries_total", verdict="deny") == bad_names
    assert page("sluice_dns_queries_total") == totals["dns"]
    assert page("sluice_http_requests_total", verdict="allow", method="POST") == allowed_http
    assert page("sluice_http_requests_total", verdict="deny") == denied_http
    assert page("sluice_alerts_total") == totals["alerts"]
    assert page("agent_vm_network_tx_bytes_total") == totals["bytes_out"]
    assert page("agent_vm_network_rx_bytes_total") == totals["bytes_in"]
    assert page("sluice_upstream_connect_seconds_count") == conns - MEDLEY["datagrams"][0]

    # the bytes are those that the servers counted
    def counted(kind, way):
        return sum(c[way] for c in servers.connections if c["kind"] == kind)

    def recorded(port, host, key):
        return sum(e[key] for e in closed if e["port"] == port and e["host"] == host)
    assert recorded(plain, f"rec.{ZONE}", "bytes_out") == counted("plain", "received")
    assert recorded(plain, f"rec.{ZONE}", "bytes_in") == counted("plain", "sent")
    assert recorded(udp, f"rec.{ZONE}", "bytes_out") == sum(servers.datagrams) == \
        recorded(udp, f"rec.{ZONE}", "bytes_in")
    split = [c for c in servers.connections if c["kind"] == "tls" and
             set(c["requests"]) & spliced]
    assert recorded(tls, f"rec.{ZONE}", "bytes_out") == sum(c["received"] for c in split)
    assert recorded(tls, f"rec.{ZONE}", "bytes_in") == sum(c["sent"] for c in split)
    opened_up = [c for c in servers.connections if c["kind"] == "tls" and c not in split]
    print("inspected", [(recorded(tls, f"second.{ZONE}", k),
                         [sum(c["inside"][i] for c in opened_up),
                          sum(c[w] for c in opened_up)])
                        for i, (k, w) in enumerate((("bytes_out", "received"), ("bytes_in", "sent")))])
    assert recorded(tls, f"second.{ZONE}", "bytes_out") == sum(c["inside"][0] for c in opened_up)
    assert recorded(tls, f"second.{ZONE}", "bytes_in") == sum(c["inside"][1] for c in opened_up)
    # and of each request
    assert sum(e["bytes_in"] for e in log if e["host"].startswith("rec.")) == counted("plain", "sent")
    assert sum(e["bytes_out"] for e in log if e["host"].startswith("rec.")) == \
        counted("plain", "received")
    assert seen_http == sum(e["verdict"] == "allow" and e["host"].startswith("rec.") for e in log)
