# SPDX-License-Identifier: Apache-2.0
"""sluice run as a program: exit codes, signals, environment, options, what it says."""
import json
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest

import internet
import netns
import sluice
import stage
from stage import ZONE
from waiting import wait_for

REC = f"rec.{ZONE}"


def run(*command, options=(), **kwargs):
    return sluice.run(*options, command=list(command), **kwargs)


# exit codes

@pytest.mark.core
@pytest.mark.parametrize("code", [0, 1, 7, 124, 125, 126, 127, 200, 255])
def test_exit_code_is_the_commands(world, code):
    assert run("sh", "-c", f"exit {code}").code == code


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "HUP", "SEGV", "ABRT", "USR1"])
def test_death_by_signal_is_128_and_its_number(world, name):
    assert run("sh", "-c", f"ulimit -c 0; kill -{name} $$").code \
        == 128 + getattr(signal, "SIG" + name)


def test_not_found_is_127(world):
    done = run("no-such-program-at-all")
    assert done.code == 127 and "no-such-program-at-all" in done.err


@pytest.mark.parametrize("make", ["plain-file", "folder"])
def test_not_executable_is_126(place, make):
    path = place / "thing"
    path.mkdir() if make == "folder" else path.write_text("x")
    assert run(str(path)).code == 126


@pytest.mark.parametrize("argv", [
    ["run"], ["run", "--"], ["run", "--no-such-option", "--", "true"], ["run", "--allow"],
    ["run", "--mode", "open", "--", "true"], ["run", "--allow", "", "--", "true"],
    ["run", "--allow", "a b", "--", "true"], ["run", "--allow", "x.example:0", "--", "true"],
    ["run", "--allow", "x.example:65536", "--", "true"], ["run", "--allow", "*.com", "--", "true"],
    ["run", "--allow", "x.example:http", "--", "true"], ["run", "--allow", "*", "--", "true"],
    ["run", "--preset", "no-such-preset", "--", "true"],
    ["run", "--private-network", "10.0.0.0/33", "--", "true"],
    ["run", "--private-network", "nonsense", "--", "true"],
    ["run", "--host-port", "x", "--", "true"], ["run", "--publish", "1:2:3:4", "--", "true"],
    ["run", "-p", "/nonexistent.yaml", "--", "true"], ["run", "--label", "novalue", "--", "true"],
    ["run", "--session", "../evil", "--", "true"], ["nonsense"]])
def test_wrong_usage_is_125_and_one_line(world, argv):
    done = sluice.call(*argv)
    assert done.code == 125
    assert done.err.startswith("sluice: ")
    assert len(done.err.strip().splitlines()) == 1, done.err


def test_no_command_at_all_shows_the_usage(world):
    done = sluice.call()
    assert done.code == 125 and done.out == "" and done.err.startswith("Usage: ")


def test_options_end_at_the_command(world):
    show = ["printf", "%s,"]
    assert sluice.call("run", *show, "--help", "-q").out == "--help,-q,"
    assert sluice.call("run", "--", *show, "--allow", "--").out == "--allow,--,"


# what is as outside

def test_working_directory_user_and_files(place):
    (place / "here").write_text("content\n")
    done = run("sh", "-c", "pwd; id -u; id -g; cat here; echo new >made", cwd=place)
    assert done.out.splitlines() == [str(place), str(stage.UID), str(stage.GID), "content"]
    assert (place / "made").read_text() == "new\n"
    assert (place / "made").stat().st_uid == stage.UID


def test_stdin_stdout_and_stderr_are_passed_through(world):
    done = sluice.call("run", "--log", sluice.new_log(), "--", "sh", "-c", "cat; echo err >&2",
                       stdin="in\n")
    assert (done.out, done.err) == ("in\n", "err\n")


def test_closed_standard_streams_do_no_harm(world):
    done = subprocess.run(["sh", "-c", f'exec "$0" run --log {sluice.new_log()} -- '
                           'sh -c "exit 4" <&- >&- 2>&-', str(sluice.PROGRAM)],
                          env=sluice.environment(), cwd=stage.WORK, **sluice.as_user())
    assert done.returncode == 4


