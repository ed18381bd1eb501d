# SPDX-License-Identifier: Apache-2.0
"""`sluice proxy` as a user starts it, and clients that were told to use it."""
import shlex
import signal
import socket
import struct
import subprocess

import dnsd
import sluice
import stage

WHERE = ("--http", ":0", "--socks", ":0", "--dns", ":0")


class Proxy:
    def __init__(self, *options, where=WHERE, env=None, limit=None):
        self.log = sluice.new_log()
        self.errors = stage.ROOT / f"proxy-{next(sluice.counter)}.err"
        prefix = ["prlimit", limit] if limit else []
        with open(self.errors, "wb") as err:
            self.process = subprocess.Popen(
                [*prefix, str(sluice.PROGRAM), "proxy", "--log", str(self.log), *where,
                 *map(str, options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=err, text=True, env=env or sluice.environment(), cwd=stage.WORK,
                **sluice.as_user())
        self.text = ""
        while not self.text.count("# DNS") and (line := self.process.stdout.readline()):
            self.text += line
        assert "# DNS" in self.text, self.errors.read_text()
        self.variables = dict(shlex.split(line)[1].split("=", 1)
                              for line in self.text.splitlines() if line.startswith("export "))
        self.http = self.variables["http_proxy"]
        self.socks = self.variables["all_proxy"]
        self.http_port = int(self.http.rpartition(":")[2])
        self.socks_port = int(self.socks.rpartition(":")[2])
        self.dns_port = int(self.text.rstrip().rpartition(":")[2])

    def client(self, *argv, without=(), stdin="", limit=30, **changes):
        """Run argv by the user with the variables that were printed."""
        variables = {k: v for k, v in self.variables.items() if k not in without}
        return subprocess.run([*map(str, argv)], input=stdin, text=True, timeout=limit,
                              capture_output=True, cwd=stage.WORK,
                              env=sluice.environment(**{**variables, **changes}),
                              **sluice.as_user())

    def curl(self, *arguments, **kwargs):
        return self.client("curl", "-sS", "--max-time", "15", *arguments, **kwargs)

    def say(self, data, port=None, wait=0.7, end=False):
        """Raw bytes to the HTTP port; all that comes back until it is silent."""
        with socket.create_connection(("127.0.0.1", port or self.http_port), 5) as s:
            s.sendall(data)
            if end:
                s.shutdown(socket.SHUT_WR)
            return listen(s, wait)

    def ask(self, name, kind=dnsd.A, tcp=False):
        """The answer to a DNS query at the proxy's port."""
        query = dnsd.question(name, kind, edns=True)
        if tcp:
            with socket.create_connection(("127.0.0.1", self.dns_port), 5) as s:
                s.sendall(struct.pack("!H", len(query)) + query)
                return dnsd.parse_reply(listen(s, 0.7)[2:])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.sendto(query, ("127.0.0.1", self.dns_port))
            return dnsd.parse_reply(s.recv(4096))

    def events(self, *kinds):
        return sluice.events_so_far(self.log, *kinds)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(20)
        self.process.stdout.close()
        err = self.errors.read_text(errors="replace")
        sluice.unbroken(err)
        return sluice.Done(code, self.text, err, self.log)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)


def hear(s, words):
    """What comes until it has these words; the end is too early."""
    s.settimeout(15)
    data = b""
    while words not in data:
        got = s.recv(65536)
        assert got, data
        data += got
    return data


def listen(s, wait=0.7, first=15):
    """What comes until nothing does for a while, or the end; the first of it may take its time."""
    s.settimeout(first)
    data = b""
    try:
        while got := s.recv(65536):
            data += got
            s.settimeout(wait)
    except (TimeoutError, ConnectionError):
        pass
    return data
