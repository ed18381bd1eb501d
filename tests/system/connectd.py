# SPDX-License-Identifier: Apache-2.0
"""A proxy in the test internet that takes CONNECT, and writes down what it was asked."""
import socket
import threading

import internet


class Proxy:
    def __init__(self, net, address, port, names):
        self.names = names      # name -> address, as this proxy resolves
        self.heads = []         # of each request, whole
        self.answer = b"HTTP/1.1 200 Connection established\r\n\r\n"
        self.script = None      # instead of connecting: called with the socket
        self.net = net
        with internet.entered(net.inet):
            self.socket = internet.stream_socket(address, port)
        self.socket.setblocking(True)
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def asked(self):
        return [head.split(b"\r\n")[0].decode() for head in self.heads]

    def serve(self):
        while True:
            peer, _ = self.socket.accept()
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        with peer:
            try:
                self.connect(peer)
            except OSError:
                pass

    def connect(self, peer):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = peer.recv(1)
            if not byte:
                return
            head += byte
        self.heads.append(head)
        if self.script:
            self.script(peer)
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        host = self.names.get(host, host.strip("[]"))
        with internet.entered(self.net.inet):
            server = socket.create_connection((host, int(port)), 5)
        with server:
            server.settimeout(None)
            peer.sendall(self.answer)
            back = threading.Thread(target=self.pass_on, args=(server, peer), daemon=True)
            back.start()
            self.pass_on(peer, server)
            back.join()

    @staticmethod
    def pass_on(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
