# SPDX-License-Identifier: Apache-2.0
"""The DNS server of the test internet: scripted names, every query recorded.

A name does what its Name says; an unscripted one does not exist.  Answers carry
no glue and no EDNS; a CNAME is followed as far as it is scripted.
"""
import asyncio
import dataclasses
import ipaddress
import struct

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, OPT, SVCB, HTTPS, ANY, CAA = (
    1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 64, 65, 255, 257)
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


@dataclasses.dataclass
class Name:
    addresses: list = dataclasses.field(default_factory=list)   # IPv4 and IPv6, as text
    flip: list = dataclasses.field(default_factory=list)        # lists of addresses, in turn
    cname: str = None
    rcode: int = NOERROR
    delay: float = 0        # seconds before the answer
    silent: bool = False    # no answer at all
    ttl: int = 1
    other: dict = dataclasses.field(default_factory=dict)       # type -> rdata
    asked: int = 0          # address queries so far


@dataclasses.dataclass
class Query:
    name: str
    type: int
    transport: str
    server: str


def pack_name(name):
    labels = [part.encode() for part in name.rstrip(".").split(".") if part]
    return b"".join(bytes([len(part)]) + part for part in labels) + b"\0"


def unpack_name(data, at):
    labels, end = [], None
    while data[at]:
        if data[at] >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from("!H", data, at)[0] & 0x3FFF
        else:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
    return ".".join(labels), end or at + 1


def question(name, qtype, ident=0x5157, edns=False):
    """A query message as a stub resolver sends it."""
    message = struct.pack("!6H", ident, 0x0100, 1, 0, 0, int(edns))
    message += pack_name(name) + struct.pack("!2H", qtype, 1)
    if edns:
        message += b"\0" + struct.pack("!2HIH", OPT, 1232, 0, 0)
    return message


@dataclasses.dataclass
class Reply:
    rcode: int
    addresses: list
    names: list         # targets of PTR and CNAME
    types: list         # of the answer section
    ede: list           # extended error codes (RFC 8914)
    rdata: list         # of the answer section
    owners: list        # of the answer section
    ttls: list          # of the answer section
    others: int         # records beside the answer section, without OPT
    truncated: bool


def parse_reply(data):
    _, flags, questions, answers, authority, additional = struct.unpack_from("!6H", data)
    reply = Reply(flags & 15, [], [], [], [], [], [], [], 0, bool(flags & 0x0200))
    at = 12
    for _ in range(questions):
        at = unpack_name(data, at)[1] + 4
    for index in range(answers + authority + additional):
        owner, at = unpack_name(data, at)
        rtype, _, ttl, size = struct.unpack_from("!2HIH", data, at)
        at += 10
        rdata = data[at:at + size]
        if index < answers:
            reply.types.append(rtype)
            reply.rdata.append(rdata)
            reply.owners.append(owner)
            reply.ttls.append(ttl)
            if rtype in (A, AAAA):
                reply.addresses.append(str(ipaddress.ip_address(rdata)))
            elif rtype in (PTR, CNAME):
                reply.names.append(unpack_name(data, at)[0].lower())
        elif rtype == OPT:
            reply.ede += parse_ede(rdata)
        else:
            reply.others += 1
        at += size
    return reply


def parse_ede(rdata):
    codes, at = [], 0
    while at + 4 <= len(rdata):
        code, size = struct.unpack_from("!2H", rdata, at)
        if code == 15 and size >= 2:
            codes.append(struct.unpack_from("!H", rdata, at + 4)[0])
        at += 4 + size
    return codes


def record(name, rtype, ttl, rdata):
    return pack_name(name) + struct.pack("!2HIH", rtype, 1, ttl, len(rdata)) + rdata


class Server:
    """One set of names behind any number of sockets."""

    def __init__(self):
        self.names = {}
        self.queries = []

    def asked(self, text):
        """Queries whose name contains text."""
        return [q for q in self.queries if text.lower() in q.name.lower()]

    def answer(self, data, transport, server):
        """Return (delay in seconds, reply), or None for silence."""
        ident, flags = struct.unpack_from("!2H", data)
        name, at = unpack_name(data, 12)
        qtype = struct.unpack_from("!H", data, at)[0]
        self.queries.append(Query(name, qtype, transport, server))
        rcode, records, delay = self.look_up(name.lower(), qtype)
        if rcode is None:
            return None
        head = struct.pack("!6H", ident, 0x8180 | (flags & 0x0100) | rcode, 1, len(records), 0, 0)
        return delay, head + data[12:at + 4] + b"".join(records)

    def look_up(self, name, qtype):
        records, delay = [], 0
        for _ in range(8):
            entry = self.names.get(name)
            if entry is None:
                return NXDOMAIN, records, delay
            if entry.silent:
                return None, [], 0
            delay += entry.delay
            if entry.rcode:
                return entry.rcode, [], delay
            if entry.cname is None:
                return NOERROR, records + self.own(name, entry, qtype), delay
            records.append(record(name, CNAME, entry.ttl, pack_name(entry.cname)))
            name = entry.cname
        return NOERROR, records, delay

    @staticmethod
    def own(name, entry, qtype):
        if qtype in entry.other:
            rdata = entry.other[qtype]
            return [record(name, qtype, entry.ttl, one)
                    for one in (rdata if isinstance(rdata, list) else [rdata])]
        if qtype not in (A, AAAA):
            return []
        addresses = entry.addresses
        if entry.flip:
            # A and AAAA are asked as a pair: a turn is one question of one type
            addresses = entry.flip[entry.asked % len(entry.flip)]
            entry.asked += qtype == A
        packed = [ipaddress.ip_address(a).packed for a in addresses]
        size = 4 if qtype == A else 16
        return [record(name, qtype, entry.ttl, p) for p in packed if len(p) == size]

    async def serve(self, loop, udp, tcp, server):
        owner = self

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, peer):
                got = owner.answer(data, "udp", server)
                if got:
                    loop.call_later(got[0], self.transport.sendto, got[1], peer)

        await loop.create_datagram_endpoint(Datagrams, sock=udp)
        await asyncio.start_server(self.stream("tcp", server), sock=tcp)

    async def serve_tls(self, tcp, server, context):
        await asyncio.start_server(self.stream("tls", server), sock=tcp, ssl=context)

    def stream(self, transport, server):
        async def talk(reader, writer):
            try:
                while True:
                    size = struct.unpack("!H", await reader.readexactly(2))[0]
                    got = self.answer(await reader.readexactly(size), transport, server)
                    if got:
                        await asyncio.sleep(got[0])
                        writer.write(struct.pack("!H", len(got[1])) + got[1])
            except (asyncio.IncompleteReadError, OSError):
                writer.close()
        return talk
