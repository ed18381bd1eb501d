# SPDX-License-Identifier: Apache-2.0
"""A guest's interface in the place of lo: what passes, what it is told, what it cannot be."""
import json
import os
import signal
import socket
import subprocess

import pytest

import guests
import internet
import netns
import scrape
import sluice
import stage
from frames import SEND, arp, dhcp, frame, udp4
from guests import ADDRESS, GATEWAY, MAC
from netns import wait_for
from stage import ZONE

REC, DENIED, SLOW = f"rec.{ZONE}", f"denied.{ZONE}", f"mail.{ZONE}"
OTHER_MAC = "52:54:00:00:00:0b"
PUBLISHED, METRICS = 8322, stage.ROOT / "guest.metrics"

# In the guest: a server on port 22 of all addresses, which says what it was told
SERVE = """
import socket
s = socket.create_server(("0.0.0.0", 22))
print("ready", flush=True)
while True:
    c = s.accept()[0]
    c.sendall(b"said " + c.recv(100))
    c.close()
"""


@pytest.fixture(scope="module")
def guest(world):
    slow = stage.ROOT / "slow.yaml"
    slow.write_text(f"version: 1\nallow:\n  - host: {SLOW}\n    ports: [9002, 9003]\n"
                    "    bandwidth: {down: 8mbit, up: 8mbit, burst: 100kB}\n")
    one = guests.Guest().hold("--allow", f"{REC}:80,9002,9003,9999/udp", "-p", slow, "--publish", f"{PUBLISHED}:22",
                              "--metrics", f"unix:{METRICS}")
    assert f"{ADDRESS}/24 {GATEWAY} {GATEWAY} 86400\n" in one.lease().stdout
    yield one
    one.kill()


def get(token, host=REC):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def passes(world, agent, token):
    answer = agent.do("requests", REC, 80, [get(token)])
    return "200 OK" in answer.get("ok", [""])[0] and bool(world.recorder.requests(token.encode()))


def dropped(log, protocol):
    """How many packets of a protocol the log tells of so far."""
    return sum(e["count"] for e in sluice.events_so_far(log, "packet.drop") if e["proto"] == protocol)


def test_allowed_name_passes_and_nothing_else(world, guest, token):
    agent, start = guest.agent(), world.wire.mark()
    assert passes(world, agent, token)
    bad = token + "x"
    assert "error" in agent.do("requests", DENIED, 80, [get(bad, DENIED)])
    assert "403" in agent.ok("requests", REC, 80, [get(bad, DENIED)])[0]
    for address in (internet.RECORDER4, internet.RECORDER6, "169.254.169.254", "10.20.0.5", "28.0.0.1",
                    internet.HOME4, GATEWAY, "192.168.101.11", "127.0.0.1"):
        assert "error" in agent.do("requests", address, 80, [get(bad)]), address
    assert not world.recorder.arrived(bad.encode())
    assert not world.wire.carries(bad.encode(), start)


def test_every_dns_server_is_the_gate(world, guest, fresh):
    name = fresh(addresses=[internet.RECORDER4])
    for server in internet.OTHER_DNS4, internet.DNS4, GATEWAY:
        done = guest.enter(sluice.PYTHON, "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.sendto(bytes.fromhex("abcd01000001000000000000") + b"".join(bytes([len(l)]) + l.encode()
         for l in "{name}".split(".")) + b"\\0\\0\\1\\0\\1", ("{server}", 53))
