# SPDX-License-Identifier: Apache-2.0
"""A second ClientHello, which a server asks for (RFC 8446 4.1.4), is judged as the first was."""
import pytest

import daemons
import internet
import sluice
from stage import ZONE
from test_http2 import certify
from waiting import wait_for

PORT = 9610
PYTHON = [sluice.PYTHON, "-B", "-c"]

# Hellos by hand: a name, and a key share only in the second
HELLOS = r"""
import os, struct
def vector(size, b): return len(b).to_bytes(size, "big") + b
def extension(kind, body): return struct.pack("!H", kind) + vector(2, body)
def record(kind, body): return bytes([kind, 3, 3]) + vector(2, body)
def hello(name, share, kind=1):
    more = extension(0, vector(2, b"\0" + vector(2, name.encode())))
    more += extension(43, b"\x02\x03\x04") + extension(10, b"\0\x02\0\x1d")
    more += extension(13, b"\0\x04\x04\x03\x08\x04")
    more += extension(51, vector(2, b"\0\x1d" + vector(2, os.urandom(32)) if share else b""))
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + vector(2, more)
    return bytes([kind]) + vector(3, body)
def answer(random):
    more = extension(43, b"\x03\x04") + extension(51, b"\0\x1d")
    return b"\x02" + vector(3, b"\x03\x03" + random + b"\0" + b"\x13\x01\0" + vector(2, more))
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""

# Says how it answers in its first argument; writes down all that comes after the first hello,
# and serves once a handshake record is among it (other records pass before it is judged)
SERVER = HELLOS + r"""
import socket, sys
how, address, port, path = sys.argv[1:]
say = {"retry": record(22, answer(RETRY)) + record(20, b"\1"),
       "pieces": b"".join(record(22, bytes([b])) for b in answer(RETRY)),
       "alert": record(21, b"\1\x70") + record(22, answer(RETRY)),
       "clear": b"HTTP/1.1 400 Bad Request\r\n\r\n",
       "hello": record(22, answer(bytes(32)))}[how]
server = socket.create_server((address, int(port)))
while True:
    s, _ = server.accept()
    s.settimeout(30)
    with s, open(path, "ab", 0) as out:
        try:
            head = s.recv(5, socket.MSG_WAITALL)
            if len(head) < 5 or not s.recv(int.from_bytes(head[3:], "big"), socket.MSG_WAITALL):
                continue
            for byte in (say[i:i + 7] for i in range(0, len(say), 7)):
                s.sendall(byte)
            came = b""
            while part := s.recv(65536):
                out.write(part)
                came += part
                if b"\x16\x03\x03" in came:
                    s.sendall(b"served")
        except OSError:
            pass
"""

CLIENT = HELLOS + r"""
import socket, sys, time
host, port, first, second, how = sys.argv[1:]
s = socket.create_connection((host, int(port)), 10)
s.settimeout(20)
h1, h2 = hello(first, False), hello(second, True)
if how == "joined":         # both in one record
    s.sendall(record(22, h1 + h2))
elif how == "ahead":        # the second does not wait for the server
    s.sendall(record(22, h1) + record(20, b"\1") + record(22, h2))
else:
    s.sendall(record(22, h1))
    s.recv(1)
    time.sleep(0.2)
    if how == "pieces":
        for i in range(0, len(h2), 40):
            s.sendall(record(22, h2[i:i + 40]))
            time.sleep(0.01)
    elif how == "bytes":
        for b in record(22, h2):
            s.sendall(bytes([b]))
    elif how == "after":    # after what is no handshake
        s.sendall(record(20, b"\1") + record(23, bytes(100)) + record(22, h2))
    elif how == "other":    # no ClientHello, and a name in it
        s.sendall(record(22, hello(second, True, kind=3)))
    elif how == "raw":
        s.sendall(b"GET / HTTP/1.1\r\nHost: " + second.encode() + b"\r\n\r\n")
    elif how == "again":    # a third
        s.sendall(record(22, hello(first, True)))
        time.sleep(0.2)
        s.sendall(record(22, hello(first, True)))
        time.sleep(0.2)
        s.sendall(record(22, h2))
    else:
        s.sendall(record(22, h2))
try:
    said = b""
    while part := s.recv(65536):
        said += part
        if b"served" in said:
            break
    print("open" if part else "ended")
except ConnectionError:
    print("reset")
