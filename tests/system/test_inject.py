# SPDX-License-Identifier: Apache-2.0
"""Values that rules put into requests: where they go, and that nobody else learns them."""
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import daemons
import internet
import sluice
import stage
from stage import ROOT, ZONE, call
from test_inspect import memory
from test_reload import events, wait_for

PORT = 4470
CONF = """
user root;
worker_processes 1;
daemon off;
pid {place}/pid;
error_log {place}/error;
events {{ worker_connections 512; }}
http {{
    log_format full '$server_protocol|$request_method|$request_uri|$status|$http_authorization'
                    '|$http_x_key|$http_accept_encoding|$http_range|$http_x_other';
    access_log {place}/access full;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    ssl_certificate {place}/pem;
    ssl_certificate_key {place}/key;
    default_type text/plain;
    underscores_in_headers on;
    server {{
        listen {address}:{port} ssl http2;
        listen {address}:{clear};
        root {www};
        location / {{
            add_header X-Echo "<$http_authorization>";
            return 200 "<$http_authorization> <$http_x_key>\\n";
        }}
        location /split/ {{
            proxy_pass http://127.0.0.1:{port};
            proxy_http_version 1.1;
            proxy_buffering off;
        }}
    }}
}}
"""

# Says the value back in two chunks, and sends nothing more until it was asked to
SPLITTER = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        value = self.headers["authorization"].encode()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"<" + value[:20], value[20:] + b">"):
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(part), part))
            self.wfile.flush()
            time.sleep(0.3)
        self.wfile.write(b"0\\r\\n\\r\\n")

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CURL = ["curl", "-sS", "--max-time", "20"]
HTTP = ["--http1.1", "--http2"]
PLACEHOLDER = re.compile(r"sluice-placeholder-[0-9a-f]{24}")


class Server:
    def __init__(self, world, name, place):
        self.name, self.place = name, place
        self.url, self.clear = f"https://{name}:{PORT}", f"http://{name}:{PORT + 1}"
        call("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", str(place / "key"), "-out", str(place / "csr"), "-subj", "/CN=x")
        (place / "ext").write_text(f"subjectAltName=DNS:{name}\n")
        call("openssl", "x509", "-req", "-in", str(place / "csr"), "-days", "2", "-extfile",
             str(place / "ext"), "-out", str(place / "pem"), "-CA", str(ROOT / "ca.pem"),
             "-CAkey", str(ROOT / "ca.key"), "-CAcreateserial")
        (place / "conf").write_text(CONF.format(
            place=place, address=internet.SECOND4, port=PORT, clear=PORT + 1, www=ROOT / "www"))
        self.processes = [
            daemons.start(world, "nginx", "-c", str(place / "conf"), log="inject.out"),
            daemons.start(world, sluice.PYTHON, "-c", SPLITTER, str(PORT), log="splitter.out")]
        daemons.wait_for(internet.SECOND4, PORT)

    def seen(self, path):
        """protocol, method, path, status, Authorization, X-Key, Accept-Encoding, Range, X-Other"""
        time.sleep(0.2)
        lines = (self.place / "access").read_text().splitlines()
        return [line.split("|") for line in lines if path in line.split("|")[2]]

    def end(self):
        for process in self.processes:
            process.terminate()
            process.wait()


@pytest.fixture
def server(world, fresh, place):
    server = Server(world, fresh(addresses=[internet.SECOND4]), place)
    yield server
    server.end()


def rules(server, inject, more="", others=""):
    return (f"version: 1\nallow:\n  - {{host: {server.name}, ports: [{PORT}, {PORT + 1}], id: key, "
            f"paths: [\"/v1/**\"], inject: {inject}{more}}}\n"
            f"  - {{host: {server.name}, ports: [{PORT}, {PORT + 1}], paths: [\"/open/**\"]}}\n{others}")


BEARER = "{header: Authorization, value: \"Bearer ${env:API_TOKEN}\"}"


def secret(token):
    return f"sk-{token}-{hashlib.sha256(token.encode()).hexdigest()[:24]}"


def run(server, policy, token, *arguments, inject=BEARER, options=(), env=None, **more):
    options = ["--only", "-p", policy(rules(server, inject, **more)), *options]
    return sluice.run(*options, command=list(arguments),
                      env=sluice.environment(**(env or {"API_TOKEN": secret(token)})))


def nothing_tells(done, value):
    for text in (done.out, done.err, pathlib.Path(done.log).read_text()):
        assert value not in text


@pytest.mark.core
@pytest.mark.parametrize("version", HTTP)
def test_the_value_goes_to_the_server_and_the_placeholder_back(server, policy, token, version):
    done = run(server, policy, token, "sh", "-c",
               f'echo "$API_TOKEN"; exec curl -sS -i --max-time 20 {version} --compressed '
               f'-H "authorization: Bearer $API_TOKEN" -H "Authorization: other" -r 0-3 '
               f'-H "x-other: 1" {server.url}/v1/{token}')
    value = secret(token)
    assert done.code == 0, done.err
    (seen,) = server.seen(token)
    assert seen == ["HTTP/2.0" if version == "--http2" else "HTTP/1.1", "GET", f"/v1/{token}", "200",
                    f"Bearer {value}", "-", "identity", "-", "1"]
    nothing_tells(done, value)
    first, *answer = done.out.splitlines()
    assert PLACEHOLDER.fullmatch(first)
    over = first[:len(value)].ljust(len(value), "*")
    assert answer[-1] == f"<Bearer {over}> <>"
    assert f"x-echo: <bearer {over}>" in [line.lower() for line in answer]
    (record,) = done.of("http")
    assert (record["rule"], record["status"]) == ("key", 200)


@pytest.mark.core
@pytest.mark.parametrize("version", HTTP)
def test_only_requests_of_its_rule_get_it(server, policy, token, version):
    urls = [f"{server.url}/{path}/{token}" for path in ("open", "v1", "shut", "open")]
    done = run(server, policy, token, *CURL, version, "-w", "%{http_code}\n", *urls)
    assert re.findall(r"^(?:.*})?(\d{3})$", done.out, re.M) == ["200", "200", "403", "200"], done.out
    assert [(s[2], s[4]) for s in server.seen(token)] == [
        (f"/open/{token}", "-"), (f"/v1/{token}", f"Bearer {secret(token)}"), (f"/open/{token}", "-")]
    nothing_tells(done, secret(token))
