# SPDX-License-Identifier: Apache-2.0
"""Measure, in turns, and print one table; started by run."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import world as places      # first: it finds the tests' modules
import internet
import peers
import sluice
import stage

GIB = 1 << 30
IDLE_TUNNELS = 2000
IDLE_INNER = 400        # inspected: each takes far more, and the slowest has to open them in time
PORTS = {"http": 80, "tls": 443, "inner": places.RESUMING}
STARTS = 20


def cpu_ns(pids):
    """CPU time so far of these processes, threads that ended too: pid -> ns

    The kernel's clock of a process (clock_getcpuclockid(3)): finer than /proc/PID/stat.
    """
    return {pid: time.clock_gettime_ns(~pid << 3 | 2) for pid in pids}


def pss_bytes(pids):
    return {pid: sluice.memory_kib(pid) * 1024 for pid in pids}


# name, measure, way, client options: each is one run of the client
LOADS = {
    "bulk1": ("fresh", "tls", "-t -f /big -w 1"),
    "bulk8": ("fresh", "tls", "-t -f /big -w 8"),
    "http1": ("fresh", "http", "-w 1"),
    "http16": ("fresh", "http", "-w 16"),
    "https1": ("fresh", "tls", "-t -w 1"),
    "https16": ("fresh", "tls", "-t -w 16"),
    "keep16": ("keep", "http", "-w 16"),
    "inbulk": ("fresh", "inner", "-t -f /big -w 1"),
    "inside1": ("fresh", "inner", "-t -w 1"),
    "inside16": ("fresh", "inner", "-t -w 16"),
    "inkeep16": ("keep", "inner", "-t -w 16"),
}


def take(contestant, load, seconds):
    """One figure's run: what the client saw, and what the processes between spent."""
    measure, way, options = LOADS[load]
    reach = getattr(contestant, way)
    if reach is None or (measure == "keep" and not contestant.keeps):
        return None
    pids = contestant.processes()
    before = cpu_ns(pids)
    seen = contestant.place.client(measure, f"-d {seconds}", options, reach, places.SERVER,
                                   PORTS[way])
    time.sleep(0.02)        # what belongs to the last connections
    after = cpu_ns(pids)
    seen["roles"] = {pids[p]: after[p] - before[p] for p in pids}
    seen["cpu"] = sum(seen["roles"].values())
    return seen


def idle(contestant, pids, way, count):
    """Bytes of memory (PSS) that a connection holds once it is silent: pid -> bytes"""
    before = pss_bytes(pids)
    contestant.place.say(f"{stage.ROOT}/client idle -t -n {count} {getattr(contestant, way)} "
                         f"{places.SERVER} {PORTS[way]}; echo .")
    held = int(contestant.place.line().split()[0])
    time.sleep(0.3)
    after = pss_bytes(pids)
    contestant.place.say("")
    while contestant.place.line() != ".":
        continue
    if held < count:
        print(f"bench: {contestant.name} held {held} of {count} connections")
        return None
    return {p: (after[p] - before[p]) / held for p in pids}


def dns(place, server, seconds):
    seen = place.client("dns", f"-d {seconds} -w 128", server, places.SERVER)
    return seen["count"] / seen["seconds"] if seen["count"] > seen["failed"] else 0


def start_ms(argv):
    begin = time.monotonic()
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env=sluice.environment(),
                   cwd=stage.HOME, **sluice.as_user())
    return (time.monotonic() - begin) * 1000


