# SPDX-License-Identifier: Apache-2.0
"""--ask: questions on a terminal that the command uses too, and cannot answer."""
import fcntl
import os
import pathlib
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
from waiting import wait_for

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
            ended = self.process.poll() is not None         # what it wrote last is there then
            if not self.more(0.2) and ended:
                assert pattern.search(self.seen), self.seen
        before, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return found, before

    def type_at(self, pattern, text, limit=20):
        """Type as soon as that is shown; the seconds for which it may have been there already."""
        end, before = time.monotonic() + limit, 0
        while not pattern.search(self.seen):
            before = time.monotonic()
            assert before < end, self.seen
            self.more(0.02)
        self.type(text)
        return time.monotonic() - before

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
        assert self.process.poll() is not None, self.seen
        code = self.process.returncode
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
        return sluice.events_so_far(self.log, kind)


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
    before = len(world.dns.asked(REC))
    t = terminal(*curl(REC, REC, path=f"/{token}"))
    letters, text = t.question()
    assert f"the command wants to reach {REC}:80 (no rule matches)".encode() in text
    assert f"it sent: GET /{token}".encode() in text and b"program: /usr/bin/curl" in text
    assert not world.arrived(token.encode()) and len(world.dns.asked(REC)) == before
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


@pytest.mark.parametrize("key,scope,words", [
    (b"s", "session", b"allowed for the session"), (b"t", "timed", b"allowed for 5 minutes")])
def test_yes_for_longer(terminal, key, scope, words):
    t = terminal(*curl(REC, REC))
    letters, _ = t.question()
    t.type(key + letters)
    t.until(words)
    t.until(rb"got 200\.got 200")       # the second is not asked about
    assert t.end()[0] == 0
    assert [(e["decision"], e["scope"]) for e in t.of("approval")] == [("approved", scope)]


def test_always(terminal):
    file = stage.HOME / ".config" / "sluice" / "approved.yaml"
    try:
        t = terminal(*curl(REC))
        letters, _ = t.question()
        t.type(b"a" + letters)
        t.until(b"got 200")
        assert t.end()[0] == 0 and REC in file.read_text()
    finally:
        file.unlink(missing_ok=True)


@pytest.mark.parametrize("key", [b"n", b"\r"])
def test_no(world, terminal, key, token):
    t = terminal(*curl(REC, path=f"/{token}"))
    t.question()
    t.type(key)
    t.until(b"got 403")
    assert t.end()[0] == 0 and not world.arrived(token.encode())
    assert [(e["decision"], e["scope"]) for e in t.of("approval")] == [("denied", "once")]


def test_never(terminal):
    t = terminal("sh", "-c", f"curl -sS -o /dev/null http://{REC}/; curl -sS http://{REC}/; echo code $?")
    t.question()
    t.type(b"v")
    t.until(b"denied for the session")
    t.until(b"code 6")                  # the name is gone
    assert t.end()[0] == 0
    assert [(e["decision"], e["scope"]) for e in t.of("approval")] == [("denied", "session")]


def test_ctrl_c_is_no_and_reaches_the_command(terminal):
    t = terminal("sh", "-c", f"trap 'echo caught; exit 7' INT; curl -sS -m 20 http://{REC}/; sleep 20")
    t.question()
    t.type(b"\x03")
    t.until(b"caught")
    assert t.end()[0] == 7
    assert [e["decision"] for e in t.of("approval")] == ["denied"]


def test_nobody_answers(terminal):
    t = terminal(*curl(REC), ask="--ask=2")
    start = time.monotonic()
    t.question()
    t.until(b"no answer")
    t.until(b"got 403")
    assert 1.5 < time.monotonic() - start < 20 and t.end()[0] == 0
    assert [e["decision"] for e in t.of("approval")] == ["timeout"]
    assert [e["reason"] for e in t.of("conn.open")] == ["approval_timeout"]


