# SPDX-License-Identifier: Apache-2.0
"""The contestants: how each is started, and what the client is told to reach it.

Each is one process or thread of work, and writes a line a connection as sluice
does.  A way is the client's option, or None where the contestant has none:
`http` for plain HTTP, `tls` for TLS to the server's port 443, `inner` for the TLS
that some of them decrypt.
"""
import glob
import os
import pathlib
import shutil
import subprocess
import time

import world as places      # first: it finds the tests' modules
import internet
import sluice
import stage

ROOT = stage.ROOT

SQUID_COMMON = """
http_access allow all
cache deny all
cache_mem 8 MB
access_log stdio:{dir}/access
cache_log {dir}/cache
pid_filename none
coredump_dir {dir}
max_filedescriptors 16384
shutdown_lifetime 0 seconds
via off
forwarded_for delete
"""

SQUID = """
http_port {home}:3128
""" + SQUID_COMMON

SQUID_BUMP = """
http_port {home}:3131 ssl-bump cert={dir}/ca.pem generate-host-certificates=on
sslcrtd_program {certgen} -s {dir}/db -M 4MB
sslcrtd_children 1
tls_outgoing_options cafile={bundle}
acl hello at_step SslBump1
ssl_bump peek hello
ssl_bump bump all
""" + SQUID_COMMON
CERTGEN = "/usr/lib/squid/security_file_certgen"    # of squid-openssl

HAPROXY_TCP = """
global
    maxconn 8000
    nbthread 1
    log stdout format raw local0
defaults
    mode tcp
    log global
    option tcplog
    timeout connect 10s
    timeout client 600s
    timeout server 600s
listen http
    bind {home}:5080
    server s {server}:80
listen tls
    bind {home}:5443
    server s {server}:443
"""

HAPROXY_HTTP = """
global
    maxconn 8000
    nbthread 1
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    timeout connect 10s
    timeout client 600s
    timeout server 600s
listen http
    bind {home}:6080
    server s {server}:80
"""

TINYPROXY = """
Port 3129
Listen {home}
LogFile "{dir}/log"
LogLevel Connect
MaxClients 4000
Timeout 600
DisableViaHeader Yes
"""

NGINX_STREAM = """
{module}
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {dir}/pid;
error_log {dir}/error;
events {{ worker_connections 16384; }}
stream {{
    log_format one '$remote_addr $upstream_addr $bytes_sent';
    access_log {dir}/access one;
    server {{ listen {home}:7080 backlog=4096; proxy_pass {server}:80; }}
    server {{ listen {home}:7443 backlog=4096; proxy_pass {server}:443; }}
}}
"""

UNBOUND = """
server:
    interface: {home}
    access-control: 0.0.0.0/0 allow
    num-threads: 1
    do-daemonize: no
    use-syslog: no
    logfile: {dir}/log
    log-queries: yes
    username: ""
    chroot: ""
    directory: {dir}
    pidfile: {dir}/pid
    local-zone: {zone}. transparent
    local-data: "{host}. A {server}"
remote-control:
    control-enable: no
"""


def find(program):
    return shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")


def configured(name, text, **more):
    """Write a peer's configuration; its path."""
    folder = ROOT / name
    folder.mkdir()
    folder.chmod(0o777)
    path = folder / "conf"
    path.write_text(text.format(
        home=places.HOME, server=internet.NGINX4, dir=folder, **more))
    return str(path)


class Contestant:
    """One way from a client to the server: a place, options, processes that work."""

    def __init__(self, name, place, http=None, tls=None, inner=None, pid=None, keeps=True):
        self.name, self.place, self.pid = name, place, pid
        self.http, self.tls, self.inner, self.keeps = http, tls, inner, keeps

    def processes(self):
        if self.pid is None:
            return {}
        return {pid: " ".join(line) for pid, line in
                ({self.pid: [self.name]} | sluice.children(self.pid)).items()}


class Sluice(Contestant):
    """The jail is the client; sluice's processes are those that run its program."""

    def __init__(self, world, name="sluice", options=(), **ways):
        log = sluice.new_log()
        place = places.Place([str(sluice.PROGRAM), "run", "--log", str(log), *options,
                              "--allow", places.SERVER,
                              "--allow", f"{places.SERVER}:{places.RESUMING}", "--"],
                             env=sluice.environment(), **sluice.as_user())
        super().__init__(name, place, pid=place.process.pid, **ways)
        self.log = log
        self.roles = self.find_roles()

    def find_roles(self):
        """pid -> role, of what runs outside of the jail"""
        folder = os.path.dirname(os.path.realpath(sluice.PROGRAM))
        here = os.readlink("/proc/self/ns/pid")
        roles = {}
        for pid, line in (sluice.children(self.pid) | {self.pid: ["", "keeper"]}).items():
            try:
                ours = os.path.dirname(os.readlink(f"/proc/{pid}/exe")) == folder
                if ours and os.readlink(f"/proc/{pid}/ns/pid") == here:
                    roles[pid] = line[1].removeprefix("role-") if len(line) > 1 else "?"
            except OSError:
                continue
        missing = {"keeper", "gate", "resolver", "broker"} - set(roles.values())
        assert not missing, f"not measured: {missing}"
        return roles

    def processes(self):
        return self.roles


