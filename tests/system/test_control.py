# SPDX-License-Identifier: Apache-2.0
"""Approvals through the control socket: what waits, what an answer does, and what none can do."""
import json
import os
import socket
import threading
import time

import pytest

import internet
import sluice
import stage
from stage import ZONE

REC, SECOND = f"rec.{ZONE}", f"second.{ZONE}"
ASK = "version: 1\ndefault: ask\n"


def wait_for(condition, limit=10):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it does not come")


def approvals():
    return sluice.call("approvals", "--format", "json").json()


def waiting(count=1):
    return wait_for(lambda: (found := approvals()) and len(found) >= count and found)


class Later:
    """An agent's request while the test goes on."""

    def __init__(self, agent, *args, **kwargs):
        self.answer = None
        self.thread = threading.Thread(target=self.work, args=(agent, args, kwargs))
        self.thread.start()

    def work(self, agent, args, kwargs):
        self.answer = agent.do(*args, **kwargs)

    def get(self):
        self.thread.join(40)
        assert not self.thread.is_alive()
        return self.answer


@pytest.fixture
def asking(policy, jail):
    """A jail that asks for what more it does not say."""
    def start(more="", *options):
        return jail("--only", "-p", policy(ASK + more), *options)
    return start


def http(token, host=REC):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def events(agent, kind):
    lines = agent.log.read_bytes().split(b"\n")[:-1]
    return [e for e in map(json.loads, lines) if e["event"] == kind]


@pytest.mark.core
def test_approve_once(world, asking, token):
    agent = asking()
    later = Later(agent, "tcp", REC, 80, http(token), limit=40)
    [one] = waiting()
    assert (one["host"], one["port"], one["reason"]) == (REC, 80, "no_rule")
    assert (one["method"], one["path"]) == ("GET", f"/{token}")
    # nothing has left: no name, no byte
    assert not world.arrived(token.encode()) and not world.dns.asked(REC)
    assert sluice.call("approve", one["id"]).code == 0
    assert "HTTP/1.1 200" in str(later.get()["ok"])
    assert world.dns.asked(REC)
    assert approvals() == []
    [record] = events(agent, "approval")
    assert (record["host"], record["port"], record["decision"], record["by"], record["scope"]) == \
        (REC, 80, "approved", "control", "once")
    [opened] = events(agent, "conn.open")
    assert (opened["verdict"], opened["reason"]) == ("allow", "allowed_approved")
    assert record["seq"] < opened["seq"]
    [query] = [e for e in events(agent, "dns.query") if e["type"] == "A"]
    assert query["verdict"] == "ask"
    # once is once
    later = Later(agent, "tcp", REC, 80, http(token), limit=40)
    [two] = waiting()
    assert two["id"] != one["id"]
    assert sluice.call("reject", two["id"]).code == 0
    assert "approval_denied" in str(later.get())
