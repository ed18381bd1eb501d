# SPDX-License-Identifier: Apache-2.0
"""Kernel interfaces that would lead around the gate: refused in the jail.

The positive control is the same call outside of any jail, by root where an
ordinary user may not do it anyway.
"""
import errno
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time

import pytest

import internet
import sluice
import stage

REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT,
           errno.ESOCKTNOSUPPORT, "killed"}


@pytest.fixture(scope="module")
def root_outside(world):
    agent = sluice.Agent([], root=True)
    yield agent
    agent.kill()


@pytest.fixture(scope="module")
def root_jail(world):
    agent = sluice.jail(root=True, env=sluice.environment(HOME="/root"))
    yield agent
    agent.kill()


SOCKETS = {
    "raw-icmp": ("AF_INET", "SOCK_RAW", "IPPROTO_ICMP"),
    "raw-tcp": ("AF_INET", "SOCK_RAW", "IPPROTO_TCP"),
    "raw-any": ("AF_INET", "SOCK_RAW", 255),
    "raw-ipv6": ("AF_INET6", "SOCK_RAW", "IPPROTO_ICMPV6"),
    "packet-raw": ("AF_PACKET", "SOCK_RAW", 0x0300),
    "packet-dgram": ("AF_PACKET", "SOCK_DGRAM", 0x0300),
    "vsock": ("AF_VSOCK", "SOCK_STREAM", 0),
    "vsock-dgram": ("AF_VSOCK", "SOCK_DGRAM", 0),
    "netlink-netfilter": ("AF_NETLINK", "SOCK_RAW", 12),
    "netlink-audit": ("AF_NETLINK", "SOCK_RAW", 9),
    "netlink-sock-diag": ("AF_NETLINK", "SOCK_RAW", 4),
    "netlink-uevent": ("AF_NETLINK", "SOCK_RAW", 15),
    "netlink-generic": ("AF_NETLINK", "SOCK_RAW", 16),
    "netlink-xfrm": ("AF_NETLINK", "SOCK_RAW", 6),
    "netlink-connector": ("AF_NETLINK", "SOCK_RAW", 11),
    "unix-dgram": ("AF_UNIX", "SOCK_DGRAM", 0),
    "unix-raw": ("AF_UNIX", "SOCK_RAW", 0),
    "bluetooth": ("AF_BLUETOOTH", "SOCK_RAW", 1), "can": ("AF_CAN", "SOCK_RAW", 1),
    "tipc": ("AF_TIPC", "SOCK_SEQPACKET", 0), "alg": (38, "SOCK_SEQPACKET", 0),
    "rds": (21, "SOCK_SEQPACKET", 0), "kcm": (41, "SOCK_DGRAM", 0), "qipcrtr": (42, "SOCK_DGRAM", 0),
    "smc": (43, "SOCK_STREAM", 0), "xdp": (44, "SOCK_RAW", 0), "x25": (9, "SOCK_SEQPACKET", 0),
    "appletalk": (5, "SOCK_DGRAM", 0), "llc": (26, "SOCK_STREAM", 0), "key": (15, "SOCK_RAW", 2),
    "sctp": ("AF_INET", "SOCK_STREAM", 132), "dccp": ("AF_INET", 6, 33),
}


@pytest.mark.parametrize("name", SOCKETS)
def test_socket_is_refused(closed, name):
    assert closed.fails("socket_of", *SOCKETS[name]) in REFUSED


@pytest.mark.parametrize("name", SOCKETS)
def test_socket_is_refused_to_root_too(root_jail, name):
    assert root_jail.fails("socket_of", *SOCKETS[name]) in REFUSED


@pytest.mark.parametrize("name", ["raw-icmp", "raw-any", "raw-ipv6", "packet-raw", "unix-dgram",
                                  "netlink-netfilter", "netlink-sock-diag"])
def test_socket_can_be_made_outside(root_outside, name):
    assert root_outside.ok("socket_of", *SOCKETS[name])


@pytest.mark.parametrize("args", [("AF_INET", "SOCK_STREAM"), ("AF_INET6", "SOCK_STREAM"),
                                  ("AF_INET", "SOCK_DGRAM"), ("AF_INET6", "SOCK_DGRAM"),
                                  ("AF_UNIX", "SOCK_STREAM"), ("AF_UNIX", "SOCK_SEQPACKET"),
                                  ("AF_NETLINK", "SOCK_RAW", 0)])
def test_socket_that_programs_need_can_be_made(closed, args):
    assert closed.ok("socket_of", *args)


@pytest.mark.parametrize("kind, works", [("SOCK_STREAM", True), ("SOCK_SEQPACKET", True),
                                         ("SOCK_DGRAM", False), ("SOCK_RAW", False)])
def test_unix_socket_pairs(closed, outside, kind, works):
    assert outside.ok("socketpair_of", "AF_UNIX", kind)
    assert ("ok" in closed.do("socketpair_of", "AF_UNIX", kind)) == works


