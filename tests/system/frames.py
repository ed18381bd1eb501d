# SPDX-License-Identifier: Apache-2.0
"""Frames as a guest would write them that does not keep to its own MAC and address."""
# Run in the guest
SEND = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for frame in sys.argv[1:]:
    s.send(bytes.fromhex(frame))
"""

# The same in a booted guest, which has no Python: as the file /bin/frames
PERL = r"""#!/usr/bin/perl
open(my $f, "<", "/sys/class/net/eth0/ifindex") or die "eth0: $!";
socket(my $s, 17, 3, 0) or die "a packet socket: $!";       # AF_PACKET, SOCK_RAW
my $to = pack("S n l S C C x8", 17, 0, <$f>, 0, 0, 6);
for (@ARGV) {
    defined(send($s, pack("H*", $_), 0, $to)) or print "not sent: $!\n";
}
"""


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(source, kind, payload, to="ff:ff:ff:ff:ff:ff"):
    return (mac(to) + mac(source) + kind.to_bytes(2, "big") + payload).hex()


def ip(address):
    return bytes(map(int, address.split(".")))


def ip4(source, to, protocol, data, options=b"", fragment=0, number=0x1234):
    """fragment: flags and offset, as in the header; number: which packet it is a piece of."""
    words = 5 + len(options) // 4
    head = bytes([0x40 | words, 0]) + (4 * words + len(data)).to_bytes(2, "big") + number.to_bytes(2, "big")
    head += fragment.to_bytes(2, "big") + bytes([64, protocol]) + bytes(2) + ip(source) + ip(to) + options
    total = sum(int.from_bytes(head[i:i + 2], "big") for i in range(0, len(head), 2))
    total = (total & 0xffff) + (total >> 16)
    check = (~((total & 0xffff) + (total >> 16)) & 0xffff).to_bytes(2, "big")
    return head[:10] + check + head[12:] + data


def udp(sport, dport, data):
    """Without a checksum."""
    return sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + (8 + len(data)).to_bytes(2, "big") + bytes(2) + data


def udp4(source, to, sport, dport, data):
    return ip4(source, to, 17, udp(sport, dport, data))


def pieces(source, to, data, number, cuts, protocol=17):
    """Packets: the pieces of one, each from one octet to before another, in this order; they may overlap."""
    return [ip4(source, to, protocol, data[a:b], fragment=(0x2000 if b < len(data) else 0) | a // 8, number=number)
            for a, b in cuts]


def arp(source, address, target, kind=1):
    return bytes.fromhex("000108000604") + kind.to_bytes(2, "big") + mac(source) + ip(address) + bytes(6) + ip(target)


def dhcp(source, client, kind=1, options=b"", relay="0.0.0.0", by="0.0.0.0", to="255.255.255.255"):
    """DHCPDISCOVER, or another message, of a client by its hardware address (RFC 2131)."""
    ask = bytes.fromhex("01010600") + bytes(20) + ip(relay) + client + bytes(202) + bytes.fromhex("638253633501")
    return frame(source, 0x0800, udp4(by, to, 68, 67, ask + bytes([kind]) + options + b"\xff"))
