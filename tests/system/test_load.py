# SPDX-License-Identifier: Apache-2.0
"""Many tunnels, slow clients, floods: what is allowed is not disturbed."""
import subprocess
import time

import sluice
from stage import ZONE
from waiting import wait_for

REC = f"rec.{ZONE}"
HEAD = f"GET /hello HTTP/1.1\r\nHost: www.{ZONE}\r\nConnection: close\r\n\r\n"


def is_quick(agent):
    """Of 20 requests most take no time; one may wait for a machine that does something else."""
    times = [agent.ok("fetch_many", f"www.{ZONE}", 80, HEAD, 1) for _ in range(20)]
    return None not in times and sorted(times)[14] < 0.5 and max(times) < 5


def test_two_thousand_idle_tunnels_and_a_slow_client(world, jail):
    agent = jail("--allow", f"{REC}:80,9000", "--allow", f"www.{ZONE}:80")
    agent.ok("fetch_many", f"www.{ZONE}", 80, HEAD, 1)
    gate = sluice.role(agent.process.pid, "gate")
    before = sluice.memory_kib(gate)
    assert agent.ok("hold", REC, 9000, 2000, stay=True, limit=60) == 2000
    assert agent.ok("hold", REC, 80, 1, "GET / HTTP/1.1\r\nHost: ", stay=True) == 2001
    wait_for(lambda: world.recorder.open >= 2000, 60)
    grown = sluice.memory_kib(gate) - before
    assert is_quick(agent)
    assert grown <= 2000 * 4, f"{grown / 2000:.1f} KiB an idle tunnel"


def test_slow_heads_are_given_up(world, jail):
    """A client that never finishes its head is not kept for ever."""
    agent = jail("--allow", f"{REC}:80,443")
    start = time.monotonic()
    answer = agent.ok("tcp", REC, 80, f"GET / HTTP/1.1\r\nHost: {REC}", 40, limit=60)
    assert answer["end"] != "timeout" and time.monotonic() - start < 40


def test_many_denied_names_do_not_grow_memory(world, jail):
    """200,000 queries for distinct denied names: less than 10 MB in all processes."""
    agent = jail()
    agent.ok("dns_flood", "8.8.8.8", f"warm#.{ZONE}", 2000, limit=60)
    family = [agent.process.pid] + [
        p for p, line in sluice.children(agent.process.pid).items() if line[1:2] and line[1].startswith("role-")]
    before = sum(sluice.memory_kib(p) for p in family)
    assert agent.ok("dns_flood", "8.8.8.8", f"t#.flood.{ZONE}", 200000, limit=240) == 200000
    grown = sum(sluice.memory_kib(p) for p in family) - before
    assert grown < 10 * 1024, f"{grown} KiB"
    assert world.dns.asked(".flood.") == []


def test_flood_of_denied_connections_does_not_disturb(world, jail):
    agent = jail("--allow", f"www.{ZONE}:80")
    agent.ok("command", sluice.PYTHON, "-c", """
import socket, threading
def loop(n):
    for i in range(1500):
        s = socket.socket(); s.settimeout(1)
        try: s.connect((f'9.{n}.{i >> 8}.{i & 255}', 80))
        except OSError: pass
        s.close()
threads = [threading.Thread(target=loop, args=(n,)) for n in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
""", limit=60)
    assert is_quick(agent)


def test_start_is_quick(world):
    """Not a benchmark: a bound that only a blunder breaks, in starts of bwrap alone."""
    def fastest(run):
        times = []
        for _ in range(5):
            start = time.monotonic()
            assert run() == 0
            times.append(time.monotonic() - start)
        return min(times)

    bwrap = ["bwrap", "--bind", "/", "/", "--unshare-net", "--unshare-pid", "true"]
    alone = fastest(lambda: subprocess.run(bwrap, check=False, **sluice.as_user()).returncode)
    ours = fastest(lambda: sluice.run(command=["true"]).code)
    assert ours < 30 * alone, (ours, alone)
