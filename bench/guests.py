# SPDX-License-Identifier: Apache-2.0
"""See bench/guests.  Both guests are the same but for their network, and work in turns."""
import json
import os
import pathlib
import re
import statistics
import sys
import time

import world as places      # first: it finds the tests' modules
import libvirt
import machine
import netns
import stage
import test_libvirt

ROUNDS = 5
PORT = 8422
NAT = """<network><name>nat</name><forward mode='nat'/><bridge name='virbr-nat'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>
<range start='192.168.122.10' end='192.168.122.20'/></dhcp></ip></network>"""
# what it is called, the client's words, the figure of what it saw
LOADS = [
    ("one download, Mbit/s", "fresh -f /big -w 1", lambda s: s["bytes"] * 8 / s["seconds"] / 1e6),
    ("eight downloads, Mbit/s", "fresh -f /big -w 8", lambda s: s["bytes"] * 8 / s["seconds"] / 1e6),
    ("connections one by one, a second", "fresh -w 1", lambda s: s["count"] / s["seconds"]),
    ("connections, 16 at once, a second", "fresh -w 16", lambda s: s["count"] / s["seconds"]),
    ("requests on 16 connections, a second", "keep -w 16", lambda s: s["count"] / s["seconds"]),
]


def start_all():
    places.World()
    pathlib.Path("/etc/sluice/policies.d").mkdir(parents=True)
    pathlib.Path("/etc/sluice/policies.d/bench.yaml").write_text(
        f"version: 1\nallow:\n  - host: {places.SERVER}\n    ports: [80]\n")
    netns.Daemon()
    pathlib.Path("/etc/libvirt/qemu.conf").write_text(test_libvirt.QEMU)
    hooks = pathlib.Path("/etc/libvirt/hooks")
    hooks.mkdir(exist_ok=True)
    (hooks / "qemu").write_bytes((stage.TOP / "packaging/libvirt/qemu").read_bytes())
    (hooks / "qemu").chmod(0o755)
    virt = libvirt.Libvirt()
    virt.define("net-define", netns.call("export", "libvirt-network").out)
    virt.define("net-define", NAT)
    virt.define("nwfilter-define", netns.call("export", "libvirt-filter").out)     # ends with libvirt
    extra = machine.program(str(stage.ROOT / "client"))
    guests = {}
    for name, network, about in ("sluice", "agent-nat-filtered", f"policy='bench' publish='{PORT}:22'"), \
            ("NAT", "nat", ""):
        virt.virsh("net-start", network)
        metadata = machine.METADATA.format(about) if about else ""
        guests[name] = machine.Machine(virt, name, machine.SHELL, network=network, metadata=metadata,
                                       extra=extra)
        done = guests[name].start()
        if done.returncode:
            sys.exit(f"bench/guests: {done.stdout}")
    for one in guests.values():
        netns.wait_for(lambda one=one: "serves" in one.said(), 120)
    address = re.search(r"lease: ([0-9.]+)/", guests["NAT"].said()).group(1)
    return virt, {"NAT": (address, 22), "sluice": ("127.0.0.1", PORT)}


def take(where, words, seconds):
    said = machine.ask(where[1], f"{stage.ROOT}/client {words.split()[0]} -d {seconds} "
                       f"{' '.join(words.split()[1:])} {places.SERVER} 80", address=where[0])
    seen = json.loads(said.splitlines()[-1])
    if seen["failed"]:
        sys.exit(f"bench/guests: {where}: {seen['failed']} failed")
    return seen


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2
    begin = time.monotonic()
    virt, guests = start_all()
    print(f"{'':38}{'sluice':>10}{'NAT':>10}{'of NAT':>10}")
    for title, words, figure in LOADS:
        seen = {name: [] for name in guests}
        for turn in range(ROUNDS + 1):
            for name, where in guests.items():
                # the first turn warms caches and does not count
                one = take(where, words, seconds if turn else 0.5)
                if turn:
                    seen[name].append(figure(one))
        median = {name: statistics.median(figures) for name, figures in seen.items()}
        print(f"{title:38}{median['sluice']:10.1f}{median['NAT']:10.1f}"
              f"{median['sluice'] / median['NAT']:10.2f}", flush=True)
    print(f"\nmedians of {ROUNDS} turns of {seconds} s; {'KVM' if os.path.exists('/dev/kvm') else 'emulated'}; "
          f"{time.monotonic() - begin:.0f} s in all")
    virt.end()
    os._exit(0)         # the DNS thread has no end; the namespaces' end ends the rest


if __name__ == "__main__":
    main()
