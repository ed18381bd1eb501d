# SPDX-License-Identifier: Apache-2.0
"""Guests of a real libvirt: a machine under QEMU, attached by the hook as it starts."""
import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import internet
import libvirt
import machine
import netns
import scrape
import sluice
import stage
from frames import arp, dhcp, frame, ip, ip4, mac, pieces, udp, udp4
from netns import call, wait_for
from pages import follow
from stage import ZONE

REC, DENIED, OTHER = f"rec.{ZONE}", f"denied.{ZONE}", f"mail.{ZONE}"
METRICS = stage.ROOT / "daemon.metrics"
METADATA = machine.METADATA.format("policy='{}'")
# Files of a libvirtd that has no system around it
QEMU = """user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
stdio_handler = "file"
"""


@pytest.fixture(scope="module")
def daemon(world):
    one = netns.Daemon("--metrics", f"unix:{METRICS}")
    yield one
    one.end()


@pytest.fixture(scope="module")
def virt(world, daemon):
    pathlib.Path("/etc/libvirt/qemu.conf").write_text(QEMU)
    follow("libvirt.md", "before")
    one = libvirt.Libvirt()
    follow("libvirt.md", "setup")
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
    told = follow("libvirt.md", "guest")
    assert re.search(r"^web +\d+ +filtered +hold ", told, re.M), told
    log = sorted(pathlib.Path("/var/lib/sluice/audit").glob("*-web.jsonl"))[-1]
    said = guest.wait()
    assert "lease: 192.168.101.10/24 192.168.101.1 192.168.101.1\n" in said
    assert "allowed-passes\n" in said and "still-passes\n" in said, said
    assert world.recorder.requests(f"{token}-ok".encode())
    assert not world.recorder.arrived(f"{token}-bad".encode())
    assert not world.wire.carries(f"{token}-bad".encode(), start)
    assert not world.other_dns.asked(token) and len(service) == 1
    wait_for(lambda: not daemon.held("web"), 30)
    events = sluice.read_log(log)
    assert {"no_rule", "ip_literal", "special_address"} <= {e["reason"] for e in events
                                                           if e.get("verdict") == "deny"}
    assert {"icmp", "icmpv6"} <= {e["proto"] for e in events if e["event"] == "packet.drop"}
    assert events[-2]["event"] == "session.end"


def rooms():
    """What keeps the namespaces of guests; one ends a moment after its guest."""
    found = []
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):      # it has ended meanwhile
            found += [comm] if comm.read_text() == "sluice-room\n" else []
    return found


@pytest.mark.parametrize("metadata, devices, why", [
    (METADATA.format("absent"), "", "absent.yaml"),
    (METADATA.format("web"), "<shmem name='x'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
     "<shmem> would be a way out"),
    (METADATA.format("web"), "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='8123'/></serial>",
     "<serial type='tcp'> would be a way out"),
    (METADATA.format("web"), "<channel type='unix'><source mode='connect' path='/run/docker.sock'/>"
     "<target type='virtio' name='x'/></channel>", "<channel type='unix'> would be a way out"),
    ("", "<interface type='network'><source network='agent-nat-filtered'/></interface>", "it has 2 interfaces")],
    ids=["policy", "shmem", "serial", "channel", "interfaces"])
def test_guest_that_cannot_be_attached_does_not_start(virt, daemon, metadata, devices, why):
    guest = machine.Machine(virt, "bad", "", metadata=metadata, devices=devices)
    done = guest.start()
    assert done.returncode and why in done.stdout, done.stdout
    assert not guest.runs() and not daemon.held("bad")
    wait_for(lambda: not rooms())
    virt.virsh("undefine", "bad")


def test_guest_does_not_start_without_the_daemon(virt, daemon):
    daemon.kill()
    guest = machine.Machine(virt, "late", "", metadata=METADATA.format("web"))
    done = guest.start()
    assert done.returncode and "the daemon does not run" in done.stdout
    assert not guest.runs()
    wait_for(lambda: not rooms())
    daemon.start()


def count_goes_on(before):
    """From what virsh told of the interface when it could; @before: of a guest that says nothing meanwhile."""
    told = {key: int(n) for key, n in re.findall(r'^agent_vm_network_(\w+)_total\{session="web2"\} (\d+)$',
                                                 scrape.page(METRICS).text, re.M)}
    if set(told) != set(before):
        return False
    return all(told[key] == before[key] if key.startswith("tx") else told[key] >= before[key] for key in before)


def heard_of(pid, link):
    """How many packets a guest has sent to its interface in that namespace."""
    return json.loads(enter(pid, "ip", "-json", "-s", "link", "show", link).stdout)[0]["stats64"]["rx"]["packets"]


