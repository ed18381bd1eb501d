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


def root_env(**changes):
    return sluice.environment(HOME="/root", USER="root", XDG_RUNTIME_DIR=None, **changes)


def call(*argv, **kwargs):
    """sluice, by root."""
    return sluice.call(*argv, root=True, env=root_env(), cwd="/", **kwargs)


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
        with contextlib.suppress(OSError):
            return self.ask({"do": "held"})
        return None

    def ask(self, request):
        import socket
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(RUN / "control.sock"))
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def held(self, session):
        for one in self.ask({"do": "held"})["held"]:
            if one["session"] == session:
                return one
        return None

    def kill(self, number=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(10)

    def end(self):
        """The daemon and all that it held."""
        if self.process.poll() is None:
            for one in self.ask({"do": "held"})["held"]:
                self.ask({"do": "detach", "session": one["session"]})
        self.kill(signal.SIGTERM)
        shutil.rmtree("/etc/sluice", ignore_errors=True)    # with the policies of its tests
        sluice.unbroken(self.errors.read_text())