print(s.recv(512)[3] & 15)
""")
        assert done.stdout == "3\n", done.stdout     # NXDOMAIN
    assert not world.dns.asked(name) and not world.other_dns.asked(name)


def gate_mac(guest):
    return json.loads(guest.room.enter("ip", "-json", "link", "show", "vnet0").stdout)[0]["address"]


def rec4(agent, name=REC):
    return next(a for a in agent.ok("resolve", name) if "." in a)


@pytest.mark.core
def test_what_is_forged_goes_nowhere(world, guest, token):
    """Of five datagrams to a name that is allowed only the honest one arrives."""
    agent, start = guest.agent(), world.wire.mark()
    to, gate = rec4(agent), gate_mac(guest)
    others = dropped(guest.log, "other")

    def datagram(word, source=ADDRESS, own=MAC, kind=0x0800, before=b""):
        return frame(own, kind, before + udp4(source, to, 4321, 9999, (token + word).encode()), gate)
    forged = [
        datagram("mac", own=OTHER_MAC), datagram("ip", source="192.168.101.11"),
        datagram("gate", source=GATEWAY), datagram("zero", source="0.0.0.0"),
        datagram("vlan", kind=0x8100, before=bytes.fromhex("00070800")),
        frame(MAC, 0x0806, arp(MAC, GATEWAY, ADDRESS)), frame(MAC, 0x0806, arp(OTHER_MAC, ADDRESS, GATEWAY)),
        frame(MAC, 0x88cc, (token + "lldp").encode()),
        frame(MAC, 0x86dd, bytes.fromhex("6000000000103aff") + bytes.fromhex("fe80" + "00" * 13 + "0a")
              + bytes.fromhex("ff02" + "00" * 13 + "018600000040000e10") + bytes(8)),
    ]
    done = guest.enter(sluice.PYTHON, "-c", SEND, *forged, datagram("honest"))
    assert done.returncode == 0, done.stdout
    wait_for(lambda: world.recorder.arrived((token + "honest").encode()))
    wait_for(lambda: dropped(guest.log, "other") >= others + 3)
    for word in "mac", "ip", "gate", "zero", "vlan", "lldp":
        assert not world.recorder.arrived((token + word).encode()), word
        assert not world.wire.carries((token + word).encode(), start), word
    assert f"{ADDRESS} dev vnet0 lladdr {MAC} PERMANENT" in guest.room.enter("ip", "neigh").stdout
    assert f"{GATEWAY} " not in guest.room.enter("ip", "neigh").stdout
    assert passes(world, agent, token)


def ask_published(word, port=PUBLISHED, address="127.0.0.1"):
    with socket.create_connection((address, port), 5) as s:
        s.sendall(word)
        return s.recv(100)


def test_what_is_published_comes_in_and_nothing_else(guest, token):
    """The host reaches port 22 of the guest; from that port the guest begins nothing."""
    word = token.encode()
    with pytest.raises(OSError):        # nobody listens yet
        assert not ask_published(word)
    server = subprocess.Popen(["nsenter", f"--net={guest.path}", "--", sluice.PYTHON, "-c", SERVE],
                              stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        assert ask_published(word) == b"said " + word
        with pytest.raises(OSError):
            ask_published(word, address=internet.HOME4)
        assert ask_published(word + b"y") == b"said " + word + b"y"
    finally:
        server.kill()
        server.wait(10)
    done = guest.enter(sluice.PYTHON, "-c", f"""
import socket
for to in ("{GATEWAY}", {PUBLISHED}), ("{GATEWAY}", 22), ("127.0.0.1", {PUBLISHED}), ("{internet.HOME4}", {PUBLISHED}):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(2)
    s.bind(("0.0.0.0", 22 if to[0] != "127.0.0.1" else 0))
    try:
        s.connect(to)
        print("reached", to)
    except OSError as e:
        print("refused")
""")
    assert done.stdout.count("refused") == 4, done.stdout
    opened = wait_for(lambda: [e for e in sluice.events_so_far(guest.log, "conn.open") if e["port"] == 22
                               and e["verdict"] == "allow"][1:])
    assert opened[-1]["ips"] == [ADDRESS], opened


def link_numbers(guest):
    """What `virsh domifstat` would tell: the interface's own numbers, as its guest sees them."""
    link = json.loads(guest.room.enter("ip", "-json", "-s", "link", "show", "vnet0").stdout)[0]["stats64"]
    return {f"{guests_way}_{what}": link[way][what] for way, guests_way in (("tx", "rx"), ("rx", "tx"))
            for what in ("bytes", "packets")}


