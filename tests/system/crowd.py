# SPDX-License-Identifier: Apache-2.0
"""As many sessions as a daemon may have, without their keepers: one process answers for all.

    crowd.py FOLDER COUNT <held/NAME.json of one

It writes and locks the files that a daemon which starts takes for sessions of an earlier one, listens
at their sockets, and says so.  It answers as a session does of which nothing is to be told.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import selectors
import socket
import sys

READ = 4096


def answer(name, line):
    asked = json.loads(line)["do"]
    said = {"status": {"session": name, "pid": os.getpid(), "mode": "filtered", "since": "2026-01-01T00:00:00Z",
                       "open": 0, "connections": 0, "denied": 0, "bytes_in": 0, "bytes_out": 0, "denials": []},
            "approvals": {"approvals": []}, "events": {"events": [], "next": 1}}
    return json.dumps({"ok": True, **said.get(asked, {})}).encode() + b"\n"


def main(folder, count):
    like, here, watch = json.load(sys.stdin), pathlib.Path(folder), selectors.DefaultSelector()
    kept = []
    for number in range(count):
        name = f"crowd-{number:04}"
        file = open(here / "held" / f"{name}.json", "w+")
        file.write(json.dumps({**like, "session": name}))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(here / f"{name}.sock"))
        listener.listen()
        watch.register(listener, selectors.EVENT_READ, name)
        kept.append(file)
    print("all", flush=True)
    rest = {}
    while True:
        for key, _ in watch.select():
            if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                watch.register(key.fileobj.accept()[0], selectors.EVENT_READ, key.data)
                continue
            got = b""
            with contextlib.suppress(ConnectionError):      # who tells something does not stay for the answer
                got = key.fileobj.recv(READ)
                *lines, rest[key.fd] = (rest.get(key.fd, b"") + got).split(b"\n")
                for line in lines:
                    key.fileobj.sendall(answer(key.data, line))
            if not got:
                watch.unregister(key.fileobj)
                rest.pop(key.fd, None)
                key.fileobj.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
