# SPDX-License-Identifier: Apache-2.0
"""The daemon: network namespaces that others made, held by keepers that are held themselves."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import internet
import netns
import scrape
import sluice
import stage
from netns import (DENIED, POLICIES, REC, call, events, get, kill_now, passes, standing_still, until_killed,
                   wait_for)
from stage import ZONE

METRICS = stage.ROOT / "daemon-metrics.sock"


@pytest.fixture(scope="module")
def daemon(world):
    yield from netns.serving("--metrics", f"unix:{METRICS}", bad=netns.BAD,
                             rec=f"allow:\n  - host: {REC}\n    ports: [80, 443, 9000, 9999]\n")


@pytest.fixture
def box(world):
    yield from until_killed(netns.Box())


@pytest.fixture
def held(daemon, box):
    """A namespace under policy `rec`, and an agent in it, which is root."""
    box.attach("rec", f"box-{box.pid}")
    return box


# what it is for

@pytest.mark.core
def test_allowed_passes_and_nothing_else(world, held, token):
    agent, start = held.agent(), world.wire.mark()
    assert passes(world, agent, token)
    assert "error" in agent.do("requests", DENIED, 80, [get(token + "x", DENIED)])
    for address in internet.RECORDER4, internet.RECORDER6, "169.254.169.254", "10.20.0.5":
        assert "error" in agent.do("requests", address, 80, [get(token + "x")])
    assert "403" in agent.ok("requests", REC, 80, [get(token + "x", DENIED)])[0]
    assert not world.recorder.arrived((token + "x").encode())
    assert not world.wire.carries((token + "x").encode(), start)
    # of what the kernel refused the keeper is told a moment later
    wait_for(lambda: {"no_rule", "ip_literal", "special_address", "host_mismatch"} <= {
        e["reason"] for e in events(held.session) if e.get("verdict") == "deny"})


def test_gate_and_resolver_are_nobody(held):
    pid = netns.sessions()[held.session]["pid"]
    for word in "gate", "resolver":
        status = pathlib.Path(f"/proc/{sluice.role(pid, word)}/status").read_text()
        assert f"Uid:\t{stage.ROLES_ID}\t{stage.ROLES_ID}\t{stage.ROLES_ID}" in status
        assert f"Gid:\t{stage.ROLES_ID}\t" in status
        assert "Groups:\t \n" in status and "CapEff:\t0000000000000000" in status


def test_root_of_the_namespace_opens_nothing(world, held, token):
    """With every capability there is over the namespace: it may break its own network only."""
    agent = held.agent()
    assert passes(world, agent, token)
    start = world.wire.mark()
    for command in ("nft flush ruleset", "ip route flush table local", "ip route flush table main",
                    "ip route add local default dev lo", "ip link add v0 type veth peer name v1",
                    "ip link set v0 up", "ip addr add 21.5.0.3/24 dev v0",
                    "ip route add default via 21.5.0.1", "ip link add d0 type dummy",
                    "ip link set d0 up"):
        held.enter(*command.split())
        for address in internet.RECORDER4, internet.GATEWAY4, internet.RECORDER6:
            tried = held.enter(sluice.PYTHON, "-c", f"""
import socket
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    s = socket.socket(socket.AF_INET6 if ':' in '{address}' else socket.AF_INET, kind)
    s.settimeout(0.2)
    try:
        s.connect(('{address}', 80 if kind == socket.SOCK_STREAM else 9999))
        s.send(b'{token}x')
    except OSError:
        pass