CALLS = {
    "io_uring": ("io_uring",), "bpf": ("syscall", "bpf", 0, 0, 0),
    "perf_event_open": ("syscall", "perf_event_open", 0, 0, -1, -1, 0),
    "userfaultfd": ("syscall", "userfaultfd", 1),
    "keyctl": ("syscall", "keyctl", 0, -3, 1),
    "add_key": ("syscall", "add_key", "user", "x", "y", 1, -2),
    "request_key": ("syscall", "request_key", "user", "x", 0, 0),
    "kexec_load": ("syscall", "kexec_load", 0, 0, 0, 0),
    "foreign-abi-int80": ("foreign_abi",), "x32": ("x32_getpid",),
}


@pytest.mark.core
@pytest.mark.parametrize("name", CALLS)
def test_call_is_refused(closed, name):
    assert closed.fails(*CALLS[name]) in REFUSED


@pytest.mark.parametrize("name", CALLS)
def test_call_is_refused_in_a_nested_namespace(closed, name):
    assert closed.fails("nested_then", *CALLS[name]) in REFUSED


@pytest.mark.parametrize("name", [n for n in CALLS if n not in ("x32", "kexec_load")])
def test_call_is_not_refused_outside(root_outside, name):
    answer = root_outside.do(*CALLS[name])
    if name == "foreign-abi-int80" and answer.get("error"):
        assert os.uname().machine == "x86_64" and answer["error"] == "killed"
        return      # a kernel without 32-bit support
    assert answer.get("errno") not in REFUSED, answer


# processes outside

def test_processes_outside_cannot_be_seen(closed, outside):
    assert len(outside.ok("processes")) > 5
    lines = " ".join(closed.ok("processes").values())
    assert "nginx" not in lines and "pytest" not in lines and "sshd" not in lines


def test_only_own_processes_are_visible(closed):
    lines = list(closed.ok("processes").values())
    assert any("agent.py" in line for line in lines)
    assert len(lines) <= 5, lines


@pytest.mark.parametrize("who", ["closed", "root_jail"])
def test_every_process_inside_carries_the_filter(request, who):
    """Init too: the command may trace it, and what it traces makes calls for it."""
    modes = request.getfixturevalue(who).ok("seccomp_modes")
    assert "1" in modes and set(modes.values()) == {"2"}, modes


def test_init_of_the_jail_cannot_be_entered(closed):
    """Whoever could would hold its socket open, and the jail would outlive sluice."""
    assert closed.fails("trace", 1) in REFUSED
    assert closed.ok("command", "ls", "/proc/1/fd/")["code"] != 0
    assert closed.ok("command", "sh", "-c", "ls /proc/$$/fd/")["code"] == 0


@pytest.mark.parametrize("move", ["trace", "read_file"])
def test_processes_outside_cannot_be_entered(closed, outside, root_outside, move):
    """By ptrace and by /proc/PID: their pids mean nothing, or something else, in there."""
    victim = subprocess.Popen(["sleep", "60"], user=stage.UID, group=stage.GID, extra_groups=[])
    try:
        argument = victim.pid if move == "trace" else f"/proc/{victim.pid}/environ"
        assert (root_outside if move == "trace" else outside).ok(move, argument)
        assert closed.fails(move, argument) in REFUSED | {errno.ESRCH, errno.ENOENT}
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("kind", ["net", "mnt", "pid", "user", "ipc"])
def test_namespaces_outside_cannot_be_joined(closed, kind):
    """Through any pid that shows, also as nested root."""
    for pid in closed.ok("processes"):
        closed.do("nested_then", "join_namespace", f"/proc/{pid}/ns/{kind}", 0)
    start = closed.do("tcp", internet.RECORDER4, 9999, "x")
    assert "error" in start or start["ok"]["data"] == ""


def test_killing_everything_from_inside_does_not_open_the_gate(world, jail, token):
    agent = jail()
    agent.ok("kill_everything")
    agent.do("tcp", internet.RECORDER4, 9999, token)
    assert not world.arrived(token.encode())
    victims = sluice.children(agent.process.pid)
    assert sum("agent.py" in " ".join(line) for line in victims.values()) >= 1
    assert agent.end().code == 0


def test_roles_survive_signals_from_inside(jail):
    agent = jail("--allow", "rec.farm.example:9999")
    agent.ok("kill_everything")
    assert agent.ok("half_close", "rec.farm.example", 9999, "hello")["data"] == "hello"


# the terminal

