# SPDX-License-Identifier: Apache-2.0
"""Another policy while the command runs: SIGHUP, --watch, what stays, what is reset, what is refused."""
import os
import pathlib
import signal
import time

import pytest

import internet
import sluice
import stage
from stage import ZONE
from waiting import wait_for

REC, SECOND, WWW = f"rec.{ZONE}", f"second.{ZONE}", f"www.{ZONE}"
NOT_FOUND = -2          # EAI_NONAME


def rules(*hosts, deny=(), ports="[80, 443, 9999]", more=""):
    text = "version: 1\n" + more
    if hosts:
        text += "allow:\n" + "".join(f"  - host: {h}\n    ports: {ports}\n" for h in hosts)
    if deny:
        text += "deny:\n" + "".join(f"  - host: {h}\n" for h in deny)
    return text


def events(agent, kind):
    return sluice.events_so_far(agent.log, kind)


def reload(agent, count=1):
    """SIGHUP, and wait for its record."""
    before = len(events(agent, "policy.reload"))
    os.kill(agent.process.pid, signal.SIGHUP)
    return wait_for(lambda: events(agent, "policy.reload")[before:])[0]


@pytest.fixture
def live(policy, jail):
    """A jail with a policy file; change(text) rewrites that very file."""
    def start(text, *options):
        path = policy(text)
        agent = jail("--only", "-p", path, *options)

        def change(new):
            path.write_text(new)
        return agent, change
    return start