class Bench:
    def __init__(self, args):
        self.rounds = 3 if args.quick else 5
        self.seconds = 0.2 if args.quick else 0.5
        self.args = args
        self.world = places.World()
        self.world.client = places.Place(
            self.world.inside(self.world.client_net) + self.world.with_hosts())
        self.sluice = peers.Sluice(self.world, http="", tls="", inner="")
        self.inside = peers.Sluice(self.world, "inspected", ["--inspect"], inner="")
        self.all = [peers.Contestant("direct", self.world.client, http="", tls="", inner=""),
                    self.sluice, self.inside]
        for name, start in peers.PEERS.items():
            if args.peers is None or name in args.peers.split(","):
                self.all += [c for c in [start(self.world)] if c]
        self.runs = {}          # (contestant, load) -> [seen]
        self.single = {}        # (name, row) -> number

    def wanted(self, word):
        return not self.args.only or word in self.args.only

    def length(self, load):
        """A turn's seconds: sixteen handshakes through the slowest that inspect take half of one"""
        return max(self.seconds, 1) if LOADS[load][1] == "inner" else self.seconds

    def loads(self):
        for load in filter(self.wanted, LOADS):
            for turn in range(self.rounds + 1):
                for contestant in self.all:
                    # the first turn warms caches and does not count
                    seen = take(contestant, load, self.length(load) if turn else 0.05)
                    if turn and seen:
                        self.runs.setdefault((contestant.name, load), []).append(seen)

    def memory(self, way, count, row):
        """Before all else: nobody's pools have been filled by load yet."""
        for c in self.all[1:]:
            if getattr(c, way) is None:
                continue
            c.place.client("fresh -t -n 50", getattr(c, way), places.SERVER, PORTS[way])
            pids = c.processes()
            gate = [p for p in pids if not isinstance(c, peers.Sluice) or pids[p] == "gate"]
            held = idle(c, list(pids), way, count)
            if held:
                self.single[c.name, row] = sum(held[p] for p in gate)
                self.single[c.name, row + " all"] = sum(held.values())

    def minting(self):
        """The first certificate of a name, by a program that is made with the tests"""
        program = pathlib.Path(os.environ["SLUICE"]).parent / "tests/unit/proxy/certs_bench"
        if not program.exists():
            print(f"bench: no {program}: minting is not measured")
            return
        self.single["inspected", "mint"] = float(subprocess.run(
            [program], check=True, capture_output=True, text=True).stdout.split()[0])

    def dns(self):
        server = self.sluice.place.shell("sed -n 's/^nameserver //p' /etc/resolv.conf")[0]
        asked = [("sluice", self.sluice.place, server)]
        asked += [(n, self.world.client, a) for n, a in peers.resolvers(self.world)]
        rates = {}
        for turn in range(self.rounds + 1):
            for name, place, address in asked:
                rate = dns(place, address, self.seconds if turn else 0.05)
                rates.setdefault(name, []).extend([rate] if turn else [])
        for name, got in rates.items():
            self.single[name, "dns"] = statistics.median(got)

    def starts(self):
        ways = {"true": ["true"],
                "bwrap": ["bwrap", "--unshare-all", "--dev-bind", "/", "/", "true"],
                "sluice": [str(sluice.PROGRAM), "run", "true"]}
        times = {name: [] for name in ways}
        for turn in range(STARTS + 1):
            for name, argv in ways.items():
                times[name] += [start_ms(argv)] if turn else [start_ms(argv)][:0]
        for name, got in times.items():
            self.single[name, "start"] = statistics.median(got)

    def run(self):
        for word, part in (
                ("idle", lambda: self.memory("tls", IDLE_TUNNELS, "idle")),
                ("inidle", lambda: self.memory("inner", IDLE_INNER, "inidle")),
                (None, self.loads), ("mint", self.minting), ("dns", self.dns),
                ("start", self.starts)):
            if word is None or self.wanted(word):
                part()

    def hook(self):
        """Load while a profiler of the caller's looks on."""
        for load in filter(self.wanted, LOADS):
            looked_at = self.inside if LOADS[load][1] == "inner" else self.sluice
            pids = {role: str(pid) for pid, role in looked_at.roles.items()}
            take(looked_at, load, 0.2)
            looker = subprocess.Popen([self.args.hook, load] + [
                pids[role] for role in ("keeper", "gate", "broker", "resolver")])
            time.sleep(0.5)
            seen = take(looked_at, load, 3)
            print(load, json.dumps(seen), flush=True)
            looker.wait()

    # ---- figures ----

    def median(self, name, load, figure):
        got = [figure(s) for s in self.runs.get((name, load), [])]
        return statistics.median(got) if got else None

    def over_direct(self, name, load, figure):
        """The median of the turns' ratios: both sides of one were taken within a second or two."""
        own, direct = self.runs.get((name, load), []), self.runs.get(("direct", load), [])
        got = [figure(a) / figure(b) for a, b in zip(own, direct) if figure(b)]
        return statistics.median(got) if got else None


