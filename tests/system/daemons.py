# SPDX-License-Identifier: Apache-2.0
"""Real servers in inet: nginx, sshd, git daemon, git over HTTP, PostgreSQL."""
import asyncio
import base64
import functools
import glob
import hashlib
import io
import json
import os
import pathlib
import secrets
import socket
import ssl
import subprocess
import tarfile
import time

import internet
import stage
import waiting
from stage import ROOT, ZONE, call

BIG = 256 << 20     # bytes of /big

NGINX = """
user root;
worker_processes 1;
daemon off;
pid {root}/nginx.pid;
error_log {root}/nginx.error;
events {{ worker_connections 8192; }}
http {{
    log_format full '$host|$request|$ssl_server_name|$status';
    access_log {root}/nginx.access full;
    client_body_temp_path {root}/nginx-body;
    proxy_temp_path {root}/nginx-proxy;
    fastcgi_temp_path {root}/nginx-fastcgi;
    uwsgi_temp_path {root}/nginx-uwsgi;
    scgi_temp_path {root}/nginx-scgi;
    ssl_certificate {root}/zone.pem;
    ssl_certificate_key {root}/zone.key;
    default_type text/plain;
    server {{
        {listen}
        server_name _;
        root {root}/www;
        location /hello {{ return 200 "hello from $host over $scheme\\n"; }}
        location /git/ {{
            proxy_pass http://127.0.0.1:8118;
            {pass}
        }}
    }}
    server {{
        {listen}
        server_name github.com;
        location / {{ proxy_pass http://127.0.0.1:8118/git/; {pass} }}
    }}
    server {{
        {listen}
        server_name registry.npmjs.org;
        location / {{ proxy_pass http://127.0.0.1:8119; {pass} }}
    }}
}}
"""
PASS = "proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off; " \
    "client_max_body_size 0;"

listeners = []
git_requests = []       # (method, target) of each that reached git's CGI program
npm_requests = []       # the same of the registry that publishes too

SSHD = """
ListenAddress {v4}:22
ListenAddress [{v6}]:22
HostKey {root}/ssh_host_key
PidFile {root}/sshd.pid
AuthorizedKeysFile {root}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
"""


def start(net, *argv, log, **kwargs):
    out = open(ROOT / log, "wb")
    return subprocess.Popen(net.outside(*argv), stdin=subprocess.DEVNULL, stdout=out,
                            stderr=subprocess.STDOUT, **kwargs)


def wait_for(address, port, seconds=20):
    """The server answers connections, asked from home."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def asked(access, address, port, tls=False):
    """The lines of nginx's log, with all that it was asked before: its one worker writes them in order."""
    mark, context = secrets.token_hex(8), ssl._create_unverified_context()
    with socket.create_connection((address, port), 20) as s, context.wrap_socket(s) if tls else s as asker:
        asker.sendall(f"GET /open/mark-{mark} HTTP/1.0\r\n\r\n".encode())
        asker.recv(1)
    return waiting.wait_for(lambda: mark in (text := access.read_text()) and text.splitlines())


def nginx(net):
    www = ROOT / "www"
    www.mkdir()
    with open(www / "big", "wb") as f:
        f.truncate(BIG)
    npm_registry(www)
    apt_repository(www)
    listen = "\n".join(f"listen {a}:80; listen {a}:443 ssl;"
                       for a in (internet.NGINX4, f"[{internet.NGINX6}]"))
    (ROOT / "nginx.conf").write_text(NGINX.format(root=ROOT, listen=listen, **{"pass": PASS}))
    start(net, "nginx", "-c", str(ROOT / "nginx.conf"), log="nginx.out")


def npm_registry(www):
    """One package as the npm registry serves it, in static files."""
    meta = {"name": "tiny-thing", "version": "1.0.0", "main": "index.js"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in (("package.json", json.dumps(meta)),
                           ("index.js", "module.exports = 'tiny';\n")):
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    folder = www / "npm"
    folder.mkdir()
    (folder / "tiny-thing-1.0.0.tgz").write_bytes(packed.getvalue())
    digest = base64.b64encode(hashlib.sha512(packed.getvalue()).digest()).decode()
    dist = {"tarball": f"https://npm.{ZONE}/npm/tiny-thing-1.0.0.tgz",
            "integrity": f"sha512-{digest}"}
    (folder / "tiny-thing").write_text(json.dumps(
        {"name": "tiny-thing", "dist-tags": {"latest": "1.0.0"},
         "versions": {"1.0.0": {**meta, "dist": dist}}}))


def apt_repository(www):
    """A flat repository with one package."""
    tree = ROOT / "deb" / "tiny"
    (tree / "DEBIAN").mkdir(parents=True)
    control = ("Package: tiny\nVersion: 1.0\nArchitecture: all\n"
               "Maintainer: nobody <nobody@farm.example>\nDescription: tiny\n")
    (tree / "DEBIAN" / "control").write_text(control)
    folder = www / "apt"
    folder.mkdir()
    call("dpkg-deb", "--build", str(tree), str(folder / "tiny_1.0_all.deb"))
    data = (folder / "tiny_1.0_all.deb").read_bytes()
    (folder / "Packages").write_text(
        control + f"Filename: ./tiny_1.0_all.deb\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n")


def sshd(net):
    call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ROOT / "ssh_host_key"))
    keys = stage.directory(stage.HOME / ".ssh", 0o700)
    call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "id_ed25519"))
    (ROOT / "authorized_keys").write_bytes((keys / "id_ed25519.pub").read_bytes())
    host_key = (ROOT / "ssh_host_key.pub").read_text()
    (keys / "known_hosts").write_text(f"ssh.{ZONE} {host_key}")
    stage.give(keys)
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    (ROOT / "sshd.conf").write_text(
        SSHD.format(root=ROOT, v4=internet.SSH4, v6=internet.SSH6))
    start(net, "/usr/sbin/sshd", "-D", "-e", "-f", str(ROOT / "sshd.conf"), log="sshd.out")


