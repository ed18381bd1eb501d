# SPDX-License-Identifier: Apache-2.0
"""--ask: questions on a terminal that the command uses too, and cannot answer."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import sluice
import stage
from stage import ZONE

REC, SECOND = f"rec.{ZONE}", f"second.{ZONE}"
LETTERS = re.compile(rb"then type ([a-z]{2})\r\n  n or Enter no, v never: ")


class Terminal:
    """sluice run --ask on a pty, as a person sees it."""

    def __init__(self, *command, options=(), env=None, rows=24, ask="--ask", preexec=None):
        self.log = sluice.new_log()
        self.master, slave = pty.openpty()
        self.size(rows, 80)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.seen = b""

        def control():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if preexec:
                preexec()
        self.process = subprocess.Popen(
            [str(sluice.PROGRAM), "run", "--only", "--log", str(self.log), *ask.split(),
             *map(str, options), "--", *map(str, command)],
            stdin=slave, stdout=slave, stderr=slave, cwd=stage.WORK,
            env=env or sluice.environment(TERM="xterm"), preexec_fn=control, **sluice.as_user())

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def more(self, limit):
        if not select.select([self.master], [], [], limit)[0]:
            return False
        try:
            got = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += got
        return bool(got)

    def until(self, pattern, limit=20):
        """Everything up to the pattern, which is taken from what was seen."""
        end = time.monotonic() + limit
        pattern = re.compile(pattern) if isinstance(pattern, bytes) else pattern
        while not (found := pattern.search(self.seen)):
            assert time.monotonic() < end, self.seen
            if not self.more(0.2) and self.process.poll() is not None:
                assert pattern.search(self.seen), self.seen
        before, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return found, before

    def question(self, limit=20):
        """The letters of the next one; what is typed sooner is thrown away."""
        found, before = self.until(LETTERS, limit)
        time.sleep(0.5)
        return found[1], before

    def type(self, text):
        os.write(self.master, text)

    def end(self, limit=20):
        stop = time.monotonic() + limit
        while self.process.poll() is None and time.monotonic() < stop:
            self.more(0.1)
        code = self.process.wait(1)
        while self.more(0.1):
            pass
        assert termios.tcgetattr(self.slave) == self.before, "the terminal is not as it was"
        return code, self.seen

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        os.close(self.master)
        os.close(self.slave)

    def of(self, kind):
        return [e for e in map(json.loads, self.log.read_bytes().split(b"\n")[:-1])
                if e["event"] == kind]


@pytest.fixture
def terminal(world):
    made = []

    def start(*args, **kwargs):
        made.append(Terminal(*args, **kwargs))
        return made[-1]
    yield start
    for one in made:
        one.kill()


def curl(*hosts, path="/"):
    return ("sh", "-c", "; ".join(
        f"curl -sS -m 30 -o /dev/null -w 'got %{{http_code}}.' http://{h}{path}" for h in hosts))


@pytest.mark.core
def test_yes_once(world, terminal, token):
    t = terminal(*curl(REC, REC, path=f"/{token}"))
    letters, text = t.question()
    assert f"the command wants to reach {REC}:80 (no rule matches)".encode() in text
    assert f"it sent: GET /{token}".encode() in text and b"program: /usr/bin/curl" in text
    assert not world.arrived(token.encode()) and not world.dns.asked(REC)
    t.type(b"y" + letters)
    t.until(b"allowed once")
    t.until(b"got 200")
    assert world.arrived(token.encode())
    letters, _ = t.question()       # once is once
    t.type(b"n")
    t.until(b"got 403")
    assert t.end()[0] == 0
    assert [(e["decision"], e["by"], e["scope"]) for e in t.of("approval")] == \
        [("approved", "terminal", "once"), ("denied", "terminal", "once")]
    assert [e["reason"] for e in t.of("conn.open")] == ["allowed_approved", "approval_denied"]