def test_guest_that_runs_is_attached_by_hand_and_detached(world, virt, daemon, token):
    virt.define("net-define", "<network><name>plain</name><bridge name='virbr-plain'/></network>")
    virt.virsh("net-start", "plain")
    guest = machine.Machine(virt, "web2", f"""
until udhcpc -i eth0 -n -q -t 2 -T 1 -s /lease; do echo waits; done
i=0
while [ $i -lt 600 ]; do
    wget http://{DENIED}/{token}; wget http://{internet.RECORDER4}/{token}-literal
    wget http://{DENIED}:8080/{token}-port; wget http://10.20.0.5/{token}-private
    i=$((i+1)); sleep 0.1
done
""", network="plain")
    assert guest.start().returncode == 0 and not daemon.held("web2")
    wait_for(lambda: "waits" in guest.said(), 60)
    virt.virsh("suspend", "web2")
    link = virt.virsh("domiflist", "web2").split()[0]
    stat = dict(re.findall(r"([rt]x_(?:bytes|packets)) (\d+)", virt.virsh("domifstat", "web2", link)))
    before = {key: int(value) for key, value in stat.items()}
    assert len(before) == 4 and before["tx_packets"] >= 2
    done = call("attach", "--vm", "absent")
    assert done.code == 125 and done.err == "sluice: --vm absent: virsh: failed to get domain 'absent'\n"
    assert "a hook attaches guests" in call("doctor").out
    for wrong in ["--mode", "open"], ["-p", "/none.yaml"], ["--label", "x"]:   # and it keeps its interface
        assert call("attach", "--vm", "web2", *wrong).code == 125
    # it fails later: the guest has no network then, and can be attached all the same
    assert "absent.yaml" in call("attach", "--vm", "web2", "-p", "absent").err
    assert len(rooms()) == 1 and not daemon.held("web2")
    said = follow("libvirt.md", "bridge", words={"NAME": "web2"})
    assert "\nweb2\n" in f"\n{said}" and "mode monitor" in said
    assert daemon.held("web2")["mode"] == "bridge"
    wait_for(lambda: count_goes_on(before))
    others = world.recorder.open
    virt.virsh("resume", "web2")
    wait_for(lambda: len(world.recorder.requests(token.encode())) >= 2
             and world.recorder.requests(f"{token}-port".encode()), 30)
    pid, link, _ = room(daemon, "web2")
    assert call("detach", "web2").code == 0
    # what was asked before is answered, and what is tried afterwards comes no further than the tap
    wait_for(lambda: not daemon.held("web2") and world.recorder.open <= others)
    start, served, heard = world.wire.mark(), len(world.recorder.requests(token.encode())), heard_of(pid, link)
    wait_for(lambda: heard_of(pid, link) > heard + 2, 30)
    assert not world.wire.carries(token.encode(), start)
    assert len(world.recorder.requests(token.encode())) == served >= guest.said().count("you asked")
    follow("libvirt.md", "attach", words={"NAME": "web2"})
    assert daemon.held("web2")["state"] == "serving" and len(rooms()) == 1
    socket.create_connection(("127.0.0.1", 2222), 5).close()
    assert call("detach", "web2").code == 0
    wait_for(lambda: not daemon.held("web2"))
    # with ports alone the same guest reaches 80 of any public host, and 8080 of none
    shutil.copy(stage.TOP / "packaging/policies/nat-filtered.yaml", "/etc/sluice/policies.d")
    before = {kind: len(world.recorder.requests((token + kind).encode())) for kind in (" ", "-literal", "-port")}
    assert call("attach", "--vm", "web2", "-p", "nat-filtered").code == 0 and len(rooms()) == 1
    assert call("attach", "--vm", "web2").code == 125           # there is such a session
    assert "under session web2" in call("attach", "--vm", "web2", "--session", "twice").err
    log = sorted(pathlib.Path("/var/lib/sluice/audit").glob("*-web2.jsonl"))[-1]
    wait_for(lambda: all(len(world.recorder.requests((token + kind).encode())) >= before[kind] + 2
                         for kind in (" ", "-literal")), 30)
    wait_for(lambda: {"port", "special_address"} <= {e.get("reason") for e in sluice.events_so_far(log)}, 30)
    assert len(world.recorder.requests(f"{token}-port".encode())) == before["-port"]
    assert not world.recorder.arrived(f"{token}-private".encode())
    assert not world.wire.carries(f"{token}-p".encode(), start)
    virt.virsh("destroy", "web2")
    wait_for(lambda: not rooms())


# Two guests and one of the network agent-isolated, which all do what they are told

GATEWAY, ADDRESS, ALL = "192.168.101.1", "192.168.101.10", "ff:ff:ff:ff:ff:ff"
PORTS = {"one": 8421, "two": 8422, "alone": 8423}
MACS = dict.fromkeys(("one", "alone"), "52:54:00:00:00:01")
# What comes to a guest, or with no interface's name what any of the namespace sees, until something that has "last"
CATCH = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)       # SO_RCVBUFFORCE
if sys.argv[1]:
    s.bind((sys.argv[1], 0))
s.settimeout(60)
print("ready", flush=True)
while True:
    frame, where = s.recvfrom(70000)
    if where[2] == socket.PACKET_OUTGOING or not sys.argv[1]:
        print(frame.hex(), flush=True)
        if b"last" in frame:
            break
"""


def room(daemon, name):
    """The namespace of a guest's, and its interface there."""
    held = daemon.held(name)
    link, _, mac = held["guest"].split(",")[0].partition("=")
    return held["init"], link, mac


