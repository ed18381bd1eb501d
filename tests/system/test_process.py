# SPDX-License-Identifier: Apache-2.0
"""Which process it was: pid and exe of denials, and of what is allowed if the policy asks."""
import os
import shutil
import signal
import socket

import pytest

import dnsd
import internet
import sluice
import stage
from stage import ZONE
from waiting import wait_for

REC = f"rec.{ZONE}"
CURL = os.path.realpath(shutil.which("curl"))
PYTHON = os.path.realpath(sluice.PYTHON)
PROCESS = "version: 1\nlog: {process: true}\nallow:\n  - host: " + REC + "\n"


def who(event):
    return event.get("exe"), event.get("pid", 0) > 0


def test_denied_name_tells_its_program(world):
    done = sluice.run("--allow", REC, command=["curl", "-sm3", f"http://denied.{ZONE}/"])
    denied = [e for e in done.of("dns.query") if e["name"] == f"denied.{ZONE}"]
    assert denied and all(who(e) == (CURL, True) for e in denied)
    # what is allowed is told of only if the policy asks for it
    assert not any("pid" in e or "exe" in e for e in done.events if e.get("verdict") == "allow")


def test_allowed_is_told_of_with_log_process(policy):
    done = sluice.run("--only", "-p", policy(PROCESS),
                      command=["sh", "-c", f"curl -sm5 http://{REC}/; curl -sm3 http://denied.{ZONE}/"])
    allowed = [e for e in done.events if e.get("verdict") == "allow" and e["event"] != "http"]
    assert {e["event"] for e in allowed} == {"dns.query", "conn.open"}
    assert all(who(e) == (CURL, True) for e in allowed)
    assert all(who(e) == (CURL, True) for e in done.denied())
    opened = [e for e in allowed if e["event"] == "conn.open"][0]
    assert list(opened)[-3:] == ["pid", "exe", "prev"]


@pytest.mark.parametrize("family", (4, 6))
def test_denied_connection_tells_its_program(world, family):
    """Past the name: the port is open in the kernel, the Host is another's."""
    code = ("import socket\n"
            f"s = socket.create_connection(('{REC}', 80))\n"
            "s.sendall(b'GET / HTTP/1.1\\r\\nHost: other.example\\r\\n\\r\\n')\n"
            "print(s.recv(100))\n")
    host = f"rec{family}.{ZONE}"
    done = sluice.run("--allow", host, command=[sluice.PYTHON, "-c", code.replace(REC, host)])
    denied = [e for e in done.denied() if e["event"] == "conn.open"]
    assert "403" in done.out
    assert [who(e) for e in denied] == [(PYTHON, True)]


@pytest.mark.parametrize("blocking", (True, False))
def test_refused_connection_tells_its_program(world, blocking):
    """The kernel refuses the SYN, and the socket is gone at once: the broker told who it was."""
    code = ("import socket\n"
            "for port in range(81, 91):\n"
            f"    socket.socket().connect_ex(('{internet.RECORDER4}', port))\n")
    command = ([sluice.PYTHON, "-c", code] if blocking else
               ["sh", "-c", f"for p in 1 2 3 4 5 6 7 8 9 0; do curl -sm3 http://{internet.RECORDER4}:8$p/; done"])
    denied = sluice.run(command=command).denied()
    told = [who(e)[0] for e in denied if who(e)[0]]
    # on a busy machine a note may come later than the drop; and a program that has ended
    # has no number any more
    assert len(denied) == 10
    assert len(told) >= 7 and set(told) == {PYTHON if blocking else CURL}


def test_refused_unix_socket_tells_its_program(world, place):
    path = place / "s.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        stage.give(place)
        done = sluice.run(command=["curl", "-sm3", "--unix-socket", path, "http://x/"])
    assert [who(e)[0] for e in done.denied() if e["event"] == "conn.open"] == [CURL]


def test_refused_datagram_tells_its_program(world):
    """The kernel refuses it; the socket outlives that."""
    code = ("import socket, time\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"s.sendto(b'x', ('{internet.RECORDER4}', 9999))\n"
            "time.sleep(0.5)\n")
    done = sluice.run(command=[sluice.PYTHON, "-c", code])
    assert [who(e) for e in done.denied()] == [(PYTHON, True)]