def test_other_letters_are_no_answer(world, terminal, token):
    t = terminal(*curl(REC, path=f"/{token}"))
    for _ in range(3):
        letters, _ = t.question()
        wrong = bytes(97 + (c - 96) % 26 for c in letters)
        t.type(b"y" + wrong)
    t.until(b"got 403")
    assert t.end()[0] == 0 and not world.arrived(token.encode())
    assert [e["decision"] for e in t.of("approval")] == ["denied"]


QUIET = 0.3     # seconds from where a question begins; nobody has read it so soon


def typed_ahead(terminal, token):
    """A terminal on which that was done while the question was new; None: this machine was too slow for it."""
    t = terminal("sh", "-c", f"sleep 1; curl -sS -m 20 -o /dev/null -w 'got %{{http_code}}' http://{REC}/{token}")
    t.type(b"n\rn\r")       # before there is a question: for the command, as ever
    return t if t.type_at(LETTERS, b"n\r") < QUIET else None


def test_what_was_typed_ahead_is_thrown_away(terminal, token):
    t = wait_for(lambda: typed_ahead(terminal, token), 30)
    time.sleep(1)
    t.more(0.5)
    assert b"got" not in t.seen and not t.of("approval")
    t.type(b"n")
    t.until(b"got 403")
    assert t.end()[0] == 0


REPORTS = [b"\x1b[24;80R", b"\x1b[?1;2c", b"\x1b]lnyaa\x1b\\", b"\x1bP1$r0;1nm\x1b\\", b"\x1b[Mnvy", b"\x1b[I\x1bOn"]


@pytest.mark.parametrize("size", [100, 2, 1], ids=["whole", "halves", "bytes"])
def test_reports_of_the_terminal_are_no_answer(world, terminal, token, size):
    """What the agent made the terminal say arrives as if it was typed, and a slow line brings it in pieces."""
    t = terminal(*curl(REC, path=f"/{token}"))
    letters, _ = t.question()
    for report in REPORTS:
        for at in range(0, len(report), size):
            t.type(report[at:at + size])
            time.sleep(0.02)
    assert not t.of("approval") and not world.arrived(token.encode())
    t.type(b"n")
    t.until(b"got 403")
    assert t.end()[0] == 0


def test_output_is_held_while_a_question_stands(terminal, place):
    t = terminal("sh", "-c", f"curl -sS -m 20 -o /dev/null http://{REC}/ & "
                 f"until [ -e {place}/go ]; do sleep 0.1; done; printf '\\033[2Jforged: type yy\\n'; "
                 f"touch {place}/gone; wait")
    t.question()
    (place / "go").touch()
    wait_for((place / "gone").exists)
    t.more(0.5)
    assert b"forged" not in t.seen
    t.type(b"n")
    t.until(b"forged")
    assert t.end()[0] == 0


def test_other_screen_is_left_for_the_question(terminal):
    t = terminal("sh", "-c", "printf '\\033[?1049h\\033[8mhidden'; " + curl(REC)[2])
    _, text = t.question()
    assert text.index(b"\x1b[?1049h") < text.index(b"\x1b[?1049l") < text.index(b"\x1b[!p") \
        < text.index(b"wants to reach")
    t.type(b"n")
    t.until(rb"\x1b\[\?1049h")
    t.until(b"got 403")
    assert t.end()[0] == 0


def test_window_size_follows(terminal):
    t = terminal("bash", "-c", "stty size; trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep .1; done",
                 rows=24)
    t.until(b"24 80")
    t.until(b"ready")
    t.size(40, 100)
    t.process.send_signal(signal.SIGWINCH)
    t.until(b"40 100")
    assert t.end()[0] == 3


def test_command_that_reads_the_terminal(world, terminal, token):
    t = terminal("bash", "-c", f"read -p 'name? ' name; echo \"hello $name\"; {curl(REC)[2]}; read x; echo \"and $x\"")
    t.until(rb"name\? ")
    t.type(b"me\r")
    t.until(b"hello me")
    letters, _ = t.question()
    t.type(b"y" + letters)
    t.until(b"got 200")
    t.type(b"you\r")
    t.until(b"and you")
    assert t.end()[0] == 0


