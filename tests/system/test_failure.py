# SPDX-License-Identifier: Apache-2.0
"""When a part of sluice dies or can't record, the jail is left with no network."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import internet
import sluice
import stage
from stage import ZONE
from test_reload import events
from waiting import wait_for

REC = f"rec.{ZONE}"
TRY = ("import socket, sys, time\n"
       "def attempt(limit=2):\n"
       "    try:\n"
       "        s = socket.create_connection((sys.argv[1], 9999), limit); s.settimeout(limit)\n"
       "        s.sendall(sys.argv[2].encode()); return s.recv(99) != b''\n"
       "    except OSError: return False\n"
       "print('first', attempt(10), flush=True)\n"
       "sys.stdin.readline()\n"
       "for _ in range(50): attempt(); time.sleep(0.02)\n")


def start(token, log, *options):
    process = subprocess.Popen(
        [sluice.PROGRAM, "run", "--log", log, "--allow", f"{REC}:9999", *options, "--",
         sluice.PYTHON, "-c", TRY, REC, token], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=sluice.environment(), cwd=stage.WORK, **sluice.as_user())
    if process.stdout.readline() != b"first True\n":
        process.kill()
        raise AssertionError(process.communicate())
    return process


def gone(pids, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(p) for p in pids):
            return True
        time.sleep(0.02)
    return False


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.core
@pytest.mark.parametrize("role", ["keeper", "gate", "resolver", "broker"])
def test_kill_9_leaves_no_network_and_no_process(world, token, role):
    log = sluice.new_log()
    process = start(token, log)
    family = list(sluice.children(process.pid))
    victim = process.pid if role == "keeper" else sluice.role(process.pid, role)
    connects = len(world.recorder.arrived(token.encode()))
    assert connects == 1
    os.kill(victim, signal.SIGKILL)
    time.sleep(0.3)
    before = len(world.recorder.arrived(token.encode()))
    try:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    except OSError:
        pass
    assert gone(family), [line for p, line in sluice.children(1).items() if p in family]
    process.wait(10)
    assert len(world.recorder.arrived(token.encode())) == before == 1
    verdict = sluice.call("log", "verify", log)
    assert verdict.code == 0, verdict.out + verdict.err
    if role == "keeper":
        assert sluice.call("log", "verify", "--strict", log).code == 1
    else:
        assert process.returncode != 0


@pytest.mark.parametrize("role", ["keeper", "gate"])
@pytest.mark.parametrize("after_ms", [0, 2, 5, 10, 15, 20, 30, 50])
def test_kill_9_at_any_time_of_the_start(world, token, role, after_ms):
    """The command runs guarded or not at all; nothing is left behind."""
    log = sluice.new_log()
    process = subprocess.Popen(
        [sluice.PROGRAM, "run", "--log", log, "--", sluice.PYTHON, "-c", TRY,
         internet.RECORDER4, token], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=sluice.environment(), cwd=stage.WORK, **sluice.as_user())
    time.sleep(after_ms / 1000)
    family = sluice.children(process.pid)
    gates = [p for p, line in family.items() if line[1:2] == ["role-gate"]]
    os.kill(process.pid if role == "keeper" or not gates else gates[0], signal.SIGKILL)
    process.wait(20)
    assert gone(family), [p for p in family if alive(p)]
    assert not world.arrived(token.encode())


def test_full_disk_denies_everything_and_says_so(world, token, place):
    small = place / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=777", "tmpfs", str(small)],
                   check=True)
    log = small / "log.jsonl"
    agent = sluice.jail("--allow", f"{REC}:9999", log=log)
    try:
        assert agent.ok("tcp", REC, 9999, "a" + token)["data"] == "a" + token
        with open(small / "filler", "wb", buffering=0) as filler, pytest.raises(OSError):
            while True:
                filler.write(bytes(1024))
        for n in range(60):      # what is left of the last page
            agent.do("tcp", REC, 9999, f"b{n}{token}", 0.05)
        start = world.wire.mark()
        answer = agent.do("tcp", REC, 9999, "c" + token)
        assert "error" in answer or answer["ok"]["data"] == ""
        assert "error" in agent.do("resolve", f"rec4.{ZONE}")
        assert not world.wire.carries(b"c" + token.encode(), start)
        done = agent.end()
        assert "log" in done.err.lower(), done.err
        lines = log.read_bytes().split(b"\n")[:-1]
        assert all(json.loads(line)["v"] == 1 for line in lines)
        assert sluice.call("log", "verify", log).code == 0
    finally:
        agent.kill()
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_log_that_cannot_be_opened_stops_the_start(place):
    done = sluice.call("run", "--log", place / "no" / "such" / "folder" / "x.jsonl", "--",
                       "touch", place / "ran")
    if done.code == 0:      # it may make the folders
        assert (place / "no/such/folder/x.jsonl").exists()
    else:
        assert done.code == 125 and not (place / "ran").exists()


def test_log_in_a_folder_of_others_stops_the_start(place):
    done = sluice.call("run", "--log", "/etc/x.jsonl", "--", "touch", place / "ran")
    assert done.code == 125 and not (place / "ran").exists()


def test_existing_log_is_continued_if_it_verifies(place):
    log = place / "log.jsonl"
    first = sluice.run(log=log, command=["true"])
    count = len(first.events)
    second = sluice.run(log=log, command=["true"])
    assert len(second.events) > count
    assert second.events[count]["event"] == "session.start"


def test_existing_log_that_was_edited_is_refused(place):
    log = place / "log.jsonl"
    sluice.run(log=log, command=["true"])
    log.write_bytes(log.read_bytes().replace(b"filtered", b"monitored"))
    done = sluice.call("run", "--log", log, "--", "touch", place / "ran")
    assert done.code == 125 and not (place / "ran").exists()


def test_two_sessions_cannot_write_one_log(place):
    log = place / "log.jsonl"
    agent = sluice.jail(log=log)
    try:
        assert sluice.call("run", "--log", log, "--", "true").code == 125
    finally:
        agent.kill()


@pytest.mark.parametrize("missing", ["bwrap", "nft"])
def test_missing_program_stops_the_start(world, place, missing):
    """Hidden in a mount namespace of this test's own."""
    path = {"bwrap": "/usr/bin/bwrap", "nft": "/usr/sbin/nft"}[missing]
    script = (f"mount --bind /dev/null {path} && exec setpriv --reuid={stage.UID} "
              f"--regid={stage.GID} --clear-groups {sluice.PROGRAM} run -- touch {place}/ran")
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], env=sluice.environment(),
                          cwd=stage.WORK, capture_output=True, text=True)
    assert done.returncode == 125, done.stderr
    assert missing in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (place / "ran").exists()


