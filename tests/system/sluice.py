# SPDX-License-Identifier: Apache-2.0
"""Run sluice as a user does, and read what it wrote."""
import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import subprocess

import stage
from waiting import wait_for

PROGRAM = stage.TREE / "build" / "sluice"
PYTHON = "/usr/bin/python3"
AGENT = [PYTHON, "-B", str(stage.INSIDE / "agent.py")]
BROKEN = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion ")
counter = itertools.count()


def environment(**changes):
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
        "HOME": str(stage.HOME), "USER": stage.USER, "LANG": "C.UTF-8", "TERM": "dumb",
        "XDG_RUNTIME_DIR": str(stage.RUNTIME), "SSL_CERT_FILE": str(stage.BUNDLE),
        "NODE_EXTRA_CA_CERTS": str(stage.ROOT / "ca.pem"),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1", "UBSAN_OPTIONS": "halt_on_error=1",
    }
    env.update(changes)
    return {k: str(v) for k, v in env.items() if v is not None}


def as_user(root=False):
    return {} if root else {"user": stage.UID, "group": stage.GID, "extra_groups": []}


def events_so_far(path, *kinds):
    """Of a log that is being written, of these kinds or all; its last line may be half there."""
    events = map(json.loads, pathlib.Path(path).read_bytes().split(b"\n")[:-1])
    return [e for e in events if e["event"] in kinds or not kinds]


def read_log(path, live=False):
    """Every event of a log, after a check of the chain that does not use sluice. live: it is being written."""
    lines = pathlib.Path(path).read_bytes().split(b"\n")
    assert lines.pop() == b"" or live, "the log ends in a torn line"
    before, events = "0" * 64, []
    for number, line in enumerate(lines):
        event = json.loads(line)
        assert list(event)[:5] == ["v", "seq", "ts", "session", "event"], line
        assert event["v"] == 1 and event["seq"] == number, line
        assert event["prev"] == before, f"line {number + 1} does not follow line {number}"
        before = hashlib.sha256(line).hexdigest()
        events.append(event)
    return events


@dataclasses.dataclass
class Done:
    code: int
    out: str
    err: str
    log: pathlib.Path = None

    @property
    def events(self):
        return read_log(self.log)

    def of(self, *kinds):
        return [e for e in self.events if e["event"] in kinds]

    def denied(self):
        return [e for e in self.events if e.get("verdict") == "deny"]

    def reasons(self):
        return {e["reason"] for e in self.denied()}

    def json(self):
        return json.loads(self.out)


def unbroken(text):
    for sign in BROKEN:
        assert sign not in text, text


def call(*argv, stdin="", root=False, cwd=None, env=None, limit=60, text=True):
    """sluice with these arguments, by the user unless root."""
    done = subprocess.run([str(PROGRAM), *map(str, argv)], input=stdin, text=text,
                          errors="replace" if text else None, timeout=limit,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          cwd=cwd or stage.WORK, env=env or environment(), **as_user(root))
    if text:
        unbroken(done.stderr)
    return Done(done.returncode, done.stdout, done.stderr)


def without_user_namespaces(*argv):
    """sluice where the kernel makes no further user namespace."""
    script = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'
    done = subprocess.run(["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh",
                           str(PROGRAM), *map(str, argv)], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          cwd=stage.WORK, env=environment(XDG_STATE_HOME=stage.HOME / "state"),
                          **as_user())
    return Done(done.returncode, done.stdout, done.stderr)


def new_log():
    return stage.directory(stage.HOME / "logs") / f"{next(counter)}.jsonl"


def run(*options, command, log=None, **kwargs):
    """sluice run OPTIONS -- COMMAND, with a log of its own."""
    log = log or new_log()
    done = call("run", "--log", log, *options, "--", *command, **kwargs)
    done.log = log
    return done


class Agent:
    """inside/agent.py, in a jail or, without options, outside of any."""

    def __init__(self, prefix, log=None, env=None, cwd=None, root=False, pass_fds=()):
        self.log = log
        self.errors = stage.ROOT / f"agent-{next(counter)}.err"
        with open(self.errors, "wb") as err:
            self.process = subprocess.Popen(
                [*map(str, prefix), *AGENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=err, text=True, env=env or environment(), cwd=cwd or stage.WORK,
                pass_fds=pass_fds, **as_user(root))
        ready = self.process.stdout.readline()
        assert ready, f"the agent did not start: {self.errors.read_text()}"

    def do(self, name, *args, stay=False, limit=15, **kwargs):
        """{"ok": result}, or {"error": class, "errno": number, "text": ...}"""
        request = {"do": name, "args": args, "kwargs": kwargs, "stay": stay, "limit": limit}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the agent died: {self.errors.read_text()}"
        return json.loads(answer)

    def ok(self, name, *args, **kwargs):
        answer = self.do(name, *args, **kwargs)
        assert "ok" in answer, answer
        return answer["ok"]

    def fails(self, name, *args, **kwargs):
        """The errno with which it was refused; it must be refused."""
        answer = self.do(name, *args, **kwargs)
        assert "error" in answer, answer
        return answer["errno"] or answer["error"]

    def end(self):
        """Let it finish; what sluice had to say."""
        with contextlib.suppress(BrokenPipeError):      # it has ended before it read what was said last
            self.process.stdin.close()
        code = self.process.wait(20)
        self.process.stdout.close()
        err = self.errors.read_text(errors="replace")
        unbroken(err)
        return Done(code, "", err, self.log)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)


def jail(*options, log=None, limit=None, **kwargs):
    """An agent in a jail; limit: an option of prlimit(1) to start sluice under."""
    log = log or new_log()
    return Agent([*(["prlimit", limit] if limit else []), PROGRAM, "run", "--log", log, *options, "--"], log=log, **kwargs)


def children(pid):
    """All descendants of a process: pid -> command line."""
    parents, lines = {}, {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = pathlib.Path(f"/proc/{name}/stat").read_text()
            lines[int(name)] = pathlib.Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    found, todo = {}, [pid]
    while todo:
        parent = todo.pop()
        for child, its_parent in parents.items():
            if its_parent == parent and child not in found:
                found[child] = [part.decode("latin-1") for part in lines[child]]
                todo.append(child)
    return found


def role(pid, word):
    """The process of a role (gate, resolver, broker) of the session that pid keeps.  While it execs it has no name."""
    def found():
        return [child for child, line in children(pid).items() if line[1:2] == [f"role-{word}"]]
    one, = wait_for(found)
    return one


def memory_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("no Pss")
