# SPDX-License-Identifier: Apache-2.0
"""Unix sockets are judged by who listens: the host's are out of reach, the jail's work."""
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import sluice
import stage
from stage import HOME, ROOT, RUNTIME

MINE = secrets.token_hex(4)      # /tmp is the machine's: other runs use it at the same time
PLACES = {
    "home": HOME / "host.sock", "home-deep": HOME / "a" / "b" / "host.sock",
    "tmp": pathlib.Path(f"/tmp/sluice-host-{MINE}.sock"), "runtime": RUNTIME / "host.sock",
    "docker": pathlib.Path("/run/docker.sock"), "containerd": pathlib.Path("/run/containerd/containerd.sock"),
    "podman": RUNTIME / "podman" / "podman.sock", "system-bus": pathlib.Path("/run/dbus/system_bus_socket"),
    "session-bus": RUNTIME / "bus", "systemd": pathlib.Path("/run/systemd/private"),
    "nscd": pathlib.Path("/run/nscd/socket"), "resolved": pathlib.Path("/run/systemd/resolve/io.systemd.Resolve"),
    "avahi": pathlib.Path("/run/avahi-daemon/socket"), "gpg-agent": HOME / ".gnupg" / "S.gpg-agent",
    "ssh-agent": ROOT / "ssh-x" / "agent.1", "x11": pathlib.Path(f"/tmp/.X11-unix/X{int(MINE, 16)}"),
    "wayland": RUNTIME / "wayland-0", "tmux": pathlib.Path(f"/tmp/tmux-64123/{MINE}"),
    "screen": pathlib.Path("/run/screen/S-agent/1.x"), "var-lib": pathlib.Path("/var/lib/some.sock"),
}


class Host:
    """A server of the host on a Unix socket: writes down what comes, answers."""

    def __init__(self, path, kind=socket.SOCK_STREAM, give=None):
        self.got = b""
        self.give = give
        self.socket = socket.socket(socket.AF_UNIX, kind)
        name = str(path)
        if name.startswith("@"):
            self.socket.bind(b"\0" + name[1:].encode())
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            if str(path).startswith(str(HOME)):
                stage.give(path.parent)
            path.unlink(missing_ok=True)
            self.socket.bind(name)
            os.chmod(path, 0o666)
        if kind != socket.SOCK_DGRAM:
            self.socket.listen()
        threading.Thread(target=self.serve, args=(kind,), daemon=True).start()

    def serve(self, kind):
        try:
            while True:
                if kind == socket.SOCK_DGRAM:
                    self.got += self.socket.recv(4096)
                    continue
                peer, _ = self.socket.accept()
                if self.give is not None:
                    socket.send_fds(peer, [b"take"], [self.give])
                self.got += peer.recv(4096)
                peer.send(b"host here")
                peer.close()
        except OSError:
            pass

    def close(self):
        self.socket.close()


@pytest.fixture
def host(world):
    servers = []

    def serve(*args, **kwargs):
        servers.append(Host(*args, **kwargs))
        return servers[-1]
    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def clean():
    paths = []
    yield paths
    for path in paths:
        pathlib.Path(path).unlink(missing_ok=True)


@pytest.mark.core
@pytest.mark.parametrize("where", PLACES)
def test_host_socket_is_out_of_reach(host, outside, jail, clean, token, where):
    server = host(PLACES[where])
    clean.append(PLACES[where])
    assert outside.ok("unix_connect", str(PLACES[where]), "out" + token) == "host here"
    agent = jail()
    assert agent.fails("unix_connect", str(PLACES[where]), "in" + token)
    assert b"in" + token.encode() not in server.got


def test_refused_host_socket_is_in_the_record(host, clean, token):
    path = PLACES["tmp"]
    host(path)
    clean.append(path)
    agent = sluice.jail()
    assert agent.fails("unix_connect", str(path), token)
    done = agent.end()
    denied = [e for e in done.of("conn.open") if e["proto"] == "unix"]
    assert [e["host"] for e in denied] == [str(path)] and denied[0]["verdict"] == "deny"
    assert done.of("session.end")[0]["totals"]["denied"] == 1


