# SPDX-License-Identifier: Apache-2.0
"""Containers that stay on a network of Docker's, in mode internal: their peers, and nothing else."""
import contextlib
import functools
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading

import pytest

import engine
import internet
import netns
import pages
import sluice
import stage
from engine import word
from netns import call, events, kill_now, policies, standing_still, until_ended, until_killed, wait_for
from pages import follow

LATER = "172.28.1.200"       # the machine gets it after the containers have started
NET, GATEWAY, ONE, TWO, PLAIN = "172.28.1.0/24", "172.28.1.1", "172.28.1.11", "172.28.1.12", "172.28.1.13"


class Asked:
    """The machine's own name server, on its loopback: what it is asked for."""

    def __init__(self):
        self.seen = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data, client = self.socket.recvfrom(2000)
            self.seen.append(data)
            self.socket.sendto(data[:2] + b"\x81\x83" + data[4:], client)

    def has(self, token):
        return any(token.encode() in data for data in self.seen)


class Taps:
    """Every frame that the bridge takes for the machine, and that goes out of the port of one on it."""

    def __init__(self, *names):
        self.frames = []
        for name in names:
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            tap.bind((name, 0))
            threading.Thread(target=self.listen, args=(tap,), daemon=True).start()

    def listen(self, tap):
        with contextlib.suppress(OSError):      # its device goes with the container
            while True:
                self.frames.append(tap.recv(2000))

    def count(self, token):
        return sum(token.encode() in frame for frame in self.frames)

    def carries(self, token):
        return self.count(token) > 0


def among(peers):
    return f"mode: internal\npeers: [{peers}]\n"


@pytest.fixture(scope="module")
def daemon(world):
    yield from netns.serving(others=among("10.9.0.0/16"), web="allow:\n  - host: www.example.com\n")


@pytest.fixture(scope="module")
def docker(daemon):
    one = engine.Engine(walls=True, asks="127.0.0.1")
    made = follow("docker.md", "network")       # and the policy team
    one.bridge = "br-" + made.splitlines()[-1][:12]
    one("network", "create", "--subnet", "172.28.2.0/24", "wide")
    yield from until_ended(one)


@pytest.fixture(scope="module")
def asked(world):
    return Asked()


@pytest.fixture(scope="module")
def port(docker, plain):
    return Taps(docker.bridge, name_of_port(plain))


@pytest.fixture(scope="module")
def two(docker):
    agent = docker.member("two", TWO)
    agent.ok("serve", 8000, "peer", listen="0.0.0.0", stay=True)
    yield from until_killed(agent)


@pytest.fixture(scope="module")
def one(docker, two):
    """An agent as Docker starts one: root, and it may make raw and packet sockets."""
    yield from until_killed(docker.member("one", ONE))


@pytest.fixture(scope="module")
def plain(docker, asked):
    """No sluice around it: the positive control."""
    agent = docker.member("plain", PLAIN, runtime=None, policy=None)
    agent.ok("serve", 8000, "plain", listen="0.0.0.0", stay=True)
    yield from until_killed(agent)


class Home:
    """Services of the machine: all that comes to any of its addresses."""

    def __init__(self):
        self.seen, self.tcp = [], socket.create_server(("::", 8081), family=socket.AF_INET6, dualstack_ipv6=True)
        self.udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.udp.bind(("::", 8081))
        for work in self.stream, self.datagrams:
            threading.Thread(target=work, daemon=True).start()

    def stream(self):
        while True:
            peer, _ = self.tcp.accept()
            peer.settimeout(2)
            self.seen.append(b"connected")
            try:
                self.seen.append(peer.recv(999))
            except OSError:
                pass
            peer.close()

    def datagrams(self):
        while True:
            self.seen.append(self.udp.recv(2000))

    def has(self, token):
        return any(token.encode() in data for data in self.seen)


@pytest.fixture(scope="module")
def home(world):
    return Home()


def rules():
    """All that stands on the machine for anybody."""
    return subprocess.run("nft list ruleset; iptables-save; ip6tables-save", shell=True, text=True, check=True,
                          capture_output=True).stdout


# what passes

