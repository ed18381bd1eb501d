# SPDX-License-Identifier: Apache-2.0
"""Many requests of all kinds at once; tells what the client sent and how each ended.

Reads one JSON object: hosts, ports, and how many of each kind.  Each request has a number of its
own in its path.
"""
import collections
import json
import socket
import ssl
import struct
import sys
import threading

plan = json.load(sys.stdin)
zone, plain, tls, udp = plan["zone"], plan["plain"], plan["tls"], plan["udp"]
count = collections.Counter()
lock = threading.Lock()
context = ssl.create_default_context()
SERVER = ("8.8.8.8", 53)        # any address: the jail has one name server


def done(**more):
    with lock:
        count.update(more)


def answer(s):
    """One HTTP answer with a length; its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            raise OSError("no answer")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length"))
    while len(body) < length:
        piece = s.recv(65536)
        if not piece:
            raise OSError("cut")
        body += piece
    return int(head.split(b" ")[1])


def request(s, host, port, number, path="r"):
    body = b"x" * (number % 700)
    s.sendall(f"POST /{path}/{number} HTTP/1.1\r\nHost: {host}:{port}\r\n"
              f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    status = answer(s)
    done(**{f"status {status}": 1})
    return status


def connect(host, port):
    s = socket.create_connection((host, port), 30)
    s.settimeout(30)
    return s


def http(first, each):
    with connect(f"rec.{zone}", plain) as s:
        for number in range(first, first + each):
            request(s, f"rec.{zone}", plain, number)


def https(first, each, host, path="r"):
    with connect(host, tls) as s, context.wrap_socket(s, server_hostname=host) as t:
        for number in range(first, first + each):
            if request(t, host, tls, number, path) != 200:
                return


def literal(first, each):
    for number in range(first, first + each):
        try:
            socket.create_connection(("21.9.0.77", 1000 + number % 50), 5).close()
            done(literal_open=1)
        except OSError:
            done(literal_refused=1)


def query(name):
    message = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0)
    message += b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.connect(SERVER)
        s.send(message)
        return s.recv(4096)[3] & 15


def names(first, each):
    for number in range(first, first + each):
        good = number % 3
        rcode = query(f"rec.{zone}" if good else f"n{number % 40}.denied.example")
        done(**{f"{'good' if good else 'bad'} name {rcode}": 1})


def datagrams(first, each):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.bind(("", 20000 + first))     # the kernel may give one port twice: one flow then
        s.connect((f"rec.{zone}", udp))
        for number in range(first, first + each):
            s.send(b"d" * (number % 500 + 1))
            s.recv(4096)
            done(datagram=1)


KINDS = {"http": http, "https": lambda a, n: https(a, n, f"rec.{zone}"),
         "inspected": lambda a, n: https(a, n, f"second.{zone}"),
         "forbidden": lambda a, n: https(a, n, f"second.{zone}", "forbidden"),
         "literal": literal, "names": names, "datagrams": datagrams}


def work(jobs):
    while True:
        with lock:
            if not jobs:
                return
            kind, first, each = jobs.pop()
        try:
            KINDS[kind](first, each)
        except Exception as error:      # counted: the test wants none
            done(**{f"{kind}: {type(error).__name__}: {error}": 1})


jobs = [tuple(job) for job in plan["jobs"]]
threads = [threading.Thread(target=work, args=(jobs,)) for _ in range(plan["threads"])]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(json.dumps(count))
