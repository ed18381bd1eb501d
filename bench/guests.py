# SPDX-License-Identifier: Apache-2.0
"""See bench/guests.  Both guests are the same but for their network, and work in turns."""
import contextlib
import dataclasses
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
ANSWER_S = 30       # beyond a load's own time: an emulated guest on a busy machine is slow, not silent
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
    machines = {}
    for name, network, about in ("sluice", "agent-nat-filtered", f"policy='bench' publish='{PORT}:22'"), \
            ("NAT", "nat", ""):
        virt.virsh("net-start", network)
        metadata = machine.METADATA.format(about) if about else ""
        machines[name] = machine.Machine(virt, name, machine.SHELL, network=network, metadata=metadata,
                                         extra=extra)
        done = machines[name].start()
        if done.returncode:
            sys.exit(f"bench/guests: {' '.join(done.stdout.split())}")
    for name, one in machines.items():
        with contextlib.suppress(AssertionError):
            netns.wait_for(lambda one=one: "serves" in one.said(), 120)
        if "serves" not in one.said() or "lease:" not in one.said():
            sys.exit(f"bench/guests: the guest behind {name} does not come up: "
                     f"{(one.said().splitlines() or ['its console is empty'])[-1]}")
    address = re.search(r"lease: ([0-9.]+)/", machines["NAT"].said()).group(1)
    return virt, {"NAT": Guest(address, 22), "sluice": Guest("127.0.0.1", PORT)}


@dataclasses.dataclass
class Guest:
    """Where its shell is."""
    address: str
    port: int


def take(name, guest, words, seconds):
    """What the client in a guest counted.  However it fails, the run ends with a line that says how."""
    command, rest = words.split(maxsplit=1)
    try:
        said = machine.ask(guest.port, f"{stage.ROOT}/client {command} -d {seconds} {rest} {places.SERVER} 80",
                           seconds + ANSWER_S, guest.address)
        seen = json.loads(said.splitlines()[-1])
    except (OSError, AssertionError, IndexError, ValueError) as e:
        why = " ".join(f"{type(e).__name__}: {e}".split())[:200]
        sys.exit(f"bench/guests: the guest behind {name} does not answer to `{words}`: {why}")
    if seen["failed"] or not seen["count"] and not seen["bytes"]:
        sys.exit(f"bench/guests: the guest behind {name}, `{words}`: {seen['failed']} failed, {seen['count']} did not")
    return seen


def spread(figures, digits):
    """The median, and how far the turns lie apart."""
    low, middle, high = (f"{f:.{digits}f}" for f in (min(figures), statistics.median(figures), max(figures)))
    return f"{middle:>9} {f'{low}..{high}':17}"


def measure(guests, words, figure, seconds):
    seen = {name: [] for name in guests}
    for turn in range(ROUNDS + 1):
        for name, guest in guests.items():
            # the first turn warms caches and does not count
            one = take(name, guest, words, seconds if turn else 0.5)
            if turn:
                seen[name].append(figure(one))
    return seen


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2
    begin = time.monotonic()
    virt, guests = start_all()
    print(f"{'':38}{'sluice':>9} {'':17}{'NAT':>9} {'':17}{'of NAT':>9}")
    for title, words, figure in LOADS:
        seen = measure(guests, words, figure, seconds)
        ratios = [s / n for s, n in zip(seen["sluice"], seen["NAT"])]
        print(f"{title:38}{spread(seen['sluice'], 1)}{spread(seen['NAT'], 1)}{spread(ratios, 2)}".rstrip(), flush=True)
    print(f"\nmedian min..max of {ROUNDS} turns of {seconds:g} s; {'KVM' if os.path.exists('/dev/kvm') else 'emulated'}; "
          f"{time.monotonic() - begin:.0f} s in all")
    virt.end()
    os._exit(0)         # the DNS thread has no end; the namespaces' end ends the rest


if __name__ == "__main__":
    main()
