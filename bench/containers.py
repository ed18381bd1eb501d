# SPDX-License-Identifier: Apache-2.0
"""containers: a container behind sluice, on Docker's own bridge, and behind squid on an internal network

Each is a container of the same image on the same dockerd, which this starts; the server is bench's.
Squid runs on the machine and listens on the internal network's gateway.  Taken in turns; printed is the
median of the turns' ratios to Docker's bridge.
"""
import argparse
import statistics

import world as places      # first: it finds the tests' modules
import bench
import engine
import internet
import netns
import peers
import stage

LOADS = {"bulk1": ("bulk TLS, one download", bench.speed, 1 / 2**20, "MiB/s"),
         "http1": ("fresh HTTP, alone", bench.rate, 1, "/s"),
         "http16": ("fresh HTTP, 16 at once", bench.rate, 1, "/s"),
         "https16": ("fresh HTTPS, 16 at once", bench.rate, 1, "/s"),
         "keep16": ("keep-alive, 16 connections", bench.rate, 1, "/s")}
SHUT, GATEWAY, PORT = "172.28.9.0/24", "172.28.9.1", 3128


def place(docker, *options, **kwargs):
    client = stage.ROOT / "client"
    words = docker.words("-v", f"{client}:{client}:ro", *options, **kwargs)
    return places.Place(["docker", "-H", f"unix://{engine.SOCKET}", *map(str, words), engine.IMAGE],
                        env=netns.root_env())


def squid(world):
    """On the address of the internal network, which is all that the container reaches."""
    program = peers.find("squid")
    if not program:
        return None
    folder = stage.ROOT / "squid"
    folder.mkdir()
    folder.chmod(0o777)
    conf = folder / "conf"
    conf.write_text(peers.SQUID.format(home=GATEWAY, dir=folder))
    process = world.start(world.with_hosts() + [program, "-N", "-f", str(conf)])
    world.wait_for(GATEWAY, PORT)
    return process


def contestants(world, docker):
    docker("network", "create", "wide")
    docker("network", "create", "--internal", "--subnet", SHUT, "shut")
    known = ("--add-host", f"{places.SERVER}:{internet.NGINX4}")
    found = [peers.Contestant("docker", place(docker, *known, network="wide", runtime=None, policy=None),
                              http="", tls=""),
             peers.Contestant("sluice", place(docker, policy="bench"), http="", tls="")]
    proxy = squid(world)
    if proxy:
        via = f"{GATEWAY}:{PORT}"
        found.append(peers.Contestant("squid", place(docker, network="shut", runtime=None, policy=None),
                                      http=f"-g {via}", tls=f"-c {via}", pid=proxy.pid))
    else:
        print("bench: no squid: sluice is compared with Docker's bridge alone")
    return found


def measure(found, rounds, seconds):
    runs = {}
    for load in LOADS:
        for turn in range(rounds + 1):
            for contestant in found:
                seen = bench.take(contestant, load, seconds if turn else 0.05)
                if turn and seen:
                    runs.setdefault((contestant.name, load), []).append(LOADS[load][1](seen))
    return runs


def print_table(found, runs):
    print(f"{'a container':28}" + "".join(f"{c.name:>22}" for c in found))
    for load, (title, _, scale, unit) in LOADS.items():
        row = f"{title:28}"
        for c in found:
            own, direct = runs.get((c.name, load)), runs[found[0].name, load]
            if not own:
                row += f"{'-':>22}"
                continue
            ratio = statistics.median(a / b for a, b in zip(own, direct))
            row += f"{statistics.median(own) * scale:11.0f} {unit:5}{ratio:5.2f}"
        print(row)
    print("the last number of each: of Docker's own bridge, in the same turns")


def main():
    parser = argparse.ArgumentParser(prog="bench/run containers", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    args = parser.parse_args()
    world = places.World()
    policies = stage.pathlib.Path("/etc/sluice/policies.d")
    policies.mkdir(parents=True)
    (policies / "bench.yaml").write_text(f"version: 1\nallow:\n  - host: {places.SERVER}\n")
    daemon = netns.Daemon()
    docker = engine.Engine(walls=True)
    try:
        found = contestants(world, docker)
        print_table(found, measure(found, 2 if args.quick else 7, 0.3 if args.quick else 1))
    finally:
        docker.end()
        daemon.end()


main()