def git(net):
    work, bare = ROOT / "work", ROOT / "git" / "hello.git"
    env = {**os.environ, "HOME": str(ROOT), "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    call("git", "init", "-q", str(work), env=env)
    (work / "hello.txt").write_text("hello from git\n")
    (work / "noise.bin").write_bytes(os.urandom(3 << 20))
    call("git", "-C", str(work), "add", ".", env=env)
    call("git", "-C", str(work), "commit", "-qm", "one", env=env)
    call("git", "clone", "-q", "--bare", str(work), str(bare), env=env)
    start(net, "git", "daemon", "--export-all", f"--base-path={ROOT}/git", "--reuseaddr",
          f"--listen={internet.NGINX4}", f"--listen={internet.NGINX6}", log="git.out")
    for name in ("acme/tool", "acme/tool2", "open/one", "closed/one"):
        copy = ROOT / "git" / f"{name}.git"
        call("git", "clone", "-q", "--bare", str(work), str(copy), env=env)
        for key in ("http.receivepack", "uploadpack.allowFilter"):
            call("git", "-C", str(copy), "config", key, "true", env=env)
    serve(net, 8118, git_http_backend)
    serve(net, 8119, npm_server)


def serve(net, port, talk):
    """A server in inet, behind nginx."""
    async def begin():
        sock = internet.stream_socket("127.0.0.1", port)
        listeners.append(await asyncio.start_server(talk, sock=sock))
    asyncio.run_coroutine_threadsafe(begin(), net.loop).result()


async def npm_server(reader, writer):
    """One request from nginx: the registry's package, and whatever is published is taken."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:-2])}
    await internet.Recorder.body(reader, writer, fields)
    npm_requests.append((method, target))
    status, answer = "404 Not Found", b"{}"
    folder = ROOT / "www" / "npm"
    if method == "PUT":
        status, answer = "201 Created", b'{"ok": true}'
    elif method == "POST" and target.startswith("/-/npm/v1/security/"):
        status = "200 OK"
    elif method == "GET" and target == "/tiny-thing":
        status = "200 OK"
        answer = (folder / "tiny-thing").read_bytes().replace(
            f"https://npm.{ZONE}/npm/".encode(), b"https://registry.npmjs.org/tiny-thing/-/")
    elif method == "GET" and target == "/tiny-thing/-/tiny-thing-1.0.0.tgz":
        status, answer = "200 OK", (folder / "tiny-thing-1.0.0.tgz").read_bytes()
    writer.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
                 f"Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
    await writer.drain()
    writer.close()


async def git_http_backend(reader, writer):
    """One request from nginx to git's CGI program and back."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:-2])}
    path, _, query = target.partition("?")
    git_requests.append((method, target))
    body = await internet.Recorder.body(reader, writer, fields)
    env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(ROOT / "git"),
           "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": method, "QUERY_STRING": query,
           "PATH_INFO": path.removeprefix("/git"), "CONTENT_LENGTH": str(len(body)),
           "CONTENT_TYPE": fields.get("content-type", ""), "REMOTE_ADDR": "0.0.0.0",
           "HTTP_CONTENT_ENCODING": fields.get("content-encoding", ""),
           "GIT_PROTOCOL": fields.get("git-protocol", ""), "HOME": str(ROOT)}
    answer = await asyncio.get_running_loop().run_in_executor(None, functools.partial(
        subprocess.run, ["/usr/lib/git-core/git-http-backend"], input=body, env=env,
        stdout=subprocess.PIPE))
    answer_head, _, answer_body = answer.stdout.partition(b"\r\n\r\n")
    status = b"200 OK"
    lines = []
    for line in answer_head.split(b"\r\n"):
        if line.lower().startswith(b"status:"):
            status = line[7:].strip()
        else:
            lines.append(line)
    writer.write(b"HTTP/1.1 " + status + b"\r\n" + b"\r\n".join(lines)
                 + b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(answer_body)
                 + answer_body)
    await writer.drain()
    writer.close()


def postgres(net):
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    data = ROOT / "postgres"
    data.mkdir()
    call("chown", "postgres", str(data))
    as_postgres = {"user": "postgres", "group": "postgres", "extra_groups": []}
    call(f"{programs}/initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-D", str(data),
         **as_postgres)
    with open(data / "pg_hba.conf", "a") as f:
        f.write("host all all all trust\n")
    # nsenter needs root, PostgreSQL refuses it
    start(net, "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
          f"{programs}/postgres", "-D", str(data), "-c", "fsync=off",
          "-c", f"listen_addresses={internet.POSTGRES4},{internet.POSTGRES6}",
          "-c", f"unix_socket_directories={data}", log="postgres.out")


def start_all(net):
    postgres(net)
    nginx(net)
    sshd(net)
    git(net)
    for address, port in ((internet.NGINX4, 443), (internet.NGINX6, 80), (internet.SSH4, 22),
                          (internet.NGINX4, 9418), (internet.POSTGRES4, 5432)):
        wait_for(address, port)