except TimeoutError:
    print("silent")
"""


@pytest.fixture
def server(world, fresh, place):
    started = []

    def start(how):
        name, log = fresh(addresses=[internet.SECOND4]), place / "came"
        log.write_bytes(b"")
        started.append(daemons.start(world, *PYTHON, SERVER, how, internet.SECOND4, str(PORT),
                                     str(log), log="handshake.out"))
        daemons.wait_for(internet.SECOND4, PORT)
        return name, log
    yield start
    for process in started:
        process.terminate()
        process.wait()


def comes(word, log):
    """It has arrived, or does: the server answers before it has read all."""
    wait_for(lambda: word.encode() in log.read_bytes())


def talk(name, first, second, how, *options):
    return sluice.run("--only", "--allow", f"{name}:{PORT}", *options,
                      command=[*PYTHON, CLIENT, name, str(PORT), first, second, how])


@pytest.mark.core
@pytest.mark.parametrize("how", ["wait", "pieces", "bytes", "after", "ahead"])
def test_another_name_in_the_second_hello(server, token, how):
    name, log = server("retry")
    other = f"{token}.{ZONE}"
    done = talk(name, name, other, how)
    assert done.out.strip() in ("ended", "reset"), (done.out, done.err)
    assert token.encode() not in log.read_bytes()
    assert "sni_mismatch" in {e.get("reason") for e in done.events}, done.events
    # the positive control: the same name is served
    done = talk(name, name, name, how)
    assert done.out == "open\n", (done.out, done.err)
    comes(name, log)
    assert not done.denied()


@pytest.mark.parametrize("answers", ["pieces", "alert", "clear"])
def test_however_the_server_asks(server, token, answers):
    name, log = server(answers)
    done = talk(name, name, f"{token}.{ZONE}", "wait")
    assert done.out.strip() in ("ended", "reset"), (done.out, done.err)
    assert token.encode() not in log.read_bytes()
    done = talk(name, name, name, "wait")
    assert done.out == "open\n", (done.out, done.err)
    comes(name, log)


@pytest.mark.parametrize("how", ["joined", "other", "raw", "again"])
def test_what_is_no_second_hello(server, token, how):
    name, log = server("retry")
    done = talk(name, name, f"{token}.{ZONE}", how)
    assert done.out.strip() != "silent", (done.out, done.err)
    assert token.encode() not in log.read_bytes()
    assert "malformed" in {e.get("reason") for e in done.events}, done.events


def test_after_the_server_hello_bytes_are_bytes(server, token):
    """What follows is encrypted, or belongs to a version without second hellos."""
    name, log = server("hello")
    done = talk(name, name, token, "other")
    assert done.out == "open\n", (done.out, done.err)
    comes(token, log)


def test_openssl_asks_openssl(world, fresh, place):
    """A real server that lacks the group of the client's share."""
    name = fresh(addresses=[internet.SECOND4])
    certify(name, place)
    server = daemons.start(world, "openssl", "s_server", "-accept", f"{internet.SECOND4}:{PORT}",
                           "-cert", str(place / "pem"), "-key", str(place / "key"), "-groups",
                           "X25519", "-www", "-tls1_3", log="s_server.out")
    daemons.wait_for(internet.SECOND4, PORT)
    script = (f"(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 1) | openssl s_client -quiet -msg -groups "
              f"P-521:X25519 -servername {name} -connect {name}:{PORT} 2>&1")
    done = sluice.run("--only", "--allow", f"{name}:{PORT}", command=["sh", "-c", script])
    server.terminate()
    server.wait()
    assert done.out.count("ClientHello") == 2 and "200 ok" in done.out, done.out[-3000:]
    assert not done.denied() and len(done.of("conn.open")) == 1


def test_limits_hold_meanwhile(server, policy, token):
    name, log = server("retry")
    rules = policy(f"version: 1\nallow: [{{host: {name}, ports: [{PORT}], "
                   "quota: {up: 1MB}, bandwidth: {up: 1mbit}}]\n")
    for second, served in ((f"{token}.{ZONE}", False), (name, True)):
        done = sluice.run("--only", "-p", rules,
                          command=[*PYTHON, CLIENT, name, str(PORT), name, second, "pieces"])
        assert (done.out == "open\n") == served, (done.out, done.err)
        if served:
            comes(second, log)
        assert (second.encode() in log.read_bytes()) == served