def test_peers_by_address_and_name(daemon, one, two, plain):
    assert word(one, TWO) == "peer"
    assert one.ok("resolve", "two", "inet") == [TWO]
    assert word(one, "two") == "peer"
    assert word(one, "plain") == "plain"
    assert word(plain, "two") == "peer"
    wait_for(lambda: {(TWO, "allow", "tcp"), (PLAIN, "allow", "tcp")} <= {
        (e["host"], e["verdict"], e["proto"]) for e in events(one.session, "conn.open") if e["port"] == 8000})
    assert netns.sessions()[one.session]["mode"] == "internal"
    assert daemon.held(one.session)["uplink"] is True


def test_nothing_else_by_address(world, docker, home, one, plain, token):
    """Neither the machine, by whatever address, nor what is behind it."""
    start = world.wire.mark()
    plain.do("tcp", GATEWAY, 8081, token + "c")
    wait_for(lambda: home.has(token + "c"))         # Docker's own internal network lets that pass
    for address in (GATEWAY, internet.HOME4, internet.HOME6, "172.28.2.1", internet.RECORDER4, internet.RECORDER6,
                    internet.DNS4, "169.254.169.254", "10.20.0.5", "172.28.1.255", "224.0.0.1", "255.255.255.255"):
        assert "error" in one.do("tcp", address, 8081, token + "x")
        one.do("udp", address, 8081, token + "x", wait=0)
    assert not home.has(token + "x") and not world.recorder.arrived((token + "x").encode())
    assert not world.wire.carries((token + "x").encode(), start)
    denied = wait_for(lambda: [e for e in events(one.session, "conn.open") if e["host"] == GATEWAY])
    assert all(e["verdict"] == "deny" and e["reason"] == "mode" for e in denied)
    assert word(one, "two") == "peer"


# names

def query(*labels, count=1, ident=0x5157, more=b""):
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    return (struct.pack("!6H", ident, 0x0100, count, 0, 0, 0) + (name + b"\0\1\0\1") * count + more).hex()


def test_the_engine_carries_no_name_away(world, asked, one, plain, token):
    """Docker 20.10 asks the machine's loopback for what it doesn't know, on an internal network too."""
    plain.do("dns", "127.0.0.11", query(token + "c", "farm", "example"), wait=2)
    wait_for(lambda: asked.has(token + "c"))
    start = world.wire.mark()
    table = one.ok("command", "cat", "/proc/net/udp")["out"]
    inner = int(re.search(r" 0B00007F:(\w+) ", table)[1], 16)      # behind the engine's translation
    for message in (query(token + "x", "farm", "example"), query("x" + token, "two"),
                    query("two", count=2), query("two", more=token.encode() + b"x")[:24] + "00" * 9,
                    query(token + "x", "farm", "example")[:4] + "0900" + query(token + "x", "farm", "example")[8:]):
        for where in 53, inner:
            one.do("dns", "127.0.0.11", message, port=where, wait=0.2)
    one.do("dns", "127.0.0.11", query(token + "x", "farm", "example"), tcp=True, wait=1)
    for server in internet.DNS4, internet.OTHER_DNS4, GATEWAY, "8.8.8.8":
        assert "error" in one.do("dns", server, query(token + "x", "farm", "example"), wait=0.2)
    assert one.ok("resolve", "two", "inet") == [TWO]
    assert not asked.has(token + "x") and not asked.has("x" + token)
    assert not world.wire.carries((token + "x").encode(), start)


def test_a_packet_socket_on_lo_reaches_no_engine(docker, asked, one, token):
    """Past the output rules, into the translation of a question that stands."""
    code = f"""
import socket, struct
q = bytes.fromhex('{query(token + "x", "farm", "example")}')
inner = [int(l.split()[1].split(':')[1], 16) for l in open('/proc/net/udp') if l.split()[1].startswith('0B00007F')][0]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('127.0.0.11', 53))
s.send(bytes.fromhex('{query("two")}'))
assert s.recv(999)
own = s.getsockname()
p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
p.bind(('lo', 0))
for port in 53, inner:
    for data in q, bytes.fromhex('{query("two")}'):
        udp = struct.pack('!HHHH', own[1], port, 8 + len(data), 0) + data
        ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, socket.inet_aton(own[0]),
                         socket.inet_aton('127.0.0.11'))
        total = sum(struct.unpack('!10H', ip))
        total = (total & 0xffff) + (total >> 16)
        ip = ip[:10] + struct.pack('!H', ~(total + (total >> 16)) & 0xffff) + ip[12:]
        p.send(bytes(12) + bytes((8, 0)) + ip + udp)
print('sent')
"""
    done = docker("exec", "one", "/usr/bin/python3", "-c", code)
    assert done.stdout == "sent\n", done.stdout
    one.ok("resolve", "two")
    assert not asked.has(token + "x")


