# SPDX-License-Identifier: Apache-2.0
"""A server at an allowed name that attacks the gate: what it says is a response or nothing."""
import socket
import struct
import threading

import pytest

import internet
import sluice
from stage import ZONE

NAME, PORT = f"rec4.{ZONE}", 8085
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOOD = 2 << 20     # bytes of what should have been cut off long before

# What it says to a request, and what the client may get of that
WHOLE, NOTHING = None, b""
ANSWERS = {
    "whole": (OK, WHOLE),
    "with-1xx": (b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + OK, WHOLE),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\nContent-Length: 99\r\n\r\n", WHOLE),
    "two-for-one": (OK + OK, OK),
    "more-after-close": (OK.replace(b"OK\r", b"OK\r\nConnection: close\r") * 2,
                         OK.replace(b"OK\r", b"OK\r\nConnection: close\r")),
    "body-on-204": (b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok",
                    b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n"),
    "switched-unasked": (b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nfree", NOTHING),
    "two-framings": (CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n") + b"0\r\n\r\n",
                     NOTHING),
    "two-lengths": (OK.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n"), NOTHING),
    "length-beyond-63-bits": (OK.replace(b": 2", b": 9223372036854775808"), NOTHING),
    "hop-by-hop-framing": (CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: transfer-encoding\r\n\r\n"),
                           NOTHING),
    "line-feeds": (OK.replace(b"\r\n", b"\n"), NOTHING),
    "folded": (OK.replace(b"\r\n\r\n", b"\r\nA: b\r\n c\r\n\r\n"), NOTHING),
    "http-0.9": (b"<html>", NOTHING),
    "http-2": (b"\0\0\x12\4\0\0\0\0\0" + bytes(18), NOTHING),
    "endless-head": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (FLOOD // 6), NOTHING),
    "endless-status": (b"HTTP/1.1 200 " + b"A" * FLOOD, NOTHING),
}
# Its start comes through, and it is cut off at a bound
ENDLESS = {
    "chunk-size": CHUNKED + b"0" * FLOOD, "chunk-extension": CHUNKED + b"2;" + b"x" * FLOOD,
    "trailers": CHUNKED + b"0\r\n" + b"A: b\r\n" * (FLOOD // 6),
}


class Server:
    """Says what it is told to after the head of a request, then nothing more."""

    def __init__(self, net):
        with internet.entered(net.inet):
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((internet.RECORDER4, PORT))
            self.socket.listen()
        self.says = b""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.socket.accept()
            peer.settimeout(5)
            try:
                peer.recv(65536)
                peer.sendall(self.says)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass
            except OSError:
                pass
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()


@pytest.fixture(scope="module")
def server(world):
    return Server(world)


@pytest.fixture(scope="module")
def client(world):
    agent = sluice.jail("--allow", f"{NAME}:{PORT},8080")
    yield agent
    agent.end()         # which looks for the marks of a sanitizer
    agent.kill()


def ask(client, port=PORT):
    head = f"GET /x HTTP/1.1\r\nHost: {NAME}:{port}\r\n\r\n"
    return client.ok("tcp", NAME, port, head, wait=3)["data"].encode("latin-1")


def lives(client):
    return b"200 OK" in ask(client, 8080)


@pytest.mark.parametrize("kind", ANSWERS)
def test_only_a_response_comes_through(client, server, kind):
    says, comes = ANSWERS[kind]
    server.says = says
    assert ask(client) == (says if comes is WHOLE else comes)
    assert lives(client)


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_has_no_end_is_cut_off(client, server, kind):
    server.says = ENDLESS[kind]
    got = ask(client)
    assert server.says.startswith(got) and len(got) < 64 << 10
    assert lives(client)
