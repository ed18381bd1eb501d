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

def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def frame(source, kind, payload, to="ff:ff:ff:ff:ff:ff"):
    return (mac(to) + mac(source) + kind.to_bytes(2, "big") + payload).hex()


def ip(address):
    return bytes(map(int, address.split(".")))


def udp4(source, to, sport, dport, data):
    udp = sport.to_bytes(2, "big") + dport.to_bytes(2, "big") + (8 + len(data)).to_bytes(2, "big") + bytes(2)
    head = bytes.fromhex("4500") + (28 + len(data)).to_bytes(2, "big") + bytes.fromhex("0000000040110000")
    head += ip(source) + ip(to)
    total = sum(int.from_bytes(head[i:i + 2], "big") for i in range(0, 20, 2))
    total = (total & 0xffff) + (total >> 16)
    check = (~((total & 0xffff) + (total >> 16)) & 0xffff).to_bytes(2, "big")
    return head[:10] + check + head[12:] + udp + data


def arp(source, address, target):
    return bytes.fromhex("0001080006040001") + mac(source) + ip(address) + bytes(6) + ip(target)