def state_of(terminal, *argv):
    """Of the process that runs this there: S if it sleeps, T if it is stopped. None: there is none."""
    for pid, line in sluice.children(terminal.process.pid).items():
        if line[:-1] == list(argv):
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return None


def test_interactive_shell_has_job_control(terminal):
    t = terminal("bash", "--norc", "-i", env=sluice.environment(TERM="xterm", PS1="> "))
    t.until(b"> ")
    t.type(b"sleep 60\r")
    wait_for(lambda: state_of(t, "sleep", "60"))        # it is run when it has the terminal
    t.type(b"\x1a")
    t.until(b"Stopped")
    t.type(b"fg\r")
    t.until(rb"\rsleep 60\r")
    wait_for(lambda: state_of(t, "sleep", "60") == "S")     # it goes on, when it has the terminal again
    t.type(b"\x03")
    t.until(b"> ")
    t.type(b"echo ov''er\r")
    t.until(b"over")
    t.type(b"exit 5\r")
    assert t.end()[0] == 5
    assert b"no job control" not in t.seen


def test_terminal_is_set_back_after_a_kill(terminal):
    t = terminal("sleep", "60")
    end = time.monotonic() + 10
    while termios.tcgetattr(t.slave) == t.before and time.monotonic() < end:
        time.sleep(0.05)
    assert termios.tcgetattr(t.slave) != t.before       # the control
    t.process.kill()
    t.process.wait(10)
    end = time.monotonic() + 10
    while termios.tcgetattr(t.slave) != t.before and time.monotonic() < end:
        time.sleep(0.05)
    assert termios.tcgetattr(t.slave) == t.before


@pytest.mark.parametrize("asks", [True, False], ids=["question", "none"])
def test_terminal_that_hangs_up_ends_the_command(terminal, asks):
    t = terminal("sh", "-c", (curl(REC)[2] if asks else "echo ready; sleep 30") + "; sleep 30")
    if asks:
        t.question()
    else:
        t.until(b"ready")
    os.close(t.master)
    os.close(t.slave)
    t.master, t.slave = pty.openpty()       # for its end
    assert t.process.wait(10) == 128 + signal.SIGHUP


def test_no_terminal_means_deny(world, token):
    log = sluice.new_log()
    done = subprocess.run(["setsid", str(sluice.PROGRAM), "run", "--only", "--ask", "--log", str(log), "--",
                           *curl(REC, path=f"/{token}")], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, cwd=stage.WORK, env=sluice.environment(),
                          **sluice.as_user())
    assert "no terminal" in done.stderr and not world.arrived(token.encode())
    assert "approval" not in {e["event"] for e in sluice.read_log(log)}


def test_time_must_be_a_number(world):
    done = sluice.call("run", "--ask=0", "--", "true")
    assert done.code == 125 and "not a number of seconds" in done.err


def test_top_shows_sessions_and_decides(world, policy, jail, fresh):
    name = fresh(addresses=["21.9.0.80"])
    agent = jail("--only", "-p", policy("version: 1\ndefault: ask\n"), "--session", "watched")
    agent.ok("hold", name, 9999, 1, stay=True)
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    before = termios.tcgetattr(slave)
    top = subprocess.Popen([str(sluice.PROGRAM), "top"], stdin=slave, stdout=slave, stderr=slave,
                           env=sluice.environment(TERM="xterm"), cwd=stage.WORK, **sluice.as_user())
    seen = b""
    try:
        end = time.monotonic() + 15
        while not (b"watched/1" in seen and name.encode() in seen) and time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536)
        assert b"watched/1" in seen and name.encode() in seen
        os.write(master, b"n")
        end = time.monotonic() + 10
        while b"rejected" not in seen and time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536)
        assert b"rejected" in seen
        os.write(master, b"q")
        assert top.wait(10) == 0 and termios.tcgetattr(slave) == before
    finally:
        top.kill()
        top.wait(10)
        os.close(master)
        os.close(slave)
    done = sluice.call("top")
    assert done.code == 125 and "needs a terminal" in done.err