def catching(pid, link=""):
    """What comes to a guest until it hears "last"; without its interface: what this machine sees until then."""
    catch = subprocess.Popen(["nsenter", f"--net=/proc/{pid}/ns/net", "--", sluice.PYTHON, "-c", CATCH, link],
                             stdout=subprocess.PIPE, text=True)
    assert catch.stdout.readline() == "ready\n"
    return catch


def enter(pid, *argv, **kwargs):
    return subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "--", *argv], text=True, timeout=30,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kwargs)


def json_links():
    listed = subprocess.run(["ip", "-json", "-s", "link"], stdout=subprocess.PIPE, check=True).stdout
    return {link["ifname"]: link for link in json.loads(listed)}


def fetch(host, token):
    return f"/usr/bin/wget -q -t 1 -T 4 -O- http://{host}/{token}"


@pytest.fixture(scope="module")
def several(world, virt, daemon):
    policies = pathlib.Path("/etc/sluice/policies.d")
    for name, allowed in ("one", REC), ("two", OTHER):
        (policies / f"{name}.yaml").write_text(f"version: 1\nallow:\n  - host: {allowed}\n    ports: [80, 9999/udp]\n")
    virt.define("net-define", netns.call("export", "libvirt-network", "--mode", "isolated").out)
    virt.virsh("net-start", "agent-isolated")
    all_of = {}
    for name, port in PORTS.items():
        about = f"publish='{port}:22'" + (f" policy='{name}'" if name != "alone" else "") \
            + (" down='32mbit' up='40mbit'" if name == "two" else "")
        all_of[name] = machine.Machine(virt, name, machine.SHELL, metadata=machine.METADATA.format(about),
                                       network="agent-isolated" if name == "alone" else "agent-nat-filtered",
                                       extra=machine.writer() if name == "one" else [],
                                       mac=MACS.get(name, ""))
        done = all_of[name].start()
        assert done.returncode == 0, done.stdout
    for one in all_of.values():
        wait_for(lambda one=one: "serves" in one.said(), 120)
    yield all_of
    for name in PORTS:
        virt.try_virsh("destroy", name)
    wait_for(lambda: not rooms())


def test_guest_to_guest_nothing(world, several, daemon, token):
    """By no protocol, under no name; and each has its own policy."""
    said = machine.ask(PORTS["one"], f"{fetch(REC, token + '-1')} && echo passes; {fetch(OTHER, token + '-bad')}")
    assert "passes\n" in said
    said = machine.ask(PORTS["two"], f"{fetch(OTHER, token + '-2')} && echo passes; {fetch(REC, token + '-bad')}")
    assert "passes\n" in said
    assert world.recorder.requests(f"{token}-1".encode()) and world.recorder.requests(f"{token}-2".encode())
    pid, link, mac = room(daemon, "two")
    catch = catching(pid, link)
    start, bad, own = world.wire.mark(), f"{token}-bad", room(daemon, "one")[2]
    others = [frame(own, 0x0800, udp4(ADDRESS, to, 9, 9999, bad.encode()), lladdr)
              for to, lladdr in (("192.168.101.11", mac), ("192.168.101.255", ALL), ("255.255.255.255", ALL),
                                 ("224.0.0.1", "01:00:5e:00:00:01"))]
    machine.ask(PORTS["one"], f"""
ip neigh replace 192.168.101.11 lladdr {mac} dev eth0 nud permanent
frames {" ".join(others)}
echo {bad} | nc -w 1 192.168.101.11 22
arping -c 1 -w 1 -I eth0 192.168.101.11; arping -U -c 1 -w 1 -I eth0 192.168.101.10
ip -6 addr add fe80::66/64 dev eth0 nodad; ping6 -c 1 -W 1 -I eth0 ff02::1
""")
    # its MAC is the other's for a moment: nothing passes, and the connection that says so lives on
    machine.ask(PORTS["one"], f"""
ip link set eth0 address {mac}; frames {frame(mac, 0x0800, udp4(ADDRESS, GATEWAY, 9, 9999, bad.encode()))}
{fetch(REC, bad)}
ip link set eth0 address {own}; ip route add default via 192.168.101.1; true
""")
    assert "last" in machine.ask(PORTS["two"], "echo last")
    came = catch.communicate(timeout=60)[0]
    assert b"last".hex() in came and token.encode().hex() not in came and own.replace(":", "") not in came
    assert not world.wire.carries(bad.encode(), start) and not world.recorder.arrived(bad.encode())
    assert "one-is-well\n" in machine.ask(PORTS["one"], f"{fetch(REC, token + '-3')} && echo one-is-well")


