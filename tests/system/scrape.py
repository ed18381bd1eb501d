# SPDX-License-Identifier: Apache-2.0
"""Ask a session for its metrics, and read the page."""
import http.client
import re
import socket
import time

URL = re.compile(r"^sluice: metrics: http://(\[?[^\]/]*\]?):(\d+)/metrics$", re.M)
LINE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? ([0-9.e+]+|\+Inf)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)')


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(self.path))


def port(agent):
    """The port that sluice chose, as it said on stderr."""
    deadline = time.monotonic() + 10
    while not (found := URL.search(agent.errors.read_text())):
        assert time.monotonic() < deadline, agent.errors.read_text()
        time.sleep(0.02)
    return int(found.group(2))


def ask(where, method="GET", path="/metrics", headers=None):
    """(status, headers, text); where: a port on 127.0.0.1, or the path of a Unix socket."""
    asker = (http.client.HTTPConnection("127.0.0.1", where, timeout=20) if isinstance(where, int)
             else UnixConnection(where))
    try:
        asker.request(method, path, headers=headers or {})
        answer = asker.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        asker.close()


def read(text):
    """(name, frozenset of labels but session) -> number"""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, number = LINE.match(line).groups()
        key = (name, frozenset(kv for kv in LABEL.findall(labels or "") if kv[0] != "session"))
        assert key not in found, line
        found[key] = float(number)
    return found


class Page:
    def __init__(self, where):
        status, headers, self.text = ask(where)
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        self.numbers = read(self.text)

    def __call__(self, name, **labels):
        """The sum of the series of that name that have these labels."""
        want = set(labels.items())
        found = [v for (n, has), v in self.numbers.items() if n == name and want <= has]
        assert found, (name, labels)
        return sum(found)


def page(where):
    return Page(where)
