# SPDX-License-Identifier: Apache-2.0
"""Approvals through the control socket: what waits, what an answer does, and what none can do."""
import json
import subprocess
import threading
import time

import pytest

import dnsd
import internet
import sluice
import stage
from waiting import wait_for

ASK = "version: 1\ndefault: ask\n"


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


def http(token, host):
    return f"GET /{token} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


def events(agent, kind):
    return sluice.events_so_far(agent.log, kind)


def get(agent, host, token="x", port=80):
    return Later(agent, "tcp", host, port, http(token, host), wait=36, limit=45)


def works(later):
    return "HTTP/1.1 200" in str(later.get().get("ok"))


@pytest.fixture
def host(fresh):
    return fresh(addresses=[internet.RECORDER4])


@pytest.mark.core
def test_approve_once(world, asking, token, host):
    agent = asking()
    later = get(agent, host, token)
    [one] = waiting()
    assert (one["host"], one["port"], one["reason"]) == (host, 80, "no_rule")
    assert (one["method"], one["path"]) == ("GET", f"/{token}")
    # nothing has left: no name, no byte
    assert not world.arrived(token.encode()) and not world.dns.asked(host)
    assert sluice.call("approve", one["id"]).code == 0
    assert works(later) and world.arrived(token.encode()) and world.dns.asked(host)
    assert approvals() == []
    [record] = events(agent, "approval")
    assert (record["host"], record["port"], record["decision"], record["by"], record["scope"]) == \
        (host, 80, "approved", "control", "once")
    [opened] = events(agent, "conn.open")
    assert (opened["verdict"], opened["reason"]) == ("allow", "allowed_approved")
    assert record["seq"] < opened["seq"]
    [query] = [e for e in events(agent, "dns.query") if e["type"] == "A"]
    assert query["verdict"] == "ask"
    later = get(agent, host, token)     # once is once
    [two] = waiting()
    assert two["id"] != one["id"]
    assert sluice.call("reject", two["id"]).code == 0
    assert "approval_denied" in str(later.get())


def test_approve_for_the_session(asking, host):
    agent = asking()
    later = get(agent, host)
    assert sluice.call("approve", waiting()[0]["id"], "--session").code == 0
    assert works(later)
    assert works(get(agent, host)) and approvals() == []
    later = get(agent, host, port=8080)     # another port is another question
    assert waiting()[0]["port"] == 8080
    assert sluice.call("reject", waiting()[0]["id"]).code == 0
    later.get()
    assert {e["scope"] for e in events(agent, "approval")} == {"session", "once"}


def test_approve_for_a_time(asking, host):
    agent = asking()
    agent.ok("open_http", host, stay=True)
    later = Later(agent, "next_http", "/one", stay=True, limit=40)
    assert sluice.call("approve", waiting()[0]["id"], "--for", "2s").code == 0
    assert "200" in str(later.get())
    killed = wait_for(lambda: [e for e in events(agent, "conn.close") if e["end"] == "killed"])
    assert [e["reason"] for e in killed] == ["expired"]
    later = get(agent, host)
    assert sluice.call("reject", waiting()[0]["id"]).code == 0
    assert "approval_denied" in str(later.get())


def test_kept_alive_requests_of_an_approved_connection_pass(asking, host):
    agent = asking()
    agent.ok("open_http", host, stay=True)
    later = Later(agent, "next_http", "/one", stay=True, limit=40)
    assert sluice.call("approve", waiting()[0]["id"]).code == 0
    assert "200" in str(later.get())
    assert "200" in agent.ok("next_http", "/two", stay=True)
    assert approvals() == []


def test_never_is_a_denial_for_the_session(asking, host):
    agent = asking()
    later = get(agent, host)
    assert sluice.call("reject", waiting()[0]["id"], "--never").code == 0
    assert "approval_denied" in str(later.get())
    assert agent.fails("resolve", host) == -2
    assert approvals() == []