def forged_frames(own, other, gate, to, token):
    """What no guest may say, by a word for each: from its own MAC unless it is that which is forged."""
    def say(word, kind=0x0800, source=ADDRESS, target=to, before=b"", lladdr=gate, by=own):
        return frame(by, kind, before + udp4(source, target, 4321, 9999, (token + word).encode()), lladdr)

    def inner(word):
        return udp4(ADDRESS, internet.RECORDER4, 4321, 9999, (token + word).encode())
    radv = bytes.fromhex("6000000000103aff" + "fe80" + "00" * 13 + "66" + "ff02" + "00" * 13 + "01"
                         + "8600000040000e10") + bytes(8)
    forged = {f"from-{a}": say(f"from-{a}", source=a)
              for a in (GATEWAY, "192.168.101.11", "127.0.0.1", "0.0.0.0", "255.255.255.255", internet.HOME4)}
    forged |= {f"to-{a}": say(f"to-{a}", target=a)
               for a in (GATEWAY, "192.168.101.255", "127.0.0.1", "198.19.255.254", "224.0.0.251", internet.HOME4,
                         internet.RECORDER4)}
    forged |= {
        "vlan0": say("vlan0", 0x8100, before=bytes.fromhex("00000800")),
        "vlan5": say("vlan5", 0x8100, before=bytes.fromhex("00050800")),
        "qinq": say("qinq", 0x88a8, before=bytes.fromhex("0005810000060800")),
        "mac": say("mac", by=other), "stp": frame(own, 0x0026, bytes.fromhex("424203") + (token + "stp").encode()
                                                  + bytes(30), "01:80:c2:00:00:00"),
        "snap": frame(own, 0x0060, bytes.fromhex("aaaa030000000800") + inner("snap"), gate),
        "lldp": frame(own, 0x88cc, (token + "lldp").encode(), "01:80:c2:00:00:0e"),
        "ipip": frame(own, 0x0800, ip4(ADDRESS, to, 4, inner("ipip")), gate),
        "gre": frame(own, 0x0800, ip4(ADDRESS, to, 47, bytes.fromhex("00000800") + inner("gre")), gate),
        "sctp": frame(own, 0x0800, ip4(ADDRESS, to, 132, (token + "sctp").encode()), gate),
        "echo": frame(own, 0x0800, ip4(ADDRESS, to, 1, bytes.fromhex("0800") + (token + "echo").encode()), gate),
        "redirect": frame(own, 0x0800, ip4(ADDRESS, ADDRESS, 1, bytes.fromhex("05010000") + bytes(4)
                                           + inner("redirect")), gate),
        # to where it may not go by way of where it may; and in two pieces
        "route": frame(own, 0x0800, ip4(ADDRESS, to, 17, udp(9, 9999, (token + "route").encode()),
                                        bytes.fromhex("830704") + ip(internet.RECORDER4) + b"\0"), gate),
        "tiny": frame(own, 0x0800, ip4(ADDRESS, internet.RECORDER4, 17, udp(9, 9999, bytes(16))[:8],
                                       fragment=0x2000), gate)
                + " " + frame(own, 0x0800, ip4(ADDRESS, internet.RECORDER4, 17, (token + "tiny").encode(),
                                               fragment=1), gate),
        "dns": frame(own, 0x0800, udp4(ADDRESS, GATEWAY, 9, 53, (token + "dns").encode()), gate),
        "ra": frame(own, 0x86dd, radv, "33:33:00:00:00:01"),
        "arp-gate": frame(own, 0x0806, arp(own, GATEWAY, ADDRESS)),
        "arp-other": frame(other, 0x0806, arp(other, ADDRESS, GATEWAY)),
        "short": frame(own, 0x0800, b"E", gate),
    }
    return forged


GROUPS = {"224.0.0.1": "01:00:5e:00:00:01", "224.0.0.22": "01:00:5e:00:00:16", "224.0.0.251": "01:00:5e:00:00:fb",
          "239.255.255.250": "01:00:5e:7f:ff:fa", "255.255.255.255": ALL, "192.168.101.255": ALL, "169.254.255.255": ALL}