""")
            assert tried.returncode == 0, tried.stdout
    assert not world.wire.carries((token + "x").encode(), start)
    assert not world.recorder.arrived((token + "x").encode())


# what cannot be attached

@pytest.fixture
def nobody(daemon):
    """The sessions of the tests before have ended: they do so a moment after their processes."""
    wait_for(lambda: daemon.all() == [])


@pytest.mark.parametrize("name", ["v0", "sit0", "gre7", "lo"])
def test_a_namespace_with_a_way_out_is_refused(daemon, nobody, box, name):
    """Whatever it is called: its root gives names."""
    for word in ("lo", "sit0"):         # the kernel's own make room
        if name == word:
            box.enter("ip", "link", "set", word, "down")
            box.enter("ip", "link", "set", word, "name", "other")
    peer = f"way{box.pid}"
    try:
        subprocess.run(["ip", "link", "add", peer, "type", "veth", "peer", "name", "v0", "netns",
                        str(box.pid)], check=True)
        assert name == "v0" or not box.enter("ip", "link", "set", "v0", "name", name).stdout
        done = call("attach", "--pid", box.pid)
        assert done.code == 125 and f"the namespace has {name}: a way out" in done.err \
            or name == "lo" and "the namespace has " in done.err
        assert daemon.all() == []
    finally:
        subprocess.run(["ip", "link", "del", peer], check=True)


@pytest.mark.parametrize("kind", ["veth", "tap"])
def test_an_interface_that_comes_later_is_cut(world, daemon, held, token, kind):
    """Root puts one into what is held: it goes, and until it is gone nothing is served."""
    assert passes(world, held.agent(), token)
    restarts, name = daemon.held(held.session)["restarts"], f"way{held.pid}"
    if kind == "veth":
        commands = [f"ip link add {name} type veth peer name v0 netns {held.pid}"]
    else:
        commands = [f"ip tuntap add {name} mode tap", f"ip link set {name} netns {held.pid}"]
    for command in commands:
        subprocess.run(command.split(), check=True)
    wait_for(lambda: daemon.held(held.session)["restarts"] > restarts)
    daemon.serves(held.session)
    left = {row["ifname"] for row in json.loads(held.enter("ip", "-json", "link").stdout)}
    assert not left & {"v0", name}
    assert f"{name if kind == 'tap' else 'v0'} has come into the namespace" in daemon.errors.read_text()
    assert passes(world, held.agent(), token + "y")


@pytest.mark.parametrize("words, why", [
    (["--netns", "/proc/self/ns/net"], "a symbolic link"),
    (["--pid", "self"], "not a process"),
    (["--pid", str(os.getpid())], "this machine itself"),
    (["--netns", "/etc/passwd"], "not a network namespace"),
    (["--pid", "4194303"], "No such file"),
    (["--pid", "0"], "not a process"),
    ([], "one of --pid, --netns, --container and --vm"),
    (["--container", "nobody"], "nobody: "),
])
def test_what_is_no_namespace_is_refused(daemon, words, why):
    done = call("attach", *words)
    assert done.code == 125 and why in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("policy, why", [
    ("bad", "allwo"), ("nowhere", "nowhere.yaml"), ("../none.yaml", "No such file"),
])
def test_a_bad_policy_attaches_nothing(daemon, nobody, box, policy, why):
    done = call("attach", "--pid", box.pid, "-p", policy)
    assert done.code == 125 and why in done.err and done.err.count("\n") == 1
    assert daemon.all() == []
    assert not list((netns.RUN / "held").iterdir())


def test_a_name_or_a_namespace_is_held_once(held, daemon):
    done = call("attach", "--pid", held.pid, "--session", "other")
    assert done.code == 125 and f"under session {held.session}" in done.err
    second = netns.Box()
    done = call("attach", "--pid", second.pid, "--session", held.session)
    second.kill()
    assert done.code == 125 and "there already" in done.err


def test_only_root_and_the_group_ask(held, daemon):
    def ask(uid, gid, groups=(), request='{"do":"held"}'):
        return subprocess.run(
            [sluice.PYTHON, "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\n"
             "s.connect('/run/sluice/control.sock')\ns.sendall(sys.argv[1].encode()+b'\\n')\n"
             "print(s.makefile().readline())", request], user=uid, group=gid,
            extra_groups=list(groups), capture_output=True, text=True, timeout=20)
    assert json.loads(ask(stage.UID, stage.GID, [stage.ROLES_ID]).stdout)["ok"]
    assert "Permission denied" in ask(stage.UID, stage.GID).stderr
    # files are read as root: one of the group cannot name any
    request = json.dumps({"do": "attach", "session": "x", "pid": held.pid,
                          "policies": ["/etc/shadow"]})
    assert "only root names a file" in ask(stage.UID, stage.GID, [stage.ROLES_ID], request).stdout
    # nor does he take the policy away by a mode
    box = netns.Box()
    attach = {"do": "attach", "session": "x", "pid": box.pid}
    for mode in "monitor", "bridge":
        request = json.dumps({**attach, "mode": mode})
        assert "only root attaches with it" in ask(stage.UID, stage.GID, [stage.ROLES_ID], request).stdout
    # what he may he does with sluice's own commands, which find the daemon though their folder is another
    def sluice_as(groups, *words):
        return subprocess.run([sluice.PROGRAM, *words], user=stage.UID, group=stage.GID, extra_groups=groups,
                              env={"HOME": str(stage.HOME), "PATH": "/usr/bin"}, capture_output=True, text=True,
                              timeout=30, cwd="/")
    own = netns.Box("setpriv", f"--reuid={stage.UID}", f"--regid={stage.GID}", "--clear-groups",
                    "unshare", "--user", "--map-root-user", "--net")
    words = ["attach", "--pid", str(own.pid), "-p", "rec", "--mode", "isolated", "--session", "x"]
    done = sluice_as([], *words)
    assert done.returncode == 125 and "root and the group sluice" in done.stderr and not daemon.held("x")
    done = sluice_as([stage.ROLES_ID], *words)
    assert done.returncode == 0 and done.stdout == "x\n" and daemon.held("x"), done.stderr
    assert sluice_as([stage.ROLES_ID], "detach", "x").returncode == 0 and not daemon.held("x")
    # another's namespace he neither attaches nor detaches, nor one by a path, which may lead elsewhere later
    request = json.dumps({"do": "attach", "session": "x", "netns": own.path, "policies": ["rec"]})
    assert "only root names a namespace's path" in ask(stage.UID, stage.GID, [stage.ROLES_ID], request).stdout
    done = sluice_as([stage.ROLES_ID], "attach", "--pid", str(box.pid), "-p", "rec", "--session", "x")
    assert done.returncode == 125 and "another user's" in done.stderr and not daemon.held("x"), done.stderr
    box.attach("rec", "x")
    done = sluice_as([stage.ROLES_ID], "detach", "x")
    assert done.returncode == 125 and "another user's" in done.stderr and daemon.held("x")["state"] == "serving"
    assert call("detach", "x").code == 0
    box.kill()
    own.kill()


def test_the_group_leaves_room_for_root(daemon):
    code = ("import socket\nall = [socket.socket(socket.AF_UNIX) for _ in range(40)]\n"
            "for s in all: s.connect('/run/sluice/control.sock')\nprint('full', flush=True)\ninput()")
    crowd = subprocess.Popen([sluice.PYTHON, "-c", code], user=stage.UID, group=stage.GID,
                             extra_groups=[stage.ROLES_ID], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert crowd.stdout.readline() == "full\n"
    assert wait_for(daemon.answers)["ok"]      # there is room, once it has taken the crowd from the socket's queue
    crowd.communicate("\n")
    assert crowd.returncode == 0


def test_the_name_of_a_session_that_runs_is_not_taken(daemon, box):
    other = sluice.Agent([sluice.PROGRAM, "run", "-q", "--only", "--session", "mine", "--"], root=True,
                         env=netns.root_env())
    done = call("attach", "--pid", box.pid, "--session", "mine")
    assert done.code == 125 and "is not the daemon's" in done.err
    assert "mine" in call("sessions").out
    other.kill()


# life and death

def test_detach_closes(world, held, token):
    agent = held.agent()
    assert passes(world, agent, token)
    assert call("detach", held.session).code == 0
    assert not passes(world, agent, token + "x")
    assert "table inet sluice" in held.enter("nft", "list", "ruleset").stdout
    assert events(held.session)[-2]["event"] == "session.end"
    assert call("detach", held.session).code == 125
    held.attach("rec", held.session)        # and can be held again
    assert passes(world, held.agent(), token + "y")


def test_the_end_of_its_process_ends_a_session(held, daemon):
    keeper = daemon.held(held.session)["keeper"]
    held.kill()
    wait_for(lambda: not daemon.held(held.session))
    assert not pathlib.Path(f"/proc/{keeper}").exists()
    assert not list(netns.RUN.glob(f"{held.session}*"))
    assert events(held.session)[-1]["event"] == "checkpoint"


@pytest.mark.parametrize("victim", ["keeper", "gate", "resolver"])
def test_what_dies_is_held_again_and_closed_meanwhile(world, held, daemon, token, victim):
    agent = held.agent()
    assert passes(world, agent, token)
    before = daemon.held(held.session)["keeper"]
    pid = before if victim == "keeper" else sluice.role(before, victim)
    os.kill(pid, signal.SIGSTOP)        # the moment in between, held on to
    os.kill(pid, signal.SIGKILL)
    assert daemon.serves(held.session, before)["restarts"] == 1
    assert passes(world, held.agent(), token + "y")
    assert not passes(world, agent, token + "x") or passes(world, agent, token + "z")


def test_closed_while_nobody_keeps_it(world, held, daemon, token):
    """The daemon stopped, its keeper dead: rules without anybody behind them."""
    agent = held.agent()
    assert passes(world, agent, token)
    keeper = daemon.held(held.session)["keeper"]
    start = world.wire.mark()
    with standing_still(daemon.process.pid):
        os.kill(keeper, signal.SIGKILL)
        answer = agent.do("requests", internet.RECORDER4, 80, [get(token + "x")])
        assert answer["errno"] == 111, answer
        assert "error" in agent.do("requests", REC, 80, [get(token + "x")])
        assert not world.wire.carries((token + "x").encode(), start)
    daemon.serves(held.session, keeper)
    assert passes(world, held.agent(), token + "y")


def test_sessions_outlive_the_daemon(world, held, daemon, token):
    agent = held.agent()
    keeper = daemon.held(held.session)["keeper"]
    daemon.kill()
    assert passes(world, agent, token)
    daemon.start()
    assert daemon.serves(held.session)["keeper"] == keeper and passes(world, agent, token + "y")
    # it is watched again, though it is no child
    os.kill(keeper, signal.SIGKILL)
    daemon.serves(held.session, keeper)
    assert passes(world, held.agent(), token + "z")


def numbers(session):
    """What the daemon's exporter tells of a session."""
    status, _, text = scrape.ask(METRICS)
    assert status == 200 and "\nsluice_build_info{" in text
    return scrape.read("\n".join(line for line in text.splitlines() if f'{{session="{session}"' in line))