def http(agent, host, port=80):
    return agent.do("tcp", host, port, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", 10)


def works(agent, host, port=80):
    return "HTTP/1.1 200" in str(http(agent, host, port).get("ok"))


@pytest.mark.core
def test_allow_is_added(live):
    agent, change = live(rules(REC))
    assert works(agent, REC) and "error" in http(agent, SECOND)
    change(rules(REC, SECOND))
    assert reload(agent)["changed"] is True
    assert works(agent, SECOND) and works(agent, REC)


@pytest.mark.core
def test_allow_is_removed(live):
    agent, change = live(rules(REC, SECOND))
    assert works(agent, REC) and works(agent, SECOND)
    agent.ok("hold", REC, 9999, 1, stay=True)
    agent.ok("hold", SECOND, 9999, 1, stay=True)
    wait_for(lambda: len(events(agent, "conn.open")) >= 4)
    change(rules(SECOND))
    assert reload(agent)["changed"] is True
    closed = wait_for(lambda: [e for e in events(agent, "conn.close") if e["end"] == "killed"])
    assert [(e["host"], e["reason"]) for e in closed] == [(REC, "no_rule")]
    assert agent.ok("alive", stay=True) == 1
    assert "error" in http(agent, REC)
    assert works(agent, SECOND)


def test_bound_address_is_refused_by_the_kernel_again(live):
    """The name was resolved before: its address must not be of use."""
    agent, change = live(rules(REC))
    address = agent.ok("resolve", REC)[0]
    assert "ok" in agent.do("tcp", address, 9999, "x")
    change(rules(REC, ports="[443]"))
    reload(agent)
    assert agent.fails("tcp", address, 9999, "x") == 111
    change(rules(SECOND))
    reload(agent)
    assert agent.fails("tcp", address, 443, "x") == 111
    change(rules(REC))
    reload(agent)
    assert "ok" in agent.do("tcp", address, 9999, "x")


def test_networks_change(live):
    ip = ("version: 1\nallow:\n  - ip: {}/32\n    ports: [9999]\n").format
    agent, change = live(ip(internet.RECORDER4))
    assert "ok" in agent.do("tcp", internet.RECORDER4, 9999, "x")
    assert agent.fails("tcp", internet.SECOND4, 9999, "x") == 111
    change(ip(internet.SECOND4))
    reload(agent)
    assert agent.fails("tcp", internet.RECORDER4, 9999, "x") == 111
    assert "ok" in agent.do("tcp", internet.SECOND4, 9999, "x")


def test_deny_is_added(live):
    agent, change = live(rules(REC, SECOND))
    assert works(agent, REC)
    agent.ok("hold", REC, 9999, 1, stay=True)
    wait_for(lambda: [e for e in events(agent, "conn.open") if e["port"] == 9999])
    change(rules(REC, SECOND, deny=[REC]))
    reload(agent)
    closed = wait_for(lambda: [e for e in events(agent, "conn.close") if e["end"] == "killed"])
    assert [(e["host"], e["reason"]) for e in closed] == [(REC, "deny_rule")]
    assert "error" in http(agent, REC) and works(agent, SECOND)
    assert "deny_rule" in {e["reason"] for e in events(agent, "dns.query")}


def test_kept_alive_requests_are_judged_by_the_new_one(live, policy):
    agent, change = live(rules(REC))
    agent.ok("open_http", REC, stay=True)
    assert "200" in agent.ok("next_http", "/one", stay=True)
    change("version: 1\nallow:\n  - host: " + REC + "\n    paths: [/two]\n    ports: [80]\n")
    reload(agent)
    assert "200" in agent.ok("next_http", "/two", stay=True)
    assert "403" in agent.ok("next_http", "/one", stay=True)


BAD = {
    "no yaml": "version: 1\nallow: [\n",
    "unknown key": "version: 1\nallows: []\n",
    "empty": "",
    "mode": "version: 1\nmode: isolated\n",
    "pool": "version: 1\ndns: {synthetic: [28.16.0.0/12, \"2d00:736d::/64\"]}\n",
    "host port": "version: 1\nhost_ports: [5432]\n",
    "upstream": "version: 1\ndns: {upstream: [\"tls://9.9.9.9#dns.quad9.net\"]}\n",
    "publish": "version: 1\npublish: [3999]\n",
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_policy_leaves_the_old(live, bad):
    agent, change = live(rules(REC))
    assert works(agent, REC)
    change(BAD[bad])
    event = reload(agent)
    assert event["changed"] is False and event["error"]
    assert event["policy_sha256"] == events(agent, "session.start")[0]["policy_sha256"]
    assert works(agent, REC) and "error" in http(agent, SECOND)
    said = [line for line in agent.end().err.splitlines() if "not reloaded" in line]
    assert len(said) == 1 and "the policy stays as it was" in said[0]


def test_same_policy_is_no_change(live):
    agent, _ = live(rules(REC))
    event = reload(agent)
    assert event["changed"] is False and "error" not in event
    assert "not reloaded" not in agent.end().err


def test_replaced_file_may_be_the_commands(policy, jail):
    """The protection is of the inode: what lies there now could have been written from inside."""
    path = policy(rules(REC))
    agent = jail("--only", "-p", path)
    other = path.with_name("new.yaml")
    other.write_text(rules(REC, SECOND))
    stage.give(path.parent)
    os.rename(other, path)
    event = reload(agent)
    assert event["changed"] is False and "protected at the start" in event["error"]
    assert "error" in http(agent, SECOND) and works(agent, REC)


def test_new_list_outside_is_refused(live, place):
    agent, change = live(rules(REC))
    (place / "l.hosts").write_text("x.example\n")
    change(rules(REC) + "deny:\n  - host_list: l.hosts\n")
    event = reload(agent)
    assert event["changed"] is False and "l.hosts" in event["error"]


def user_policy(text):
    folder = stage.directory(stage.HOME / ".config" / "sluice")
    new = folder / "new"
    new.write_text(text)
    stage.give(folder)
    os.rename(new, folder / "policy.yaml")
    return folder / "policy.yaml"


def test_watch_takes_a_replaced_file_in_a_protected_folder(jail):
    path = user_policy(rules(REC))
    try:
        agent = jail("--watch")
        assert works(agent, REC) and "error" in http(agent, SECOND)
        user_policy(rules(REC, SECOND))
        wait_for(lambda: events(agent, "policy.reload"))
        assert works(agent, SECOND)
    finally:
        path.unlink()


def test_watch_waits_for_the_whole_file(live):
    agent, change = live(rules(REC), "--watch")
    path = next(p for p in pathlib.Path(agent.process.args[agent.process.args.index("-p") + 1]).parent.iterdir())
    with open(path, "w") as f:
        f.write(rules(REC, SECOND, WWW))
        f.flush()
        time.sleep(1)
        assert not events(agent, "policy.reload")
        # asked for while it is written: it waits, and takes the whole one
        os.kill(agent.process.pid, signal.SIGHUP)
        time.sleep(1)
        assert not events(agent, "policy.reload")
        f.write(f"deny:\n  - host: {WWW}\n")
    event = wait_for(lambda: events(agent, "policy.reload"))[0]
    assert event["changed"] is True
    assert works(agent, SECOND) and "error" in http(agent, WWW)
    assert "not reloaded" not in agent.end().err


def test_hangup_from_somebody_is_not_for_the_command(live):
    agent, _ = live(rules(REC))
    reload(agent)
    assert agent.process.poll() is None and works(agent, REC)


def test_killed_gate_during_reload_fails_closed(live):
    agent, change = live(rules(REC))
    assert works(agent, REC)
    gate = sluice.role(agent.process.pid, "gate")
    os.kill(gate, signal.SIGSTOP)
    change(rules(SECOND))
    reload(agent)
    os.kill(gate, signal.SIGKILL)
    assert agent.process.wait(20) == 125


def test_gate_that_does_not_take_it_is_cut_off(live):
    agent, change = live(rules(REC))
    os.kill(sluice.role(agent.process.pid, "gate"), signal.SIGSTOP)
    change(rules(SECOND))
    reload(agent)
    assert agent.process.wait(30) == 125
    assert "does not take the new policy" in agent.errors.read_text()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_reloads_under_load_lose_and_leak_nothing(live):
    agent, change = live(rules(REC))
    assert works(agent, REC)
    pid, gate = agent.process.pid, sluice.role(agent.process.pid, "gate")
    agent.ok("hold", REC, 9999, 20, stay=True)
    agent.ok("fetch_on", REC, f"GET / HTTP/1.1\r\nHost: {REC}\r\nConnection: close\r\n\r\n", stay=True)
    for i in range(10):
        change(rules(REC, *[f"n{i}.{ZONE}"]))
        reload(agent)
    before = descriptors(pid), descriptors(gate), sluice.memory_kib(pid), sluice.memory_kib(gate)
    for i in range(200):
        change(rules(REC, *[f"n{n}.{ZONE}" for n in range(i % 7)]))
        reload(agent)
    fetched, failed = agent.ok("fetch_end", stay=True)
    assert fetched > 50 and not failed
    assert agent.ok("alive", stay=True) == 20
    after = descriptors(pid), descriptors(gate), sluice.memory_kib(pid), sluice.memory_kib(gate)
    assert after[0] <= before[0] + 8 and after[1] <= before[1] + 8
    assert after[2] <= before[2] + 2000 and after[3] <= before[3] + 2000
    done = agent.end()
    assert len(done.of("policy.reload")) == 210
    assert {e["end"] for e in done.of("conn.close")} <= {"client", "server"}


def bounded(quota, rate, requests):
    return (f"version: 1\nlimits: {{requests: {requests}/h, on_exceed: block}}\nallow:\n"
            f"  - {{host: {REC}, ports: [80, 9002], id: rec, quota: {{up: {quota}}}}}\n"
            f"  - {{host: {SECOND}, ports: [80], id: second, rate: {rate}/h}}\n")


def ask_second(agent):
    request = f"GET /x HTTP/1.1\r\nHost: {SECOND}\r\n\r\n"
    return agent.ok("requests", SECOND, 80, [request])[0].split(" ")[1]


def test_what_was_used_of_limits_stays_used(world, policy, jail):
    agent = jail("-p", policy(bounded(1000000, 2, 50)))
    sinks = lambda: [s["count"] for s in world.recorder.seen if s["kind"] == "sink"]
    before = len(sinks())
    assert agent.ok("upload", REC, 9002, 400000)["end"] == "eof"
    assert ask_second(agent) == "200"
    # lowered below what was used: nothing more, and raised: what is left
    policy(bounded(300000, 1, 50))
    assert reload(agent)["changed"]
    assert agent.do("upload", REC, 9002, 1000).get("ok", {}).get("end") != "eof"
    assert ask_second(agent) == "429"
    policy(bounded(500000, 3, 50))
    assert reload(agent)["changed"]
    agent.do("upload", REC, 9002, 200000)
    assert wait_for(lambda: len(sinks()) >= before + 2 and sinks()[before:])[-1] == 100000
    assert [ask_second(agent) for _ in range(3)] == ["200", "200", "429"]
    # the session's own limits count on as well
    policy(bounded(500000, 50, 1))
    assert reload(agent)["changed"]
    assert ask_second(agent) == "429"
    assert "limit" in agent.end().reasons()
