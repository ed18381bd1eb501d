# SPDX-License-Identifier: Apache-2.0
"""Websockets inside of inspected TLS: over HTTP/1.1 and as streams of HTTP/2 (RFC 8441)."""
import pathlib

import pytest

import daemons
import internet
import sluice
from test_http2 import certify

PORT = 4480
HERE = pathlib.Path(__file__).parent

# A server of python3-websockets; what it hears it says, and each connection is a line of LOG
SERVER = r"""
import asyncio, ssl, sys, websockets
address, port, pem, key, log = sys.argv[1:]
async def talk(socket):
    with open(log, "a") as out:
        out.write(f"GET websocket {socket.path}\n")
    async for message in socket:
        await socket.send(message)
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    async with websockets.serve(talk, address, int(port), ssl=context, max_size=None):
        await asyncio.Future()
asyncio.run(main())
"""

CLIENT = r"""
import asyncio, os, ssl, sys, websockets
async def main(url):
    try:
        async with websockets.connect(url, ssl=ssl.create_default_context(), max_size=None,
                                      compression=None) as socket:
            for message in ("hello", b"x" * 2000000, ""):
                await socket.send(message)
                print(await socket.recv() == message)
            await (await socket.ping())
    except websockets.InvalidStatusCode as e:
        print("refused", e.status_code)
asyncio.run(main(sys.argv[1]))
"""

# Two tunnels and a request on one connection; the path of each is an argument
STREAMS = r"""
const http2 = require("http2"), fs = require("fs");
const [url, ...paths] = process.argv.slice(1);
const session = http2.connect(url, { ca: fs.readFileSync(process.env.SSL_CERT_FILE) });
session.on("error", (e) => { console.log("session", e.code); process.exit(); });
const data = Buffer.alloc(2000000, "x");
function ask(path) {
  return new Promise((done) => {
    const tunnel = path.includes("ws");
    const stream = session.request(tunnel ? { ":method": "CONNECT", ":protocol": "websocket",
      ":path": path, "sec-websocket-version": "13" } : { ":path": path }, { endStream: !tunnel });
    let got = 0, status = 0;
    stream.on("response", (head) => {
      status = head[":status"];
      if (tunnel && status === 200)
        stream.write(data);
    });
    stream.on("data", (part) => {
      got += part.length;
      if (tunnel && status === 200 && got === data.length)
        stream.end();
    });
    stream.on("error", (e) => {});
    stream.on("close", () => { console.log(path.slice(0, 5), status, got); done(); });
  });
}
let begun = false;
session.on("remoteSettings", async (settings) => {
  if (begun || !settings.enableConnectProtocol)
    return;             // it follows, when the server has offered it
  begun = true;
  for (const path of paths)
    await ask(path);
  session.close();
});
"""


def start(world, place, name, *argv):
    certify(name, place)
    log = place / "calls"
    log.write_text("")
    process = daemons.start(world, *argv, internet.SECOND4, str(PORT), str(place / "pem"),
                            str(place / "key"), str(log), log="websocket.out")
    daemons.wait_for(internet.SECOND4, PORT)
    return process, log


@pytest.fixture(params=["python", "node"])
def server(request, world, fresh, place):
    name = fresh(addresses=[internet.SECOND4])
    argv = ([sluice.PYTHON, "-c", SERVER] if request.param == "python" else
            ["node", str(HERE / "websocketd.js")])
    process, log = start(world, place, name, *argv)
    yield request.param, name, log
    process.terminate()
    process.wait()


def rules(policy, name, websocket, more=""):
    return ["--only", "-p", policy(
        f"version: 1\nallow:\n  - {{host: {name}, ports: [{PORT}], methods: [GET], "
        f"paths: [\"/ws/**\", \"/open/**\"], websocket: {websocket}{more}}}\n")]


@pytest.mark.core
def test_websockets(server, policy, token):
    """What the rule says of websockets holds for both; what is denied never arrives."""
    kind, name, log = server
    if kind == "python":
        url = f"wss://{name}:{PORT}/ws/{token}"
        command = [sluice.PYTHON, "-c", CLIENT, url]
        good, bad, seen = ["True"] * 3, ["refused 403"], [f"GET websocket /ws/{token}"]
    else:
        command = ["node", "-e", STREAMS, f"https://{name}:{PORT}", f"/ws/{token}", f"/open/{token}",
                   f"/ws/{token}"]
        good = ["/ws/t 200 2000000", "/open 200 7", "/ws/t 200 2000000"]
        bad = ["/ws/t 403 ", "/open 200 7", "/ws/t 403 "]
        seen = [f"CONNECT websocket /ws/{token}", f"GET - /open/{token}",
                f"CONNECT websocket /ws/{token}"]
    done = sluice.run(*rules(policy, name, "false"), command=command)
    said = done.out.splitlines()
    assert len(said) == len(bad) and all(map(str.startswith, said, bad)), (done.out, done.err)
    assert log.read_text().splitlines() == [line for line in seen if "/open/" in line]
    assert {e["reason"] for e in done.of("http") if e["verdict"] == "deny"} == {"protocol"}
    log.write_text("")
    done = sluice.run(*rules(policy, name, "true"), command=command)
    assert done.out.splitlines() == good, (done.out, done.err)
    assert log.read_text().splitlines() == seen
    assert [(e["method"], e["verdict"]) for e in done.of("http")] == [("GET", "allow")] * len(seen)
    assert len(done.of("conn.open")) == 1


@pytest.mark.core
def test_websocket_of_another_path_and_within_limits(server, policy, token):
    kind, name, log = server
    if kind == "python":
        command = [sluice.PYTHON, "-c", CLIENT, f"wss://{name}:{PORT}/shut/{token}"]
    else:
        command = ["node", "-e", STREAMS, f"https://{name}:{PORT}", f"/shut/ws/{token}"]
    done = sluice.run(*rules(policy, name, "true"), command=command)
    assert " 403" in done.out and not log.read_text(), (done.out, done.err)
    command = [part.replace("/shut/", "/ws/") for part in command]
    done = sluice.run(*rules(policy, name, "true", ", max_request: 1kB, quota: {up: 1MB}"),
                      command=command)
    assert token in log.read_text()                     # it began: a websocket is no body
    assert "2000000" not in done.out and done.out.count("True") < 2, (done.out, done.err)
    assert "quota" in {e.get("reason") for e in done.events}, done.events


@pytest.mark.parametrize("server", ["python"], indirect=True)
def test_a_rule_for_websockets_makes_tls_seen(server, policy, token):
    """websocket: true alone: each is a record of its own; inspect: never leaves it closed."""
    _, name, log = server
    command = [sluice.PYTHON, "-c", CLIENT, f"wss://{name}:{PORT}/ws/{token}"]
    rule = "version: 1\nallow: [{{host: {}, ports: [{}], websocket: true{}}}]\n"
    for more, seen in (("", [("GET", f"/ws/{token}", 101)]), (", inspect: never", [])):
        log.write_text("")
        done = sluice.run("--only", "-p", policy(rule.format(name, PORT, more)), command=command)
        assert done.out.splitlines() == ["True"] * 3, (done.out, done.err)
        assert log.read_text().splitlines() == [f"GET websocket /ws/{token}"]
        assert [(e["method"], e["path"], e["status"]) for e in done.of("http")] == seen
