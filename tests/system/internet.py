# SPDX-License-Identifier: Apache-2.0
"""A small internet: two network namespaces, a wire between them, a tap on the wire.

The tests' own namespace is "home": the machine on which sluice runs.  Behind its
uplink stands "inet", which owns every address that the tests call the outside:
public ones, private ones, metadata.  All of them really answer when home asks
without sluice; that is the positive control of every "can't be reached".

The launcher (run) made home's namespace; inet's is made here.  Both end with the
test run's pid namespace, so there is nothing to clean up.

Addresses are taken from blocks that are not routed on the public internet and
that no special-purpose registry names.
"""
import asyncio
import contextlib
import ctypes
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

import dnsd

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

UPLINK = "uplink"
HOME4, HOME6 = "21.5.0.2", "2d00:5::2"
GATEWAY4, GATEWAY6 = "21.5.0.1", "2d00:5::1"
NEIGHBOUR4, NEIGHBOUR6 = "21.5.0.9", "2d00:5::9"     # on the network that home is connected to
DNS4, DNS6 = "21.9.0.53", "2d00:9::53"
OTHER_DNS4, OTHER_DNS6 = "21.9.0.54", "2d00:9::54"   # a resolver that home does not use
NGINX4, NGINX6 = "21.9.0.10", "2d00:9::10"
SSH4, SSH6 = "21.9.0.22", "2d00:9::22"
POSTGRES4, POSTGRES6 = "21.9.0.32", "2d00:9::32"
RECORDER4, RECORDER6 = "21.9.0.40", "2d00:9::40"
SECOND4, SECOND6 = "21.9.0.41", "2d00:9::41"         # recorder too
NOWHERE4, NOWHERE6 = "22.0.0.1", "2d00:dead::1"      # packets vanish
PRIVATE = ["10.20.0.5", "192.168.77.5", "172.20.0.5", "100.64.0.5", "198.18.0.5",
           "169.254.169.254", "168.63.129.16", "fd00:20::5", "64:ff9b::a14:5"]

PUBLIC = [DNS4, DNS6, OTHER_DNS4, OTHER_DNS6, NGINX4, NGINX6, SSH4, SSH6,
          POSTGRES4, POSTGRES6, RECORDER4, RECORDER6, SECOND4, SECOND6]
# Where the recording servers listen
RECORDERS = [RECORDER4, RECORDER6, SECOND4, SECOND6, NEIGHBOUR4, NEIGHBOUR6] + PRIVATE

TCP_PLAIN = [80, 8080]                  # HTTP that records heads and bodies
TCP_TLS = [443, 8443]                   # TLS that records SNI, with HTTP inside
TCP_RAW = [7, 22, 853, 5433, 9418, 9999]    # echo, whatever comes
TCP_BANNER = [25]                       # speaks first
TCP_HOLD = [9000]                       # accepts and keeps silent
TCP_SINK = [9002]                       # counts what comes
TCP_BLAST = [9003]                      # sends as many bytes as it is asked for
TCP_EOF = [9001]                        # answers only after the client's end
UDP_ECHO = [7, 123, 443, 9999]


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def entered(fd):
    """This thread, and no other, is in the network namespace fd."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    setns(fd)
    try:
        yield
    finally:
        setns(here)
        os.close(here)


def new_namespace():
    """A fresh network namespace, as a descriptor."""
    fds = []

    def make():
        if libc.unshare(CLONE_NEWNET) == 0:
            fds.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return fds[0]


def is_v6(address):
    return ":" in address


class Wire:
    """Every frame on home's uplink, both ways, from the start of the tests."""

    HEAD = 400      # bytes kept of a frame: enough for any token of a test

    def __init__(self):
        self.frames = []
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        tap.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)     # SO_RCVBUFFORCE
        tap.bind((UPLINK, 0))
        self.tap = tap
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            frame = self.tap.recv(self.HEAD)
            if not self.is_housekeeping(frame):
                self.frames.append(frame)

    @staticmethod
    def is_housekeeping(frame):
        """ARP, neighbour discovery, multicast listener reports: the kernel's own."""
        kind = struct.unpack_from("!H", frame, 12)[0]
        if kind == 0x86DD:
            following = frame[20]
            icmp = frame[54] if following == 58 else frame[62] if following == 0 else 0
            return icmp in range(130, 138) or icmp == 143
        return kind != 0x0800

    def settle(self):
        """Wait until all that was sent so far has been captured."""
        marker, seen = os.urandom(12), len(self.frames)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"marker" + marker, (NOWHERE4, 1))
        deadline = time.monotonic() + 20
        while not any(marker in f for f in self.frames[seen:]):
            assert time.monotonic() < deadline, "the tap on the wire is dead"
            time.sleep(0.005)

    def since(self, start):
        """Frames after the mark start, without the markers of settle()."""
        self.settle()
        return [f for f in self.frames[start:] if b"marker" not in f]

    def mark(self):
        self.settle()
        return len(self.frames)

    def carries(self, token, start=0):
        self.settle()
        return any(token in f for f in self.frames[start:])