def test_environment(world):
    env = sluice.environment(MINE="yes", http_proxy="http://x:1", FTP_PROXY="x", no_proxy="*")
    done = run("env", options=["--session", "named"], env=env)
    found = dict(line.split("=", 1) for line in done.out.splitlines())
    assert found["MINE"] == "yes" and found["HOME"] == str(stage.HOME)
    assert found["SLUICE"] == "1" and found["SLUICE_SESSION"] == "named"
    assert not [k for k in found if k.lower().endswith("_proxy")]


def test_command_is_not_pid_1(world):
    assert int(run("sh", "-c", "echo $$").out) > 1


def test_resource_limits_and_nice_are_kept(world):
    done = subprocess.run(["sh", "-c", f"ulimit -Sn 777; exec nice -n 5 {sluice.PROGRAM} run --log "
                           f"{sluice.new_log()} -- sh -c 'ulimit -n; nice'"], text=True,
                          env=sluice.environment(), cwd=stage.WORK, stdout=subprocess.PIPE,
                          **sluice.as_user())
    assert done.stdout.split() == ["777", "5"]


def test_unprivileged_ports_as_on_the_host(world):
    """ip_unprivileged_port_start is copied; it is 1024 on this host."""
    code = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 80))"
    assert run(sluice.PYTHON, "-c", code).code == 1
    assert run(sluice.PYTHON, "-c", code.replace("80", "1080")).code == 0


@pytest.mark.core
@pytest.mark.parametrize("name", ["TERM", "INT", "USR1", "USR2", "QUIT"])
def test_signals_reach_the_command(world, name):
    script = f"trap 'echo got; exit 9' {name}; echo up; while :; do sleep 0.05; done"
    process = subprocess.Popen([sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "sh", "-c",
                                script], stdout=subprocess.PIPE, text=True,
                               env=sluice.environment(), cwd=stage.WORK, **sluice.as_user())
    assert process.stdout.readline() == "up\n"
    process.send_signal(getattr(signal, "SIG" + name))
    try:
        assert process.communicate(timeout=30)[0] == "got\n"
        assert process.returncode == 9
    finally:
        process.kill()


def test_no_process_is_left_after_a_run(world):
    process = subprocess.Popen([sluice.PROGRAM, "run", "--log", sluice.new_log(), "--", "sh", "-c",
                                "echo up; read go"], env=sluice.environment(), cwd=stage.WORK,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, **sluice.as_user())
    assert process.stdout.readline() == b"up\n"
    family = sluice.children(process.pid)
    process.communicate(b"go\n", timeout=30)
    assert len(family) > 3 and process.returncode == 0
    assert not [p for p in family if pathlib.Path(f"/proc/{p}").exists()]


# what it says at the end

DENY = "for h in {}; do curl -sm3 http://$h.{}/; done; exit 0"


@pytest.mark.core
def test_denials_are_listed_with_what_would_allow_them(world):
    done = run("curl", "-sm3", f"http://denied.{ZONE}/")
    assert f"--allow denied.{ZONE}" in done.err


def test_at_most_five_lines(world):
    done = run("sh", "-c", DENY.format(" ".join(f"host{n}" for n in range(12)), ZONE))
    assert 1 < len(done.err.strip().splitlines()) <= 5


def test_each_host_is_listed_once(world):
    done = run("sh", "-c", DENY.format("same same same same", ZONE))
    assert done.err.count("denied same.") == 1, done.err


PORTS = range(1001, 1041)
KNOCK = f"""
import socket
for port in {list(PORTS)}:
    try:
        socket.create_connection(("{internet.RECORDER4}", port), 20)
    except ConnectionRefusedError:
        pass
"""