def test_metrics_are_those_of_the_interface(world, guest, token):
    """And what was dropped, by why."""
    agent = guest.agent()
    assert passes(world, agent, token)

    def page():
        return scrape.page(METRICS)

    def drops(why):
        return page()("sluice_guest_dropped_packets_total", reason=why)
    before = {why: drops(why) for why in ("forged", "refused")}
    forged = frame(OTHER_MAC, 0x0800, udp4("192.168.101.11", GATEWAY, 4321, 9999, b"x"), gate_mac(guest))
    assert guest.enter(sluice.PYTHON, "-c", SEND, *[forged] * 7).returncode == 0
    assert "error" in agent.do("requests", internet.RECORDER4, 80, [get(token)])
    wait_for(lambda: drops("forged") >= before["forged"] + 7 and drops("refused") > before["refused"])
    assert drops("lost") == 0

    def agree():
        numbers = link_numbers(guest)
        told = {key: page()(f"agent_vm_network_{key}_total") for key in numbers}
        return told == numbers and numbers == link_numbers(guest)
    wait_for(agree)
    assert min(link_numbers(guest).values()) > 10


def test_dhcp_cannot_be_used_up(world, guest):
    frames = [dhcp(MAC, bytes.fromhex("5254000100") + bytes([i])) for i in range(256)]
    assert guest.enter(sluice.PYTHON, "-c", SEND, *frames).returncode == 0
    assert f"{ADDRESS}/24 {GATEWAY}" in guest.lease().stdout
    assert f"{ADDRESS}/24 {GATEWAY}" in guest.lease("-B").stdout       # answered to everybody
    assert f"{ADDRESS}/24 {GATEWAY}" in guest.lease("-r", "192.168.101.11").stdout


RATE = 1000000     # bytes a second
# In the guest, at once: take 2 MB, give 3 MB, and datagrams as many as may be
MOVE = """
import socket, threading, time, sys
to, rate = sys.argv[1], int(sys.argv[2])
def take():
    s, got, start = socket.create_connection((to, 9003), 10), 0, time.monotonic()
    s.sendall(b"%d\\n" % (2 * rate))
    while got < 2 * rate:
        got += len(s.recv(65536))
    print("took", time.monotonic() - start, flush=True)
def give():
    s, start = socket.create_connection((to, 9002), 10), time.monotonic()
    s.sendall(bytes(3 * rate))
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
    print("gave", time.monotonic() - start, flush=True)
def flood():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((to, 9999))
    start = time.monotonic()
    for i in range(8):
        for j in range(500):
            try:
                s.send(bytes(1200))
            except OSError:
                pass
        time.sleep(0.05)
    print("flooded", time.monotonic() - start, flush=True)
def pair():
    start = time.monotonic()
    both = [threading.Thread(target=take) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    print("paired", time.monotonic() - start, flush=True)
for work in sys.argv[3:]:
    {"take": take, "give": give, "flood": flood, "pair": pair}[work]()
"""


def move(guest, to, rate, *works):
    """How long each took."""
    words = guest.enter(sluice.PYTHON, "-c", MOVE, to, str(rate), *works).stdout.split()
    return dict(zip(words[::2], map(float, words[1::2])))