def other_frames(own, gate, to, token):
    """More of what must not leave, as many frames as it takes: to whom the guest may not speak, to everybody, or in
    a form that two readers could read differently."""
    port = itertools.count(5000)        # each a flow of its own: none is lost because others wait

    def inner(word, target=internet.RECORDER4, **kwargs):
        return ip4(ADDRESS, target, 17, udp(next(port), 9999, (token + word).encode()), **kwargs)

    def say(kind, word, before="", lladdr=gate, **kwargs):
        return frame(own, kind, bytes.fromhex(before) + inner(word, **kwargs), lladdr)
    options = {"strict": "890704" + ip(internet.RECORDER4).hex() + "00", "record": "07070400000000" + "00",
               "stamp": "440805f1" + bytes(4).hex(), "alert": "94040000", "cut": "83ff0400", "zero": "07000000"}
    # by option to where it may not go; and by source route by way of where it may
    sent = [say(0x0800, word, options=bytes.fromhex(text)) for word, text in options.items()]
    sent += [say(0x0800, f"via-{word}", target=to, options=bytes.fromhex(options[word]))
             for word in ("strict", "cut", "zero")]
    sent += [say(0x88a8, "ad-ad", "000588a800060800"), say(0x9100, "tag-9100", "0005810000060800"),
             say(0x8100, "tag-priority", "e0000800"), say(0x8100, "tag-twice", "0005810000060800"),
             say(0x8847, "mpls", "00010140"), say(0x8848, "mpls-all", "0001014000010140"),
             say(0x8864, "pppoe", "1100000100400021"), say(0x8906, "fcoe"), say(0x88e5, "macsec", "2c00000000010800"),
             say(0x88f7, "ptp"), say(0x0842, "wake"), say(0x8035, "rarp")]
    for protocol in 0, 2, 6, 33, 41, 50, 51, 89, 103, 112, 115, 132, 136, 137, 255:
        # to an address that is allowed: only UDP is, there
        data = inner(f"protocol-{protocol}") if protocol == 41 else udp(9, 9999, f"{token}protocol-{protocol}".encode())
        sent.append(frame(own, 0x0800, ip4(ADDRESS, to, protocol, data), gate))
    sent += [say(0x0800, f"all-{group}", target=group, lladdr=lladdr) for group, lladdr in GROUPS.items()]
    sent.append(say(0x0800, "all-links", lladdr=ALL))
    sent += [frame(own, 0x0800, ip4(ADDRESS, group, 2, bytes.fromhex(text) + f"{token}igmp".encode(),
                                    bytes.fromhex("94040000")), GROUPS[group])
             for group, text in (("224.0.0.22", "2200f9fd0000000104000000e00000fb"), ("224.0.0.1", "1164ee9b00000000"))]
    # ARP: as the gateway, of the gateway, of others, with the address of nobody; asked and answered
    sent += [frame(own, 0x0806, arp(own, sender, target, kind), lladdr) for sender, target, kind, lladdr in (
        (GATEWAY, GATEWAY, 1, ALL), (GATEWAY, ADDRESS, 2, gate), (ADDRESS, ADDRESS, 1, ALL), (ADDRESS, ADDRESS, 2, ALL),
        (internet.HOME4, internet.HOME4, 1, ALL), ("192.168.101.11", GATEWAY, 2, gate), ("0.0.0.0", GATEWAY, 1, ALL))]
    # DHCP: of another client, by a relay, for an address that is not its own, as the server
    name = (token + "dhcp").encode()
    host = b"\x0c" + bytes([len(name)]) + name
    sent += [dhcp(own, bytes.fromhex("525400000bad"), kind, b"\x3d\x07\x01\x52\x54\0\0\x0b\xad" + host + more)
             for kind, more in ((1, b""), (3, b"\x32\x04" + ip("192.168.101.66")), (4, b"\x32\x04" + ip(GATEWAY)),
                                (7, b""), (8, b""))]
    sent += [dhcp(own, mac(own), options=host, relay="10.20.0.5"), dhcp(own, mac(own), options=host, by=ADDRESS),
             dhcp(own, mac(own), options=host, by=ADDRESS, to=internet.RECORDER4),
             frame(own, 0x0800, udp4(ADDRESS, "255.255.255.255", 67, 68, name), ALL)]
    # ICMP: another way for what is its own; a smaller path; an address of this network's
    quoted = udp4(to, ADDRESS, 9999, 4321, (token + "quoted").encode())
    sent += [frame(own, 0x0800, ip4(ADDRESS, target, 1, bytes.fromhex(text) + quoted), gate)
             for target in (GATEWAY, to, internet.RECORDER4)
             for text in ("0501000a" + ip(ADDRESS).hex(), "0500000a" + ip(internet.HOME4).hex(), "0304000000000044",
                          "0900000001020708" + ip(ADDRESS).hex() + "00000001", "1100000000000000", "0d00000000000000")]
    # pieces that overlap: by one octet group, and over the ports; a last one that came first; one beyond 64 kB
    size = len(udp(9, 9999, (token + "overlaps-" * 8).encode()))
    for number, (target, cuts) in enumerate((
            (to, [(0, 32), (24, size)]), (to, [(24, size), (0, 32)]), (to, [(0, 24), (0, 32), (32, size)]),
            (to, [(8, size), (0, 16)]), (internet.RECORDER4, [(0, 8), (8, size)]),
            (internet.RECORDER4, [(8, size), (0, 8)])), 0x7000):
        data = udp(next(port), 9999, (token + "overlaps-" * 8).encode())
        sent += [frame(own, 0x0800, one, gate) for one in pieces(ADDRESS, target, data, number, cuts)]
    sent.append(frame(own, 0x0800, ip4(ADDRESS, to, 17, (token + "beyond").encode() * 4, fragment=0x1fff), gate))
    sent.append(frame(own, 0x0800, udp4(ADDRESS, internet.RECORDER4, 9, 9999, (token + "jumbo").encode() * 300), gate))
    return sent


def honest_frames(own, gate, to, token):
    """What passes, by a word for each: so those like it were heard, and got as far as the rules."""
    data = udp(4321, 9999, (token + "pieces-").encode() + bytes(64))
    options = {"record": "0707040000000000", "alert": "94040000"}
    said = {"plain": [udp4(ADDRESS, to, 4321, 9999, (token + "plain").encode())],
            # a datagram that is longer than the path is not fragmented: of this one the frame alone is long
            "jumbo": [udp4(ADDRESS, to, 4321, 9999, (token + "jumbo").encode()) + bytes(8000)],
            "pieces": pieces(ADDRESS, to, data, 0x6000, [(0, 32), (32, len(data))]),
            "backward": pieces(ADDRESS, to, udp(4321, 9999, (token + "backward").encode() + bytes(64)), 0x6001,
                               [(56, 72 + len(token + "backward")), (0, 56)])}
    said |= {word: [ip4(ADDRESS, to, 17, udp(4321, 9999, (token + word).encode()), bytes.fromhex(text))]
             for word, text in options.items()}
    return {word: " ".join(frame(own, 0x0800, one, gate) for one in packets) for word, packets in said.items()}


