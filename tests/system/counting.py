# SPDX-License-Identifier: Apache-2.0
"""Servers in the test internet that count every byte of their sockets, TLS's own too."""
import itertools
import re
import socket
import ssl
import threading

import internet

HEAD = re.compile(rb"content-length: (\d+)", re.I)


class Plain:
    """A connection's bytes as HTTP sees them, and as the socket does."""

    def __init__(self, s):
        self.s, self.received, self.sent = s, 0, 0

    def read(self):
        data = self.s.recv(65536)
        self.received += len(data)
        return data

    def write(self, data):
        self.s.sendall(data)
        self.sent += len(data)

    def start(self):
        return True


class Tls(Plain):
    def __init__(self, s, context):
        super().__init__(s)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.inside = [0, 0]        # bytes inside of TLS: received, sent

    def flush(self):
        if data := self.outgoing.read():
            super().write(data)

    def step(self, call, *args):
        while True:
            try:
                result = call(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = super().read()
                if not data:
                    return None
                self.incoming.write(data)

    def start(self):
        return self.step(self.tls.do_handshake) is not None or True

    def read(self):
        try:
            data = self.step(self.tls.read, 65536) or b""
        except ssl.SSLError:        # close_notify
            return b""
        self.inside[0] += len(data)
        return data

    def write(self, data):
        self.inside[1] += len(data)
        self.step(self.tls.write, data)


class Servers:
    def __init__(self, world, address=internet.RECORDER4):
        self.connections = []       # dicts: kind, received, sent, inside, requests
        self.datagrams = []         # bytes of each
        self.open = 0
        self.lock = threading.Lock()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*world.certificate)
        with internet.entered(world.inet):
            self.plain_port = self.listen(address, "plain")
            self.tls_port = self.listen(address, "tls")
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((address, 0))
        self.udp_port = udp.getsockname()[1]
        threading.Thread(target=self.echo, args=(udp,), daemon=True).start()

    def listen(self, address, kind):
        s = socket.create_server((address, 0), backlog=1024)
        threading.Thread(target=self.accept, args=(s, kind), daemon=True).start()
        return s.getsockname()[1]

    def echo(self, udp):
        while True:
            data, peer = udp.recvfrom(65536)
            self.datagrams.append(len(data))
            udp.sendto(data, peer)

    def accept(self, listener, kind):
        while True:
            s, _ = listener.accept()
            with self.lock:
                self.open += 1
            threading.Thread(target=self.serve, args=(s, kind), daemon=True).start()

    def serve(self, s, kind):
        s.settimeout(60)
        talk = Plain(s) if kind == "plain" else Tls(s, self.tls)
        seen = []
        try:
            talk.start()
            self.http(talk, seen)
        except OSError:
            pass
        with self.lock:
            self.open -= 1
            self.connections.append({"kind": kind, "received": talk.received, "sent": talk.sent,
                                     "inside": getattr(talk, "inside", None), "requests": seen})
        s.close()

    @staticmethod
    def http(talk, seen):
        data = b""
        for number in itertools.count():
            while b"\r\n\r\n" not in data:
                piece = talk.read()
                if not piece:
                    return
                data += piece
            head, _, data = data.partition(b"\r\n\r\n")
            length = int(HEAD.search(head).group(1))
            while len(data) < length:
                piece = talk.read()
                if not piece:
                    return
                data += piece
            data = data[length:]
            seen.append(head.split(b" ")[1].decode())
            body = b"y" * (number * 37 % 3000)
            talk.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
