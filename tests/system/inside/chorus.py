# SPDX-License-Identifier: Apache-2.0
"""Many requests in one start: reads {"rounds": [[action, ...], ...]}, tells how each ended.

An action with "dns" is a query; one with "host" a connection or a datagram with
"say" (hex) in it.  Actions of one "key" are done in their order, those of different
keys at once.  Between rounds the second ends, so that the log folds no denials.
"""
import json
import socket
import struct
import sys
import threading
import time

SERVER = ("8.8.8.8", 53)        # any address: the jail has one name server
THREADS = 32
WAIT = 0.5                      # seconds until a silent server counts as silent
addresses = {}                  # name -> synthetic address


def dns(action):
    name, qtype = action["dns"], action["type"]
    message = struct.pack("!6H", 0x5157, 0x0100, 1, 0, 0, 0)
    message += b"".join(bytes([len(x)]) + x.encode() for x in name.rstrip(".").split("."))
    message += b"\0" + struct.pack("!2H", qtype, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect(SERVER)
        s.send(message)
        data = s.recv(4096)
    answers = struct.unpack_from("!H", data, 6)[0]
    if qtype == 1 and answers:
        addresses[name] = socket.inet_ntoa(data[-4:])
    return {"rcode": data[3] & 15, "answers": answers}


def talk(action):
    host = addresses.get(action["host"]) if action["named"] else action["host"]
    if not host:
        return {"end": "no address"}
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if action["udp"] else socket.SOCK_STREAM
    with socket.socket(family, kind) as s:
        s.settimeout(10)
        s.connect((host, action["port"]))
        s.sendall(bytes.fromhex(action["say"]))
        s.settimeout(WAIT)
        return {"end": "answer", "data": s.recv(64).hex()}


def perform(action):
    try:
        return dns(action) if "dns" in action else talk(action)
    except OSError as error:
        return {"end": type(error).__name__}


def work(actions, results):
    for action in actions:
        results[action["n"]] = perform(action)


def one_round(actions, results):
    shares = [[] for _ in range(THREADS)]
    places = {}
    for action in actions:
        place = places.setdefault(action["key"], len(places) % THREADS)
        shares[place].append(action)
    threads = [threading.Thread(target=work, args=(share, results)) for share in shares if share]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    with open(sys.argv[1]) as f:
        rounds = json.load(f)["rounds"]
    results = {}
    for number, actions in enumerate(rounds):
        if number:
            time.sleep(1.02 - time.time() % 1)
        one_round(actions, results)
    time.sleep(0.1)             # what the kernel refused is told of a moment later
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
