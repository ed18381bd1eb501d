# SPDX-License-Identifier: Apache-2.0
"""tests/cases/smuggling: what two parsers could read differently does not arrive."""
import pytest

import sluice
from stage import TOP, ZONE

REC = f"rec.{ZONE}"


def cases():
    """(name, verdict, text) of http1.txt; octets as characters of latin-1."""
    for block in (TOP / "tests/cases/smuggling/http1.txt").read_text().split("\n== ")[1:]:
        title, *lines = block.rstrip("\n").split("\n")
        verdict, name = title.split(" ", 1)
        yield name, verdict, "".join(lines).encode().decode("unicode_escape")


CASES = list(cases())


@pytest.fixture(scope="module")
def agent(world):
    agent = sluice.jail("--only", "--allow", f"{REC}:80")
    yield agent
    agent.kill()


def test_there_are_enough():
    assert len(CASES) >= 60 and len({name for name, *_ in CASES}) == len(CASES)
    assert {verdict for _, verdict, _ in CASES} == {"pass", "both", "malformed", "refused", "first"}


@pytest.mark.parametrize("name, verdict, text", CASES, ids=[name for name, *_ in CASES])
def test_case(world, agent, token, name, verdict, text):
    before = len(world.recorder.requests(b"PRI * HTTP/2"))
    text = text.replace("{h}", REC).replace("{t}", token)
    # whoever waits for answers says that nothing follows; others leave soon
    answer = (agent.ok("half_close", REC, 80, text) if verdict in ("pass", "both") else
              agent.ok("tcp", REC, 80, text, 0.7))["data"]
    arrived = [n for n in ("one", "two") if world.recorder.requests(f"/{n}-{token}".encode())]
    if verdict in ("pass", "both"):
        assert arrived == ["one", "two"][:1 + (verdict == "both")], answer
        assert answer.count("200 OK") == len(arrived)
    elif verdict == "first":
        assert not world.arrived(f"two-{token}".encode())
        assert answer.count("200 OK") <= 1
    else:
        assert not world.arrived(token.encode())
        assert "200 OK" not in answer
        assert len(world.recorder.requests(b"PRI * HTTP/2")) == before


@pytest.mark.parametrize("verdict", ["malformed", "refused"])
def test_reason_in_the_log(world, token, verdict):
    agent = sluice.jail("--only", "--allow", f"{REC}:80")
    texts = [text for _, v, text in CASES if v == verdict]
    for text in texts:
        agent.do("tcp", REC, 80, text.replace("{h}", REC).replace("{t}", token), 0.7)
    done = agent.end()
    reasons = [e["reason"] for e in done.of("conn.open") if e["verdict"] == "deny"]
    folded = sum(e["count"] for e in done.of("denials"))
    assert len(reasons) + folded == len(texts)
    # what no server would take for HTTP at all is another protocol
    assert set(reasons) <= {"malformed", "protocol"}
    assert reasons.count("malformed") > reasons.count("protocol") or verdict == "refused"