def test_what_was_refused_at_the_very_end_is_recorded(world):
    """The gate, late, hears of that and of the end at once."""
    agent = sluice.jail()
    gate = sluice.role(agent.process.pid, "gate")
    with netns.standing_still(gate):
        assert agent.ok("command", sluice.PYTHON, "-c", KNOCK)["code"] == 0
        agent.process.stdin.close()
        wait_for(lambda: not [line for line in sluice.children(agent.process.pid).values() if sluice.AGENT[-1] in line])
        time.sleep(0.1)     # it may be told of the end before it goes on: that is not seen from here
    done = agent.end()
    denied = [e["port"] for e in done.of("conn.open") if e["verdict"] == "deny"]
    assert len(denied) + sum(e["count"] for e in done.of("denials")) == len(PORTS), denied
    assert denied and set(denied) <= set(PORTS) and done.reasons() == {"ip_literal"}


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_quiet_says_nothing_of_denials(world, flag):
    done = run("curl", "-sm3", f"http://denied.{ZONE}/", options=[flag])
    assert done.err == ""


def test_nothing_denied_nothing_said(world):
    assert run("true").err == ""


def test_port_that_would_be_needed_is_named(world):
    done = run("curl", "-sm3", f"http://{REC}:8080/", options=["--allow", REC])
    assert f"{REC}:" in done.err and "8080" in done.err


@pytest.mark.parametrize("code, denied, expected", [(0, True, 124), (0, False, 0), (3, True, 3)])
def test_fail_on_deny(world, code, denied, expected):
    attempt = f"curl -sm3 http://denied.{ZONE}/;" if denied else ""
    done = run("sh", "-c", f"{attempt} exit {code}", options=["--fail-on-deny"])
    assert done.code == expected


def test_report_at_the_end_is_on_stderr(world):
    done = run("curl", "-sm3", f"http://denied.{ZONE}/", options=["--report"])
    assert done.out == "" and f"denied.{ZONE}" in done.err


def test_report_as_json(world):
    done = run("curl", "-sm3", f"http://denied.{ZONE}/", options=["-q", "--report=json"])
    assert isinstance(json.loads(done.err), dict)


def test_session_and_labels_are_in_the_log(world):
    done = run("true", options=["--session", "build-7", "--label", "team=a", "--label", "n=1"])
    first = done.events[0]
    assert first["session"] == "build-7" and first["labels"] == {"team": "a", "n": "1"}
    assert first["command"] == "true" and first["mode"] == "filtered"


# dry run

def test_dry_run_starts_nothing(world, place):
    done = sluice.call("run", "--dry-run", "--allow", f"{REC}:9999", "--", "touch", place / "ran")
    assert done.code == 0 and not (place / "ran").exists()
    assert REC in done.out and "9999" in done.out


def test_dry_run_tells_of_a_bad_policy(policy):
    assert sluice.call("run", "--dry-run", "-p", policy("version: 2\n"), "--", "true").code == 125


# ports

@pytest.fixture
def host_server(world):
    """A server on the host's 127.0.0.1."""
    agent = sluice.Agent([])
    port = agent.ok("serve", 0, "host-server", "127.0.0.1", stay=True)
    yield port
    agent.kill()


@pytest.mark.core
@pytest.mark.parametrize("form", ["{port}", "7001:{port}"])
def test_host_port_is_reached_by_localhost(host_server, jail, form):
    agent = jail("--host-port", form.format(port=host_server))
    port = 7001 if ":" in form else host_server
    for address in ("127.0.0.1", "localhost"):
        assert agent.ok("tcp", address, port)["data"] == "host-server"


def test_other_host_ports_are_not_reached(host_server, jail):
    agent = jail("--host-port", "7001:1")
    assert agent.fails("tcp", "127.0.0.1", host_server)


def test_host_port_is_recorded(host_server):
    agent = sluice.jail("--host-port", str(host_server))
    agent.ok("tcp", "127.0.0.1", host_server)
    [event] = agent.end().of("conn.open")
    assert event["verdict"] == "allow" and event["port"] == host_server


def test_host_ports_in_a_policy_file(host_server, policy, jail):
    agent = jail("-p", policy(f"version: 1\nhost_ports: [{host_server}]\n"))
    assert agent.ok("tcp", "127.0.0.1", host_server)["data"] == "host-server"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.core