def rate(seen):
    return seen["count"] / seen["seconds"]


def speed(seen):
    return seen["bytes"] / seen["seconds"]


def per_gib(seen):
    return seen["cpu"] / 1e9 / (max(seen["bytes"], 1) / GIB)


def per_request(seen):
    return seen["cpu"] / 1e3 / max(seen["count"], 1)


def p50(seen):
    return seen["p50"]


# text, aim (sign, number), format, how it is had
ROWS = [
    ("bulk TLS, 1 stream: of direct", (">=", 0.80), "%.2f", ("bulk1", speed, True)),
    ("bulk TLS, 8 streams: of direct", (">=", 0.80), "%.2f", ("bulk8", speed, True)),
    ("  CPU s per GiB, 1 stream", ("<=", 0.45), "%.2f", ("bulk1", per_gib, False)),
    ("  CPU s per GiB, 8 streams", ("<=", 0.45), "%.2f", ("bulk8", per_gib, False)),
    ("fresh HTTP alone: of direct", (">=", 0.40), "%.2f", ("http1", rate, True)),
    ("fresh HTTP, 16 in flight: of direct", (">=", 0.60), "%.2f", ("http16", rate, True)),
    ("  time alone, median: times direct", ("<=", 2.5), "%.2f", ("http1", p50, True)),
    ("  CPU us each, alone", ("<=", 130), "%.0f", ("http1", per_request, False)),
    ("  CPU us each, 16 in flight", ("<=", 80), "%.0f", ("http16", per_request, False)),
    ("fresh HTTPS alone: of direct", (">=", 0.95), "%.2f", ("https1", rate, True)),
    ("fresh HTTPS, 16 in flight: of direct", (">=", 0.95), "%.2f", ("https16", rate, True)),
    ("  CPU us each, alone", None, "%.0f", ("https1", per_request, False)),
    ("  CPU us each, 16 in flight", None, "%.0f", ("https16", per_request, False)),
    ("keep-alive HTTP, 16: of direct", (">=", 0.70), "%.2f", ("keep16", rate, True)),
    ("  p99, ms", ("<=", 20), "%.1f", ("keep16", lambda s: s["p99"] / 1e3, False)),
    ("  CPU us a request", None, "%.0f", ("keep16", per_request, False)),
    ("bytes per idle tunnel (sluice: gate)", ("<=", 1024), "%.0f", "idle"),
    ("  all processes of sluice", None, "%.0f", "idle all"),
]
INSIDE = [
    ("new HTTPS alone: of direct", None, "%.2f", ("inside1", rate, True)),
    ("new HTTPS, 16 in flight: of direct", (">=", 0.60), "%.2f", ("inside16", rate, True)),
    ("  time alone, median: times direct", ("<=", 1.8), "%.2f", ("inside1", p50, True)),
    ("  CPU us each, alone", None, "%.0f", ("inside1", per_request, False)),
    ("  CPU us each, 16 in flight", None, "%.0f", ("inside16", per_request, False)),
    ("bulk, 1 stream: of direct", (">=", 0.50), "%.2f", ("inbulk", speed, True)),
    ("  CPU s per GiB", None, "%.2f", ("inbulk", per_gib, False)),
    ("keep-alive, 16: of direct", (">=", 0.50), "%.2f", ("inkeep16", rate, True)),
    ("  CPU us a request", None, "%.0f", ("inkeep16", per_request, False)),
    ("KiB per idle connection (sluice: gate)", ("<=", 60), "%.1f", "inidle"),
    ("  all processes of sluice", None, "%.1f", "inidle all"),
    ("first certificate of a name, us", ("<=", 1000), "%.0f", "mint"),
]
OTHERS = [("DNS answers a second", "dns", (">=", 100000), "%.0f"),
          ("start and end of `true`, ms", "start", ("<=", 20), "%.1f")]


def verdict(aim, value):
    if aim is None or value is None:
        return ""
    good = value >= aim[1] if aim[0] == ">=" else value <= aim[1]
    return f"{aim[0]} {aim[1]:g} {'ok' if good else 'MISSED'}"