# frames

def frames(token, own_mac, own, gateway_mac, port_mac):
    """What a packet socket may try, each with the token."""
    return rf"""
import socket, struct
OWN, GW, PORT, ALL = (bytes.fromhex(m.replace(':', '')) for m in ('{own_mac}', '{gateway_mac}', '{port_mac}',
                                                                  'ff:ff:ff:ff:ff:ff'))
OTHER = bytes.fromhex('020000000099')
T = b'{token}'
def ip4(src, dst, payload=T, proto=17):
    body = struct.pack('!HHHH', 5000, 8081, 8 + len(payload), 0) + payload
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 7, 0, 64, proto, 0, socket.inet_aton(src),
                       socket.inet_aton(dst))
    total = sum(struct.unpack('!10H', head))
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack('!H', ~(total + (total >> 16)) & 0xffff) + head[12:] + body
def ip6(dst):
    body = struct.pack('!HHHH', 5000, 8081, 8 + len(T), 0) + T
    return struct.pack('!IHBB', 6 << 28, len(body), 17, 255) + socket.inet_pton(10, 'fe80::42') + \
        socket.inet_pton(10, dst) + body
def arp(src_mac, src, dst, op=1):
    return struct.pack('!HHBBH', 1, 0x800, 6, 4, op) + src_mac + socket.inet_aton(src) + b'\0' * 6 + \
        socket.inet_aton(dst) + T
IP, IP6, ARP = b'\x08\0', b'\x86\xdd', b'\x08\6'
own = '{own}'
sent = [
    GW + OWN + IP + ip4(own, '{internet.RECORDER4}'), GW + OWN + IP + ip4(own, '{GATEWAY}'),
    PORT + OWN + IP + ip4(own, '{LATER}', T + b'l'), PORT + OWN + IP + ip4(own, '{GATEWAY}'),
    GW + OWN + IP + ip4(own, '{TWO}'), ALL + OWN + IP + ip4(own, '{GATEWAY}'), ALL + OWN + IP + ip4(own, '{TWO}'),
    GW + OWN + IP + ip4('{GATEWAY}', '{internet.RECORDER4}'), GW + OWN + IP + ip4('{TWO}', '{internet.RECORDER4}'),
    ALL + OTHER + IP + ip4(own, '{PLAIN}'), ALL + OWN + IP + ip4('{TWO}', '{PLAIN}'),
    ALL + OWN + IP + ip4(own, '172.28.1.255'), ALL + OWN + IP + ip4(own, '255.255.255.255'),
    b'\x01\0\x5e\0\0\x01' + OWN + IP + ip4(own, '224.0.0.1'),
    b'\x33\x33\0\0\0\1' + OWN + IP6 + ip6('ff02::1'), GW + OWN + IP6 + ip6('{internet.RECORDER6}'),
    ALL + OWN + ARP + arp(OWN, '172.28.1.77', '{PLAIN}'), ALL + OWN + ARP + arp(OTHER, own, '{PLAIN}'),
    ALL + OWN + ARP + arp(OWN, '{GATEWAY}', '{PLAIN}', 2), ALL + OTHER + ARP + arp(OTHER, own, '{PLAIN}'),
    ALL + OWN + ARP + arp(OWN, own, '{GATEWAY}'), ALL + OWN + ARP + arp(OWN, own, own, 2),
    ALL + OWN + b'\x81\0\0\x05' + IP + ip4(own, '{GATEWAY}'), ALL + OWN + b'\x88\xb5' + T,
    ALL + OWN + b'\0\x2a' + T, ALL + OWN + b'\x88\x64' + T,
]
p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
p.bind(('eth0', 0))
for one in sent:
    p.send(one)
print(len(sent))
"""


