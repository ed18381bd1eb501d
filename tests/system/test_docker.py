# SPDX-License-Identifier: Apache-2.0
"""Containers of a real Docker Engine behind the gate, from before their first instruction on."""
import contextlib
import errno
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

import engine
import internet
import netns
import pages
import sluice
import stage
from netns import DENIED, REC, call, get, passes, until_ended, until_killed, wait_for
from pages import follow
from stage import ZONE


@pytest.fixture(scope="module")
def daemon(world):
    yield from netns.serving(bad=netns.BAD, rec=f"allow:\n  - host: {REC}\n    ports: [80, 443, 9999]\n"
                                                f"  - host: www.{ZONE}\n")


@pytest.fixture(scope="module")
def docker(daemon):
    yield from until_ended(engine.Engine())


@pytest.fixture(scope="module")
def inside(docker):
    """An agent in a container: root, with the capabilities that Docker gives."""
    yield from until_killed(docker.agent())


@pytest.fixture(scope="module")
def admin(docker):
    """The same, and it may do to its own network what it likes."""
    yield from until_killed(docker.agent("--cap-add", "NET_ADMIN"))


# what passes

def test_allowed_passes_and_nothing_else(world, inside, token):
    start = world.wire.mark()
    assert passes(world, inside, token)
    assert "error" in inside.do("requests", DENIED, 80, [get(token + "x", DENIED)])
    for address in (internet.RECORDER4, internet.RECORDER6, "169.254.169.254", "10.20.0.5",
                    internet.HOME4, internet.HOME6, "172.17.0.1", internet.GATEWAY4):
        assert "error" in inside.do("requests", address, 80, [get(token + "x")])
    assert "403" in inside.ok("requests", REC, 80, [get(token + "x", DENIED)])[0]
    assert not world.recorder.arrived((token + "x").encode())
    assert not world.wire.carries((token + "x").encode(), start)


PROGRAMS = """
curl -sS --max-time 20 https://{REC}/{token}c && wget -q -T 20 -O - https://{REC}/{token}w || exit 1
git ls-remote https://www.{ZONE}/repo.git 2>&1 | grep -qi "not found\\|HEAD" || exit 2
curl -sS --max-time 20 https://{DENIED}/{token}x && exit 3
wget -q -T 20 -O - https://{DENIED}/{token}x && exit 4
exit 0
"""


def test_programs(world, docker, token):
    done = docker.run("sh", "-c", PROGRAMS.format(REC=REC, DENIED=DENIED, ZONE=ZONE, token=token))
    assert done.returncode == 0, done.stdout
    for letter in "cw":
        assert world.recorder.requests((token + letter).encode())
    assert not world.recorder.arrived((token + "x").encode())


@pytest.mark.parametrize("family", ["AF_VSOCK", "AF_ALG", "AF_BLUETOOTH", "AF_CAN", "AF_KEY", "AF_XDP"])
def test_other_families_are_out_of_reach(inside, family):
    number = {"AF_VSOCK": 40, "AF_ALG": 38, "AF_BLUETOOTH": 31, "AF_CAN": 29, "AF_KEY": 15,
              "AF_XDP": 44}[family]
    assert inside.fails("socket_of", number, "SOCK_STREAM") in (errno.EPERM, errno.EAFNOSUPPORT)
    assert inside.ok("socket_of", "AF_INET", "SOCK_STREAM")


def test_vsock_without_a_profile(docker, world):
    """--security-opt seccomp=unconfined takes the engine's profile away, not this."""
    agent = docker.agent("--security-opt", "seccomp=unconfined")
    assert agent.fails("socket_of", 40, "SOCK_STREAM") == errno.EPERM
    assert agent.fails("io_uring") == errno.EPERM
    assert agent.ok("socket_of", "AF_INET", "SOCK_STREAM")
    agent.kill()


def test_raw_and_packet_sockets_reach_nobody(world, inside, token):
    """Docker's containers may make them; there is nothing at the other end."""
    start = world.wire.mark()
    code = f"""
import socket, struct
data = b'{token}x'
for dst in '{internet.RECORDER4}', '{internet.GATEWAY4}', '127.0.0.1':
    for mark in 0, 0x51:
        try:
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            s.setsockopt(socket.SOL_SOCKET, 36, mark)
            udp = struct.pack('!HHHH', 5000, 9999, 8 + len(data), 0) + data
            ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                             socket.inet_aton('{internet.HOME4}'), socket.inet_aton(dst))
            s.sendto(ip + udp, (dst, 0))
        except OSError:
            pass
p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)
for name in [n for _, n in socket.if_nameindex()]:
    try:
        p.bind((name, 0))
        p.send(b'\\xff' * 12 + b'\\x08\\x00' + ip + udp)
    except OSError:
        pass
print('sent')
"""
    done = subprocess.run(["docker", "-H", f"unix://{engine.SOCKET}", *engine.Engine.words(),
                           engine.IMAGE, "/usr/bin/python3", "-c", code], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, env=netns.root_env())
    assert done.stdout == "sent\n", done.stderr
    assert not world.wire.carries((token + "x").encode(), start)
    assert passes(world, inside, token)


