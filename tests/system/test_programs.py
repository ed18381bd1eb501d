# SPDX-License-Identifier: Apache-2.0
"""Real programs against real servers, as an ordinary user, with no proxy variable set."""
import os

import pytest

import sluice
import stage
from stage import ZONE
from waiting import wait_for

URLLIB = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())"
FETCH = ("fetch(process.argv[1]).then(r => r.text()).then(t => console.log(t))"
         ".catch(e => { console.error(e.cause || e); process.exit(1) })")

# what is run in an empty folder; the host and port it needs; what it must print
PROGRAMS = {
    "curl-http": (["curl", "-sSf", f"http://www.{ZONE}/hello"], f"www.{ZONE}:80",
                  f"hello from www.{ZONE} over http"),
    "curl-https": (["curl", "-sSf", f"https://www.{ZONE}/hello"], f"www.{ZONE}:443",
                   f"hello from www.{ZONE} over https"),
    "curl-http2-offered": (["curl", "-sSf", "--http2", f"https://www.{ZONE}/hello"],
                           f"www.{ZONE}:443", "over https"),
    "curl-ipv4": (["curl", "-4sSf", f"https://www.{ZONE}/hello"], f"www.{ZONE}:443", "https"),
    "curl-ipv6": (["curl", "-6sSf", f"https://www.{ZONE}/hello"], f"www.{ZONE}:443", "https"),
    "curl-upload": (["curl", "-sSf", "-d", "@/etc/services", f"http://rec.{ZONE}:8080/up"],
                    f"rec.{ZONE}:8080", "for POST /up"),
    "wget-http": (["wget", "-qO-", f"http://www.{ZONE}/hello"], f"www.{ZONE}:80", "over http"),
    "wget-https": (["wget", "-qO-", f"https://www.{ZONE}/hello"], f"www.{ZONE}:443", "https"),
    "python-urllib": (["python3", "-c", URLLIB, f"https://www.{ZONE}/hello"], f"www.{ZONE}:443",
                      "over https"),
    "node-fetch": (["node", "-e", FETCH, f"https://www.{ZONE}/hello"], f"www.{ZONE}:443",
                   "over https"),
    "git-https": (["sh", "-c", f"git clone -q https://git.{ZONE}/git/hello.git && cat hello/hello.txt"],
                  f"git.{ZONE}:443", "hello from git"),
    "git-protocol": (["sh", "-c", f"git clone -q git://git.{ZONE}/hello.git && cat hello/hello.txt"],
                     f"git.{ZONE}:9418", "hello from git"),
    "git-ssh": (["sh", "-c", f"git clone -q ssh://ssh.{ZONE}/{stage.ROOT}/git/hello.git"
                 " && cat hello/hello.txt"], f"ssh.{ZONE}:22", "hello from git"),
    "ssh": (["ssh", f"ssh.{ZONE}", "echo from afar"], f"ssh.{ZONE}:22", "from afar"),
    "psql": (["psql", "-h", f"db.{ZONE}", "-U", "postgres", "-Atc", "select 40 + 2"],
             f"db.{ZONE}:5432", "42"),
    "npm": (["sh", "-c", f"npm --silent --cache=cache --fetch-retries=0 --registry=https://npm.{ZONE}/npm/ install tiny-thing"
             " && node -p 'require(\"tiny-thing\")'"], f"npm.{ZONE}:443", "tiny"),
}


@pytest.mark.core
@pytest.mark.parametrize("name", PROGRAMS)
def test_works_when_allowed(place, name):
    argv, target, expected = PROGRAMS[name]
    done = sluice.run("--allow", target, command=argv, cwd=place)
    assert done.code == 0, done.err
    assert expected in done.out
    assert done.err.strip() == ""
    assert any(e["verdict"] == "allow" and e["host"] == target.partition(":")[0]
               for e in done.of("conn.open"))


def closing():
    """Home's connections that have an end to send, or to hear of: FIN_WAIT1 and 2, LAST_ACK, CLOSING."""
    return [line for name in ("tcp", "tcp6") for line in open(f"/proc/self/net/{name}") if line.split()[3] in
            ("04", "05", "09", "0B")]


@pytest.mark.parametrize("name", PROGRAMS)
def test_fails_and_is_recorded_when_denied(world, place, name):
    argv, target, expected = PROGRAMS[name]
    host = target.partition(":")[0]
    wait_for(lambda: not closing(), 20)
    start = world.wire.mark()
    done = sluice.run("--allow", f"second.{ZONE}", command=argv, cwd=place)
    assert done.code != 0
    assert expected not in done.out
    assert world.wire.since(start) == []
    denied = [e for e in done.of("dns.query") if e["name"] == host]
    assert denied and all(e["verdict"] == "deny" and e["reason"] == "no_rule" for e in denied)
    assert f"--allow {host}" in done.err


def test_two_programs_at_once(place):
    done = sluice.run("--allow", f"www.{ZONE}", command=[
        "sh", "-c", f"curl -sSf https://www.{ZONE}/hello & curl -sSf http://www.{ZONE}/hello & wait"],
        cwd=place)
    assert "over https" in done.out and "over http\n" in done.out, done.err


def test_proxy_variables_are_not_passed_on(place):
    env = sluice.environment(http_proxy="http://127.0.0.1:1", HTTPS_PROXY="http://127.0.0.1:1",
                             ALL_PROXY="socks5://127.0.0.1:1", no_proxy="x")
    done = sluice.run("--allow", f"www.{ZONE}", env=env, command=["env"])
    assert done.code == 0
    assert "proxy" not in done.out.lower()


def test_apt_as_root_with_its_sandbox_user(world, place):
    """apt-get drops to its _apt user for downloads; the jail must let it."""
    for folder in ("lists/partial", "archives/partial", "etc/apt.conf.d", "state"):
        (place / folder).mkdir(parents=True)
    (place / "sources").write_text(f"deb [trusted=yes] http://apt.{ZONE}/apt ./\n")
    (place / "state/status").write_text("")
    options = [f"-oDir::State::lists={place}/lists", f"-oDir::Cache::archives={place}/archives",
               f"-oDir::Etc::sourcelist={place}/sources", "-oDir::Etc::sourceparts=-",
               f"-oDir::State::status={place}/state/status", f"-oDir::Cache={place}",
               "-oAPT::Get::List-Cleanup=0", "-oDir::Etc::parts=-"]
    for folder, _, _ in os.walk(place):
        os.chown(folder, 0, 0)
    script = 'apt-get -q "$@" update && cd "$PLACE" && apt-get -q "$@" download tiny && ls'
    done = sluice.run("--allow", f"apt.{ZONE}:80", root=True, cwd=place,
                      env=sluice.environment(PLACE=place, HOME="/root"),
                      command=["sh", "-c", script, "sh", *options])
    assert done.code == 0, done.out + done.err
    assert "tiny_1.0_all.deb" in done.out


def test_root_is_told_what_it_can_change(place):
    done = sluice.run("--allow", f"www.{ZONE}", root=True, cwd=place, command=["true"])
    assert done.code == 0
    assert "root" in done.err, done.err