def counted(session, name="agent_network_connection_attempts_total", **labels):
    return numbers(session).get((name, frozenset(labels.items())), -1)


def test_metrics_are_of_all_sessions(world, held, daemon, token):
    other = netns.Box()
    try:
        other.attach("rec", f"box-{other.pid}")
        assert not numbers("nobody")
        assert passes(world, held.agent(), token)
        held.agent().do("requests", DENIED, 80, [get(token)])
        wait_for(lambda: counted(held.session, verdict="allow") == 1)
        wait_for(lambda: counted(held.session, "sluice_dns_queries_total", verdict="deny") > 0)
        wait_for(lambda: counted(held.session, "agent_vm_network_tx_packets_total") > 4)
        assert counted(other.session, verdict="allow") == 0
        # the exporter dies, and the daemon: the numbers are the keepers'
        exporter = sluice.role(daemon.process.pid, "exporter")
        assert os.stat(f"/proc/{exporter}").st_uid != 0
        kill_now(exporter)
        assert counted(held.session, verdict="allow") == 1
        daemon.kill()
        assert passes(world, held.agent(), token + "y")
        daemon.start()
        wait_for(lambda: counted(held.session, verdict="allow") == 2)
        call("detach", other.session)
        wait_for(lambda: not numbers(other.session))
    finally:
        other.kill()


