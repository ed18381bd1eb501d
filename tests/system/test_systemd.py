# SPDX-License-Identifier: Apache-2.0
"""The unit that packaging/systemd has, under systemd."""
import json
import re
import subprocess

import pytest

import booted
import engine
import netns
import sluice
import stage
from engine import word
from netns import DENIED, POLICIES, REC, until_ended, wait_for

NET, ONE, TWO = "172.28.4.0/24", "172.28.4.11", "172.28.4.12"


class Peers:
    """Two containers on an internal network of Docker's; netns, socket: where systemd's services find one's, and the engine."""

    def __init__(self):
        self.docker = engine.Engine(walls=True)
        self.docker("network", "create", "--internal", "--subnet", NET, "agent-internal")
        self.one, self.two = (self.docker.member(name, ip, runtime=None, policy=None)
                              for name, ip in (("one", ONE), ("two", TWO)))
        self.two.ok("serve", 8000, "peer", listen="0.0.0.0", stay=True)
        self.one.ok("resolve", "two", "inet")
        pid = self.docker("inspect", "-f", "{{.State.Pid}}", "one").stdout.strip()
        self.netns, self.socket = stage.ROOT / "one.netns", stage.ROOT / "engine.sock"
        for path, kept in (f"/proc/{pid}/ns/net", self.netns), (engine.SOCKET, self.socket):
            kept.touch()
            subprocess.run(["mount", "--bind", path, kept], check=True)

    def end(self):
        self.one.kill()
        self.two.kill()
        for path in self.netns, self.socket:
            subprocess.run(["umount", path], check=True)
        self.docker.end()


@pytest.fixture(scope="module")
def peers(world):
    yield from until_ended(Peers())


@pytest.fixture(scope="module")
def machine(world, peers):
    netns.policies(team=f"mode: internal\npeers: [{NET}]\n", rec=f"allow:\n  - host: {REC}\n    ports: [80]\n")
    yield from until_ended(booted.Booted(sluice.PROGRAM))
    netns.no_policies()


def get(machine, host, token):
    return machine("ip", "netns", "exec", "box", "curl", "-sm5", f"http://{host}/{token}")


def test_the_service_holds_namespaces_and_systemd_starts_it_again(world, machine, token):
    run = sluice.PROGRAM
    machine("ip", "netns", "add", "box")
    done = machine(run, "attach", "--netns", "/run/netns/box", "-p", "rec")
    assert (done.returncode, done.stdout) == (0, "box\n")

    def holds(step):
        assert f"you asked {REC}" in get(machine, REC, f"{step}-{token}").stdout
        assert world.recorder.requests(f"{step}-{token}".encode())
        assert get(machine, DENIED, f"no-{token}").returncode
        assert not world.arrived(f"no-{token}".encode())

    holds("first")
    keeper = re.search(r"^box +(\d+)", machine(run, "sessions").stdout, re.M).group(1)
    assert machine("systemctl", "restart", "sluice").returncode == 0
    holds("restarted")
    daemon = machine.show("MainPID")
    machine("kill", "-9", daemon)
    wait_for(lambda: machine.show("MainPID") not in ("0", daemon) and machine.show("NRestarts") == "1", 30)
    wait_for(lambda: [row.split()[:2] for row in machine(run, "sessions").stdout.splitlines()[1:]] == [["box", keeper]])
    holds("killed")
    assert machine("systemctl", "stop", "sluice").returncode == 0
    holds("stopped")
    assert machine("systemctl", "start", "sluice").returncode == 0
    wait_for(lambda: machine(run, "detach", "box").returncode == 0, 30)     # it has started before it listens
    assert get(machine, REC, f"closed-{token}").returncode
    assert not world.arrived(f"closed-{token}".encode())
    log, = machine("sh", "-c", "echo /var/lib/sluice/audit/*-box.jsonl").stdout.split()
    told = machine(run, "log", "verify", log).stdout
    assert "good" in told and "complete  yes" in told, told
    assert machine("ls", "/run/sluice/held").stdout == ""


ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/sluice/control.sock")
s.sendall(sys.argv[1].encode() + b"\\n")
print(s.makefile().readline())
"""


def test_the_service_holds_a_container_among_its_peers(machine, peers):
    """The engine is asked, both walls are put up and taken down, with what the unit leaves of rights."""
    machine("ln", "-sf", peers.socket, engine.SOCKET)
    request = {"do": "attach", "session": "one", "netns": str(peers.netns), "uplink": True,
               "policies": [str(POLICIES / "team.yaml")]}
    said = machine(sluice.PYTHON, "-c", ASK, json.dumps(request)).stdout
    assert '"ok":true' in said, said
    assert word(peers.one, TWO) == "peer"
    for rules in "iptables-save", "ip6tables-save":
        assert "sluice one" in machine(rules).stdout
    assert machine(sluice.PROGRAM, "detach", "one").returncode == 0
    assert word(peers.one, TWO) != "peer"
    for rules in "iptables-save", "ip6tables-save":
        assert "sluice one" not in machine(rules).stdout
    assert "sluice" not in machine("nft", "list", "tables").stdout


def test_what_the_unit_takes_away(machine):
    if machine.show("ActiveState") != "active":
        machine("systemctl", "start", "sluice")
    status = machine("cat", f"/proc/{machine.show('MainPID')}/status").stdout
    for words in ("NoNewPrivs:\t1", "Seccomp:\t2"):
        assert words in status, status
    # nothing is written but its own folders, and what iptables' programs lock
    inside = ("nsenter", "-t", machine.show("MainPID"), "--mount", "--")
    for path, may in ("/run/xtables.lock", True), ("/run/sluice/x", True), ("/usr/x", False), ("/etc/x", False):
        assert (machine(*inside, "touch", path).returncode == 0) == may, path
    machine(*inside, "rm", "/run/sluice/x")
    bound = int(re.search(r"CapBnd:\t([0-9a-f]+)", status).group(1), 16)
    # neither CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT, CAP_MKNOD nor CAP_SYS_TIME
    assert bound and not bound & sum(1 << n for n in (16, 17, 22, 27, 25))
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           booted.UNITS / "sluice.service"], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    score = float(re.search(r"Overall exposure level for sluice.service: ([0-9.]+)", done.stdout).group(1))
    said = float(re.search(r"score of ([0-9.]+)", (stage.TOP / "docs/docker.md").read_text()).group(1))
    assert score == said, done.stdout
