# SPDX-License-Identifier: Apache-2.0
"""Network namespaces that stand for containers, and the daemon that holds them."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

import sluice
import stage
from waiting import wait_for

RUN = pathlib.Path("/run/sluice")
POLICIES = pathlib.Path("/etc/sluice/policies.d")
LOGS = pathlib.Path("/var/lib/sluice/audit")
REC, DENIED = f"rec.{stage.ZONE}", f"denied.{stage.ZONE}"
BAD = "allwo: []\n"     # no policy


def root_env(**changes):
    return sluice.environment(HOME="/root", USER="root", XDG_RUNTIME_DIR=None, **changes)


def call(*argv, **kwargs):
    """sluice, by root."""
    return sluice.call(*argv, root=True, env=root_env(), cwd="/", **kwargs)


def sessions():
    """What runs, by name: the rows of sluice sessions."""
    return {row["session"]: row for row in call("sessions", "--format", "json").json()}


def events(session, *kinds):
    """What the logs of a session have, of these kinds or all."""
    return [e for log in sorted(LOGS.glob(f"*-{session}.jsonl")) for e in sluice.read_log(log, live=True)
            if e["event"] in kinds or not kinds]


def get(token, host=REC):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def passes(world, agent, token):
    """The agent is answered, and what it sent has come to the server."""
    answer = agent.do("requests", REC, 80, [get(token)], wait=10)
    return "200 OK" in answer.get("ok", [""])[0] and bool(world.recorder.requests(token.encode()))


def no_policies():
    shutil.rmtree(POLICIES.parent, ignore_errors=True)


def policies(**texts):
    """The daemon's own, by name."""
    POLICIES.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (POLICIES / f"{name}.yaml").write_text(f"version: 1\n{text}")


def until_killed(one):
    """A fixture's body: an agent, a box."""
    yield one
    one.kill()


def until_ended(one):
    yield one
    one.end()


def serving(*options, **texts):
    """A fixture's body: the daemon, with policies of these names."""
    policies(**texts)
    yield from until_ended(Daemon(*options))


def is_dead(pid):
    """Its descriptors are closed, whether or not somebody took note of its end."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):     # gone before it is opened, or read
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def kill_now(pid):
    """Killed, and dead."""
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_dead(pid))


@contextlib.contextmanager
def standing_still(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class Box:
    """A process in a network namespace of its own, with whatever capabilities root has."""

    def __init__(self, *maker):
        self.process = subprocess.Popen([*(maker or ("unshare", "--net")), "sleep", "600"],
                                        stdin=subprocess.DEVNULL)
        own = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(self.path) != own)
        self.agents = []

    @property
    def pid(self):
        return self.process.pid

    @property
    def path(self):
        return f"/proc/{self.process.pid}/ns/net"

    def enter(self, *argv, **kwargs):
        return subprocess.run(["nsenter", f"--net={self.path}", "--", *argv], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=30, env=root_env(), **kwargs)

    def attach(self, policy, session, *words):
        done = call("attach", "--pid", self.pid, "-p", policy, "--session", session, *words)
        assert (done.code, done.out) == (0, session + "\n"), done.err
        self.session = session

    def agent(self):
        self.agents.append(sluice.Agent(["nsenter", f"--net={self.path}", "--"], root=True,
                                        env=root_env()))
        return self.agents[-1]

    def kill(self):
        for agent in self.agents:
            agent.kill()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


class Daemon:
    def __init__(self, *options):
        self.options = options
        self.errors = stage.ROOT / "daemon.err"
        self.process = None
        self.start()

    def start(self):
        with open(self.errors, "ab") as err:
            self.process = subprocess.Popen(
                [str(sluice.PROGRAM), "daemon", "--foreground", *self.options], cwd="/", env=root_env(),
                stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        wait_for(self.answers)

    def answers(self):
        assert self.process.poll() is None, self.errors.read_text()
        with contextlib.suppress(OSError, ValueError):      # it may end before it has said anything
            return self.ask({"do": "held"})
        return None

    def ask(self, request):
        import socket
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(RUN / "control.sock"))
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def all(self):
        return self.ask({"do": "held"})["held"]

    def held(self, session):
        for one in self.all():
            if one["session"] == session:
                return one
        return None

    def serves(self, session, after=0, limit=10):
        """Wait until it does, by another keeper than the process that was it before; the row."""
        return wait_for(lambda: (one := self.held(session)) and one["state"] == "serving" and
                        one["keeper"] != after and one, limit)

    def kill(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(10)

    def end(self):
        """The daemon and all that it held."""
        if self.process.poll() is None:
            for one in self.all():
                self.ask({"do": "detach", "session": one["session"]})
        self.kill(signal.SIGTERM)
        no_policies()
        sluice.unbroken(self.errors.read_text())
