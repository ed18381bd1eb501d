# SPDX-License-Identifier: Apache-2.0
"""Values that rules put into requests: where they go, and that nobody else learns them."""
import hashlib
import os
import pathlib
import re
import subprocess
import time

import pytest

import daemons
import internet
import sluice
import stage
from cooperate import Proxy
from stage import ROOT, call
from test_http2 import certify
from test_inspect import files_since, memory
from test_reload import reload

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
        location /told/ {{ }}
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
        certify(name, place)
        (place / "conf").write_text(CONF.format(
            place=place, address=internet.SECOND4, port=PORT, clear=PORT + 1, www=ROOT / "www"))
        self.processes = [
            daemons.start(world, "nginx", "-c", str(place / "conf"), log="inject.out")]
        daemons.wait_for(internet.SECOND4, PORT)

    def split(self, world):
        """What answers /split/ is there."""
        self.processes.append(daemons.start(world, sluice.PYTHON, "-c", SPLITTER, str(PORT), log="splitter.out"))
        with internet.entered(world.inet):
            daemons.wait_for("127.0.0.1", PORT)

    def seen(self, path):
        """protocol, method, path, status, Authorization, X-Key, Accept-Encoding, Range, X-Other"""
        lines = [line.split("|") for line in daemons.asked(self.place / "access", internet.SECOND4, PORT + 1)]
        return [words for words in lines if path in words[2]]

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


# Runs what it is told, and keeps all that is said in its memory
SHELL = """
import subprocess, sys
kept = []
for line in sys.stdin:
    kept.append(subprocess.run(line, shell=True, stdin=subprocess.DEVNULL, capture_output=True))
    print(kept[-1].returncode, flush=True)
"""