@pytest.mark.parametrize("form, inner", [("{port}", None), ("{port}:8055", 8055),
                                         ("127.0.0.1:{port}:8055", 8055)])
def test_publish_reaches_a_server_in_the_jail(jail, outside, form, inner):
    port = free_port()
    agent = jail("--publish", form.format(port=port))
    agent.ok("serve", inner or port, "from-inside", "127.0.0.1", stay=True)
    assert outside.ok("tcp", "127.0.0.1", port)["data"] == "from-inside"


def test_publish_is_on_loopback_only(jail, outside):
    port = free_port()
    agent = jail("--publish", str(port))
    agent.ok("serve", port, "from-inside", "127.0.0.1", stay=True)
    assert outside.ok("tcp", "127.0.0.1", port)["data"] == "from-inside"
    assert outside.fails("tcp", internet.HOME4, port)


def test_publish_on_an_address(jail, outside):
    port = free_port()
    agent = jail("--publish", f"{internet.HOME4}:{port}:8056")
    agent.ok("serve", 8056, "from-inside", "127.0.0.1", stay=True)
    assert outside.ok("tcp", internet.HOME4, port)["data"] == "from-inside"


def test_publish_without_a_server_refuses(jail, outside):
    port = free_port()
    jail("--publish", str(port))
    answer = outside.do("tcp", "127.0.0.1", port, "x", 10)
    assert "error" in answer or (answer["ok"]["data"] == "" and answer["ok"]["end"] != "timeout")


def test_publish_does_not_let_the_server_out(world, jail, outside, token):
    port = free_port()
    agent = jail("--publish", str(port))
    agent.ok("serve", port, "x", "127.0.0.1", stay=True)
    outside.ok("tcp", "127.0.0.1", port)
    agent.do("tcp", internet.RECORDER4, 9999, token)
    assert not world.arrived(token.encode())


def test_publish_of_a_port_in_use_is_an_error(world, host_server):
    assert sluice.call("run", "--publish", str(host_server), "--", "true").code == 125


# sessions side by side

def test_two_sessions_do_not_share_names(world, jail, token):
    one = jail("--allow", f"{REC}:9999")
    two = jail("--allow", f"second.{ZONE}:9999")
    for address in one.ok("resolve", REC):
        two.do("tcp", address, 9999, token)
    for request in world.recorder.arrived(token.encode()):
        assert request["address"] in (internet.SECOND4, internet.SECOND6)
    assert two.fails("resolve", REC)


def test_ten_sessions_at_once(world):
    results = []

    def one():
        results.append(run("curl", "-sS", f"http://www.{ZONE}/hello",
                           options=["--allow", f"www.{ZONE}"]))
    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.out for r in results] == [f"hello from www.{ZONE} over http\n"] * 10


def test_forty_starts_in_a_row(world):
    """No race between bwrap's set-up of loopback and ours."""
    for _ in range(40):
        done = run("curl", "-sS", f"http://www.{ZONE}/hello", options=["--allow", f"www.{ZONE}"])
        assert (done.code, done.err) == (0, "")


# modes

@pytest.mark.parametrize("name, mode", [("filtered", "filtered"), ("restricted", "filtered"),
                                        ("nat-filtered", "filtered"), ("isolated", "isolated"),
                                        ("none", "isolated")])
def test_mode_by_the_names_people_know(world, name, mode):
    assert run("true", options=["--mode", name]).events[0]["mode"] == mode


def test_a_weaker_mode_than_a_layer_demands_is_an_error(policy):
    path = policy("version: 1\nmode: isolated\n")
    assert sluice.call("run", "-p", path, "--mode", "filtered", "--", "true").code == 125


def test_deny_beats_allow(world, token):
    done = run("curl", "-sm3", f"http://{REC}/{token}",
               options=["--allow", f"*.{ZONE}", "--deny", REC])
    assert done.reasons() == {"deny_rule"} and not world.arrived(token.encode())


def test_root_jail_runs_as_root(world):
    done = run("id", "-u", root=True, env=sluice.environment(HOME="/root"))
    assert done.out == "0\n" and done.code == 0
