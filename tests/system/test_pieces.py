# SPDX-License-Identifier: Apache-2.0
"""log.rotate: a log in pieces is one log."""
import json
import pathlib
import signal
import subprocess
import time

import pytest

import internet
import sluice
import stage

SIZE = 65536
KNOCK = f"""
import socket, sys
for i in range(int(sys.argv[1])):
    s = socket.create_connection(("{internet.RECORDER4}", 7), 10)
    s.sendall(b"x")
    s.recv(1)
    s.close()
"""
RULES = f"""
version: 1
allow: [{{ip: {internet.RECORDER4}/32, ports: [7]}}]
log: {{rotate: 65536}}
"""


def state(place):
    return sluice.environment(XDG_STATE_HOME=place / "state")


def run(policy, place, *options, count=400):
    done = sluice.call("run", "--only", "-p", policy(RULES), *options, "--", sluice.PYTHON, "-c",
                       KNOCK, str(count), env=state(place))
    assert done.code == 0, done.err
    (log,) = (place / "state/sluice/audit").glob("*.jsonl")
    return log


def pieces_of(log):
    pieces = sorted(log.parent.glob(log.name + ".*"), key=lambda p: int(p.suffix[1:]))
    assert [p.suffix for p in pieces] == [f".{i + 1}" for i in range(len(pieces))]
    return pieces


@pytest.fixture
def log(world, policy, place):
    stage.give(place)
    return run(policy, place)


def verify(log, place, *options):
    return sluice.call("log", "verify", *options, log, env=state(place))


def test_pieces_are_one_log(log, place):
    pieces = pieces_of(log)
    assert len(pieces) >= 2 and all(SIZE <= p.stat().st_size < 2 * SIZE for p in pieces)
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in pieces)
    lines = [json.loads(line) for p in [*pieces, log] for line in p.read_bytes().splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    assert all(json.loads(p.read_bytes().splitlines()[-1])["event"] == "checkpoint" for p in pieces)
    done = verify(log, place, "--strict")
    assert done.code == 0 and f"lines     {len(lines)} in 1 sessions" in done.out, done.out
    report = sluice.call("report", "--format", "json", log, env=state(place)).json()
    assert report["totals"]["connections"] == 400
    shown = sluice.call("log", "show", "--format", "json", log, env=state(place)).json()
    assert len(shown) == len(lines)


@pytest.mark.parametrize("how", ["swapped", "lost", "first-lost", "last-lost", "edited", "other's"])
def test_what_is_done_to_pieces_shows(log, policy, place, how):
    one, two = pieces_of(log)[:2]
    if how == "swapped":
        one.rename(place / "x"), two.rename(one), (place / "x").rename(two)
    elif how == "lost":
        two.rename(place / "x")
    elif how == "first-lost":
        one.rename(place / "x")
    elif how == "last-lost":
        log.rename(place / "x")
    elif how == "edited":
        one.write_bytes(one.read_bytes().replace(b'"allow"', b'"deny"', 1))
    else:       # another log's first piece, of the same key
        log.parent.rename(place / "kept")
        other = run(policy, place)
        pieces_of(other)[0].rename(place / "kept" / one.name)
        log = place / "kept" / log.name
    done = verify(log, place, "--strict")
    assert done.code != 0, (how, done.out)


def test_follow_goes_on_in_the_next_piece(world, policy, place):
    stage.give(place)
    first = run(policy, place, "--session", "s", "--log", place / "state/sluice/audit/s.jsonl",
                count=1)
    with open(place / "followed", "wb") as out:
        follow = subprocess.Popen([str(sluice.PROGRAM), "log", "follow", "--format", "json", first],
                                  stdout=out, env=state(place), **sluice.as_user())
    time.sleep(0.5)
    run(policy, place, "--log", first)
    deadline = time.monotonic() + 30
    last = first.read_bytes().splitlines()[-1]
    while time.monotonic() < deadline:
        seen = [json.loads(line) for line in (place / "followed").read_bytes().split(b"\n")[:-1]]
        if seen and seen[-1] == json.loads(last):
            break
        time.sleep(0.2)
    follow.send_signal(signal.SIGTERM)
    follow.wait()
    assert seen[-1] == json.loads(last) and len(pieces_of(first)) >= 2
    assert [e["seq"] for e in seen] == list(range(seen[0]["seq"], seen[-1]["seq"] + 1))


def test_pieces_are_out_of_reach(world, policy, place):
    """A log beside the command's files is not rotated there: nothing starts."""
    stage.give(place)
    done = sluice.call("run", "--only", "-p", policy(RULES), "--log", place / "log", "--", "true",
                       env=state(place))
    assert done.code == 125 and "log.rotate" in done.err, done.err
    done = sluice.call("run", "--only", "-p", policy(RULES), "--", "sh", "-c",
                       f"ls {place}/state/sluice/audit; true", env=state(place))
    assert done.code == 0 and not done.out, done.out
    # the positive control
    assert list(pathlib.Path(place / "state/sluice/audit").iterdir())