def test_frames_of_a_booted_guest_go_nowhere(world, several, daemon, token):
    """As its root writes them; of all only the honest one arrives, and the guest is served as before."""
    pid, link, own = room(daemon, "one")
    gate = json.loads(enter(pid, "ip", "-json", "link", "show", link).stdout)[0]["address"]
    to = re.search(r"Address: (28\.[0-9.]+)", machine.ask(PORTS["one"], f"nslookup {REC}")).group(1)
    other = room(daemon, "two")[2]
    # the third guest has the MAC of the first
    assert room(daemon, "alone")[2] == own
    catches = [catching(*room(daemon, name)[:2]) for name in ("two", "alone")] + [catching("self")]
    neighbours, start = enter(pid, "ip", "neigh").stdout, world.wire.mark()
    forged = forged_frames(own, other, gate, to, token + "-bad-")
    # as many clients as would use up a range of addresses
    starve = [dhcp(own, bytes.fromhex("5254000100") + bytes([i])) for i in range(256)]
    honest = honest_frames(own, gate, to, token + "-honest-")
    said = machine.ask(PORTS["one"], f"""
ip link set eth0 mtu 9000
frames {" ".join(starve)}
frames {" ".join(forged.values())}
frames {" ".join(other_frames(own, gate, to, token + "-bad-"))}
frames {honest["plain"]}
ip link set eth0 mtu 1500
ip addr flush dev eth0; udhcpc -i eth0 -n -q -s /lease
{fetch(REC, token + "-1")} && echo one-is-well
""")
    assert "not sent" not in said and "lease: 192.168.101.10/24" in said and "one-is-well\n" in said, said
    wait_for(lambda: world.recorder.arrived((token + "-honest-plain").encode()))
    # of a flow that nobody has judged yet no more than four datagrams wait
    machine.ask(PORTS["one"], f"ip link set eth0 mtu 9000; frames {' '.join(honest.values())}; ip link set eth0 mtu 1500")
    for word in honest:
        wait_for(lambda word=word: world.recorder.arrived(f"{token}-honest-{word}".encode()))
    # what is bad was heard, up to the last of it
    log = sorted(pathlib.Path("/var/lib/sluice/audit").glob("*-one.jsonl"))[-1]
    denied = {*GROUPS, internet.RECORDER4}
    wait_for(lambda: {"sctp", "udplite", "icmp"} <= {e["proto"] for e in sluice.events_so_far(log, "packet.drop")}
             and denied <= {e["host"] for e in sluice.events_so_far(log) if e.get("verdict") == "deny" and "host" in e})
    for name in "two", "alone":
        assert "last" in machine.ask(PORTS[name], "echo last")
    came = [catch.communicate(timeout=60)[0] for catch in catches]
    assert all(token.encode().hex() not in one and b"last".hex() in one for one in came[:2])
    assert (token + "-bad").encode().hex() not in came[2] and (token + "-honest").encode().hex() in came[2]
    world.wire.settle()
    assert not world.wire.carries((token + "-bad").encode(), start)
    assert not world.recorder.arrived((token + "-bad").encode())
    assert set(neighbours.splitlines()) <= set(enter(pid, "ip", "neigh").stdout.splitlines())
    assert f"{GATEWAY} " not in enter(pid, "ip", "neigh").stdout


def test_bandwidth_of_the_description_is_kept(several, daemon):
    pid, link, _ = room(daemon, "two")
    assert re.search(r"tbf .* rate 32Mbit", enter(pid, "tc", "qdisc", "show", "dev", link).stdout)
    assert "limit rate over " in enter(pid, "nft", "list", "table", "netdev", "sluice").stdout
    assert "tbf" not in enter(room(daemon, "one")[0], "tc", "qdisc", "show").stdout


def test_isolated_guest_has_nothing(world, several, daemon, fresh):
    """Not even DNS; its port is published all the same."""
    name = fresh(addresses=[internet.RECORDER4])
    said = machine.ask(PORTS["alone"], f"""
cat /etc/resolv.conf
nslookup {name}; nslookup {name} {internet.OTHER_DNS4}; nslookup {REC}
{fetch(internet.RECORDER4, name)} || echo refused; {fetch("192.168.101.1:8099", name)} || echo refused
""")
    assert "nameserver 192.168.101.1" in said and said.count("refused\n") == 2
    assert internet.RECORDER4 not in said
    assert not world.dns.asked(name) and not world.other_dns.asked(name)
    log = sorted(pathlib.Path("/var/lib/sluice/audit").glob("*-alone.jsonl"))[-1]
    lines = sluice.events_so_far(log)
    assert lines[0]["mode"] == "isolated"
    assert {e["reason"] for e in lines if e["event"] == "dns.query"} == {"mode"}


MANY_QUEUES = """<interface type='network'><source network='agent-nat-filtered'/><model type='virtio'/>
<driver queues='8'/></interface>"""