class Shell:
    """A jail that lasts."""

    def __init__(self, *options, env):
        self.log = sluice.new_log()
        self.errors = ROOT / f"shell-{self.log.stem}.err"
        with open(self.errors, "wb") as err:
            self.process = subprocess.Popen(
                [str(sluice.PROGRAM), "run", "--log", str(self.log), *map(str, options), "--",
                 sluice.PYTHON, "-c", SHELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                text=True, cwd=stage.WORK, env=env, **sluice.as_user())

    def do(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        code = self.process.stdout.readline()
        assert code, self.errors.read_text()
        return int(code)

    def end(self):
        self.process.stdin.close()
        code = self.process.wait(20)
        self.process.stdout.close()
        err = self.errors.read_text()
        sluice.unbroken(err)
        return sluice.Done(code, "", err, self.log)


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


def test_not_in_clear_and_not_without_inspection(server, policy, token):
    alone = rules(server, BEARER).replace("/open/**", "/nothing")
    done = sluice.run("--only", "-p", policy(alone), env=sluice.environment(API_TOKEN=secret(token)),
                      command=[*CURL, "-w", "%{http_code}", f"{server.clear}/v1/{token}"])
    assert done.out.endswith("403") and done.reasons() <= {"protocol", "path"}, done.out
    done = run(server, policy, token, *CURL, f"{server.url}/v1/{token}", options=["--no-inspect"])
    assert done.code == 35 and done.reasons() == {"inspection_required"}
    assert not server.seen(token)
    # the positive control, and in clear without a value
    done = run(server, policy, token, *CURL, f"{server.clear}/open/{token}", f"{server.url}/v1/{token}")
    assert [s[4] for s in server.seen(token)] == ["-", f"Bearer {secret(token)}"], done.err


def test_not_to_a_server_that_is_not_verified(world, fresh, policy, place, token):
    name, log = fresh(addresses=[internet.SECOND4]), place / "heard"
    call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(place / "key"), "-out", str(place / "pem"), "-days", "2", "-subj", "/CN=x",
         "-addext", f"subjectAltName=DNS:{name}")
    script = ("import socket, ssl, sys\nc = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
              "c.load_cert_chain(sys.argv[1], sys.argv[2])\n"
              f"s = socket.create_server(('{internet.SECOND4}', {PORT + 2}))\n"
              "while True:\n    a = s.accept()[0]\n    try:\n        t = c.wrap_socket(a, "
              "server_side=True)\n        open(sys.argv[3], 'ab').write(t.recv(9999))\n"
              "        t.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')\n"
              "    except OSError:\n        pass\n")
    process = daemons.start(world, sluice.PYTHON, "-c", script, str(place / "pem"),
                            str(place / "key"), str(log), log="untrusted.out")
    try:
        daemons.wait_for(internet.SECOND4, PORT + 2)
        text = (f"version: 1\nallow: [{{host: {name}, ports: [{PORT + 2}], inject: {BEARER}}}]\n")
        env = sluice.environment(API_TOKEN=secret(token))
        command = [*CURL, "-w", "%{http_code}", f"https://{name}:{PORT + 2}/"]
        done = sluice.run("--only", "-p", policy(text), command=command, env=env)
        assert done.out.endswith("502") and not log.exists()
        nothing_tells(done, secret(token))
        # the positive control: once it is trusted it hears the value
        trusted = policy(text + f"tls_ca: [{place}/pem]\n", "trusted.yaml")
        done = sluice.run("--only", "-p", trusted, command=command, env=env)
        assert done.out.endswith("200") and secret(token).encode() in log.read_bytes(), done.err
    finally:
        process.kill()
        process.wait()


# Where values come from

def test_files_and_commands(server, policy, place, token):
    key, value = stage.WORK / f"key-{token}", secret(token)
    key.write_text(value + "\n")
    stage.give(stage.WORK)
    try:
        inject = f"{{header: X-Key, value: \"${{file:{key}}};${{cmd:printf %s-cmd {token}}}\"}}"
        done = run(server, policy, token, "sh", "-c",
                   f"cat {key}; wc -c < {key}; mv {key} {key}.away; echo x > {key}; "
                   f"mv {stage.WORK} {stage.WORK}.away; cat {stage.WORK}/key*; "
                   f"{' '.join(CURL)} {server.url}/v1/{token}", inject=inject, env={"A": "b"})
    finally:
        assert key.read_text() == value + "\n"
        key.unlink()
    assert [s[5] for s in server.seen(token)] == [f"{value};{token}-cmd"], done.err
    nothing_tells(done, value)
    assert "Permission denied" in done.err and "sluice-placeholder-" in done.out
    assert f"{token}-cmd" not in done.out


def test_a_value_is_masked_wherever_the_environment_has_it(server, policy, token):
    value = secret(token)
    done = run(server, policy, token, "sh", "-c", "env", env={
        "API_TOKEN": value, "OTHER": value, "URL": f"https://x:{value}@y/", "PLAIN": "left"})
    lines = dict(line.split("=", 1) for line in done.out.splitlines())
    assert PLACEHOLDER.fullmatch(lines["API_TOKEN"]) and lines["OTHER"] == lines["API_TOKEN"]
    assert lines["URL"] == f"https://x:{lines['API_TOKEN']}@y/" and lines["PLAIN"] == "left"
    done = run(server, policy, token, "echo", value)
    assert done.code == 125 and "argument 1" in done.err and "env:API_TOKEN" in done.err
    assert value not in done.err and done.err.count("\n") == 1


BROKEN = {
    "unset": ("${env:NOBODY_HAS_IT}", "is not set"),
    "empty": ("${env:EMPTY}", "is empty or holds"),
    "line": ("${env:TWO_LINES}", "is empty or holds"),
    "absent": ("${file:/no/such/file}", "cannot be found"),
    "folder": ("${file:/etc}", "not a regular file"),
    "pipe": ("${file:PLACE/pipe}", "not a regular file"),
    "foreign": ("${file:ROOT/foreign}", "belongs to another user"),
    "open": ("${file:PLACE/open}", "written by everybody"),
    "linked": ("${file:PLACE/linked}", "hard link"),
    "lines": ("${file:PLACE/lines}", "is empty or holds"),
    "nul": ("${file:PLACE/nul}", "is empty or holds"),
    "large": ("${file:PLACE/large}", "is empty or holds"),
    "fails": ("${cmd:echo PRINTED; exit 3}", "fails"),
    "says-nothing": ("${cmd:true}", "is empty or holds"),
    "says-lines": ("${cmd:echo PRINTED; echo PRINTED}", "is empty or holds"),
    "says-much": ("${cmd:yes PRINTED}", "prints too much"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_value_starts_nothing(server, policy, place, token, kind):
    text, words = BROKEN[kind]
    for name, content in (("open", "PRINTED"), ("linked", "PRINTED"),
                          ("lines", "PRINTED\nPRINTED"), ("nul", "PRINTED\0"), ("large", "P" * 9000)):
        (place / name).write_text(content)
    stage.give(place)
    (ROOT / "foreign").write_text("PRINTED")
    os.chown(ROOT / "foreign", 4242, 4242)
    (ROOT / "foreign").chmod(0o644)
    if not (place / "pipe").exists():
        os.mkfifo(place / "pipe")
    os.chmod(place / "open", 0o666)
    (place / "also").unlink(missing_ok=True)
    os.link(place / "linked", place / "also")
    done = run(server, policy, token, "echo", "started",
               inject=f"{{header: X-Key, value: \"{text.replace('PLACE', str(place)).replace('ROOT', str(ROOT))}\"}}",
               env={"EMPTY": "", "TWO_LINES": "PRINTED\r\nX: y"})
    assert done.code == 125 and words in done.err and "started" not in done.out, done.err
    assert done.err.count("\n") == 1 and not re.search("PRINTED(?!;|})", done.err.replace(
        "echo PRINTED", "").replace("yes PRINTED", "")), done.err


# What a server says back

@pytest.mark.parametrize("version", HTTP)
def test_a_value_that_is_said_back_in_pieces(world, server, policy, token, version):
    server.split(world)
    text = rules(server, BEARER).replace("/v1/**", "/split/**")
    done = sluice.run("--only", "-p", policy(text), env=sluice.environment(API_TOKEN=secret(token)),
                      command=[*CURL, "-N", version, f"{server.url}/split/{token}"])
    assert len(done.out) == len(f"<Bearer {secret(token)}>"), (done.out, done.err)
    assert done.out.startswith("<Bearer sluice-placeholder-") and done.out.endswith("**>")


def test_other_rules_of_the_server_do_not_tell_it_either(server, policy, token):
    """What it has learned it may say later, in any of its answers that are inspected."""
    value = secret(token)
    (ROOT / "www" / "told").mkdir(exist_ok=True)
    (ROOT / "www" / "told" / token).write_text(f"it was {value}!\n")
    more = f"  - {{host: {server.name}, ports: [{PORT}], paths: [\"/told/**\"]}}\n"
    for version in HTTP:
        done = run(server, policy, token, *CURL, version, "--compressed",
                   f"{server.url}/told/{token}", others=more)
        assert done.out.startswith("it was sluice-placeholder-"), (done.out, done.err)
        assert len(done.out) == len(f"it was {value}!\n") and value not in done.out
    # the positive control: where there is no value to hide the server's words are passed on
    done = sluice.run("--only", "-p", policy(f"version: 1\nallow:\n{more}"),
                      command=[*CURL, f"{server.url}/told/{token}"])
    assert done.out == f"it was {value}!\n", done.err


# Secrecy

def inside(pid):
    """Processes of the jail, as they are seen from outside."""
    roles = {sluice.role(pid, word) for word in ("gate", "resolver", "broker")}
    found = [p for p in sluice.children(pid) if p not in roles]
    assert len(found) >= 3, sluice.children(pid)        # bwrap, the shim, the command
    return found


def test_nobody_but_the_gate_has_the_value(server, policy, place, token):
    value, other = secret(token), f"planted-{token}"
    began = time.time()
    key = place / "key-file"
    key.write_text(value + "-file")
    stage.give(place)
    inject = f"{{header: Authorization, value: \"Bearer ${{env:API_TOKEN}}.${{file:{key}}}\"}}"
    shell = Shell("--only", "-p", policy(rules(server, inject)),
                  env=sluice.environment(API_TOKEN=value, PLANTED=other))
    try:
        for version in HTTP:
            for path in ("v1", "open", "shut"):
                assert shell.do(*CURL, "-i", version, f"-H x-other:$API_TOKEN {server.url}/{path}/{token}") == 0
        keeper = shell.process.pid
        gate, jailed = sluice.role(keeper, "gate"), inside(keeper)
        for pid in jailed:
            assert value.encode() not in memory(pid), sluice.children(keeper)[pid]
            assert value.encode() not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            assert value not in " ".join(sluice.children(keeper)[pid])
        for role in ("resolver", "broker"):
            assert value.encode() not in memory(sluice.role(keeper, role))
        # the positive controls: it is found where it is, and so is what the jail has
        assert f"{value}.{value}-file".encode() in memory(gate)
        assert any(other.encode() in memory(pid) for pid in jailed)
        assert any(b"<Bearer sluice-placeholder-" in memory(pid) for pid in jailed)
        # no core file of who has it
        assert re.search(r"Max core file size +0 +0 ", pathlib.Path(f"/proc/{gate}/limits").read_text())
        for pid in (gate, keeper):
            assert os.stat(f"/proc/{pid}/mem").st_uid == 0      # not dumpable
        # files that the jail sees, or anybody: all that were written since
        looked = 0
        for path, data in files_since(began):
            if path not in (key, server.place / "access"):
                assert value.encode() not in data, path
                looked += 1
        assert looked
    finally:
        done = shell.end()
    nothing_tells(done, value)
    assert [s[4] for s in server.seen(token)] == [f"Bearer {value}.{value}-file", "-"] * 2, done.err


def test_policy_show_and_log(server, policy, token):
    path = policy(rules(server, BEARER))
    env = sluice.environment(API_TOKEN=secret(token))
    for command in (["policy", "show", path], ["policy", "lint", path], ["run", "--dry-run", "--only", "-p", path, "true"],
                    ["check", "--only", "-p", path, f"{server.url}/v1/x"]):
        done = sluice.call(*command, env=env)
        assert done.code == 0 and secret(token) not in done.out + done.err, done.err
    assert "allow" in done.out


# Reload, and the alert

def test_a_file_is_read_again_at_a_reload(server, policy, place, token):
    key = stage.directory(place / "keys") / "key"
    key.write_text("first-value")
    stage.give(place)
    text = rules(server, f"{{header: X-Key, value: \"${{file:{key}}}\"}}")
    path = policy(text)
    shell = Shell("--only", "-p", path, env=sluice.environment())
    ask = [*CURL, f"{server.url}/v1/{token}"]
    try:
        shell.do(*ask)
        with open(key, "w") as f:
            f.write("second-value")
        assert reload(shell)["changed"]
        shell.do(*ask)
        # what was not masked or hidden at the start is refused
        (place / "other").write_text("other-value")
        stage.give(place)
        for source in ("env:HOME", f"file:{place}/other", "cmd:echo abcdefgh"):
            with open(path, "w") as f:
                f.write(text.replace(f"file:{key}", source))
            assert not reload(shell)["changed"]
        shell.do(*ask)
    finally:
        done = shell.end()
    assert [s[5] for s in server.seen(token)] == ["first-value", "second-value", "second-value"]
    assert done.err.count("could see when it was started") == 3, done.err


@pytest.mark.parametrize("where", ["path", "query", "header", "denied", "clear"])
def test_a_placeholder_elsewhere_is_an_alert(server, policy, token, where):
    requests = {"path": f"{server.url}/open/$API_TOKEN", "query": f"{server.url}/v1/x?k=$API_TOKEN",
                "header": f"-H \"x-other: $API_TOKEN\" {server.url}/v1/x",
                "denied": f"-H \"authorization: $API_TOKEN\" {server.url}/shut/x",
                "clear": f"-H \"authorization: $API_TOKEN\" {server.clear}/open/x"}
    done = run(server, policy, token, "sh", "-c", f"{' '.join(CURL)} {requests[where]}; "
               f"{' '.join(CURL)} {requests[where]}")
    (alert,) = done.of("alert")
    assert (alert["kind"], alert["value"], alert["threshold"]) == ("placeholder", 1, 0), alert
    assert server.name in alert["message"]
    # where it belongs it is none
    done = run(server, policy, token, "sh", "-c", f"{' '.join(CURL)} -H \"authorization: Bearer "
               f"$API_TOKEN\" {server.url}/v1/{token}")
    assert server.seen(token) and not done.of("alert")


def test_credentials_are_what_the_agent_sends(server, policy, token):
    """They are judged before the value takes the field's place."""
    digest = hashlib.sha256(b"mine").hexdigest()
    more = f", credentials: {{header: authorization, sha256: [\"{digest}\"]}}"
    for version in HTTP:
        done = run(server, policy, token, *CURL, version, "-H", "authorization: other",
                   f"{server.url}/v1/{token}", more=more)
        assert done.reasons() == {"credential"}
    assert not server.seen(token)
    for version in HTTP:
        done = run(server, policy, token, *CURL, version, "-H", "authorization: mine",
                   f"{server.url}/v1/{token}", more=more)
    assert [s[4] for s in server.seen(token)] == [f"Bearer {secret(token)}"] * 2, done.err


def test_by_the_cooperative_proxy(server, policy, token):
    proxy = Proxy("--only", "-p", policy(rules(server, BEARER)),
                  env=sluice.environment(API_TOKEN=secret(token)))
    try:
        for version in HTTP:
            done = proxy.curl("-i", version, f"{server.url}/v1/{token}")
            assert "<Bearer sluice-placeholder-" in done.stdout and secret(token) not in done.stdout
        assert os.stat(f"/proc/{proxy.process.pid}/mem").st_uid == 0
    finally:
        proxy.kill()
    assert [s[4] for s in server.seen(token)] == [f"Bearer {secret(token)}"] * 2
    assert secret(token) not in pathlib.Path(proxy.log).read_text()


def test_the_alert_ends_no_command(server, policy, token):
    """It is no limit that was crossed: on_exceed does not count for it."""
    done = run(server, policy, token, "sh", "-c", f"{' '.join(CURL)} {server.url}/open/$API_TOKEN; echo on",
               others="limits: {requests: 900/min, on_exceed: kill}\n")
    assert done.code == 0 and done.out.endswith("on\n") and done.of("alert"), done.err