def daemon(world, name, program, argv, port, **ways):
    """A peer in home, or None if it is not installed."""
    path = find(program)
    if not path:
        return None
    process = world.start(world.with_hosts() + [path, *argv])
    try:
        world.wait_for(places.HOME, port)
    except OSError:
        print(f"bench: {name} does not start:", pathlib.Path(process.out).read_text()[-500:])
        process.kill()
        return None
    return Contestant(name, world.client, pid=process.pid, **ways)


def squid(world):
    via = f"{places.HOME}:3128"
    return daemon(world, "squid", "squid", ["-N", "-f", configured("squid", SQUID)], 3128,
                  http=f"-g {via}", tls=f"-c {via}")


def squid_bump(world):
    if not find("squid") or not os.path.exists(CERTGEN):
        return None
    conf = configured("squid-bump", SQUID_BUMP, certgen=CERTGEN, bundle=stage.BUNDLE)
    folder = pathlib.Path(conf).parent
    stage.call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "key", "-out",
               folder / "cert", "-days", "2", "-subj", "/CN=bump")
    (folder / "ca.pem").write_text((folder / "key").read_text() + (folder / "cert").read_text())
    (folder / "ca.pem").chmod(0o644)
    stage.call(CERTGEN, "-c", "-s", folder / "db", "-M", "4MB")
    stage.call("chmod", "-R", "a+rwX", folder / "db")
    return daemon(world, "squid bump", "squid", ["-N", "-f", conf], 3131,
                  inner=f"-c {places.HOME}:3131")


def mitmproxy(world):
    folder = ROOT / "mitmproxy"
    folder.mkdir()
    return daemon(world, "mitmproxy", "mitmdump",
                  ["--listen-host", places.HOME, "--listen-port", "3132",
                   "--set", f"confdir={folder}", "--set", "stream_large_bodies=1m",
                   "--set", "block_global=false",
                   "--set", f"ssl_verify_upstream_trusted_ca={stage.BUNDLE}"], 3132,
                  inner=f"-c {places.HOME}:3132")


def haproxy_tcp(world):
    return daemon(world, "haproxy tcp", "haproxy",
                  ["-db", "-f", configured("haproxy-tcp", HAPROXY_TCP)], 5080,
                  http=f"-a {places.HOME}:5080", tls=f"-a {places.HOME}:5443")


def haproxy_http(world):
    return daemon(world, "haproxy http", "haproxy",
                  ["-db", "-f", configured("haproxy-http", HAPROXY_HTTP)], 6080,
                  http=f"-a {places.HOME}:6080")


def tinyproxy(world):
    via = f"{places.HOME}:3129"
    return daemon(world, "tinyproxy", "tinyproxy",
                  ["-d", "-c", configured("tinyproxy", TINYPROXY)], 3129,
                  http=f"-g {via}", tls=f"-c {via}", keeps=False)


def nginx_stream(world):
    program = find("nginx")
    if not program:
        return None
    said = subprocess.run([program, "-V"], capture_output=True, text=True).stderr
    modules = glob.glob("/usr/lib/nginx/modules/ngx_stream_module.so")
    if not modules and ("--with-stream" not in said.split()):
        return None
    module = f"load_module {modules[0]};" if modules else ""
    return daemon(world, "nginx stream", "nginx",
                  ["-c", configured("nginx-stream", NGINX_STREAM, module=module)], 7080,
                  http=f"-a {places.HOME}:7080", tls=f"-a {places.HOME}:7443")


PEERS = {"squid": squid, "haproxy-tcp": haproxy_tcp, "haproxy-http": haproxy_http,
         "tinyproxy": tinyproxy, "nginx-stream": nginx_stream, "squid-bump": squid_bump,
         "mitmproxy": mitmproxy}


def resolvers(world):
    """DNS servers in home: (name, address)"""
    found = []
    if program := find("unbound"):
        conf = configured("unbound", UNBOUND, zone=stage.ZONE, host=places.SERVER)
        world.start([program, "-d", "-c", conf])
        found.append(("unbound", places.HOME))
    if program := find("dnsmasq"):
        (ROOT / "dnsmasq").mkdir()
        world.start([program, "--keep-in-foreground", "--conf-file=/dev/null", "--bind-interfaces",
                     f"--listen-address={places.HOME_OTHER}", "--except-interface=lo",
                     "--no-resolv", "--no-hosts", "--user=root", "--log-queries",
                     f"--log-facility={ROOT}/dnsmasq/log", f"--pid-file={ROOT}/dnsmasq/pid",
                     f"--address=/{places.SERVER}/{internet.NGINX4}"])
        found.append(("dnsmasq", places.HOME_OTHER))
    time.sleep(0.5)
    return found