def test_interface_that_is_plugged_in_is_cut(world, virt, several, daemon, token):
    """No hook hears of it; the keeper does.  Nor by its many queues or another's name is one overlooked."""
    own = room(daemon, "two")[1]

    def plugged(how, *argv):
        before = set(json_links())
        how(*argv)
        return (set(json_links()) - before).pop()

    def is_cut(name):
        link = json_links().get(name)
        return link and "UP" not in link["flags"] and "master" not in link
    queues = stage.ROOT / "queues.xml"
    queues.write_text(MANY_QUEUES)
    first = plugged(virt.virsh, "attach-device", "two", queues, "--live")
    new = plugged(virt.virsh, "attach-interface", "two", "network", "agent-nat-filtered", "--model", "virtio", "--live")
    for name in first, new:
        wait_for(lambda name=name: is_cut(name), 20)
        wait_for(lambda name=name: f"{name} was plugged into the guest beside" in daemon.errors.read_text())
    # whoever sets it up again, meanwhile, has it cut again; ours has left its name behind
    for name in new, own:
        for words in f"{new} name {name}", f"{name} master virbr-agent up":
            subprocess.run(["ip", "link", "set", *words.split()], check=True)
        wait_for(lambda name=name: is_cut(name), 20)
    subprocess.run(["ip", "link", "set", own, "name", new], check=True)
    assert "well\n" in machine.ask(PORTS["two"], f"{fetch(OTHER, token)} && echo well")
    for mac in re.findall(r"([0-9a-f:]{17})\n", virt.virsh("domiflist", "two") + "\n")[1:]:
        virt.try_virsh("detach-interface", "two", "network", "--mac", mac, "--live")


# its page, until it stands: what the guest tries while nobody serves
LOOP = "for i in $(seq 300); do /usr/bin/wget -q -t 1 -T 1 -O- http://{host}/{token}; " \
    "frames {datagram}; sleep 0.1; done >/dev/null 2>&1 &"


def asked(port, command):
    try:
        return "served\n" in machine.ask(port, command)
    except (OSError, AssertionError):
        return False


def test_what_libvirt_does_to_a_guest_opens_nothing(world, virt, several, daemon, token):
    """Stopped and gone on with, saved and restored in both ways, under another libvirtd, reset: while it tries."""
    bad, place = f"{token}-bad", stage.ROOT / "one.saved"
    datagram = frame(room(daemon, "one")[2], 0x0800, udp4(ADDRESS, internet.RECORDER4, 9, 9999, bad.encode()))
    start = world.wire.mark()

    def tries():
        machine.ask(PORTS["one"], LOOP.format(host=OTHER, token=bad, datagram=datagram))

    def saved():
        wait_for(lambda: not daemon.held("one"), 20)

    def is_served_after(word, goes_on=True):
        wait_for(lambda: asked(PORTS["one"], f"{fetch(REC, f'{token}-{word}')} && echo served"), 120)
        assert world.recorder.requests(f"{token}-{word}".encode()) and daemon.held("one")["state"] == "serving"
        log = sorted(pathlib.Path("/var/lib/sluice/audit").glob("*-one.jsonl"))[-1]
        size = log.stat().st_size
        wait_for(lambda: not goes_on or OTHER.encode() in log.read_bytes()[size:], 20)
    tries()
    virt.virsh("suspend", "one")
    virt.virsh("resume", "one")
    is_served_after("resume")
    virt.virsh("managedsave", "one")
    saved()
    virt.virsh("start", "one")
    is_served_after("managedsave")
    virt.virsh("save", "one", place)
    saved()
    virt.virsh("restore", place)
    is_served_after("restore")
    keeper = daemon.held("one")["keeper"]
    virt.restart()
    assert several["one"].runs()
    is_served_after("restart")
    virt.virsh("reset", "one")
    is_served_after("reset", goes_on=False)
    assert daemon.held("one")["keeper"] == keeper and len(rooms()) == len(PORTS)
    assert not world.wire.carries(bad.encode(), start) and not world.recorder.arrived(bad.encode())


NAT = """<network><name>open</name><forward mode='nat'/><bridge name='virbr-open'/>
<ip address='192.168.77.1' netmask='255.255.255.0'><dhcp><range start='192.168.77.10' end='192.168.77.99'/></dhcp></ip>
</network>"""
# What a guest does with its next interface from the moment that it is there, until it is served
RUSH = """{{ while [ -e /sys/class/net/eth0 ]; do true; done; while true; do
    ip link set eth0 up 2>/dev/null || continue
    ip addr add 192.168.77.10/24 dev eth0; ip route add default via 192.168.77.1
    frames {datagram}; echo {token}-bad | nc -w 1 {recorder} 9999
    udhcpc -i eth0 -n -q -t 1 -T 1 -s /lease && break
done; }} >/dev/null 2>&1 &
"""