def mac_of(agent):
    return agent.ok("command", "cat", "/sys/class/net/eth0/address")["out"].strip()


def mac_of_device(name):
    return json.loads(subprocess.check_output(["ip", "-j", "link", "show", name]))[0]["address"]


def name_of_port(agent):
    return socket.if_indextoname(int(agent.ok("command", "cat", "/sys/class/net/eth0/iflink")["out"]))


def mac_of_port(agent):
    return mac_of_device(name_of_port(agent))


def forged(agent):
    return sum(e["count"] for e in events(agent.session, "packet.drop") if e["proto"] == "frame")


def test_no_forged_frame_leaves_the_port(world, docker, home, port, one, two, plain, token):
    gateway, start = mac_of_device(docker.bridge), world.wire.mark()
    subprocess.run(["ip", "address", "add", f"{LATER}/32", "dev", docker.bridge], check=True)
    done = docker("exec", "one", "/usr/bin/python3", "-c", frames(token + "x", mac_of(one), ONE, gateway, mac_of_port(one)))
    assert done.stdout.strip() == "26", done.stdout
    done = docker("exec", "plain", "/usr/bin/python3", "-c", frames(token + "c", mac_of(plain), PLAIN, gateway, mac_of_port(plain)))
    assert done.stdout.strip() == "26", done.stdout
    subprocess.run(["ip", "address", "del", f"{LATER}/32", "dev", docker.bridge], check=True)
    wait_for(lambda: home.has(token + "cl"))
    wait_for(lambda: port.count(token + "c") >= 20)
    assert not port.carries(token + "x") and not home.has(token + "x")
    assert not world.wire.carries((token + "x").encode(), start)
    wait_for(lambda: forged(one) >= 20)
    assert not forged(two)
    assert word(one, "two") == "peer"


# what does not start

REFUSED = {
    "wide": (dict(network="wide", policy="wide"), "is not internal"),
    "rules-on-a-network": (dict(policy="web"), "way out beside the gate"),
    "no-peer": (dict(policy="others"), "none of the policy's peers"),
    "net-admin": (dict(options=("--cap-add", "NET_ADMIN")), "CAP_NET_ADMIN"),
    "no-nft": (dict(), "the wall around veth"),
}


def test_refused_before_it_starts(docker, daemon, token):
    policies(wide=among("172.28.2.0/24"))
    before, held = quiet(rules()), len(daemon.all())
    mark = stage.directory(stage.HOME / "marks") / token
    shared = ("-v", f"{mark.parent}:{mark.parent}")
    for case, (how, why) in REFUSED.items():
        how = {"network": "agent-internal", "policy": "team", **how}
        options = (*how.pop("options", ()), *shared)
        if case == "no-nft":
            subprocess.run(["mount", "--bind", "/bin/false", "/usr/sbin/nft"], check=True)
        done = docker.run("touch", mark, options=options, **how)
        if case == "no-nft":
            subprocess.run(["umount", "/usr/sbin/nft"], check=True)
        assert done.returncode == 125 and why in done.stdout, (case, done.stdout)
        assert not mark.exists()
    wait_for(lambda: len(daemon.all()) == held)
    wait_for(lambda: quiet(rules()) == before)
    for network in "wide", "agent-internal":
        done = docker.run("touch", mark, options=shared, runtime=None, network=network)
        assert done.returncode == 0 and mark.exists(), done.stdout
        mark.unlink()


def quiet(text):
    """Without what counts and what dates."""
    return re.sub(r"counter packets \d+ bytes \d+|\[\d+:\d+\]|^#.*$", "", text, flags=re.M)