@pytest.mark.core
@pytest.mark.parametrize("where", ["home", "tmp", "runtime", "var-lib", "docker"])
def test_host_socket_made_after_the_start_is_out_of_reach(host, outside, jail, clean, token, where):
    agent = jail()
    server = host(PLACES[where])
    clean.append(PLACES[where])
    assert outside.ok("unix_connect", str(PLACES[where]), "out" + token) == "host here"
    assert agent.fails("unix_connect", str(PLACES[where]), "in" + token)
    assert b"in" + token.encode() not in server.got


def test_host_socket_rebound_after_the_start_is_out_of_reach(host, jail, clean, token):
    path = HOME / "again.sock"
    clean.append(path)
    host(path).close()
    agent = jail()
    server = host(path)
    assert agent.fails("unix_connect", str(path), token)
    assert server.got == b""


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_kinds_of_connection(host, outside, jail, clean, token, kind):
    path = HOME / f"kind{int(kind)}.sock"
    clean.append(path)
    server = host(path, kind)
    agent = jail()
    assert outside.ok("unix_connect", str(path), "out", kind.name) == "host here"
    assert agent.fails("unix_connect", str(path), token, kind.name)
    assert token.encode() not in server.got


@pytest.mark.parametrize("way", ["unix_sendto", "unix_pair_sendto"])
def test_datagrams_do_not_reach_a_host_socket(host, outside, jail, clean, token, way):
    """By socket and, without any connect, by an end of a socket pair."""
    path = HOME / "datagram.sock"
    clean.append(path)
    server = host(path, socket.SOCK_DGRAM)
    outside.ok(way, str(path), "out" + token)
    agent = jail()
    assert agent.fails(way, str(path), "in" + token)
    assert agent.fails("nested_then", way, str(path), "in" + token)
    assert b"out" + token.encode() in server.got and b"in" + token.encode() not in server.got


def test_raw_alias_of_datagram_pairs(host, outside, jail, clean, token):
    path = HOME / "datagram2.sock"
    clean.append(path)
    server = host(path, socket.SOCK_DGRAM)
    outside.ok("unix_pair_sendto", str(path), "out" + token, "SOCK_RAW")
    assert jail().fails("unix_pair_sendto", str(path), "in" + token, "SOCK_RAW")
    assert b"in" + token.encode() not in server.got


def test_abstract_socket_of_the_host_is_out_of_reach(host, outside, jail, token):
    server = host("@sluice-test-host")
    assert outside.ok("unix_connect", "@sluice-test-host", "out") == "host here"
    assert jail().fails("unix_connect", "@sluice-test-host", token)
    assert token.encode() not in server.got


def test_abstract_socket_after_the_start_is_out_of_reach(host, jail, token):
    agent = jail()
    server = host("@sluice-test-host-later")
    assert agent.fails("unix_connect", "@sluice-test-host-later", token)
    assert server.got == b""


@pytest.mark.parametrize("way", ["soft-link", "hard-link", "relative", "dots", "proc-cwd",
                                 "proc-root", "nested", "bind-mount"])
def test_other_names_of_a_host_socket(host, jail, clean, place, token, way):
    path = place / "real.sock"
    server = host(path)
    os.symlink(path, place / "soft")
    os.link(path, place / "hard")
    agent = jail(cwd=place)
    name = {"soft-link": place / "soft", "hard-link": place / "hard", "relative": "real.sock",
            "dots": f"{place}/../{place.name}/./real.sock", "proc-cwd": "/proc/self/cwd/real.sock",
            "proc-root": f"/proc/self/root{path}"}.get(way, path)
    if way in ("nested", "bind-mount"):
        assert agent.fails("nested_then", "unix_connect", str(path), token)
    else:
        assert agent.fails("unix_connect", str(name), token)
    if way == "bind-mount":
        (place / "m").mkdir()
        agent.do("command", "bwrap", "--bind", "/", "/", "--bind", str(place), str(place / "m"),
                 sluice.PYTHON, "-B", "-c", "import socket,sys; s=socket.socket(1); "
                 "s.connect(sys.argv[1]); s.send(sys.argv[2].encode())",
                 str(place / "m" / "real.sock"), token)
    assert token.encode() not in server.got