def test_net_admin_opens_nothing(world, docker, admin, token):
    assert passes(world, admin, token)
    start = world.wire.mark()
    name = docker.session()
    code = f"""
import socket, subprocess
for command in ('nft flush ruleset', 'ip route flush table local', 'ip route add local default dev lo',
                'ip link add v0 type veth peer name v1', 'ip link set v0 up', 'ip link set v1 up',
                'ip addr add 21.5.0.3/24 dev v0', 'ip route add default via 21.5.0.1',
                'ip link add t0 type sit local 21.5.0.3 remote {internet.GATEWAY4}'):
    subprocess.run(command.split(), capture_output=True)
    for dst in '{internet.RECORDER4}', '{internet.RECORDER6}', '{internet.GATEWAY4}':
        for kind, port in (socket.SOCK_STREAM, 80), (socket.SOCK_DGRAM, 9999):
            s = socket.socket(socket.AF_INET6 if ':' in dst else socket.AF_INET, kind)
            s.settimeout(0.1)
            try:
                s.connect((dst, port))
                s.send(b'{token}x')
            except OSError:
                pass
"""
    done = docker("exec", name, "/usr/bin/python3", "-c", code)
    assert done.returncode == 0, done.stdout
    assert not world.wire.carries((token + "x").encode(), start)
    assert not world.recorder.arrived((token + "x").encode())


def test_inside_tls_by_method(world, docker, token):
    """What is inspected is trusted in there: by variables, whatever the image had."""
    netns.policies(post=f"allow:\n  - host: {REC}\n    methods: [GET]\n")
    before = set(netns.RUN.glob("*-ca.pem"))
    script = (f"curl -sS --max-time 20 https://{REC}/{token}g || exit 1; "
              f"curl -sS --max-time 20 -d x https://{REC}/{token}x | grep -q '\"method\"' || exit 2; "
              "cat /etc/resolv.conf")
    done = docker.run("sh", "-c", script, policy="post")
    assert done.returncode == 0 and "nameserver 28.0.0.2" in done.stdout, done.stdout
    assert world.recorder.requests((token + "g").encode())
    assert not world.recorder.arrived((token + "x").encode())
    wait_for(lambda: set(netns.RUN.glob("*-ca.pem")) == before)


# what does not start