def test_bandwidth_of_a_rule_holds(world, guest):
    """Of all connections to its hosts together, both ways; what another rule allows is as fast as it can be."""
    agent = guest.agent()
    slow, fast = rec4(agent, SLOW), rec4(agent)
    # of 2 MB down and 1.5 MB up all but the burst takes its time: 1 MB a second
    took = move(guest, slow, RATE // 2, "pair", "give")
    assert took["paired"] > 1.6 and took["gave"] > 1.1, took
    # the machine may be busy with other things for a while
    wait_for(lambda: all(2 * least < took[what] for what, least in move(guest, fast, RATE // 2, "pair", "give").items()),
             60)


def test_keeper_gone_nothing_answers_held_again_it_does(world, guest, token):
    agent = guest.agent()
    assert passes(world, agent, token)

    def forged(word):
        return frame(OTHER_MAC, 0x0800, udp4("192.168.101.11", rec4(agent), 4321, 9999,
                                             (token + word).encode()), gate_mac(guest))
    # the rule against forged frames is what stops them: without it this one arrives
    assert guest.room.enter("nft", "delete", "table", "netdev", "sluice").returncode == 0
    guest.enter(sluice.PYTHON, "-c", SEND, forged("unguarded"))
    wait_for(lambda: world.recorder.arrived((token + "unguarded").encode()))
    start = world.wire.mark()
    guest.keeper.kill()
    guest.keeper.wait(10)
    bad = token + "x"
    for address in internet.RECORDER4, GATEWAY:
        assert "error" in agent.do("requests", address, 80, [get(bad)])
    assert not passes(world, agent, bad)
    assert "no lease" in guest.lease().stdout
    assert not world.wire.carries(bad.encode(), start)
    guest.hold("--allow", f"{REC}:80,9999/udp", session="again")
    assert passes(world, agent, token + "y")
    guest.enter(sluice.PYTHON, "-c", SEND, forged("guarded"))
    assert passes(world, agent, token + "z")
    assert not world.recorder.arrived((token + "guarded").encode())


def test_bandwidth_of_the_interface_holds(world):
    """Of the guest as a whole, TCP and UDP; both ways at once."""
    metrics = stage.ROOT / "paced.metrics"
    one = guests.Guest(bounds=f",down={RATE},up={RATE}")
    try:
        one.hold("--allow", f"{REC}:9002,9003,9999/udp", "--metrics", f"unix:{metrics}", session="paced")
        assert f"{ADDRESS}/24 {GATEWAY}" in one.lease().stdout
        to = rec4(one.agent())

        def moved(*works):
            before = link_numbers(one)
            return move(one, to, RATE, *works), before, link_numbers(one)
        took, before, after = moved("take", "give")
        # out of the guest a second's worth may pass at once, and a burst; the rest takes its time
        assert 1.5 < took["took"] < 20 and 1.5 < took["gave"] < 30, took
        assert after["rx_bytes"] - before["rx_bytes"] >= 2 * RATE
        beyond = scrape.page(metrics)("sluice_guest_dropped_packets_total", reason="bandwidth")
        flooded, before, after = moved("flood")
        assert after["tx_bytes"] - before["tx_bytes"] > 4 * 1000 * 1200
        # what was not dropped is no more than the bound and a burst
        least = 4 * 1000 - (RATE * (flooded["flooded"] + 1) + 300000) / 1200
        wait_for(lambda: scrape.page(metrics)("sluice_guest_dropped_packets_total", reason="bandwidth")
                 - beyond > least)
    finally:
        one.kill()


@pytest.mark.parametrize("options, why", [
    (["--guest", "vnet1=" + MAC], "vnet0: a way out"), (["--guest", "vnet0"], "not LINK=MAC"),
    (["--guest", "lo=" + MAC], "not LINK=MAC"), (["--guest", f"vnet0=01{MAC[2:]}"], "not LINK=MAC"),
    (["--guest", "vnet0=" + MAC, "-p", "ports.yaml"], "localhost of its own"), ([], "vnet0: a way out")])
def test_what_cannot_be_held_is_refused(world, policy, options, why):
    path = policy("version: 1\nhost_ports: [8080]\n", "ports.yaml")
    options = [path if word == "ports.yaml" else word for word in options]
    one = guests.Guest()
    try:
        done = netns.call("hold", "--pid", one.room.pid, "--only", "--log", sluice.new_log(), *options)
        assert done.code == 125 and why in done.err and done.err.count("\n") == 1, done
    finally:
        one.kill()


def test_daemon_holds_a_guest_again(world, token, policy):
    """Its keeper killed: nothing passes until the next one serves the same guest."""
    path = policy(f"version: 1\nallow:\n  - host: {REC}\n    ports: [80]\n")
    daemon, one = netns.Daemon(), guests.Guest()
    try:
        ask = {"do": "attach", "session": "held", "pid": one.room.pid, "policies": [str(path)]}
        assert not daemon.ask(ask)["ok"]        # it has an interface, and nobody said that it is a guest's
        assert daemon.ask({**ask, "guest": f"vnet0={MAC}", "mode": "filtered"})["ok"]
        assert f"{ADDRESS}/24 {GATEWAY}" in one.lease().stdout
        agent = one.agent()
        assert passes(world, agent, token)
        os.kill(daemon.held("held")["keeper"], signal.SIGKILL)
        wait_for(lambda: daemon.held("held")["restarts"] == 1 and daemon.held("held")["state"] == "serving")
        assert passes(world, agent, token + "y")
        assert daemon.ask({"do": "detach", "session": "held"})["ok"]
        assert not passes(world, agent, token + "z")
    finally:
        one.kill()
        daemon.end()