def on_a_terminal(*argv, keys=b"", seconds=30):
    """Run on a pty of its own; what came out, and the exit code."""
    master, slave = pty.openpty()
    os.fchown(slave, stage.UID, stage.GID)

    def become():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.setgroups([])
        os.setgid(stage.GID)
        os.setuid(stage.UID)
    process = subprocess.Popen(list(map(str, argv)), stdin=slave, stdout=slave, stderr=slave,
                               preexec_fn=become, env=sluice.environment(TERM="vt100"),
                               cwd=stage.WORK)
    os.close(slave)
    out, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended = process.poll() is not None      # asked before: what it said last is there then
        if select.select([master], [], [], 0.1)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            out += piece
            if keys and b"ready" in out:
                os.write(master, keys)
                keys = b""
        elif ended:
            break
    if process.poll() is None and time.monotonic() >= deadline:
        process.kill()
    code = process.wait()
    os.close(master)
    return out.decode(errors="replace"), code


PUSH = ("import sys; sys.path.insert(0, {inside!r}); import intrusions as i\n"
        "try:\n    i.tty_push('#', {request}); print('PUSHED')\n"
        "except OSError as e: print('refused', e.errno)\n")


@pytest.mark.parametrize("request_number", [0x5412, 0x541C, 0x100005412, 0x10000541C],
                         ids=["TIOCSTI", "TIOCLINUX", "TIOCSTI-high-bits", "TIOCLINUX-high-bits"])
def test_terminal_input_cannot_be_faked(world, request_number):
    code = PUSH.format(inside=str(stage.INSIDE), request=request_number)
    out, _ = on_a_terminal(sluice.PROGRAM, "run", "--log", sluice.new_log(), "--",
                           sluice.PYTHON, "-B", "-c", code)
    assert "PUSHED" not in out and "refused" in out, out
    assert f"refused {errno.ENOTTY}" not in out or request_number & 0xFFFF == 0x541C


def test_terminal_is_made_readable_before_denials_are_told(world):
    """A command that leaves the terminal concealing, or on its other screen, does not hide them."""
    script = r"getent hosts nowhere.example; printf '\033[8m\033(0\033[?47hhidden'"
    out, _ = on_a_terminal(sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "sh", "-c", script)
    _, said = out.split("hidden")
    reset, _ = said.split("sluice: denied nowhere.example")
    assert reset == "\033[?47l\033[!p\033(B\017\033[0m"
    calm, _ = on_a_terminal(sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "true")
    assert calm == ""


def test_terminal_is_a_terminal(world):
    out, code = on_a_terminal(sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "sh", "-c",
                              "test -t 0 && test -t 1 && test -t 2 && tty && stty size && exit 5")
    assert code == 5 and "not a tty" not in out, out


@pytest.mark.core
def test_interrupt_key_reaches_the_command(world):
    script = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.1; done"
    out, code = on_a_terminal(sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "sh", "-c",
                              script, keys=b"\x03")
    assert "caught" in out and code == 7, out


def test_interrupt_key_ends_a_command_that_does_not_catch_it(world):
    out, code = on_a_terminal(sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "sh", "-c",
                              "echo ready; exec sleep 20", keys=b"\x03")
    assert code == 128 + signal.SIGINT, out


def test_suspend_and_job_control_work(world):
    script = "set -m; sleep 0.3 & fg; echo resumed"
    out, code = on_a_terminal(sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "bash", "-c",
                              script)
    assert "resumed" in out and "no job control" not in out, out


# nested sandboxes, as coding agents use them

BWRAP = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid",
         "--die-with-parent"]


@pytest.mark.core
def test_nested_bwrap_works(closed):
    done = closed.ok("command", *BWRAP, "echo", "nested")
    assert done["out"] == "nested\n", done


def test_nested_bwrap_with_its_own_network_works(closed):
    done = closed.ok("command", *BWRAP, "--unshare-net", "--unshare-user", "echo", "nested")
    assert done["out"] == "nested\n", done


def test_nested_bwrap_sharing_the_network_uses_the_gate(jail):
    agent = jail("--allow", "www.farm.example")
    done = agent.ok("command", *BWRAP, "curl", "-sS", "https://www.farm.example/hello")
    assert "over https" in done["out"], done


def test_unix_sockets_inside_a_nested_sandbox_work(closed):
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import intrusions as i, tempfile, os; "
            "print(i.unix_own(os.path.join(tempfile.mkdtemp(), 's')), i.unix_own_abstract('x'))")
    done = closed.ok("command", *BWRAP, "--tmpfs", "/tmp", sluice.PYTHON, "-B", "-c", code,
                     str(stage.INSIDE))
    assert done["out"] == "own own\n", done


def test_nested_sluice_that_asks_for_nothing_more_runs_its_command(closed):
    done = closed.ok("command", str(sluice.PROGRAM), "run", "--", "echo", "nested")
    assert (done["code"], done["out"]) == (0, "nested\n"), done


def test_nested_sluice_that_asks_for_more_gets_nothing_more(world, closed, token):
    closed.do("command", str(sluice.PROGRAM), "run", "--allow", "rec.farm.example", "--",
              "curl", "-sm5", f"http://rec.farm.example/{token}")
    assert not world.arrived(token.encode())