def test_an_engine_that_connects_after_the_hook(docker, daemon, two, home, token):
    """As Docker does since 26: until its start the container is shut, and then it is among its peers."""
    folder = stage.ROOT / "late-in"
    config = engine.bundle(folder, "/usr/bin/python3", "-c", f"""
import socket
print(socket.create_connection(('{TWO}', 8000), 9).recv(9))
try:
    socket.create_connection(('{GATEWAY}', 8081), 9).send(b'{token}x')
except OSError as e:
    print(e.errno)
""")
    (folder / "config.json").write_text(json.dumps(config))
    out = open(stage.ROOT / "late.out", "wb")
    runtime = functools.partial(engine.runtime, policy="team")
    runtime("create", "--bundle", folder, "late", check=True, stdout=out, stderr=out)
    assert daemon.held("late") is None
    pid = json.loads(runtime("state", "late", check=True, stdout=subprocess.PIPE).stdout)["pid"]
    subprocess.run(f"""ip link add late0 type veth peer name eth0 netns {pid} && ip link set late0 master {docker.bridge} up &&
        nsenter -t {pid} -n sh -c 'ip addr add 172.28.1.30/24 dev eth0 && ip link set eth0 up && ip link set lo up &&
        ip route add default via {GATEWAY} && ! ping -c 1 -W 1 {TWO}' >/dev/null""", shell=True, check=True)
    done = runtime("start", "late", capture_output=True)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: len(pathlib.Path(out.name).read_text().splitlines()) == 2)
    assert pathlib.Path(out.name).read_text().splitlines() == ["b'peer'", "111"]
    assert not home.has(token + "x")
    runtime("delete", "--force", "late")
    wait_for(lambda: not left("late") and daemon.held("late") is None)


def test_another_interface_of_the_same_name_is_cut(docker, daemon, two):
    """Taken off its network, and put on one with a way out: the name says nothing."""
    agent = docker.member("moved", "172.28.1.40")
    inside = ("nsenter", "-t", str(daemon.held(agent.session)["init"]), "-n", "ip")
    assert word(agent, TWO) == "peer"
    assert docker("network", "disconnect", "agent-internal", "moved").returncode == 0
    subprocess.run(["ip", "link", "add", "moved1", "type", "veth", "peer", "name", "eth0", "netns", inside[2]], check=True)
    wait_for(lambda: subprocess.run([*inside, "link", "show", "eth0"], capture_output=True).returncode != 0, 20)
    agent.kill()


def test_one_word_is_a_mode(docker, daemon, world):
    """Its own word makes a container's policy stricter, and never weaker."""
    for mode in "none", "isolated":
        agent = docker.agent("-e", f"SLUICE_MODE={mode}", policy="web")
        session = docker.session()
        assert "error" in agent.do("resolve", "www.example.com")
        assert netns.sessions()[session]["mode"] == "isolated"
        agent.kill()
    for mode, why in ("bridge", "a container does not say so itself"), ("open", "accepted: filtered"):
        done = docker.run("true", options=("-e", f"SLUICE_MODE={mode}"), policy="web")
        assert done.returncode == 125 and why in done.stdout, done.stdout
    done = docker.run("true", options=("-e", "SLUICE_MODE=restricted"), policy="team")
    assert done.returncode == 125 and "internal" in done.stdout, done.stdout