def test_what_died_with_the_daemon_is_held_again(world, held, daemon, token):
    keeper = daemon.held(held.session)["keeper"]
    daemon.kill()
    kill_now(keeper)
    agent = held.agent()
    assert not passes(world, agent, token)
    daemon.start()
    daemon.serves(held.session)
    assert passes(world, held.agent(), token + "y")


def test_stale_state_is_forgotten(held, daemon):
    """As after the machine's restart: numbers that are other processes' by now."""
    keeper = daemon.held(held.session)["keeper"]
    file = netns.RUN / "held" / f"{held.session}.json"
    state = json.loads(file.read_text())
    daemon.kill()
    kill_now(keeper)
    for number, change in enumerate(({"boot": "x"}, {"started": 1}, {"inode": 1}, {"pid": 4194303})):
        file.with_name(f"stale{number}.json").write_text(
            json.dumps({**state, "session": f"stale{number}", **change}))
    file.with_name("torn.json").write_text("{")
    file.unlink()
    (netns.RUN / f"stale0.sock").touch()
    daemon.start()
    wait_for(lambda: daemon.all() == [])
    assert [p.name for p in (netns.RUN / "held").iterdir()] == ["torn.json"]
    assert "torn.json: cannot be read" in daemon.errors.read_text()
    file.with_name("torn.json").unlink()
    assert not list(netns.RUN.glob("stale*"))


# what the other commands say of it

def test_reload(world, held, daemon, token):
    agent = held.agent()
    assert passes(world, agent, token)
    policy = POLICIES / "rec.yaml"
    whole = policy.read_text()
    try:
        policy.write_text("version: 1\n")
        assert call("reload", held.session).code == 0
        assert not passes(world, agent, token + "x")
    finally:
        policy.write_text(whole)
    assert call("reload", held.session).code == 0
    assert passes(world, agent, token + "y")


