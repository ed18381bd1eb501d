# SPDX-License-Identifier: Apache-2.0
"""The places of the measurement: a client, home between, a server.

    client --- home --- inet        direct: home forwards, as a router does
               proxy --- inet       a peer runs in home; the client reaches it there
               sluice --- inet      the jail is the client

Each link is a veth pair.  The tests' stage (user, certificates, a private /etc) is
used as it is; their internet is not, since it taps the wire.
"""
import asyncio
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))

import daemons      # noqa: E402
import dnsd         # noqa: E402
import internet     # noqa: E402
import sluice       # noqa: E402
import stage        # noqa: E402

SERVER = f"server.{stage.ZONE}"
CLIENT = "21.6.0.2"
HOME = "21.6.0.1"           # peers listen here
HOME_OTHER = "21.6.0.3"     # a second DNS server
RESUMING = 8443             # the server with session tickets: for those that inspect
BIG = 1 << 40               # bytes of /big, a hole: no transfer comes to its end

NGINX = """
user root;
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {root}/nginx.pid;
error_log {root}/nginx.error;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {root}/zone.pem;
    ssl_certificate_key {root}/zone.key;
    ssl_session_cache off;
    ssl_session_tickets off;
    server {{
        listen {address}:80 backlog=4096;
        listen {address}:443 ssl backlog=4096;
        root {root}/www;
        location /small {{ return 200 "a small answer, as of an API\\n"; }}
    }}
    server {{
        listen {address}:{resuming} ssl backlog=4096;
        ssl_session_tickets on;
        root {root}/www;
        location /small {{ return 200 "a small answer, as of an API\\n"; }}
    }}
}}
"""


def serve_dns(inet):
    """The resolver that home asks; everything that matters is cached after one answer."""
    server = dnsd.Server()
    server.names[SERVER] = dnsd.Name([internet.NGINX4], ttl=3600)
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    def live():
        internet.setns(inet)
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.serve(
            loop, internet.datagram_socket(internet.DNS4, 53),
            internet.stream_socket(internet.DNS4, 53), internet.DNS4))
        ready.set()
        loop.run_forever()
    threading.Thread(target=live, daemon=True).start()
    ready.wait()


class Place:
    """Where load comes from: a shell there, one command at a time."""

    def __init__(self, prefix, **kwargs):
        self.errors = open(stage.ROOT / f"place-{next(sluice.counter)}.err", "w+b")
        self.process = subprocess.Popen([*prefix, "/bin/sh"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, cwd="/", **kwargs)
        self.shell("true")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            sys.exit("bench: a place died: " + self.errors.read().decode(errors="replace"))
        return line.rstrip("\n")

    def shell(self, command):
        """The lines that command prints."""
        self.say(f"{command}; echo .")
        lines = []
        while (line := self.line()) != ".":
            lines.append(line)
        return lines

    def client(self, *args):
        lines = self.shell(" ".join([str(stage.ROOT / "client"), *map(str, args)]))
        if not lines:
            self.errors.seek(0)
            sys.exit(f"bench: client {args}: " + self.errors.read().decode(errors="replace"))
        return json.loads(lines[-1])


class World:
    def __init__(self):
        stage.build(os.environ["SLUICE"], [internet.DNS4])
        shutil.copy2(os.environ["BENCH_CLIENT"], stage.ROOT / "client")
        (stage.ROOT / "client").chmod(0o755)
        self.inet, self.client_net = internet.new_namespace(), internet.new_namespace()
        self.link()
        self.tune()
        serve_dns(self.inet)
        self.hosts = stage.ROOT / "hosts"
        self.hosts.write_text(f"{internet.NGINX4} {SERVER}\n")
        self.nginx()

    def inside(self, net):
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{net}"]

    def with_hosts(self):
        """Peers and the direct client find SERVER in hosts(5): nobody's resolver is measured."""
        return ["unshare", "--mount", "sh", "-c",
                f'mount --bind {self.hosts} /etc/hosts && exec "$@"', "sh"]

    def link(self):
        pid = os.getpid()
        internet.batch([
            "link set lo up",
            f"link add uplink type veth peer name home netns /proc/{pid}/fd/{self.inet}",
            f"link add downlink type veth peer name home netns /proc/{pid}/fd/{self.client_net}",
            f"address add {internet.HOME4}/24 dev uplink", "link set uplink up",
            f"address add {HOME}/24 dev downlink", f"address add {HOME_OTHER}/24 dev downlink",
            "link set downlink up"])
        internet.batch(["link set lo up", f"address add {internet.GATEWAY4}/24 dev home",
                        "link set home up", f"address add {internet.NGINX4}/32 dev lo",
                        f"address add {internet.DNS4}/32 dev lo",
                        f"route add default via {internet.HOME4}"], self.inside(self.inet))
        internet.batch(["link set lo up", f"address add {CLIENT}/24 dev home", "link set home up",
                        f"route add default via {HOME}"], self.inside(self.client_net))
        internet.batch([f"route add default via {internet.GATEWAY4}"])

    def tune(self):
        """Enough ports for short connections; no pacing (bbr) on wires that are memory."""
        script = ("echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range;"
                  "echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse;"
                  "echo 1 >/proc/sys/net/ipv4/ip_forward;"
                  "echo reno >/proc/sys/net/ipv4/tcp_congestion_control")
        for prefix in ([], self.inside(self.inet), self.inside(self.client_net)):
            stage.call(*prefix, "sh", "-c", script)

    def nginx(self):
        www = stage.ROOT / "www"
        www.mkdir()
        with open(www / "big", "wb") as f:
            f.truncate(BIG)
        conf = stage.ROOT / "nginx.conf"
        conf.write_text(NGINX.format(root=stage.ROOT, address=internet.NGINX4,
                                     resuming=RESUMING))
        self.start(self.inside(self.inet) + ["nginx", "-c", str(conf)])
        self.wait_for(internet.NGINX4, 443)

    @staticmethod
    def start(argv, **kwargs):
        out = open(stage.ROOT / f"daemon-{next(sluice.counter)}.out", "wb")
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **kwargs)
        process.out = out.name
        return process

    @staticmethod
    def wait_for(address, port):
        daemons.wait_for(address, port)