def test_nobody_answers(policy, jail, host):
    agent = jail("--only", "-p", policy(ASK))
    start = time.monotonic()
    assert "approval_timeout" in str(get(agent, host).get())
    assert 29 < time.monotonic() - start < 60
    assert [e["decision"] for e in events(agent, "approval")] == ["timeout"]


def test_same_host_is_one_question(asking, host):
    agent = asking()
    agent.ok("hold", host, 9999, 5, stay=True)
    [one] = wait_for(lambda: [q for q in approvals() if q["waiting"] == 5])
    assert (one["host"], one["port"], one["method"]) == (host, 9999, None)
    assert sluice.call("approve", one["id"]).code == 0
    wait_for(lambda: len(events(agent, "conn.open")) == 5)
    assert {e["reason"] for e in events(agent, "conn.open")} == {"allowed_approved"}
    assert len(events(agent, "approval")) == 1


def test_client_that_leaves_takes_its_question_along(asking, host):
    agent = asking()
    agent.do("tcp", host, 80, http("x", host), wait=0.5)
    wait_for(lambda: approvals() == [] and events(agent, "approval") and events(agent, "conn.open"))
    assert [e["decision"] for e in events(agent, "approval")] == ["left"]
    assert [e["reason"] for e in events(agent, "conn.open")] == ["approval_timeout"]


def test_client_that_closed_its_half_waits_on(asking, host, token):
    agent = asking()
    later = Later(agent, "half_close", host, 80, http(token, host), limit=45)
    time.sleep(2)
    assert sluice.call("approve", waiting()[0]["id"]).code == 0
    assert works(later)


# ---- what no approval overrides ----

def refused(agent, host, reason, port=80):
    """Denied at once, and nobody is asked."""
    answer = str(get(agent, host, port=port).get())
    assert approvals() == []
    assert reason in answer or reason in {e["reason"] for e in events(agent, "dns.query")}
    return answer


def test_deny_rule_is_not_asked_about(asking, host):
    refused(asking(f"deny:\n  - host: {host}\n"), host, "deny_rule")


def test_special_addresses_hold(asking, fresh):
    name = fresh(addresses=["10.20.0.5"])
    agent = asking("private_networks: [10.20.0.0/16]\n")
    later = get(agent, name)
    assert sluice.call("approve", waiting()[0]["id"], "--session").code == 0
    assert "special_address" in str(later.get())


def test_deny_rule_for_the_address_holds(world, asking, host, token):
    agent = asking(f"deny:\n  - ip: {internet.RECORDER4}/32\n")
    later = get(agent, host, token)
    assert sluice.call("approve", waiting()[0]["id"], "--session").code == 0
    assert "deny_rule" in str(later.get()) and not world.arrived(token.encode())


def test_limits_hold(asking, host):
    agent = asking("limits: {requests: 1/h, on_exceed: block}\n")
    later = get(agent, host)
    assert sluice.call("approve", waiting()[0]["id"], "--session").code == 0
    assert works(later)
    answer = str(get(agent, host).get())
    assert "429" in answer and approvals() == []


def test_a_wrong_name_in_the_request_is_not_asked_about(asking, host):
    agent = asking()
    answer = Later(agent, "tcp", host, 80, http("x", "other.example"), limit=40).get()
    assert "host_mismatch" in str(answer) and approvals() == []


def test_literal_addresses_are_not_asked_about(asking):
    agent = asking()
    assert agent.fails("tcp", internet.RECORDER4, 80, "x") == 111
    assert approvals() == []


def test_other_record_types_are_empty_until_it_is_approved(world, policy, jail, fresh):
    name = fresh(addresses=[internet.RECORDER4], other={16: b"\x05hello"})
    agent = jail("--only", "-p", policy(ASK + "dns: {types: [A, AAAA, TXT]}\n"))
    reply = dnsd.parse_reply(bytes.fromhex(agent.ok("dns", "8.8.8.8", dnsd.question(name, 16).hex(), False)))
    assert reply.rcode == 0 and not world.dns.asked(name)


# ---- many ----