def test_swapping_the_descriptor_under_connect_does_not_help(host, jail, clean, token):
    path = HOME / "race.sock"
    clean.append(path)
    server = host(path)
    assert jail().fails("unix_pair_stolen", str(path), token)
    assert token.encode() not in server.got


def test_host_cannot_hand_a_descriptor_in(host, outside, jail, clean):
    """SCM_RIGHTS over a host socket: no connection, so no descriptor."""
    path = HOME / "gift.sock"
    clean.append(path)
    with socket.socket() as gift:
        host(path, give=gift.fileno())
        assert outside.ok("receive_descriptor", str(path)) == 1
        assert jail().fails("receive_descriptor", str(path))


def test_socket_of_another_jail_is_out_of_reach(jail, clean, token):
    path = HOME / "other-jail.sock"
    clean.append(path)
    one, two = jail(), jail()
    code = ("import socket,sys,threading,time; s=socket.socket(1); s.bind(sys.argv[1]); s.listen(); "
            "print('up', flush=True); s.settimeout(5); p,_=s.accept(); print(p.recv(99))")
    server = subprocess.Popen([sluice.PROGRAM, "run", "--log", sluice.new_log(), "--",
                               sluice.PYTHON, "-c", code, str(path)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=sluice.environment(), cwd=stage.WORK,
                              **sluice.as_user())
    try:
        assert server.stdout.readline() == b"up\n"
        assert two.fails("unix_connect", str(path), token)
        assert one.fails("unix_connect", str(path), token)
    finally:
        server.send_signal(signal.SIGTERM)
        assert token.encode() not in server.communicate(timeout=10)[0]


# what must keep working

@pytest.mark.core
def test_own_path_sockets_work(closed, place):
    assert closed.ok("unix_own", str(place / "own.sock")) == "own"


def test_own_path_socket_by_a_link(closed, place):
    os.symlink(place / "own2.sock", place / "link")
    assert closed.ok("unix_own", str(place / "own2.sock"), str(place / "link")) == "own"


def test_own_path_socket_in_tmp(closed, token):
    assert closed.ok("unix_own", f"/tmp/{token}.sock") == "own"
    pathlib.Path(f"/tmp/{token}.sock").unlink(missing_ok=True)


def test_own_abstract_sockets_work(closed, token):
    assert closed.ok("unix_own_abstract", token) == "own"


def test_descriptors_can_be_passed_inside(closed):
    assert closed.ok("pass_descriptor") == 1


# --allow-unix

def test_allow_unix_opens_that_socket_and_no_other(host, jail, clean, token):
    path, other = HOME / "allowed.sock", HOME / "other.sock"
    clean += [path, other]
    one, two = host(path), host(other)
    agent = jail("--allow-unix", path)
    assert agent.ok("unix_connect", str(path), token) == "host here"
    assert agent.fails("unix_connect", str(other), token)
    assert token.encode() in one.got and token.encode() not in two.got


def test_allow_unix_in_a_hidden_folder(host, jail, clean, token):
    server = host(PLACES["docker"])
    clean.append(PLACES["docker"])
    agent = jail("--allow-unix", PLACES["docker"])
    assert agent.ok("unix_connect", str(PLACES["docker"]), token) == "host here"
    assert token.encode() in server.got


def test_allow_unix_in_a_folder_that_the_user_can_open_is_no_door_to_others(host, jail, token):
    """The folder is not writable, but it is the user's: one chmod, and the name means another socket."""
    folder = pathlib.Path("/var/lib/closed")
    path, other = folder / "allowed.sock", pathlib.Path("/var/lib/other-host.sock")
    one, two = host(path), host(other)
    stage.give(folder)
    folder.chmod(0o555)
    agent = jail("--allow-unix", path)
    try:
        assert agent.ok("unix_connect", str(path), token) == "host here"
        assert agent.ok("command", "sh", "-c", f"chmod 755 {folder} && ln -sf {other} {path}")["code"] == 0
        assert agent.fails("unix_connect", str(path), token)
        assert token.encode() in one.got and token.encode() not in two.got
    finally:
        shutil.rmtree(folder)
        other.unlink()


def test_allow_unix_of_what_is_not_there_is_an_error(world):
    """Again and again: the broker's end comes at any time of the start."""
    for _ in range(10):
        done = sluice.call("run", "--allow-unix", "/nonexistent.sock", "--", "true", limit=20)
        assert done.code == 125 and "/nonexistent.sock" in done.err


# inherited descriptors

def test_inherited_descriptors_are_closed(world, jail):
    reading, writing = os.pipe()
    with socket.socket() as s:
        agent = jail(pass_fds=(reading, writing, s.fileno()))
        found = agent.ok("descriptors", stay=True)
        inherited = os.readlink(f"/proc/self/fd/{reading}"), os.readlink(f"/proc/self/fd/{s.fileno()}")
        assert not set(inherited) & set(found.values()), found


def test_command_sees_only_three_descriptors(world):
    reading, writing = os.pipe()
    with socket.socket() as s, open("/etc/hostname") as f:
        done = subprocess.run(
            [sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "ls", "/proc/self/fd"],
            pass_fds=(reading, writing, s.fileno(), f.fileno()), stdout=subprocess.PIPE, text=True,
            env=sluice.environment(), cwd=stage.WORK, stdin=subprocess.DEVNULL, **sluice.as_user())
    assert done.stdout.split() == ["0", "1", "2", "3"]      # 3 is ls's own


@pytest.mark.core
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_network_socket_as_standard_stream_is_refused(world, number, family):
    with socket.socket(getattr(socket, family), socket.SOCK_STREAM) as s:
        streams = dict(zip(("stdin", "stdout", "stderr"), [subprocess.DEVNULL] * 3))
        streams[("stdin", "stdout", "stderr")[number]] = s
        marker = HOME / f"started-{number}-{family}"
        done = subprocess.run([sluice.PROGRAM, "run", "--", "touch", marker], cwd=stage.WORK,
                              env=sluice.environment(), **streams, **sluice.as_user())
    assert done.returncode == 125
    assert not marker.exists()


ACCEPTED = """
import ctypes, socket, sys
ctypes.CDLL(None).listen(0, 5)
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.send(sys.argv[2].encode())
"""


@pytest.mark.parametrize("root", [False, True])
def test_listening_on_an_accepted_stdin_does_not_open_its_server(world, clean, token, root):
    """As of a service that accepts for us: an accepted socket carries its listener's name."""
    path = pathlib.Path("/var/lib/accepts.sock")
    clean.append(path)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(path))
        path.chmod(0o666)
        server.listen()
        client.connect(str(path))
        peer, _ = server.accept()
        with peer:
            process = subprocess.run(
                [sluice.PROGRAM, "run", "--only", "--log", sluice.new_log(), "--", sluice.PYTHON,
                 "-c", ACCEPTED, path, token], stdin=peer, cwd=stage.WORK, timeout=30, text=True,
                stderr=subprocess.PIPE, env=sluice.environment(HOME="/root" if root else stage.HOME),
                **sluice.as_user(root))
        server.settimeout(0.3)
        with pytest.raises(TimeoutError):
            server.accept()
    assert process.returncode == 1 and "PermissionError" in process.stderr


def test_unix_socket_pair_as_standard_streams_works(world):
    a, b = socket.socketpair()
    with a, b:
        process = subprocess.Popen([sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "cat"],
                                   stdin=b, stdout=b, env=sluice.environment(), cwd=stage.WORK,
                                   **sluice.as_user())
        b.close()
        a.sendall(b"through")
        a.shutdown(socket.SHUT_WR)
        a.settimeout(10)
        assert a.recv(99) == b"through"
        assert process.wait(10) == 0