def test_compose(docker, daemon, home, token):
    """packaging/docker/compose.yaml, as it is but for names and a subnet that are free here."""
    text = (stage.TOP / "packaging" / "docker" / "compose.yaml").read_text()
    assert call("export", "compose").out == text
    folder = stage.ROOT / "compose"
    folder.mkdir()
    for old, new in (NET, "172.28.3.0/24"), ("agent-internal", "agent-compose"), ("team", "crew"):
        text = text.replace(old, new)
    (folder / "compose.yaml").write_text(text)
    (folder / "programs.yaml").write_text('version: "3.5"\nservices:\n' + "".join(
        f"  {name}: {{volumes: ['/usr:/usr:ro'], command: ['/usr/bin/python3', '-m', 'http.server', '8000'],"
        " stop_grace_period: 1s}\n" for name in ("offline", "worker", "planner", "coder")))
    policies(crew=among("172.28.3.0/24"))

    def compose(*argv):
        done = subprocess.run(["docker-compose", "-p", "c", "-f", "compose.yaml", "-f", "programs.yaml", *argv],
                              cwd=folder, env=netns.root_env(AGENT_IMAGE=engine.IMAGE), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout
    compose("up", "-d")
    ids = docker("ps", "-q", "--no-trunc", "--filter", "name=^c_").stdout.split()
    modes = sorted(row["mode"] for name, row in netns.sessions().items() if any(i.startswith(name) for i in ids))
    assert modes == ["filtered", "internal", "internal", "isolated"]
    for name in "coder", "planner":         # port 8000, listening
        wait_for(lambda name=name: ":1F40 " in docker("exec", f"c_{name}_1", "/usr/bin/cat", "/proc/net/tcp",
                                                      "/proc/net/tcp6").stdout, 30)
    get = "import urllib.request as r, sys; print(r.urlopen(sys.argv[1], timeout=9).status)"
    reach = [("planner", "http://coder:8000/", "200\n"), ("coder", "http://planner:8000/", "200\n"),
             ("planner", f"http://172.28.3.1:8081/{token}", None), ("offline", f"http://172.28.3.1:8081/{token}", None),
             ("worker", "http://coder:8000/", None), ("worker", f"http://172.28.3.1:8081/{token}", None)]
    for name, url, want in reach:
        done = docker("exec", f"c_{name}_1", "/usr/bin/python3", "-c", get, url)
        assert done.stdout == want if want else done.returncode != 0, (name, url, done.stdout)
    assert not home.has(token)
    docker("rm", "-f", *ids)
    docker("network", "rm", "agent-compose")
    wait_for(lambda: not any(left(i[:12]) for i in ids))


# the end

def left(session):
    return re.search(rf"sluice(_keeper|_gate)?-{session}|sluice {session}\"", rules())


@pytest.mark.parametrize("how", ["stop", "rm", "daemon", "detach"])
def test_nothing_is_left_behind(docker, daemon, one, two, how):
    before = quiet(rules())
    agent = docker.member(f"end-{how}", "172.28.1.20")
    assert word(agent, "two") == "peer"
    assert rules().count(agent.session) >= 4 and quiet(rules()) != before
    if how == "detach":
        assert call("detach", agent.session).code == 0
        assert "error" in agent.do("tcp", TWO, 8000) and "error" in agent.do("tcp", GATEWAY, 8081)
    elif how == "daemon":
        keeper = daemon.held(agent.session)["keeper"]
        daemon.kill()
        os.kill(keeper, signal.SIGKILL)
        assert "error" in agent.do("tcp", GATEWAY, 8081) and "error" in agent.do("tcp", internet.RECORDER4, 80)
        docker("kill", f"end-{how}")
        assert left(agent.session)
        daemon.start()
    else:
        docker(*{"stop": ["stop", "-t", "1"], "rm": ["rm", "-f"]}[how], f"end-{how}")
    wait_for(lambda: quiet(rules()) == before)
    wait_for(lambda: not list(netns.RUN.rglob(f"*{agent.session}*")))
    agent.kill()


def test_a_dead_keeper_opens_nothing_and_comes_back(docker, daemon, home, one, two, token):
    keeper = daemon.held(two.session)["keeper"]
    os.kill(daemon.held(one.session)["keeper"], signal.SIGKILL)
    assert "error" in one.do("tcp", GATEWAY, 8081, token + "x")
    wait_for(lambda: daemon.held(one.session)["restarts"] == 1)
    daemon.serves(one.session)
    assert word(one, "two") == "peer"
    assert not home.has(token + "x") and daemon.held(two.session)["keeper"] == keeper


@pytest.mark.parametrize("role", ["keeper", "gate"])
def test_nobody_is_reached_while_nobody_records_it(daemon, one, two, plain, token, role):
    """No process had to notice: the daemon is stopped, and with a dead gate its keeper too."""
    keeper = daemon.held(one.session)["keeper"]
    victim, stopped = keeper, [daemon.process.pid]
    if role == "gate":
        victim = sluice.role(keeper, "gate")
        stopped.append(keeper)
    to_one, to_two = Taps(name_of_port(one)), Taps(name_of_port(two))
    one.do("udp", TWO, 9, token + "c", wait=0)
    two.do("udp", ONE, 9, token + "d", wait=0)
    wait_for(lambda: to_two.carries(token + "c") and to_one.carries(token + "d"))
    with standing_still(*stopped):
        kill_now(victim)
        for _ in range(3):
            one.do("udp", TWO, 9, token + "x", wait=0)
            two.do("udp", ONE, 9, token + "y", wait=0)
        two.do("udp", PLAIN, 9, token + "z", wait=0)
    daemon.serves(one.session, keeper, 30)
    assert word(one, "two") == "peer"
    wait_for(lambda: to_two.carries(token + "z"))       # and so is what was sent before
    assert not to_two.carries(token + "x") and not to_one.carries(token + "y")


def test_nobody_is_reached_when_the_log_is_full(docker, daemon, two, plain, token):
    netns.policies(small=f"mode: internal\npeers: [{NET}]\nlog: {{max: 65536}}\n")
    agent = docker.member("small", "172.28.1.21", policy="small")
    to_two = Taps(name_of_port(two))

    def reaches(word):
        """What another one sends after it has come: is it there too?"""
        agent.do("udp", TWO, 9, f"{token}x{word}", wait=0)
        plain.do("udp", TWO, 9, f"{token}z{word}", wait=0)
        wait_for(lambda: to_two.carries(f"{token}z{word}"))
        return to_two.carries(f"{token}x{word}")
    # the first looks for the other one's MAC, and is later than who knows it
    agent.do("udp", TWO, 9, token + "first", wait=0)
    wait_for(lambda: to_two.carries(token + "first"))
    sent = 0
    while reaches(f"after-{sent}"):     # each is a connection of its own, with its record
        assert sent < 1000
        for sent in range(sent + 1, sent + 51):
            agent.do("udp", TWO, 1000 + sent, token, wait=0)
    assert 100 < len(events(agent.session, "conn.open"))
    wait_for(lambda: "audit log" in daemon.errors.read_text())
    assert not any(reaches(f"later-{number}") for number in range(10))
    agent.kill()


def test_a_wall_that_was_flushed_is_put_up_again(daemon, one, two):
    """As by a machine's nftables.service, which begins with `flush ruleset`."""
    keeper = daemon.held(one.session)["keeper"]
    assert subprocess.run(["nft", "delete", "table", "netdev", f"sluice-{one.session}"], check=False).returncode == 0
    daemon.serves(one.session, keeper, 30)
    assert "device" in subprocess.check_output(["nft", "list", "table", "netdev", f"sluice-{one.session}"], text=True)
    assert "the wall around the container's port is gone" in daemon.errors.read_text() and word(one, "two") == "peer"


def test_peers_can_change(daemon, one, two):
    policies(team=among(NET) + f"deny:\n  - ip: {TWO}\n")
    assert call("reload", one.session).code == 0
    assert "error" in one.do("tcp", TWO, 8000)
    policies(team=among(NET))
    assert call("reload", one.session).code == 0
    assert word(one, TWO) == "peer"


def test_the_page(docker, home, one, two, plain, token):
    """docs/docker.md: what it starts is a name for the others, and reaches nobody else."""
    docker.own_image("agent", "busybox", "nc", "-ll", "-p", "8000", "-e", "busybox", "echo", "coder")
    session = follow("docker.md", "peer", words={"IMAGE": "agent"}).splitlines()[-1][:12]
    wait_for(lambda: word(one, "coder") == "coder\n")
    plain.do("tcp", GATEWAY, 8081, token + "c")
    wait_for(lambda: home.has(token + "c"))
    reach = f"echo {token}x | busybox nc -w 5 "
    assert docker("exec", "coder", "sh", "-c", reach + "two 8000").stdout == "peer"
    for address in GATEWAY, internet.HOME4:
        assert docker("exec", "coder", "sh", "-c", f"{reach}{address} 8081").returncode != 0
    assert not home.has(token + "x")
    said = pages.text_of("docker.md")
    assert "`nft list table netdev sluice-ID`" in said and "`sluice_keeper-ID`, `sluice_gate-ID`" in said
    for table in "sluice", "sluice_keeper", "sluice_gate":
        subprocess.run(["nft", "list", "table", "netdev", f"{table}-{session}"], check=True, stdout=subprocess.DEVNULL)
    docker("rm", "-f", "coder")
    wait_for(lambda: not left(session))