def test_dns_over_tcp_tells_its_program(jail):
    agent = jail()
    agent.do("dns", "9.9.9.9", dnsd.question(f"denied.{ZONE}", dnsd.A).hex(), tcp=True)
    assert [who(e) for e in agent.end().denied()] == [(PYTHON, True)]


def test_hostile_name_of_a_program_is_escaped(world, place):
    evil = place / "a\nb\x1b[31m\"}{"
    shutil.copy2(CURL, evil)
    stage.give(place)
    done = sluice.run(command=[evil, "-sm3", f"http://denied.{ZONE}/"])
    denied = done.denied()
    assert denied and all(who(e) == (str(evil), True) for e in denied)
    assert b"\x1b" not in done.log.read_bytes()
    report = sluice.call("report", done.log)
    assert "\\x0a" in report.out and "\x1b" not in report.out


def test_gone_process_is_not_guessed(world, jail):
    """The client's socket is closed before the keeper can look: it stands still meanwhile."""
    code = ("import socket, struct\n"
            "q = struct.pack('>6H', 1, 256, 1, 0, 0, 0) + b'\\4gone\\4test\\0' + struct.pack('>2H', 1, 1)\n"
            "for i in range(20):\n"
            "    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
            "        s.sendto(q, ('9.9.9.9', 53))\n")
    agent = jail()
    os.kill(agent.process.pid, signal.SIGSTOP)
    try:
        agent.ok("command", sluice.PYTHON, "-c", code)
    finally:
        os.kill(agent.process.pid, signal.SIGCONT)
    # the next socket may have a port of theirs: they are looked for before it is there
    wait_for(lambda: agent.log.read_bytes().count(b'"gone.test"') >= 20)
    agent.do("resolve", "here.test")
    denied = agent.end().denied()
    gone, here = ([e for e in denied if e.get("name") == f"{word}.test"] for word in ("gone", "here"))
    assert gone and not any("pid" in e or "exe" in e for e in gone)
    assert here and all("pid" in e and e["exe"] == PYTHON for e in here)


def test_crowd_of_processes_does_not_stall(world):
    """100 processes with 200 descriptors each; an allowed request is as quick as ever."""
    code = ("import os, subprocess, sys, time\n"
            "kids = []\n"
            "for i in range(200): os.dup(0)\n"
            "for i in range(100):\n"
            "    pid = os.fork()\n"
            "    if pid == 0:\n"
            "        time.sleep(100)\n"
            "        os._exit(0)\n"
            "    kids.append(pid)\n"
            f"for i in range(20): subprocess.run(['curl', '-sm3', 'http://d%d.{ZONE}/' % i])\n"
            "start = time.monotonic()\n"
            f"assert b'path' not in subprocess.check_output(['curl', '-sm5', 'http://{REC}/'])\n"
            "print(time.monotonic() - start)\n")
    done = sluice.run("--allow", REC, command=[sluice.PYTHON, "-c", code])
    assert done.code == 0, done.err
    assert float(done.out.split()[-1]) < 3
    assert len(done.denied()) >= 20


def test_report_tells_which_program(world, policy):
    done = sluice.run(command=["sh", "-c", f"curl -sm3 http://d1.{ZONE}/; curl -sm3 http://d2.{ZONE}/; "
                               f"getent ahostsv4 d3.{ZONE}"])
    report = sluice.call("report", "--format", "json", done.log).json()
    assert [p["exe"] for p in report["programs"]][0] == CURL
    assert any(p["exe"].endswith("/getent") for p in report["programs"])
    text = sluice.call("report", done.log).out
    assert "  DENIED  PROGRAM\n" in text and CURL in text
    assert "of what was allowed the log names no program" in text
    done = sluice.run("-p", policy(PROCESS), command=["curl", "-so", "/dev/null", f"http://{REC}/"])
    text = sluice.call("report", done.log).out
    assert f"  DENIED  ALLOWED  PROGRAM\n       0        1  {CURL}\n" in text