def test_sessions_lists_it(held):
    shown = call("sessions").out
    assert held.session in shown and "control" not in shown


def test_doctor_tells_of_it(daemon):
    def works():
        rows = json.loads(call("doctor", "--format", "json").out)["abilities"]
        return {row["name"]: row["works"] for row in rows}
    assert works()["daemon"] and works()["role_user"]
    daemon.kill()
    assert not works()["daemon"]
    daemon.start()


def test_hold_serves_without_a_daemon(world, box, token):
    """Also by hand; and without root, if the namespace is one's own."""
    holder = subprocess.Popen([str(sluice.PROGRAM), "hold", "--pid", str(box.pid), "--only",
                               "--allow", REC], env=netns.root_env(), cwd="/",
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert "serves" in holder.stderr.readline()
    assert passes(world, box.agent(), token)
    box.kill()
    assert holder.wait(10) == 0


def test_hold_without_root(world, token):
    inner = subprocess.Popen(["unshare", "--user", "--map-root-user", "--net", "sleep", "60"],
                             stdin=subprocess.DEVNULL, **sluice.as_user())
    wait_for(lambda: b"sleep" in pathlib.Path(f"/proc/{inner.pid}/cmdline").read_bytes().split(b"\0")[0])
    holder = subprocess.Popen([str(sluice.PROGRAM), "hold", "--pid", str(inner.pid), "--only",
                               "--allow", REC], env=sluice.environment(), cwd="/",
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                              **sluice.as_user())
    assert "serves" in holder.stderr.readline()
    agent = sluice.Agent(["nsenter", "--user", "--preserve-credentials", "--net", "-t",
                          str(inner.pid), "--"])
    assert passes(world, agent, token)
    assert "error" in agent.do("requests", internet.RECORDER4, 80, [get(token + "x")])
    agent.kill()
    inner.kill()
    inner.wait(10)
    assert holder.wait(10) == 0


LOAD = """
import json, socket, threading, time
done, lock = [], threading.Lock()
def ask(host, path, s=None):
    begin = time.monotonic()
    try:
        s = s or socket.create_connection((host, 80), 10)
        s.settimeout(10)
        s.sendall(f'GET /{path} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n'.encode())
        answer = b''
        while b'\\r\\n\\r\\n' not in answer and (more := s.recv(65536)):
            answer += more
        status = answer[9:12].decode()
    except OSError as e:
        status = type(e).__name__
    with lock:
        done.append((begin, time.monotonic(), host, status))
    return s
def work(number):
    kept = None
    for i in range(COUNT):
        if i % 4 == 0:
            s = ask('STAYS', 'fresh')
            s and s.close()
        elif i % 4 == 1:
            s = ask('GOES', 'fresh')
            s and s.close()
        else:
            kept = ask('STAYS', 'kept', kept)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
while not any(host == 'GOES' for _, _, host, _ in list(done)): time.sleep(0.01)
print('begun', flush=True)
for t in threads: t.join()
print(json.dumps(done))
"""


def test_reload_under_load_has_no_wrong_verdict(world, held, daemon):
    """10,000 requests of which a part is allowed until the policy changes, and no longer."""
    stays, goes = REC, f"www.{ZONE}"
    netns.policies(load=f"allow:\n  - host: {stays}\n  - host: {goes}\n")
    call("detach", held.session)
    held.attach("load", held.session)
    code = LOAD.replace("COUNT", "2500").replace("STAYS", stays).replace("GOES", goes)
    load = subprocess.Popen(["nsenter", f"--net={held.path}", "--", sluice.PYTHON, "-c", code],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert load.stdout.readline() == "begun\n"
    time.sleep(0.3)         # the most of it is still to come
    netns.policies(load=f"allow:\n  - host: {stays}\n")
    begin = time.monotonic()
    assert call("reload", held.session).code == 0
    end = time.monotonic()
    done = json.loads(load.communicate(timeout=120)[0])
    assert len(done) == 10000
    assert {status for _, _, host, status in done if host == stays} == {"200"}
    gone = [(a, b, status) for a, b, host, status in done if host == goes]
    before = [status for a, b, status in gone if b < begin]
    after = [status for a, b, status in gone if a > end]
    assert before and set(before) <= {"200", "404"}, set(before)
    assert after and not set(after) & {"200", "404"}, set(after)