def test_five_refusals_in_a_row_stop_the_questions(asking, fresh):
    agent = asking()
    names = [fresh(addresses=[internet.RECORDER4]) for _ in range(6)]
    for name in names[:5]:
        later = get(agent, name)
        assert sluice.call("reject", waiting()[0]["id"]).code == 0
        assert "approval_denied" in str(later.get())
    start = time.monotonic()
    assert "approval_denied" in str(get(agent, names[5]).get())
    assert time.monotonic() - start < 15 and approvals() == []      # asked about it would be 30
    assert "five approvals in a row were refused" in agent.end().err


def test_more_than_twenty_stop_the_questions(asking, fresh):
    agent = asking()
    names = [fresh(addresses=[internet.RECORDER4]) for _ in range(21)]
    for name in names[:20]:
        agent.ok("hold", name, 9999, 1, stay=True)
    assert len(waiting(20)) == 20
    assert "approval_denied" in str(get(agent, names[20]).get())
    # those that wait go on to wait, and can be answered
    assert len(approvals()) == 20
    one = waiting()[3]      # which of those that came at about the same time is not said
    assert sluice.call("approve", one["id"]).code == 0
    [opened] = wait_for(lambda: [e for e in events(agent, "conn.open") if e["verdict"] == "allow"])
    assert opened["host"] == one["host"] in names
    assert "too many approvals wait" in agent.end().err
    decisions = [e["decision"] for e in sluice.read_log(agent.log) if e["event"] == "approval"]
    assert len(decisions) == 20 and decisions[0] == "approved"
    assert set(decisions[1:]) <= {"left", "timeout"}


# ---- the socket ----

def test_sessions_are_listed_and_dead_sockets_removed(asking, jail):
    agent = asking("", "--session", "listed")
    [one] = [s for s in sluice.call("sessions", "--format", "json").json() if s["session"] == "listed"]
    assert one["mode"] == "filtered" and one["pid"] == agent.process.pid and one["kind"] == "run"
    assert "listed" in sluice.call("sessions").out
    path = stage.RUNTIME / "sluice" / "listed.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    agent.kill()
    assert path.exists()
    assert "listed" not in sluice.call("sessions").out and not path.exists()


def talk(path, line, uid=None):
    """What another process of the machine hears."""
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            "s.sendall(sys.argv[2].encode()); s.settimeout(5); print(s.recv(65536).decode())")
    done = subprocess.run([sluice.PYTHON, "-c", code, str(path), line], capture_output=True, text=True,
                          **({"user": uid, "group": uid, "extra_groups": []} if uid is not None else {}))
    return done.stdout.strip()


def test_only_the_user_and_root_are_answered(asking):
    asking("", "--session", "mine")
    path = stage.RUNTIME / "sluice" / "mine.sock"
    assert '"session":"mine"' in talk(path, '{"do":"status"}\n', stage.UID)
    assert '"session":"mine"' in talk(path, '{"do":"status"}\n', 0)
    folder = path.parent
    old = [(p, p.stat().st_mode) for p in (folder.parent, folder, path)]
    try:        # though every permission lets it through
        for p, _ in old:
            p.chmod(0o777)
        assert talk(path, '{"do":"status"}\n', 65534) == ""
    finally:
        for p, mode in old:
            p.chmod(mode & 0o7777)


def test_socket_is_out_of_reach_inside(asking):
    agent = asking("", "--session", "inside")
    path = stage.RUNTIME / "sluice" / "inside.sock"
    assert '"session":"inside"' in talk(path, '{"do":"status"}\n', stage.UID)
    done = sluice.run("--only", command=[sluice.PYTHON, "-c", f"""
import socket
s = socket.socket(socket.AF_UNIX)
try:
    s.connect({str(path)!r})
    print("reached")
except OSError as e:
    print("refused", e.errno)
"""])
    assert "refused" in done.out
    assert agent.process.poll() is None


