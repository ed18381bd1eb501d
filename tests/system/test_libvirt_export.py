# SPDX-License-Identifier: Apache-2.0
"""What `sluice export` writes for libvirt, in a real libvirtd: networks and the filter."""
import subprocess
import xml.etree.ElementTree as tree

import pytest

import libvirt
import netns
import sluice
from frames import SEND, arp, frame, udp4

GATEWAY, GUEST, OTHER = "192.168.101.1", "192.168.101.77", "192.168.101.78"
MAC, OTHER_MAC = "52:54:00:00:00:77", "52:54:00:00:00:78"

# On the bridge: what of it arrives until the frame that ends with "last"
CATCH = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
s.settimeout(10)
print("ready", flush=True)
while True:
    frame = s.recv(2000)
    print(frame.hex(), flush=True)
    if frame.rstrip(b"\\0").endswith(b"last"):
        break
"""
ASK = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.sendto(bytes.fromhex("abcd01000001000000000000") + b"\\1x\\7example\\0\\0\\1\\0\\1", ("%s", 53))
print(s.recv(512)[:2].hex())
"""
CONNECT = """
import socket
s = socket.socket()
s.settimeout(1)
s.connect(("%s", 8080))
print(s.recv(10).decode())
"""
SERVE = """
import socket
s = socket.create_server(("0.0.0.0", 8080))
print("ready", flush=True)
while True:
    s.accept()[0].send(b"service")
"""


class Guest(netns.Box):
    """A guest of the network: its end of a veth, the other one is a port of the bridge."""

    def __init__(self, host, name, address, own):
        super().__init__()
        self.name, self.address, self.mac = name, address, own
        host.enter("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0",
                   "netns", str(self.pid))
        host.enter("ip", "link", "set", name, "master", "virbr-agent", "up")
        for command in (f"ip link set eth0 address {own} up", "ip link set lo up",
                        f"ip addr add {address}/24 dev eth0"):
            self.enter(*command.split())
        netns.wait_for(lambda: "state forwarding" in host.enter("bridge", "link", "show", "dev", name).stdout)

    def python(self, script, *args):
        return self.enter(sluice.PYTHON, "-c", script, *args)


def exported(*argv):
    done = sluice.call("export", *argv)
    assert done.code == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def host(world):
    """A machine of its own: libvirt's bridge and rules are not in the world's way."""
    box = netns.Box()
    box.enter("ip", "link", "set", "lo", "up")
    yield box
    box.kill()


@pytest.fixture(scope="module")
def virt(host):
    one = libvirt.Libvirt(host.pid)
    one.define("net-define", exported("libvirt-network"))
    one.define("net-define", exported("libvirt-network", "--mode", "isolated"))
    one.define("nwfilter-define", exported("libvirt-filter"))
    one.virsh("net-start", "agent-nat-filtered")
    yield one
    one.end()


@pytest.fixture(scope="module")
def guests(host, virt):
    both = [Guest(host, "vnet77", GUEST, MAC), Guest(host, "vnet78", OTHER, OTHER_MAC)]
    yield both
    for one in both:
        one.kill()


def bind(virt, guest):
    virt.define("nwfilter-binding-create", f"""<filterbinding>
<owner><name>guest</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
<portdev name='{guest.name}'/><mac address='{guest.mac}'/>
<filterref filter='agent-network-filter'><parameter name='IP' value='{guest.address}'/></filterref>
</filterbinding>""")


@pytest.mark.parametrize("name, subnet, dns", [
    ("agent-nat-filtered", "192.168.101", None), ("agent-isolated", "192.168.100", "no")])
def test_network_is_as_libvirt_understood_it(virt, name, subnet, dns):
    net = tree.fromstring(virt.virsh("net-dumpxml", name))
    assert net.find("forward") is None and net.find("port").get("isolated") == "yes"
    ip4 = net.find("ip")
    assert (ip4.get("address"), ip4.get("netmask")) == (f"{subnet}.1", "255.255.255.0")
    assert ip4.find("dhcp/range").attrib == {"start": f"{subnet}.10", "end": f"{subnet}.254"}
    assert (net.find("dns").get("enable") if dns else net.find("dns")) == dns