REFUSED = {
    "policy": (dict(policy="bad"), "allwo"),
    "no-policy-file": (dict(policy="nowhere"), "nowhere.yaml: No such file"),
    "policy-path": (dict(policy="../policies.d/rec"), "not a name"),
    "host": (dict(network="host"), "machine's own network"),
    "privileged": (dict(options=("--privileged",)), "could leave its namespaces"),
    "sys-admin": (dict(options=("--cap-add", "SYS_ADMIN")), "CAP_SYS_ADMIN"),
    "pid-host": (dict(options=("--pid", "host")), "the machine's processes"),
    "engine-socket": (dict(options=("-v", "/run/docker.sock:/s")), "/run/docker.sock is mounted"),
    "engine-folder": (dict(options=("-v", "/run:/host")), "is mounted, and "),
    "bridge": (dict(network="wide"), "a way out beside the gate"),
    "policies": (dict(options=("-v", "/etc/sluice:/s")), "or read-only"),
    "engine-volume": (dict(options=("-v", "folder:/s")), "/run/docker.sock in it"),
    "settings": (dict(options=("--security-opt", "systempaths=unconfined")), "the machine's /proc/sys"),
    "processes": (dict(options=("--pid", "container:free")), "under no session"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_it_starts(docker, daemon, world, token, case):
    how, why = REFUSED[case]
    if how.get("network") == "wide":
        docker("network", "create", "wide")
    elif case == "engine-volume":
        docker("volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", "device=/run", "folder")
    elif case == "processes":
        docker("run", "-d", "--rm", "--network", "none", "--name", "free", "-v", "/usr:/usr:ro", engine.IMAGE,
               "sleep", "60")
    before = {one["session"] for one in daemon.all()}
    mark = stage.directory(stage.HOME / "marks") / token
    options = (*how.get("options", ()), "-v", f"{mark.parent}:{mark.parent}")
    done = docker.run("touch", mark, **{**how, "options": options})
    assert done.returncode == 125 and why in done.stdout, done.stdout
    assert not mark.exists()
    wait_for(lambda: {one["session"] for one in daemon.all()} <= before)
    # the same container without sluice does start, as far as this machine has the rights itself
    done = docker.run("touch", mark, options=options[-2:], runtime=None, network=how.get("network", "none"))
    assert done.returncode == 0, done.stdout
    assert mark.exists()
    if case == "processes":
        docker("rm", "-f", "free")


def test_words_of_an_image_move_no_cursor(docker):
    done = docker.run("true", options=("-e", "SLUICE_MODE=a\x1b[31mb\nc"))
    assert done.returncode == 125 and "SLUICE_MODE a?[31mb?c: accepted" in done.stdout


def test_no_more_rights_by_exec(docker, inside):
    name = docker.session()
    done = docker("exec", "--privileged", name, "echo", "it", "runs")
    assert done.returncode != 0 and "could leave its namespaces" in done.stdout
    assert docker("exec", name, "echo", "it", "runs").stdout == "it runs\n"


def test_no_daemon_no_container(docker, daemon, inside, world, token):
    daemon.kill()
    try:
        done = docker.run("true")
        assert done.returncode == 125 and "the daemon does not run" in done.stdout
        assert passes(world, inside, token)     # what was held before goes on
    finally:
        daemon.start()
    assert docker.run("true").returncode == 0


def test_a_joined_network_is_under_the_session_of_its_owner(docker, world, token):
    owner = docker.agent(name="owner")
    joined = docker.agent(network="container:owner", policy=None)
    assert passes(world, owner, token) and passes(world, joined, token + "y")
    assert "error" in joined.do("requests", internet.RECORDER4, 80, [get(token + "x")])
    bare = docker("run", "-d", "--rm", "--network", "none", "--name", "bare", "-v", "/usr:/usr:ro",
                  engine.IMAGE, "sleep", "60")
    assert bare.returncode == 0, bare.stdout
    done = docker.run("true", network="container:bare")
    assert done.returncode == 125 and "under no session" in done.stdout
    docker("rm", "-f", "bare")
    joined.kill()
    owner.kill()


def test_a_container_that_runs_can_be_attached(docker, world, token):
    agent = docker.agent(runtime=None, policy=None, name="late")
    assert "error" in agent.do("requests", REC, 80, [get(token + "x")])
    assert call("attach", "--container", "late", "-p", "rec").out == "late\n"
    assert passes(world, agent, token)
    assert call("detach", "late").code == 0
    assert "error" in agent.do("requests", REC, 80, [get(token + "x")])
    agent.kill()


# the first instruction

RACE = """
import os, socket
s = socket.socket()
s.setblocking(False)
try:
    s.connect(('{address}', 80))
except BlockingIOError:
    pass
except OSError:
    os._exit(7)
s.setblocking(True)
try:
    s.send(b'{token}')
except OSError:
    os._exit(7)
"""


def test_there_is_no_moment_before(daemon, world, token):
    """RACES=1000 tests/system/run -k no_moment: a thousand times."""
    folder, races = stage.ROOT / "bundle", int(os.environ.get("RACES", "10"))
    config = engine.bundle(folder, "/usr/bin/python3", "-c",
                    RACE.format(address=internet.RECORDER4, token=token + "x"))
    start, ended = world.wire.mark(), []
    for number in range(races):
        (folder / "config.json").write_text(json.dumps(config))
        ended.append(engine.runtime("run", "--bundle", folder, f"race-{number}", capture_output=True))
    assert [done.returncode for done in ended] == [7] * races, ended[-1].stderr
    assert not world.recorder.arrived((token + "x").encode())
    assert not world.wire.carries((token + "x").encode(), start)
    # the same with no gate does arrive: it is the race that is lost, not the runner
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "network"]
    (folder / "config.json").write_text(json.dumps(config))
    subprocess.run(["runc", "--root", engine.RUNC, "run", "--bundle", folder, "race"], check=True,
                   stdin=subprocess.DEVNULL)
    assert world.wire.carries((token + "x").encode(), start)


def test_an_interface_that_comes_late_stops_the_start(daemon, world, token):
    """Newer engines connect a container only after its hooks have run."""
    folder = stage.ROOT / "late"
    mark = stage.directory(stage.HOME / "late-marks", 0o777) / token
    config = engine.bundle(folder, "/usr/bin/touch", str(mark))
    config["mounts"].append({"destination": str(mark.parent), "source": str(mark.parent), "type": "none",
                             "options": ["rbind", "rw"]})
    (folder / "config.json").write_text(json.dumps(config))
    pristine = (folder / "config.json").read_text()

    for name in "late-bare", "late-wide":
        (folder / "config.json").write_text(pristine)
        engine.runtime("create", "--bundle", folder, name, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        pid = json.loads(engine.runtime("state", name, stdout=subprocess.PIPE).stdout)["pid"]
        if name == "late-wide":
            keeper = daemon.held(name)["keeper"]
            os.kill(keeper, signal.SIGSTOP)     # it would cut it before the start is asked for
            subprocess.run(["ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1", "netns",
                            str(pid)], check=True)
        done = engine.runtime("start", name, capture_output=True)
        if name == "late-bare":
            assert done.returncode == 0, done.stderr
            wait_for(mark.exists)
            mark.unlink()
        else:
            assert done.returncode == 125 and "got an interface after" in done.stderr
            assert not mark.exists()
            os.kill(keeper, signal.SIGCONT)
            wait_for(lambda: "late0" not in os.listdir("/sys/class/net"))
        engine.runtime("delete", "--force", name, capture_output=True)
        wait_for(lambda: not daemon.held(name))


# the end

def namespaces():
    """Networks that processes are in.  lsns(8) fails when one of those goes while it looks."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/ns/net"))
    return found


@pytest.mark.parametrize("how", ["stop", "kill", "rm"])
def test_nothing_is_left_behind(docker, daemon, inside, world, token, how):
    def left():
        return {os.path.join(folder, name) for folder, *names in os.walk(netns.RUN) for name in sum(names, [])}
    before, known = left(), namespaces()
    agent = docker.agent(name=f"end-{how}")
    assert passes(world, agent, token)
    assert left() - before and namespaces() - known
    docker(how, *{"stop": ["-t", "1"], "rm": ["-f"], "kill": []}[how], f"end-{how}")
    agent.kill()
    wait_for(lambda: left() <= before)
    wait_for(lambda: namespaces() <= known)


@pytest.mark.parametrize("victim", ["keeper", "gate"])
def test_a_dead_keeper_or_gate_opens_nothing(docker, daemon, world, token, victim):
    agent = docker.agent(name=f"dead-{victim}")
    assert passes(world, agent, token)
    name = docker.session(f"dead-{victim}")
    keeper = daemon.held(name)["keeper"]
    start = world.wire.mark()
    os.kill(keeper if victim == "keeper" else sluice.role(keeper, "gate"), signal.SIGKILL)
    assert "error" in agent.do("requests", internet.RECORDER4, 80, [get(token + "x")])
    daemon.serves(name, keeper, 60)
    assert passes(world, agent, token + "y")
    assert not world.wire.carries((token + "x").encode(), start)
    agent.kill()


# beside the network

BESIDE = """
import ctypes, os, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
os.mknod("/tmp/console", 0o600 | stat.S_IFCHR, os.makedev(5, 1))
try:
    os.close(os.open("/tmp/console", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK))
    print("console")
except PermissionError:
    pass
# an unknown name of this type is asked for by DNS, on the machine's network
for call, arguments in (249, (b"dns_resolver", b"{token}.invalid", b"", 0)), (248, (b"user", b"a", b"b", 1, -2)), (250, (0, -4, 1)):
    if libc.syscall(call, *arguments) >= 0 or ctypes.get_errno() != 1:
        print("keys")
import socket
try:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9) as s:
        s.sendto((34).to_bytes(4, "little") + b"\\x53\\x04\\5\\0" + bytes(8) + b"op={token}", (0, 0))
        print("log" if s.recv(4096)[16:20] == bytes(4) else "audit")
except OSError as e:
    assert e.errno == 22, e
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
# the kernel takes the lower half of each of these
for family, protocol in (16, 9 | 1 << 32), (16 | 1 << 32, 9), (40 | 1 << 32, 0):
    if libc.syscall(ctypes.c_long(41), ctypes.c_long(family), ctypes.c_long(3), ctypes.c_long(protocol)) >= 0:
        print("halves")
"""


def test_console_keys_and_log_are_out_of_reach(docker, token):
    """The kernel writes and asks for it on the machine's own lines: no namespace holds that."""
    def says(**how):
        done = docker.run("python3", "-c", BESIDE.replace("{token}", token),
                          options=("--security-opt", "seccomp=unconfined"), **how)
        assert done.returncode == 0, done.stdout
        return set(done.stdout.split())
    assert says(runtime=None) == {"console", "keys", "log", "halves"}
    assert says() == set()


def test_no_way_out_is_handed_in(docker, daemon, place, token):
    mark = place / "marks"
    mark.mkdir()
    (place / "sock").mkdir()
    docker("volume", "create", "--opt", "type=proc", "--opt", "device=proc", "--opt", "o=", "processes")
    docker("volume", "create", "--opt", "type=none", "--opt", "device=/etc/sluice/policies.d", "--opt", "o=bind", "rules")
    refused = (
        (("-v", "processes:/p"), "the machine's proc"), (("-v", "rules:/r"), "as all in /etc/sluice is"),
        (("-v", f"{place}:/s:ro"), f"the socket {place}/sock/s in it"),
        (("-v", "/sys/fs/cgroup:/c"), "as all in /sys is"), (("-v", "/dev:/d"), "the machine's devpts"),
        (("--ipc", "host"), "shared memory"), (("--device-cgroup-rule", "b 8:* rwm"), "disks"),
        (("--cap-add", "SYS_TIME"), "clock"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(place / "sock" / "s"))
        for options, why in refused:
            done = docker.run("touch", mark / token, options=(*options, "-v", f"{mark}:{mark}"))
            assert done.returncode == 125 and why in done.stdout, done.stdout
            assert not (mark / token).exists()
        everything = [word for options, _ in refused for word in options]
        done = docker.run("touch", mark / token, options=(*everything, "-v", f"{mark}:{mark}"), runtime=None)
        assert done.returncode == 0, done.stdout
        (mark / token).unlink()
    # who listened has gone
    done = docker.run("touch", mark / token, options=("-v", f"{place}:/s:ro", "-v", f"{mark}:{mark}"))
    assert done.returncode == 0 and (mark / token).exists(), done.stdout
    docker("volume", "rm", "processes", "rules")


def test_no_socket_is_handed_in(daemon, token):
    folder = stage.ROOT / "handed"
    config = engine.bundle(folder, "/usr/bin/ls", "/proc/self/fd")

    def run(fd, *options, stdin=subprocess.DEVNULL):
        (folder / "config.json").write_text(json.dumps(config))
        return subprocess.run(
            ["bash", "-c", f'exec "$@" 3<&{fd}', "bash", sluice.PROGRAM, "runtime", "--policy", "rec", "--", "--root",
             stage.ROOT / "runc", "run", *options, "--bundle", folder, f"handed-{token}"], text=True, stdin=stdin,
            capture_output=True, env=netns.root_env(), pass_fds=[fd])
    top = os.open("/", os.O_PATH)
    with socket.socket() as s, open("/dev/null", "rb") as null:
        for refused in (run(null.fileno(), stdin=s), run(s.fileno(), "--preserve-fds", "1"),
                        run(top, "--preserve-fds", "1")):
            assert refused.returncode == 125 and "opened outside" in refused.stderr and not refused.stdout, refused
        os.close(top)
        ran = run(null.fileno(), "--preserve-fds", "1")
        assert ran.returncode == 0 and "3" in ran.stdout.split(), ran


SWAP = """#!/bin/sh
case "$*" in *create*) mv {folder}/inner {folder}/was; ln -s {other} {folder}/inner ;; esac
exec runc "$@"
"""


def test_what_was_looked_at_is_mounted(daemon, place, token):
    """Another container that may write there makes a link of it, between our look and the mount."""
    folder, runc = stage.ROOT / "swapped", place / "runc"
    for name in "work/inner", "other":
        (place / name).mkdir(parents=True)
    runc.write_text(SWAP.format(folder=place / "work", other=place / "other"))
    runc.chmod(0o755)
    config = engine.bundle(folder, "/usr/bin/touch", f"/s/{token}")
    config["mounts"].append({"destination": "/s", "source": str(place / "work" / "inner"), "type": "bind",
                             "options": ["rbind", "rw"]})
    pristine = json.dumps(config)
    for program, code in ("/usr/sbin/runc", 0), (runc, 125):
        def runtime(*argv):
            return subprocess.run(
                [sluice.PROGRAM, "runtime", "--policy", "rec", "--runc", program, "--", "--root", stage.ROOT / "runc",
                 *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, text=True,
                env=netns.root_env())
        (folder / "config.json").write_text(pristine)
        with open(place / f"said-{code}", "w+") as errors:
            assert runtime("create", "--bundle", folder, f"swapped-{code}").returncode == 0
            assert runtime("start", f"swapped-{code}").returncode == code
            errors.seek(0)
            assert ("/s: something else is mounted" in errors.read()) == (code != 0)
        if code == 0:
            wait_for(lambda: (place / "work" / "inner" / token).exists())
        assert not (place / "other" / token).exists()
        subprocess.run(["runc", "--root", stage.ROOT / "runc", "delete", "--force", f"swapped-{code}"], check=True)


# somebody among its processes, who is not held

TRACE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if open(f"/proc/{pid}/comm").read() != "sleep\\n" or b"7777" not in open(f"/proc/{pid}/cmdline", "rb").read():
            continue
    except (FileNotFoundError, ProcessLookupError):     # gone meanwhile
        continue
    for part in "root", "fd/0", "cwd":
        try:
            os.stat(f"/proc/{pid}/{part}")
            print(part)
        except PermissionError:
            pass
    try:
        open(f"/proc/{pid}/mem", "r+b").close()
        print("mem")
    except PermissionError:
        pass
    for request in 0x4206, 16:
        if libc.ptrace(request, int(pid), None, None) == 0:
            print("traced")
            libc.ptrace(17, int(pid), None, None)
            break
    print("seen")
"""


def test_root_of_others_is_out_of_its_reach(docker, token):
    """A container that is started without sluice in the processes of one that is held."""
    name, options = f"held-{token}", ("-v", "/usr:/usr:ro", "--network", "none")
    held = docker.agent(name=name)
    done = docker("run", "-d", "--rm", "--name", f"other-{token}", *options, "--pid", f"container:{name}", engine.IMAGE,
                  "sleep", "7777")
    assert done.returncode == 0, done.stdout
    assert docker("exec", name, "python3", "-c", TRACE).stdout.split() == ["seen"]
    # one as he is himself may do all that
    third = docker("run", "--rm", *options, "--pid", f"container:{name}", engine.IMAGE, "python3", "-c", TRACE)
    assert set(third.stdout.split()) == {"root", "fd/0", "cwd", "mem", "traced", "seen"}, third.stdout
    docker("rm", "-f", f"other-{token}")
    held.kill()


# what the engine's user does meanwhile

def test_what_is_done_to_it_opens_nothing(docker, daemon, world, token):
    start = world.wire.mark()
    name, mine = f"done-{token}", [*engine.Engine.words(name=f"done-{token}")]
    mine[mine.index("-i")], mine[mine.index("--rm")] = "-d", "--init=false"
    assert docker(*mine, engine.IMAGE, "sleep", "600").returncode == 0
    docker("network", "create", f"net-{token}")
    tries = f"curl -sS --max-time 20 http://{REC}/{token}NUMBER || exit 1; for a in {internet.RECORDER4} " \
        f"{internet.GATEWAY4} {internet.HOME4}; do curl -sS --max-time 5 http://$a/{token}x && exit 2; done; exit 0"
    for number, steps in enumerate((
            [("update", "--memory", "200m", "--memory-swap", "400m", "--restart", "always", name)],
            [("pause", name), ("unpause", name)],
            [("restart", "-t", "0", name)], [("restart", "-t", "0", name)],
            [("rename", name, f"{name}-b"), ("rename", f"{name}-b", name)])):
        for step in steps:
            done = docker(*step)
            assert done.returncode == 0, done.stdout
        done = docker("exec", "-e", "SLUICE_POLICY=other", "-u", "0:1000", name, "sh", "-c",
                      tries.replace("NUMBER", str(number)))
        assert done.returncode == 0, done.stdout
        assert world.recorder.requests(f"{token}{number}".encode())
    # a network of the engine's is cut off as it comes, and does not start with the container
    docker("network", "disconnect", "none", name)
    docker("network", "connect", f"net-{token}", name)
    session = docker("ps", "-q", "--no-trunc", "--filter", f"name={name}").stdout[:12]
    wait_for(lambda: (one := daemon.held(session)) and one["restarts"] and one["state"] == "serving", 60)
    done = docker("exec", name, "sh", "-c", "ip -o link show | grep -vc ': lo:'; " + tries.replace("NUMBER", "n"))
    assert done.returncode == 0 and done.stdout.startswith("0\n"), done.stdout
    assert world.recorder.requests(f"{token}n".encode())
    docker("network", "connect", f"net-{token}", name)
    docker("rm", "-f", name)
    docker("network", "rm", f"net-{token}")
    assert not world.wire.carries((token + "x").encode(), start)


# held again

def test_what_came_while_nobody_held_it_is_cut(docker, daemon, world, token):
    """With keeper and daemon dead nobody cuts it; who holds the namespace again does so before all else."""
    name = f"came-{token}"
    agent = docker.agent(name=name)
    assert passes(world, agent, token)
    session = docker("ps", "-q", "--filter", f"name={name}").stdout.strip()
    one = daemon.held(session)
    daemon.kill()
    try:
        netns.kill_now(one["keeper"])
        subprocess.run(["ip", "link", "add", "came0", "type", "veth", "peer", "name", "eth0", "netns", str(one["init"])],
                       check=True)
        assert "eth0" in docker("exec", name, "ip", "-o", "link").stdout
    finally:
        daemon.start()
    daemon.serves(session, limit=60)
    assert "eth0" not in docker("exec", name, "ip", "-o", "link").stdout
    assert not os.path.exists("/sys/class/net/came0")
    assert passes(world, agent, token + "y")
    agent.kill()


@pytest.mark.parametrize("victim", ["gate", "keeper"])
def test_who_is_held_again_is_trusted_in_there(docker, daemon, world, place, token, victim):
    """The new session's CA stands in the file that is mounted."""
    netns.policies(get=f"allow:\n  - host: {REC}\n    methods: [GET]\n")
    script = f"curl -sS --max-time 20 https://{REC}/{token}a || exit 1; touch {place}/ready; " \
        f"while [ ! -e {place}/go ]; do sleep 0.05; done; curl -sS --max-time 20 https://{REC}/{token}b || exit 2"
    name = f"again-{token}"
    with subprocess.Popen(["docker", "-H", f"unix://{engine.SOCKET}", *docker.words(
            "-v", f"{place}:{place}", policy="get", name=name), engine.IMAGE, "sh", "-c", script], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=netns.root_env()) as run:
        wait_for((place / "ready").exists, 40)
        session = docker("ps", "-q", "--filter", f"name={name}").stdout.strip()
        keeper = daemon.held(session)["keeper"]
        os.kill(keeper if victim == "keeper" else sluice.role(keeper, "gate"), signal.SIGKILL)
        daemon.serves(session, keeper, 60)
        # one more process is told of the CA too, and who joins the network
        for done in (docker("exec", name, "curl", "-sS", "--max-time", "20", f"https://{REC}/{token}c"),
                     docker.run("curl", "-sS", "--max-time", "20", f"https://{REC}/{token}d",
                                network=f"container:{name}", policy=None)):
            assert done.returncode == 0, done.stdout
        (place / "go").touch()
        said = run.communicate(timeout=60)[0]
    assert run.returncode == 0, said
    for letter in "abcd":
        assert world.recorder.requests((token + letter).encode())
    wait_for(lambda: not (netns.RUN / f"{session}-ca.pem").exists())


# docs/docker.md

def section(page, title):
    """The text below that heading."""
    return pages.text_of(page).partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_a_page_names_no_folder_that_can_be_mounted(daemon, token):
    """Each path in the page's list of what is not to be mounted, to write to; and a folder that is not in it."""
    listed = section("docker.md", "What does not start").partition("Nor with these mounted")[2]
    named = re.findall(r"`(/[^`]*)`", listed.partition("Nor if")[0])
    assert len(named) > 8
    folder = stage.ROOT / "mounted"
    config = engine.bundle(folder, "/usr/bin/true")
    pristine = config["mounts"]

    def create(path, name):
        config["mounts"] = [*pristine, {"destination": "/s", "source": path, "type": "bind", "options": ["rbind", "rw"]}]
        (folder / "config.json").write_text(json.dumps(config))
        return engine.runtime("create", "--bundle", folder, name, stdout=subprocess.DEVNULL, stderr=errors)
    with open(stage.ROOT / "mounted.err", "w+") as errors:
        for number, path in enumerate(named):
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
            errors.truncate(0)
            done = create(path, f"mounted-{number}-{token}")
            errors.seek(0)
            assert done.returncode == 125 and f"{path} " in errors.read(), path
        assert create(str(folder), f"mounted-{token}").returncode == 0
    engine.runtime("delete", "--force", f"mounted-{token}")


@pytest.fixture
def new_machine(daemon, docker):
    """As one is before the page: no user sluice, no policy, no daemon. What it had comes back."""
    files = {path: path.read_bytes() for path in map(pathlib.Path, ("/etc/passwd", "/etc/group", "/etc/shadow"))}
    policies = {path.stem: path.read_text() for path in netns.POLICIES.glob("*.yaml")}
    daemon.end()
    # who is there as that user keeps him from being removed
    wait_for(lambda: subprocess.run(["pgrep", "-u", str(stage.ROLES_ID)], stdout=subprocess.DEVNULL).returncode == 1)
    subprocess.run(["userdel", stage.ROLES], check=True)
    yield
    pages.end_daemon()
    for path, data in files.items():
        path.write_bytes(data)
    for name, text in policies.items():
        (netns.POLICIES / f"{name}.yaml").write_text(text)
    docker.configure()
    daemon.start()


def test_the_page(world, daemon, docker, new_machine, token):
    """As a new user follows it, from its top to its end."""
    world.dns.names["www.example.com"] = world.dns.names[REC]
    start = world.wire.mark()
    docker.own_image("agent", "sh", "-c", f"wget -O- http://www.example.com/{token}-ok; wget -O- http://{DENIED}/{token}-bad; "
                     f"wget -O- http://{internet.RECORDER4}/{token}-bad; exec sleep 600")
    follow("docker.md", "setup")
    policy = netns.POLICIES / "web.yaml"
    gate = pathlib.Path("/etc/passwd").read_text().partition("\nsluice:x:")[2].partition(":")[0]
    assert gate and gate != str(stage.ROLES_ID)

    # use
    long = follow("docker.md", "run", words={"IMAGE": "agent"}).splitlines()[-1]
    session = long[:12]
    wait_for(lambda: world.recorder.requests(f"{token}-ok".encode()))
    wait_for(lambda: len([e for e in netns.events(session) if e.get("verdict") == "deny"]) >= 2, 30)
    keeper = daemon.held(session)["keeper"]
    assert f"\nUid:\t{gate}\t" in pathlib.Path(f"/proc/{sluice.role(keeper, 'gate')}/status").read_text()
    policy.write_text(policy.read_text().replace("*.example.com", "*.example.org"))
    told = follow("docker.md", "look", words={"ID": session})
    assert re.search(rf"^{session} +\d+ +filtered ", told, re.M), told
    assert "www.example.com" in told and DENIED in told and "no_rule" in told, told
    wait_for(lambda: netns.events(session, "policy.reload"))
    done = docker("exec", session, "wget", "-O-", f"http://www.example.com/{token}-bad")
    assert done.returncode != 0, done.stdout
    policy.write_text(policy.read_text().replace("*.example.org", "*.example.com"))

    # a runtime that has its policy, and who forgets the word
    more = json.loads(pages.blocks("docker.md", "json")[1])["runtimes"]
    assert '"default-runtime": "sluice"' in pages.text_of("docker.md")
    docker.configure(runtimes=more, **{"default-runtime": "sluice"})
    go = "wget", "-O-", "http://www.example.com/"
    done = docker("run", "--rm", "--runtime", "sluice-web", "--network", "none", "-e", "SLUICE_POLICY=nowhere", "agent",
                  *go[:2], go[2] + token + "-web")
    assert done.returncode == 0 and world.recorder.requests(f"{token}-web".encode()), done.stdout
    docker("network", "create", f"net-{token}")
    done = docker("run", "--rm", "--network", f"net-{token}", "agent", "true")
    assert done.returncode == 125 and "a way out beside the gate" in done.stdout, done.stdout
    docker("network", "rm", f"net-{token}")

    # afterwards
    assert docker("stop", "-t", "0", session).returncode == 0
    wait_for(lambda: not daemon.held(session))
    docker("run", "-d", "--runtime", "runc", "--network", "none", "--name", "bare", "agent", "sleep", "600")
    assert docker("exec", "bare", *go[:2], go[2] + token + "-bad").returncode != 0
    follow("docker.md", "attach", words={"NAME": "bare"})
    done = docker("exec", "bare", *go[:2], go[2] + token + "-late")
    assert done.returncode == 0 and world.recorder.requests(f"{token}-late".encode()), done.stdout
    docker("rm", "-f", "bare", session)
    assert not world.wire.carries(f"{token}-bad".encode(), start)
    del world.dns.names["www.example.com"]
