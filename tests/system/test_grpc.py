# SPDX-License-Identifier: Apache-2.0
"""gRPC through inspected TLS, with its own library on both ends: calls are paths."""
import pathlib

import pytest

import daemons
import internet
import sluice
from test_http2 import certify

PORT = 4470

CLIENT = r"""
import os, sys, threading, time, grpc
target, token = sys.argv[1:3]
with open(os.environ["SSL_CERT_FILE"], "rb") as f:
    credentials = grpc.ssl_channel_credentials(f.read())
channel = grpc.secure_channel(target, credentials)
meta = (("token", token),)
def call(name):
    return channel.unary_unary("/test.Service/" + name)
def stream(name):
    return channel.unary_stream("/test.Service/" + name)
def talk():
    return channel.stream_stream("/test.Service/Talk")
def status(f):
    try:
        print("ok", f())
    except grpc.RpcError as e:
        print(e.code().name, flush=True)
        return e
"""


@pytest.fixture
def server(world, fresh, place):
    name = fresh(addresses=[internet.SECOND4])
    certify(name, place)
    log = place / "calls"
    log.write_text("")
    process = daemons.start(world, sluice.PYTHON, "-B", str(pathlib.Path(__file__).with_name("grpcd.py")),
                            internet.SECOND4, str(PORT), str(place / "pem"), str(place / "key"), str(log),
                            log="grpc.out")
    daemons.wait_for(internet.SECOND4, PORT)
    yield name, log
    process.terminate()
    process.wait()


@pytest.fixture
def grpc(server, policy, token):
    name, log = server
    rules = policy(f"""
version: 1
allow:
  - {{host: {name}, ports: [{PORT}], methods: [POST], paths: [/test.Service/Echo, /test.Service/Fail,
      /test.Service/Sleep, /test.Service/Count, /test.Service/Talk]}}
""")

    def run(script):
        done = sluice.run("--only", "-p", rules, command=[
            sluice.PYTHON, "-c", CLIENT + script, f"{name}:{PORT}", token])
        seen = [line.split()[0] for line in log.read_text().splitlines() if token in line]
        return done, seen
    return run


@pytest.mark.core
def test_calls(grpc):
    """Unary with trailers, a stream of answers, a talk, and a status that is an error."""
    done, seen = grpc(r"""
answer, its = call("Echo").with_call(b"hello", metadata=meta, timeout=15)
print(answer, dict(its.trailing_metadata())["rest"], its.code().name)
answer, its = call("Echo").with_call(b"x" * 1000000, metadata=meta, timeout=15)
print(len(answer))
print(sum(int(n) for n in stream("Count")(b"1000", metadata=meta, timeout=15)))
turn = threading.Semaphore(1)
def said():
    for n in range(5):
        assert turn.acquire(timeout=10)
        yield b"%d" % n
for n, answer in enumerate(talk()(said(), metadata=meta, timeout=20)):
    assert answer == b"re %d" % n
    turn.release()          # each is said once the one before was answered
print("talked", n + 1)
print(status(lambda: call("Fail")(b"", metadata=meta, timeout=15)).details())
""")
    assert done.out.splitlines() == ["b'hello' trailer OK", "1000000", "499500", "talked 5",
                                     "FAILED_PRECONDITION", "not so"], (done.out, done.err)
    assert seen == ["Echo", "Echo", "Count", "Talk", "Fail"]
    assert [e["path"] for e in done.of("http")] == [f"/test.Service/{name}" for name in seen]
    assert len(done.of("conn.open")) == 1


@pytest.mark.core
def test_a_method_that_is_not_allowed(grpc):
    done, seen = grpc(r"""
status(lambda: call("Secret")(b"x", metadata=meta, timeout=15))
status(lambda: channel.unary_unary("/other.Service/Echo")(b"x", metadata=meta, timeout=15))
status(lambda: call("Echo")(b"after", metadata=meta, timeout=15))
""")
    assert done.out.splitlines() == ["PERMISSION_DENIED", "PERMISSION_DENIED", "ok b'after'"], (
        done.out, done.err)
    assert seen == ["Echo"]
    assert [e["reason"] for e in done.of("http") if e["verdict"] == "deny"] == ["path", "path"]


def test_a_deadline_and_many_at_once(grpc):
    """A call that is slow ends at its deadline, and meanwhile a hundred others are answered."""
    done, seen = grpc(r"""
status(lambda: call("Echo")(b"before", metadata=meta, timeout=15))      # connected
slow = call("Sleep").future(b"12", metadata=meta, timeout=5)
began = time.monotonic()
all = [call("Echo").future(b"%d" % n, metadata=meta, timeout=15) for n in range(100)]
print(sum(int(f.result()) for f in all), time.monotonic() - began < 5 and not slow.done())
status(slow.result)
status(lambda: call("Echo")(b"after", metadata=meta, timeout=15))
""")
    assert done.out.splitlines() == ["ok b'before'", "4950 True", "DEADLINE_EXCEEDED", "ok b'after'"], (
        done.out, done.err)
    assert seen.count("Echo") == 102 and len(done.of("conn.open")) == 1