class Recorder:
    """Servers that write down what reaches them."""

    def __init__(self, certificate, key):
        self.seen = []          # dicts: kind, address, port, and what came
        self.open = 0           # connections that stand now
        self.sni = {}
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.tls.set_alpn_protocols(["http/1.1"])
        self.tls.sni_callback = self.note_sni

    def note_sni(self, connection, name, _context):
        self.seen.append({"kind": "sni", "name": name})

    def note(self, kind, address, port, data=b"", **more):
        self.seen.append({"kind": kind, "address": address, "port": port, "data": data, **more})

    def arrived(self, token):
        return [s for s in self.seen
                if token in s.get("data", b"") or token in (s.get("name") or "").encode()]

    def requests(self, token):
        return [s for s in self.seen if s["kind"] == "http" and token in s["data"]]

    def handler(self, kind, address, port):
        talk = getattr(self, kind)

        async def client(reader, writer):
            self.open += 1
            self.note("connect", address, port)
            try:
                await talk(reader, writer, address, port)
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ssl.SSLError):
                pass
            finally:
                self.open -= 1
                writer.close()
        return client

    async def http(self, reader, writer, address, port):
        """HTTP/1.1 with keep-alive; the answer names the Host that was asked."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            fields = {}
            for line in lines[1:-2]:
                name, _, value = line.partition(":")
                fields.setdefault(name.strip().lower(), value.strip())
            body = await self.body(reader, writer, fields)
            self.note("http", address, port, head + body, line=lines[0], host=fields.get("host"),
                      tls=writer.get_extra_info("sslcontext") is not None)
            if "upgrade" in fields:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                             b"Upgrade: " + fields["upgrade"].encode() + b"\r\n\r\n")
                await self.raw(reader, writer, address, port)
                return
            text = f"you asked {fields.get('host')} for {lines[0]}\n".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(text) + text)
            await writer.drain()
            if fields.get("connection", "").lower() == "close":
                return

    @staticmethod
    async def body(reader, writer, fields):
        if fields.get("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in fields.get("transfer-encoding", ""):
            data = b""
            while True:
                size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
                data += (await reader.readexactly(size + 2))[:-2]
                if size == 0:
                    return data
        return await reader.readexactly(int(fields.get("content-length", 0)))

    async def raw(self, reader, writer, address, port):
        while data := await reader.read(65536):
            self.note("raw", address, port, data[:4096])
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    async def banner(self, reader, writer, address, port):
        writer.write(b"220 mail.farm.example ESMTP\r\n")
        await self.raw(reader, writer, address, port)

    async def hold(self, reader, writer, address, port):
        await reader.read()

    async def sink(self, reader, writer, address, port):
        count, arrivals, end = 0, [], "eof"
        try:
            while data := await reader.read(65536):
                count += len(data)
                arrivals.append((time.monotonic(), len(data)))
        except OSError:
            end = "reset"
        self.note("sink", address, port, count=count, end=end, arrivals=arrivals)

    async def blast(self, reader, writer, address, port):
        size, block = int(await reader.readuntil(b"\n")), b"b" * 65536
        while size > 0:
            writer.write(block[:size])
            size -= len(block)
            await writer.drain()

    async def eof(self, reader, writer, address, port):
        data = await reader.read()
        self.note("eof", address, port, data[:4096])
        writer.write(b"%d bytes, then the end\n" % len(data))
        await writer.drain()

    def datagrams(self, address, port):
        owner = self

        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, peer):
                owner.note("udp", address, port, data)
                self.transport.sendto(data, peer)
        return Echo


class Internet:
    """inet and everything in it that Python serves."""

    def __init__(self, certificate, key):
        self.inet = new_namespace()
        self.link()
        self.wire = Wire()
        self.dns = dnsd.Server()
        self.other_dns = dnsd.Server()
        self.recorder = Recorder(certificate, key)
        self.certificate = certificate, key
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.trouble = None
        threading.Thread(target=self.live, args=(ready,), daemon=True).start()
        ready.wait()
        if self.trouble:
            raise self.trouble

    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.inet}"

    def outside(self, *argv):
        """The command line that runs argv in inet."""
        return ["nsenter", f"--net={self.path()}", *argv]

    def link(self):
        batch([f"link add {UPLINK} type veth peer name home netns {self.path()}",
               "link set lo up",
               f"address add {HOME4}/24 dev {UPLINK}",
               f"address add {HOME6}/64 dev {UPLINK} nodad",
               f"link set {UPLINK} up"])
        mine = PUBLIC + PRIVATE
        batch(["link set lo up",
               f"address add {GATEWAY4}/24 dev home",
               f"address add {NEIGHBOUR4}/24 dev home",
               f"address add {GATEWAY6}/64 dev home nodad",
               f"address add {NEIGHBOUR6}/64 dev home nodad",
               "link set home up",
               *(f"address add {a}/128 dev lo nodad" for a in mine if is_v6(a)),
               *(f"address add {a}/32 dev lo" for a in mine if not is_v6(a)),
               f"route add blackhole {NOWHERE4}/32", f"route add blackhole {NOWHERE6}/128"],
              self.outside())
        batch([f"route add default via {GATEWAY4}", f"route add ::/0 via {GATEWAY6}"])

    def live(self, ready):
        """The thread that is the outside: it stays in inet for good."""
        setns(self.inet)
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self.open())
        except Exception as trouble:    # for the thread that waits
            self.trouble = trouble
        ready.set()
        if not self.trouble:
            self.loop.run_forever()

    async def open(self):
        for address in (DNS4, DNS6):
            await self.dns.serve(self.loop, datagram_socket(address, 53),
                                 stream_socket(address, 53), address)
        for address in (OTHER_DNS4, OTHER_DNS6):
            await self.other_dns.serve(self.loop, datagram_socket(address, 53),
                                       stream_socket(address, 53), address)
        recorder = self.recorder
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*self.certificate)
        await self.dns.serve_tls(stream_socket(DNS4, 853), DNS4, tls)
        for address in RECORDERS + [OTHER_DNS4, OTHER_DNS6]:
            for kind, ports in (("http", TCP_PLAIN + TCP_TLS), ("raw", TCP_RAW),
                                ("banner", TCP_BANNER), ("hold", TCP_HOLD), ("eof", TCP_EOF),
                                ("sink", TCP_SINK), ("blast", TCP_BLAST)):
                for port in ports:
                    await asyncio.start_server(
                        recorder.handler(kind, address, port), sock=stream_socket(address, port),
                        ssl=recorder.tls if port in TCP_TLS else None, limit=1 << 20)
            for port in UDP_ECHO:
                await self.loop.create_datagram_endpoint(
                    recorder.datagrams(address, port), sock=datagram_socket(address, port))

    def arrived(self, token):
        """Did these bytes reach any server, or pass the wire at all?"""
        return bool(self.recorder.arrived(token) or self.dns.asked(token.decode())
                    or self.other_dns.asked(token.decode()) or self.wire.carries(token))


def batch(lines, prefix=()):
    run_input = "\n".join(lines) + "\n"
    subprocess.run([*prefix, "ip", "-batch", "-"], input=run_input, text=True, check=True)


def stream_socket(address, port):
    s = socket.socket(socket.AF_INET6 if is_v6(address) else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(4096)
    s.setblocking(False)
    return s


def datagram_socket(address, port):
    s = socket.socket(socket.AF_INET6 if is_v6(address) else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    s.setblocking(False)
    return s