def cell(bench, name, how):
    if isinstance(how, str):
        found = bench.single.get((name, how))
        return found / 1024 if found and how.startswith("inidle") else found
    load, figure, relative = how
    return (bench.over_direct if relative else bench.median)(name, load, figure)


def print_rows(bench, title, rows, contestants):
    """The aim is the first contestant's"""
    names = [c.name for c in contestants]
    lines = [(row, [cell(bench, n, row[3]) for n in names]) for row in rows]
    lines = [line for line in lines if any(c is not None for c in line[1])]
    if lines:
        print(f"{title:38}" + "".join(f"{n:>13}" for n in names) + "   aim")
    for (text, aim, form, _), cells in lines:
        print(f"{text:38}" + "".join(f"{form % c if c is not None else '-':>13}" for c in cells)
              + f"   {verdict(aim, cells[0])}")


def print_table(bench):
    outer = [c for c in bench.all[1:] if c.http is not None or c.tls is not None]
    print_rows(bench, "", ROWS, outer)
    inner = [c for c in bench.all[1:] if c.inner is not None and c is not bench.inside]
    print_rows(bench, "TLS inspected", INSIDE, [bench.inside, *inner])
    for text, row, aim, form in OTHERS:
        found = {n: v for (n, r), v in bench.single.items() if r == row}
        if found:
            print(f"{text:38}{form % found['sluice']:>13}   {verdict(aim, found['sluice'])}   "
                  + ", ".join(f"{n} {form % v}" for n, v in found.items() if n != "sluice"))


def print_roles(bench, contestant):
    """Where sluice's CPU time goes: us a connection, s per GiB, by process."""
    name = contestant.name
    loads = [load for load in LOADS if bench.runs.get((name, load))]
    roles = sorted(set(contestant.roles.values()))
    if not loads:
        return
    print(f"\n{name + ' by process':24}" + "".join(f"{r:>10}" for r in roles))
    for load in loads:
        bulk = "bulk" in load

        def figure(seen, role):
            spent = seen["roles"].get(role, 0)
            return (spent / 1e9 / (max(seen["bytes"], 1) / GIB) if bulk
                    else spent / 1e3 / max(seen["count"], 1))
        cells = [bench.median(name, load, lambda s, r=r: figure(s, r)) for r in roles]
        unit = "s/GiB" if bulk else "us each"
        print(f"{load:10}{unit:14}" + "".join(f"{c or 0:10.2f}" for c in cells))


def main():
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("--quick", action="store_true", help="3 turns, shorter")
    parser.add_argument("--only", nargs="+", metavar="WORD",
                        choices=[*LOADS, "idle", "inidle", "mint", "dns", "start"])
    parser.add_argument("--peers", metavar="NAME,...",
                        help=f"of {', '.join(peers.PEERS)}; '' for none")
    parser.add_argument("--json", metavar="FILE", help="all single figures too")
    parser.add_argument("--hook", metavar="COMMAND",
                        help="instead: a long run of each load of --only through sluice, with "
                        "`COMMAND LOAD KEEPER GATE BROKER RESOLVER` (process ids) beside it")
    args = parser.parse_args()
    bench = Bench(args)
    begin = time.monotonic()
    if args.hook:
        bench.hook()
        os._exit(0)
    bench.run()
    print_table(bench)
    for contestant in (bench.sluice, bench.inside):
        print_roles(bench, contestant)
    for (name, load), runs in bench.runs.items():
        if failed := sum(seen["failed"] for seen in runs):
            print(f"{name}, {load}: {failed} requests failed")
    print(f"\nmedians of {bench.rounds} turns of {bench.seconds} s, inspected 1 s; "
          f"{time.monotonic() - begin:.0f} s in all")
    if args.json:
        runs = {f"{c} {load}": seen for (c, load), seen in bench.runs.items()}
        pathlib.Path(args.json).write_text(json.dumps(runs, indent=1))
    os._exit(0)         # the DNS thread has no end; the namespaces' end ends the rest


if __name__ == "__main__":
    main()
