# SPDX-License-Identifier: Apache-2.0
"""Denied connections without number: the log stays true and small, and others are served.

SLUICE_FLOOD=1000000 makes it a million, as was promised; without it, as many as ./check has time for.
"""
import os
import pathlib
import time

import scrape
import sluice
from stage import ZONE

FLOOD = int(os.environ.get("SLUICE_FLOOD", "50000"))
WORKERS = 2
SCRIPT = """
import os, socket, sys
count, workers = int(sys.argv[1]), int(sys.argv[2])
for n in range(workers):
    if os.fork() == 0:
        for i in range(n, count, workers):
            s = socket.socket()
            s.settimeout(5)
            if s.connect_ex((f'9.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}', 80)) != 111:
                os._exit(1)
            s.close()
        os._exit(0)
sys.exit(sum(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(workers)))
"""
HEAD = f"GET /hello HTTP/1.1\r\nHost: www.{ZONE}\r\nConnection: close\r\n\r\n"


def family(agent):
    roles = {p: line[1] for p, line in sluice.children(agent.process.pid).items()
             if line[1:2] and line[1].startswith("role-") and line[1] != "role-shim"}
    return {agent.process.pid: "keeper", **roles}


def seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_flood_of_denied_connections(world, jail):
    agent = jail("--metrics", "127.0.0.1:0", "-q", "--allow", f"www.{ZONE}:80")
    begin, port = time.monotonic(), scrape.port(agent)
    agent.ok("fetch_many", f"www.{ZONE}", 80, HEAD, 20)
    agent.ok("command", sluice.PYTHON, "-c", SCRIPT, "2000", str(WORKERS))         # warm
    count = FLOOD - 2000
    roles = family(agent)
    memory = {p: sluice.memory_kib(p) for p in roles}
    cpu = {p: seconds(p) for p in roles}
    start = time.monotonic()
    flood = agent.ok("popen", sluice.PYTHON, "-c", SCRIPT, str(count), str(WORKERS), stay=True)
    slowest, served = 0, 20
    while agent.ok("running", flood, stay=True) is None:
        slowest = max(slowest, agent.ok("fetch_many", f"www.{ZONE}", 80, HEAD, 20, limit=40))
        served += 20
        assert scrape.ask(port)[0] == 200
    took = time.monotonic() - start
    assert agent.ok("running", flood, stay=True) == 0
    assert served > 20
    grown = {roles[p]: sluice.memory_kib(p) - memory[p] for p in roles}
    used = {roles[p]: round(seconds(p) - cpu[p], 2) for p in roles}
    page = scrape.page(port)
    while page("agent_network_blocked_connections_total") < FLOOD and \
            time.monotonic() < start + took + 10:
        page = scrape.page(port)
    done = agent.end()
    events = done.events
    size = done.log.stat().st_size
    print(f"{count} in {took:.1f} s, {count / took:.0f}/s; slowest of {served} fetches {slowest:.3f} s; "
          f"KiB grown {grown}; CPU s {used}; log {size} bytes, {len(events)} lines")
    one_by_one = sum(e["event"] == "conn.open" and e["verdict"] == "deny" for e in events)
    folded = sum(e["count"] for e in events if e["event"] == "denials")
    lost = sum(e["count"] for e in events if e["event"] == "packet.drop")
    assert one_by_one + folded + lost == FLOOD, (one_by_one, folded, lost)
    assert page("agent_network_blocked_connections_total") == one_by_one + folded
    assert events[-2]["totals"]["denied"] == one_by_one + folded
    # what is allowed is never folded
    assert sum(e["event"] == "conn.open" and e["verdict"] == "allow" for e in events) == served
    assert sum(e["event"] == "http" and e["verdict"] == "allow" for e in events) == served
    assert [e["kind"] for e in events if e["event"] == "alert"].count("denied_rate") <= (time.monotonic() - begin) / 60 + 1
    quiet = [e for e in events if e["event"] == "conn.open" and e["verdict"] == "deny"]
    by_second = {}
    for e in quiet:
        key = e["ts"][:19], e["reason"]
        by_second[key] = by_second.get(key, 0) + 1
    assert max(by_second.values()) <= 50
    assert sluice.call("log", "verify", "--strict", done.log).code == 0
    assert sum(grown.values()) < 10 * 1024, grown
    assert slowest < 4      # who starves waits until the flood is over