@pytest.mark.parametrize("line", [
    "nothing\n", "[]\n", "{}\n", '{"do":"more"}\n', '{"do":"status","x":1}\n',
    '{"do":"approve"}\n', '{"do":"approve","id":0}\n', '{"do":"approve","id":"1"}\n',
    '{"do":"approve","id":1,"scope":"for ever"}\n', '{"do":"status","do":"reload"}\n',
    '{"do":"approve","id":99,"scope":"once"}\n', '{"do":"approve","id":1,"for":5}\n'])
def test_bad_requests_are_answered_so(asking, line):
    asking("", "--session", "bad")
    answer = json.loads(talk(stage.RUNTIME / "sluice" / "bad.sock", line, stage.UID))
    assert answer["ok"] is False and answer["error"]


def test_endless_line_is_cut_off(asking):
    asking("", "--session", "long")
    assert talk(stage.RUNTIME / "sluice" / "long.sock", "x" * 8192, stage.UID) == ""
    assert '"ok":true' in talk(stage.RUNTIME / "sluice" / "long.sock", '{"do":"status"}\n', stage.UID)


def test_commands_refuse_in_a_jail(asking, host):
    agent = asking()
    later = get(agent, host)
    one = waiting()[0]["id"]
    for command in ("approve", "reject"):
        done = sluice.run("--only", command=[sluice.PROGRAM, command, one])
        assert done.code == 125 and "not from inside a jail" in done.err
    assert sluice.call("reject", one).code == 0
    later.get()


def test_reload_by_name(policy, jail, host):
    path = policy("version: 1\n")
    agent = jail("--only", "-p", path, "--session", "again")
    assert agent.fails("resolve", host) == -2
    path.write_text(f"version: 1\nallow:\n  - host: {host}\n")
    assert sluice.call("reload", "again").code == 0
    assert works(get(agent, host))
    path.write_text("version: 2\n")
    done = sluice.call("reload", "again")
    assert done.code == 125 and "its policy stays as it was" in done.err
    assert sluice.call("reload", "nosuch").code == 125


def test_ask_is_what_check_says(policy, host):
    path = policy(ASK + f"allow:\n  - host: {host}\n    ports: [443]\n")
    done = sluice.call("check", "--only", "-p", path, f"{host}:8080", "--format", "json")
    assert done.code == 2 and '"ask"' in done.out and '"port"' in done.out
    assert sluice.call("check", "--only", "-p", path, f"{host}:443").code == 0
    assert sluice.call("check", "--only", "-p", path, "203.0.113.9:443").code == 1


# ---- always ----

@pytest.fixture
def config():
    """The user's config folder; approvals in it end with the test."""
    folder = stage.directory(stage.HOME / ".config" / "sluice")
    yield folder
    (folder / "approved.yaml").unlink(missing_ok=True)


def test_approve_always(world, policy, jail, place, config, host, fresh):
    other = fresh(addresses=[internet.RECORDER4])
    path = policy(ASK + "deny:\n  - category: file_sharing\n")
    agent = jail("-p", path, cwd=place)
    for name in (host, other):
        later = get(agent, name)
        assert sluice.call("approve", waiting()[0]["id"], "--always").code == 0
        assert works(later)
    agent.end()
    text = (config / "approved.yaml").read_text()
    assert f'root: "{place}"' in text and host in text and other in text
    assert (config / "approved.yaml").stat().st_mode & 0o777 == 0o600
    # it lints, shows, and is what check and the next session go by: here
    assert sluice.call("policy", "lint", config / "approved.yaml").code == 0
    shown = sluice.call("policy", "show", "-p", path, cwd=place)
    assert host in shown.out and "approved.yaml" in shown.out
    check = ("check", "--format", "json", "-p", path, f"{host}:80")
    done = sluice.call(*check, cwd=place)
    assert done.code == 0 and "allowed_approved" in done.out
    assert sluice.call("check", "-p", path, f"{host}:8080", cwd=place).code == 2
    assert works(get(jail("-p", path, cwd=place), host)) and approvals() == []
    # and nowhere else, nor below
    elsewhere = stage.directory(place / "below")
    assert sluice.call(*check, cwd=elsewhere).code == 2
    # a deny rule beats it
    denied = sluice.call(*check, "--deny", host, cwd=place)
    assert denied.code == 1 and "deny_rule" in denied.out
    assert sluice.call(*check, "--only", cwd=place).code == 2


