# SPDX-License-Identifier: Apache-2.0
"""The system's ceiling, in a live jail: nothing outside of it for any layer below or mode."""
import json
import pathlib

import pytest

import internet
import sluice
from stage import ZONE

SYSTEM = pathlib.Path("/etc/sluice")
REC, WWW = f"rec.{ZONE}", f"www.{ZONE}"
CEILING = f"""version: 1
ceiling:
  - {{host: {REC}, ports: [80, 9999], methods: [GET], paths: ["/in/**"]}}
  - {{host: second.{ZONE}, ports: [9999]}}
  - {{ip: {internet.SECOND4}, ports: [9999]}}
"""
# What a lower layer says: all of it, and more
WIDE = ["--allow", f"*.{ZONE}:80,443,8080,9999", "--allow", "21.9.0.0/24:80,8080,9999"]


@pytest.fixture
def system(world):
    assert not (SYSTEM / "policy.yaml").exists()

    def write(text):
        SYSTEM.mkdir(exist_ok=True)
        (SYSTEM / "policy.yaml").write_text(text)
    yield write
    (SYSTEM / "policy.yaml").unlink(missing_ok=True)


def get(path, host=REC, method="GET"):
    return [f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"]


@pytest.fixture(params=["filtered", "monitor"])
def under(request, jail, system):
    """A jail under the ceiling, and the same without it."""
    options = WIDE if request.param == "filtered" else ["--mode", "monitor"]
    free = jail(*options)
    system(CEILING)
    return jail(*options), free


@pytest.mark.core
def test_requests_outside_do_not_arrive(world, under, token):
    agent, free = under
    for n, (method, path) in enumerate([("POST", "/in/"), ("GET", "/out/")]):
        answer = agent.ok("requests", REC, 80, get(f"{path}{token}d{n}", method=method))[0]
        assert json.loads(answer.partition("\r\n\r\n")[2])["reason"] == "ceiling", answer
        # the control: without the ceiling it arrives
        assert "200 OK" in free.ok("requests", REC, 80, get(f"{path}{token}f{n}", method=method))[0]
    assert "200 OK" in agent.ok("requests", REC, 80, get(f"/in/{token}in"))[0]
    assert not world.arrived(f"{token}d".encode())
    for part in ("f0", "f1", "in"):
        assert world.recorder.requests(f"{token}{part}".encode()), part
    assert agent.end().reasons() == {"ceiling"}


@pytest.mark.core
def test_ports_and_hosts_outside_do_not_arrive(world, under, token):
    agent, free = under
    agent.do("tcp", f"second.{ZONE}", 8080, f"d{token}\r\n\r\n")
    agent.fails("resolve", WWW)
    agent.do("tcp", internet.SECOND4, 8080, f"d{token}\r\n\r\n")
    agent.do("tcp", internet.RECORDER4, 9999, f"d{token}")
    assert free.ok("resolve", WWW)
    free.ok("tcp", f"second.{ZONE}", 8080, f"f0{token}\r\n\r\n")
    assert free.ok("tcp", internet.RECORDER4, 9999, f"f1{token}")["data"] == f"f1{token}"
    for n, host in enumerate([f"second.{ZONE}", internet.SECOND4]):
        assert agent.ok("tcp", host, 9999, f"a{n}{token}")["data"] == f"a{n}{token}"
    assert not world.arrived(f"d{token}".encode())
    for part in ("f0", "f1", "a0", "a1"):
        assert world.arrived(f"{part}{token}".encode()), part
    assert agent.end().reasons() == {"ceiling"}


def test_empty_ceiling_allows_nothing(world, system, token):
    system("version: 1\nceiling: []\n")
    done = sluice.run(*WIDE, command=["curl", "-sm5", f"http://{REC}/{token}"])
    assert done.code != 0 and not world.arrived(token.encode())
    assert done.reasons() == {"ceiling"}


def test_the_systems_own_rules_are_not_under_it(world, system, token):
    system(f"version: 1\nceiling: []\nallow: [{{host: {REC}}}]\n")
    done = sluice.run(command=["curl", "-sm20", f"http://{REC}/{token}"])
    assert done.code == 0 and world.recorder.requests(token.encode())