def send_and_catch(host, guest, frames):
    """What arrives at the bridge of these frames; the last one is sure to."""
    catch = subprocess.Popen(["nsenter", f"--net={host.path}", "--", sluice.PYTHON, "-c", CATCH,
                              "virbr-agent"], stdout=subprocess.PIPE, text=True)
    assert catch.stdout.readline() == "ready\n"
    last = frame(guest.mac, 0x0800, udp4("0.0.0.0", "255.255.255.255", 68, 67, b"last"))
    done = guest.python(SEND, *frames, last)
    assert done.returncode == 0, done.stdout
    return [line.strip() for line in catch.communicate(timeout=20)[0].splitlines()]


def test_filter_drops_what_is_forged(host, virt, guests):
    guest, token = guests[0], b"forged"
    radv = bytes.fromhex("6000000000103aff") + bytes.fromhex("fe80" + "00" * 13 + "77") \
        + bytes.fromhex("ff02" + "00" * 13 + "01") + bytes.fromhex("8600000040000e10") + bytes(8)
    forged = [
        frame("52:54:00:00:00:99", 0x0800, udp4(GUEST, GATEWAY, 9, 53, token)),
        frame(MAC, 0x0800, udp4(OTHER, GATEWAY, 9, 53, token)),
        frame(MAC, 0x0800, udp4(GUEST, GATEWAY, 9, 123, token)),
        frame(MAC, 0x0800, udp4(GUEST, "21.5.0.1", 9, 53, token)),
        frame(MAC, 0x0800, udp4(GUEST, OTHER, 9, 53, token), OTHER_MAC),
        frame(MAC, 0x0800, udp4(GATEWAY, "255.255.255.255", 67, 68, token)),
        frame(MAC, 0x0806, arp(MAC, GATEWAY, GUEST)), frame(MAC, 0x0806, arp(OTHER_MAC, GUEST, GATEWAY)),
        frame(MAC, 0x86dd, radv), frame(MAC, 0x8100, bytes.fromhex("00010800") + udp4(GUEST, GATEWAY, 9, 53, token)),
        frame(MAC, 0x88cc, token),
    ]
    before = send_and_catch(host, guest, forged)
    assert sum(any(line.startswith(f) for line in before) for f in forged) >= 9     # the positive control
    assert guest.python(ASK % GATEWAY).stdout == "abcd\n"
    bind(virt, guest)
    bind(virt, guests[1])
    after = send_and_catch(host, guest, forged)
    assert not [f for f in forged if any(line.startswith(f) for line in after)]
    honest = frame(MAC, 0x0806, arp(MAC, GUEST, GATEWAY))
    assert any(line.startswith(honest) for line in send_and_catch(host, guest, [honest]))


def test_guest_reaches_dns_of_the_host_alone(host, virt, guests):
    server = subprocess.Popen(["nsenter", f"--net={host.path}", "--", sluice.PYTHON, "-c", SERVE],
                              stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        host.enter("ip", "link", "set", "vnet77", "nomaster")
        virt.virsh("nwfilter-binding-delete", "vnet77")
        host.enter("ip", "link", "set", "vnet77", "master", "virbr-agent")
        netns.wait_for(lambda: guests[0].python(CONNECT % GATEWAY).stdout == "service\n")
        bind(virt, guests[0])
        assert "service" not in guests[0].python(CONNECT % GATEWAY).stdout
        assert "service" not in guests[0].python(CONNECT % OTHER).stdout
        assert guests[0].python(ASK % GATEWAY).stdout == "abcd\n"
    finally:
        server.kill()
        server.wait(10)


def test_what_cannot_be_exported_is_refused():
    for argv in ["libvirt-network", "--mode", "monitor"], ["libvirt-network", "--mode", "x"], ["squid"], []:
        done = sluice.call("export", *argv)
        assert done.code == 125 and not done.out and done.err.count("\n") == 1, done