def test_programs_are_not_found_by_path(place):
    """A bwrap or nft of the user's own, first in PATH, is not what sluice starts."""
    for name in ("bwrap", "nft", "ip"):
        (place / name).write_text(f"#!/bin/sh\ntouch {place}/fooled\nexit 1\n")
        (place / name).chmod(0o755)
    stage.give(place)
    env = sluice.environment(PATH=f"{place}:{sluice.environment()['PATH']}")
    assert sluice.run(env=env, command=["true"]).code == 0
    assert not (place / "fooled").exists()


def test_without_user_namespaces_nothing_is_started(world, place):
    done = sluice.without_user_namespaces("run", "--", "touch", place / "ran")
    assert done.code == 125 and not (place / "ran").exists()
    assert "user namespace" in done.err.splitlines()[-1], done.err


def test_descriptor_exhaustion_refuses_with_a_record_and_recovers(world):
    """The keeper's and the gate's limit reached: refused, recorded, then well again."""
    agent = sluice.jail("--allow", f"{REC}:9999", limit="--nofile=1100:1100")
    try:
        pieces = []
        for _ in range(4):      # more than one client process, each below its own limit
            pieces.append(agent.do("command", sluice.PYTHON, "-c", """
import os, socket, sys, time
held = []
for n in range(600):
    try:
        s = socket.create_connection((sys.argv[1], 9999), 3); s.settimeout(3)
        s.sendall(b'x')
        if not s.recv(1): break
        held.append(s)
    except OSError: break
print(len(held), flush=True)
if os.fork() == 0:
    os.close(0); os.close(1); os.close(2)
    time.sleep(2)
os._exit(0)
""", REC, limit=30))
        counts = [int(p["ok"]["out"] or 0) for p in pieces]
        assert 0 < sum(counts) < 2400, counts
        wait_for(lambda: len(events(agent, "conn.close")) >= len([
            e for e in events(agent, "conn.open") if e["verdict"] == "allow"]), 20)
        assert agent.ok("tcp", REC, 9999, "again", 3)["data"] == "again"
        done = agent.end()
        assert done.denied() or any(e.get("end") in ("limit", "error") for e in done.events)
    finally:
        agent.kill()


def test_what_the_command_leaves_behind_is_killed(place):
    done = sluice.run(cwd=place, command=[
        "sh", "-c", "(setsid sh -c 'sleep 1; touch late') >/dev/null 2>&1 & exit 3"])
    assert done.code == 3
    time.sleep(1.5)
    assert not (place / "late").exists()