@pytest.mark.parametrize("text,words", [
    ("version: 1\nprojects:\n  - allow: []\n", "without their project"),
    ("version: 1\nprojects:\n  - root: here\n", "the absolute path of a folder"),
    ("version: 1\nprojects:\n  - root: /x\n    allow:\n      - host: a.example\n        private: true\n",
     "unknown key private"),
    ("version: 1\nallow:\n  - host: a.example\n", "unknown key allow"),
    ("version: 1\nprojects: []\ndefault: ask\n", "unknown key default")])
def test_bad_approvals_are_refused_whole(config, place, text, words):
    (config / "approved.yaml").write_text(text)
    stage.give(config)
    done = sluice.call("check", "a.example:443", cwd=place)
    assert done.code == 125 and words in done.err


def test_approvals_that_others_may_write_do_not_count(config, place, host):
    file = config / "approved.yaml"
    file.write_text(f'version: 1\nprojects:\n  - root: "{place}"\n    allow:\n'
                    f"      - host: {host}\n        ports: [443]\n")
    stage.give(config)
    assert sluice.call("check", f"{host}:443", cwd=place).code == 0
    file.chmod(0o666)
    assert sluice.call("check", f"{host}:443", cwd=place).code == 125


# ---- asked for in words ----

def post(agent, body, host="sluice.internal", path="/requests", more=""):
    text = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}"
    return str(agent.ok("tcp", host, 80, text, wait=5)["data"])


def wish(host, port=80, reason="the build needs it"):
    return json.dumps({"host": host, "port": port, "reason": reason})


@pytest.mark.core
def test_the_agent_asks_in_words(world, asking, token, host):
    agent = asking()
    answer = post(agent, wish(host, 80, f"please\n\x1b]0;{token}\x07 \"now\""))
    assert "HTTP/1.1 202" in answer and '"state":"waiting"' in answer
    [one] = waiting()
    assert (one["host"], one["port"], one["waiting"]) == (host, 80, 0)
    assert token in one["agent_says"]
    shown = sluice.call("approvals").out
    assert "the agent says" in shown and "\x1b" not in shown and len(shown.splitlines()) == 2
    assert not world.dns.asked(host)
    assert sluice.call("approve", one["id"]).code == 0
    # once: the next connection, and no other
    assert works(get(agent, host, token)) and world.arrived(token.encode())
    later = get(agent, host)
    assert sluice.call("reject", waiting()[0]["id"]).code == 0
    assert "approval_denied" in str(later.get())


def test_words_and_connection_are_one_question(asking, host):
    agent = asking()
    post(agent, wish(host))
    later = get(agent, host)
    [one] = wait_for(lambda: [q for q in approvals() if q["waiting"] == 1])
    assert one["agent_says"] == "the build needs it" and one["method"] is None
    assert sluice.call("approve", one["id"], "--session").code == 0
    assert works(later)
    assert '"state":"allowed"' in post(agent, wish(host))


@pytest.mark.parametrize("body", [
    "", "x", "{}", '{"host":"a.example","port":0}', '{"host":"a.example","more":1}',
    '{"host":"10.0.0.1"}', '{"host":"a..example"}', '{"host":"a.example"}x'])
def test_bad_words_are_refused(asking, body):
    agent = asking()
    assert "HTTP/1.1 400" in post(agent, body)
    assert approvals() == [] and "HTTP/1.1 405" in post(agent, "{}", path="/policy")


def test_words_do_not_get_around_a_denial(asking, jail, host):
    agent = asking(f"deny:\n  - host: {host}\n")
    assert "HTTP/1.1 403" in post(agent, wish(host)) and approvals() == []
    silent = jail("--only")         # nobody is asked there
    assert '"reason":"no_rule"' in post(silent, wish(host)) and approvals() == []
