#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A million names and 200,000 networks: sluice beside dnsmasq and unbound (see README.md).

Works in a network namespace of its own; needs root.  The peers get the names alone: they
have no lists of networks.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import string
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
PORT = 5399
LIMIT_S = 60        # for a peer to answer
UNBOUND = """
server:
    interface: 127.0.0.1@{port}
    num-threads: 1
    do-daemonize: no
    use-syslog: no
    username: ""
    chroot: ""
    directory: {folder}
    pidfile: {folder}/pid
    include: {folder}/zones
remote-control:
    control-enable: no
"""


def make_names(count, pick):
    """Names as blocklists have them: two or three labels, 17 characters in the middle."""
    ends = ["com", "net", "org", "info", "ru", "xyz", "co.uk", "de", "top", "io"]
    letters = string.ascii_lowercase + string.digits

    def label(least, most):
        return "".join(pick.choices(letters, k=pick.randint(least, most)))
    names = set()
    while len(names) < count:
        name = f"x{label(5, 14)}.{pick.choice(ends)}"
        names.add(f"{label(2, 8)}.{name}" if pick.random() < 0.45 else name)
    return sorted(names, key=hash)


def make_nets(count, pick):
    nets = set()
    while len(nets) < count:
        bits = pick.choice([20, 22, 24, 24, 24, 28, 32, 32])
        base = (pick.getrandbits(31) | 1 << 24) >> (32 - bits) << (32 - bits)
        nets.add(f"{socket.inet_ntoa(base.to_bytes(4, 'big'))}/{bits}")
    return sorted(nets)


def question(name):
    parts = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    return b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0" + parts + b"\0\0\x01\0\x01"


def answers(name):
    """Does the peer refuse the name by now?"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.2)
        s.connect(("127.0.0.1", PORT))
        try:
            s.send(question(name))
            return s.recv(512)[3] & 15 == 3
        except OSError:
            return False


def peak_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def start_peer(argv, name):
    """Seconds until the last name is refused, and the peak of its memory."""
    begin = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        while not answers(name):
            if process.poll() is not None or time.monotonic() - begin > LIMIT_S:
                return None
            time.sleep(0.01)
        return time.monotonic() - begin, peak_mib(process.pid)
    finally:
        process.kill()
        process.wait()


def find(program):
    return shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")


def peers(folder, names):
    (folder / "dnsmasq.conf").write_text("".join(f"local=/{n}/\n" for n in names))
    (folder / "zones").write_text("".join(f'local-zone: "{n}." always_nxdomain\n' for n in names))
    (folder / "unbound.conf").write_text(UNBOUND.format(port=PORT, folder=folder))
    found = {}
    if program := find("dnsmasq"):
        found["dnsmasq"] = [program, "--keep-in-foreground", "--no-resolv",
                            "--no-hosts", "--pid-file=", "--user=root", f"--port={PORT}",
                            "--listen-address=127.0.0.1", "--bind-interfaces",
                            f"--conf-file={folder}/dnsmasq.conf"]
    if program := find("unbound"):
        found["unbound"] = [program, "-d", "-c", str(folder / "unbound.conf")]
    return found


def measure(args, folder):
    pick = random.Random(1)
    names, nets = make_names(args.names, pick), make_nets(args.nets, pick)
    (folder / "hosts").write_text("\n".join(names) + "\n")
    (folder / "nets").write_text("\n".join(nets) + "\n")
    ours = [str(args.build / "tests/unit/policy/lists_bench"), str(folder / "hosts")]
    turns = [json.loads(subprocess.run(ours + [str(folder / "nets")], check=True,
                                       capture_output=True).stdout) for _ in range(args.turns)]

    def middle(key):
        return statistics.median(t[key] for t in turns)
    print(f"{args.names} names and {args.nets} networks, median of {args.turns}")
    for text, value, aim, form in (
            ("load, s", middle("load_s"), 0.7, "%.2f"),
            ("load, CPU s", middle("cpu_s"), 0.7, "%.2f"),
            ("peak of memory, MB", middle("peak_kib") / 1024, 40, "%.1f"),
            ("decision, median, us", middle("median_ns") / 1000, 1, "%.2f"),
            ("decision, p99, us", middle("p99_ns") / 1000, 5, "%.2f")):
        print(f"  sluice: {text:24}{form % value:>9}   <= {aim} "
              f"{'ok' if value <= aim else 'MISSED'}")
    for peer, argv in peers(folder, names).items():
        got = [start_peer(argv, names[-1]) for _ in range(args.turns)]
        if None in got:
            print(f"  {peer}: it did not answer")
            continue
        print(f"  {peer}: {'load of the names, s':23}{statistics.median(g[0] for g in got):9.2f}, "
              f"peak of memory, MB {statistics.median(g[1] for g in got):.1f}")


def main():
    parser = argparse.ArgumentParser(prog="bench/lists.py")
    parser.add_argument("--names", type=int, default=1000000)
    parser.add_argument("--nets", type=int, default=200000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--build", type=pathlib.Path, default=TOP / "build")
    args = parser.parse_args()
    if os.environ.get("LISTS_INSIDE") != "1":
        os.environ.update(LISTS_INSIDE="1", PYTHONHASHSEED="0")
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="sluice-lists-") as folder:
        measure(args, pathlib.Path(folder))


if __name__ == "__main__":
    main()