def test_interface_that_is_changed_opens_nothing(world, virt, several, daemon, token):
    """Taken off, and another one plugged in on a network that has NAT: it is cut before the guest has it."""
    virt.define("net-define", NAT)
    virt.virsh("net-start", "open")
    # who is on that network reaches everybody
    box = netns.Box()
    subprocess.run(["ip", "link", "add", "open0", "type", "veth", "peer", "name", "eth0", "netns", str(box.pid)], check=True)
    subprocess.run(["ip", "link", "set", "open0", "master", "virbr-open", "up"], check=True)
    for command in ("link set eth0 up", "addr add 192.168.77.50/24 dev eth0", "route add default via 192.168.77.1"):
        assert box.enter("ip", *command.split()).returncode == 0
    wait_for(lambda: "open" in box.enter(sluice.PYTHON, "-c", f"""
import socket
s = socket.create_connection(("{internet.RECORDER4}", 9999), 1)
s.sendall(b"{token}-control")
print(s.recv(9) and "open")
""").stdout)
    assert world.recorder.arrived(f"{token}-control".encode())
    box.kill()
    bad, own = f"{token}-bad", room(daemon, "one")[2]
    datagram = frame(own, 0x0800, udp4("192.168.77.10", "255.255.255.255", 9, 9999, bad.encode()))
    machine.ask(PORTS["one"], RUSH.format(datagram=datagram, token=token, recorder=internet.RECORDER4))
    start, before, catch = world.wire.mark(), set(json_links()), catching("self")
    virt.virsh("detach-interface", "one", "network", "--mac", own, "--live")
    wait_for(lambda: "was taken off the guest, which lives on" in daemon.errors.read_text(), 30)
    virt.virsh("attach-interface", "one", "network", "open", "--mac", own, "--model", "virtio", "--live")
    new = (set(json_links()) - before).pop()
    wait_for(lambda: "UP" not in json_links()[new]["flags"] and "master" not in json_links()[new])
    # the guest has it, and what it says there comes to an end at once
    wait_for(lambda: json_links()[new]["stats64"]["rx"]["dropped"] > 2, 30)
    assert daemon.held("one")["state"] == "serving"
    assert "last" in machine.ask(PORTS["two"], "echo last")
    assert bad.encode().hex() not in catch.communicate(timeout=60)[0]
    assert not world.wire.carries(bad.encode(), start) and not world.recorder.arrived(bad.encode())
    # by hand it is attached again, with what it has now
    assert call("detach", "one").code == 0
    done = call("attach", "--vm", "one", "-p", "one", "--publish", f"{PORTS['one']}:22")
    assert done.code == 0, done.err
    wait_for(lambda: asked(PORTS["one"], f"{fetch(REC, token + '-hand')} && echo served"), 60)
    assert world.recorder.requests(f"{token}-hand".encode()) and not world.recorder.arrived(bad.encode())
    virt.virsh("net-destroy", "open")


@pytest.mark.parametrize("who", ["gate", "resolver", "keeper", "daemon"])
def test_no_death_opens_anything(world, several, daemon, token, who):
    """While the guest tries: of gate, resolver, keeper, and daemon and keeper together; then it is served again."""
    bad = f"{token}-bad"
    datagram = frame(room(daemon, "one")[2], 0x0800, udp4(ADDRESS, internet.RECORDER4, 9, 9999, bad.encode()))
    machine.ask(PORTS["one"], LOOP.format(host=OTHER, token=bad, datagram=datagram))
    start, before = world.wire.mark(), daemon.held("one")
    if who == "daemon":
        daemon.kill()
        os.kill(before["keeper"], signal.SIGKILL)
        assert call("attach", "--vm", "one", "--session", "x").code == 125
        daemon.start()
    else:
        os.kill(before["keeper"] if who == "keeper" else sluice.role(before["keeper"], who), signal.SIGKILL)
    wait_for(lambda: (now := daemon.held("one")) and now["state"] == "serving"
             and now["keeper"] != before["keeper"], 20)
    wait_for(lambda: asked(PORTS["one"], f"{fetch(REC, token)} && echo served"), 60)
    log = sorted(pathlib.Path("/var/lib/sluice/audit").glob("*-one.jsonl"))[-1]
    wait_for(lambda: OTHER.encode() in log.read_bytes())        # it tries all the time
    assert not world.wire.carries(bad.encode(), start) and not world.recorder.arrived(bad.encode())
    assert world.recorder.requests(token.encode()) and len(rooms()) == len(PORTS)


def test_destroyed_guest_leaves_nothing(virt, several, daemon):
    """Not its session, namespace, socket or published port."""
    virt.virsh("destroy", "two")
    wait_for(lambda: not daemon.held("two") and len(rooms()) == len(PORTS) - 1)
    assert not [path for path in netns.RUN.rglob("*") if path.name.startswith("two")]
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", PORTS["two"]), 5).close()
    # what an earlier start of the machine left is forgotten, and no other's namespace is taken for it
    stale = netns.RUN / "held" / "two.json"
    text = (netns.RUN / "held" / "one.json").read_text()
    daemon.kill()
    stale.write_text(re.sub('"boot":"[^"]*"', '"boot":"another"', text.replace('"one"', '"two"')))
    daemon.start()
    wait_for(lambda: not daemon.held("two") and not stale.exists())
    wait_for(lambda: daemon.held("one")["state"] == "serving")
    wait_for(lambda: asked(PORTS["one"], f"{fetch(REC, 'x')} && echo served"), 60)
