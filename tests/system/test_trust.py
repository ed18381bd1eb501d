# SPDX-License-Identifier: Apache-2.0
"""A repository's .sluice.yaml: its denies hold at once, its allows when the user said so."""
import contextlib
import json
import os
import pty
import subprocess

import pytest

import sluice
import stage
from stage import HOME, ZONE

STATE = HOME / ".local" / "state" / "sluice"
TRUST = STATE / "trust.json"
OPENS = f"version: 1\nallow: [{{host: rec.{ZONE}}}]\ndeny: [{{host: www.{ZONE}}}]\n"


@pytest.fixture
def project(place):
    """A folder whose file says this; sluice's commands in it."""
    TRUST.unlink(missing_ok=True)

    def write(text=OPENS):
        (place / ".sluice.yaml").write_text(text)
        stage.give(place)
        return place
    yield write
    TRUST.unlink(missing_ok=True)


def trust(*options, cwd, **kwargs):
    return sluice.call("trust", *options, cwd=cwd, **kwargs)


def check(folder, target):
    done = sluice.call("check", "--format", "json", target, cwd=folder)
    return json.loads(done.out), done.err


def opened(folder):
    return check(folder, f"https://rec.{ZONE}/")[0]["verdict"] == "allow"


def test_denies_hold_at_once_and_allows_when_trusted(project, token, world):
    folder = project()
    found, err = check(folder, f"https://rec.{ZONE}/")
    assert found["reason"] == "no_rule"
    assert len(err.splitlines()) == 1 and "not trusted" in err and "sluice trust" in err
    denied = sluice.run("--allow", f"www.{ZONE}", cwd=folder, command=[
        "sh", "-c", f"curl -sm3 http://rec.{ZONE}/{token}; curl -sm3 http://www.{ZONE}/{token}"])
    assert not world.arrived(token.encode()) and "deny_rule" in denied.reasons()

    done = trust("--yes", cwd=folder)
    assert done.code == 0 and f"rec.{ZONE}:80,443" in done.out and f"www.{ZONE}" not in done.out
    found, err = check(folder, f"https://rec.{ZONE}/")
    assert (found["verdict"], found["layer"]) == ("allow", "project") and err == ""
    done = sluice.run("--allow", f"www.{ZONE}", cwd=folder, command=[
        "sh", "-c", f"curl -sm3 http://rec.{ZONE}/{token}; curl -sm3 http://www.{ZONE}/w{token}"])
    assert world.arrived(token.encode()) and not world.arrived(b"w" + token.encode())


def test_the_word_is_for_all_folders_below_and_only_this_project(project):
    folder = project()
    below = stage.directory(folder / "a" / "b")
    assert trust("--yes", below, cwd=HOME).code == 0
    assert opened(folder) and opened(below)
    other = stage.directory(folder / "other")
    (other / ".sluice.yaml").write_text(OPENS)
    stage.give(other)
    assert not opened(other)


def test_a_changed_file_is_not_trusted_until_accepted_again(project):
    folder = project()
    assert trust("--yes", cwd=folder).code == 0
    project(OPENS.replace("allow: [", f"allow: [{{host: new.{ZONE}, ports: [22]}}, "))
    found, err = check(folder, f"https://rec.{ZONE}/")
    assert found["verdict"] == "deny"
    assert len(err.splitlines()) == 1 and "changed" in err
    assert f"new.{ZONE}:22" in err and f"rec.{ZONE}" not in err
    assert "changed" in trust("--list", cwd=folder).out
    done = trust(cwd=folder)
    assert done.code == 125 and f"new.{ZONE}:22" in done.out and not opened(folder)
    assert trust("--yes", cwd=folder).code == 0 and opened(folder)
    # back to what was accepted once is a change as well
    project()
    assert not opened(folder)


def test_bounds_that_are_lifted_and_what_else_passes_are_told(project):
    text = ("version: 1\nlimits: {requests: 60/min}\nallow:\n"
            f"  - {{host: rec.{ZONE}, ports: [80], rate: 5/min, quota: {{up: 1MB}}}}\n")
    folder = project(text)
    assert trust("--yes", cwd=folder).code == 0
    project(text.replace("1MB}", "2MB}, websocket: true").replace("60/min", "90/min")
            .replace("rate: 5/min, ", ""))
    done = trust(cwd=folder)
    newly = done.out.partition("newly opens:\n")[2]
    for line in (f"rec.{ZONE}:80 (websockets)", f"rec.{ZONE}:80 (rate: none, before 5/min)",
                 f"rec.{ZONE}:80 (quota up: 2MB, before 1MB)",
                 "limits: requests: 90/min, before 60/min"):
        assert f"    {line}\n" in newly, (line, done.out)
    assert f"    rec.{ZONE}:80\n" not in newly


def test_revoke(project):
    folder = project()
    assert trust("--yes", cwd=folder).code == 0
    assert trust("--revoke", cwd=folder).code == 0
    assert not opened(folder)
    assert trust("--revoke", cwd=folder).code == 0
    assert str(folder) not in trust("--list", cwd=folder).out


def answer(folder, text):
    """What trust does when it is asked on a terminal."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen([str(sluice.PROGRAM), "trust"], stdin=theirs, stdout=theirs,
                               stderr=theirs, cwd=folder, env=sluice.environment(),
                               start_new_session=True, **sluice.as_user())
    os.close(theirs)
    os.write(mine, text)
    code, shown = process.wait(20), b""
    with contextlib.suppress(OSError):      # EIO: all has come, and nobody has the other end
        while piece := os.read(mine, 65536):
            shown += piece
    os.close(mine)
    return code, shown


@pytest.mark.parametrize("text,code", [(b"y\n", 0), (b"n\n", 1), (b"\n", 1), (b"yo\n", 1),
                                       (b"\x04", 1)])
def test_the_question(project, text, code):
    folder = project()
    found, shown = answer(folder, text)
    assert found == code and b"[y/N]" in shown and f"rec.{ZONE}".encode() in shown
    assert opened(folder) is (code == 0)


def test_without_a_terminal_nothing_is_accepted(project):
    folder = project()
    done = trust(cwd=folder, stdin="y\n")
    assert done.code == 125 and "--yes" in done.err and not TRUST.exists()


def test_the_file_is_the_users_alone(project):
    trust("--yes", cwd=project())
    assert TRUST.stat().st_mode & 0o7777 == 0o600 and TRUST.stat().st_uid == stage.UID
    TRUST.chmod(0o622)
    folder = project()
    assert sluice.call("check", f"https://rec.{ZONE}/", cwd=folder).code == 125


@pytest.mark.parametrize("link", ["../elsewhere.yaml", "/etc/passwd", "/nowhere"])
def test_a_link_to_elsewhere_stops_everything(place, project, link):
    stage.directory(place)
    (place.parent / "elsewhere.yaml").write_text(OPENS)
    (place / ".sluice.yaml").symlink_to(link)
    done = sluice.call("run", "--", "touch", place / "ran", cwd=place)
    assert done.code == 125 and not (place / "ran").exists()
    assert trust("--yes", cwd=place).code == 125 and not TRUST.exists()


KEYS = {
    "inject": "allow: [{host: a.example, inject: {header: A, value: b}}]",
    "private": "allow: [{host: a.example, private: true}]",
    "unsafe_wildcard": 'allow: [{host: "*.github.io", unsafe_wildcard: true}]',
    "ip": "allow: [{ip: 10.0.0.0/8, ports: [22]}]",
    "ip-all": "allow: [{ip: 0.0.0.0/0, ports: [22]}]",
    "mode": "mode: monitor",
    "host_ports": "host_ports: [5432]",
    "private_networks": "private_networks: [10.0.0.0/8]",
    "ceiling": "ceiling: []",
    "dns": "dns: {synthetic: [28.0.0.0/12]}",
    "publish": "publish: [3000]",
}


@pytest.mark.parametrize("key", KEYS)
def test_what_a_project_may_not_say(project, key):
    folder = project(f"version: 1\n{KEYS[key]}\n")
    done = sluice.call("run", "--", "touch", folder / "ran", cwd=folder)
    assert done.code == 125 and not (folder / "ran").exists()
    assert trust("--yes", cwd=folder).code == 125 and not TRUST.exists()


INSIDE = """
env -u SLUICE -u SLUICE_SESSION {program} trust --yes
{program} trust --yes
mkdir -p {state}; cp {forged} {state}/trust.json; mv {forged} {state}/trust.json
rm -rf {state}; ln -sfn {place} {state}; mv {parent} {parent}.old
true
"""


def test_nothing_inside_a_jail_can_trust(project, place):
    # positive control: the same words outside do it
    folder = project()
    assert trust("--yes", cwd=folder).code == 0
    accepted = TRUST.read_bytes()
    forged = place / "forged.json"
    forged.write_bytes(accepted)
    assert trust("--revoke", cwd=folder).code == 0
    before = TRUST.read_bytes()
    stage.give(place)
    script = INSIDE.format(program=sluice.PROGRAM, state=STATE, forged=forged, place=place,
                           parent=STATE.parent)
    done = sluice.run(cwd=folder, command=["sh", "-c", script])
    assert done.code == 0
    assert "trust: not from inside a jail" in done.err
    assert TRUST.read_bytes() == before and not opened(folder)
    # nor what the program of the project's own finds there
    seen = sluice.run(cwd=folder, command=["cat", str(TRUST)])
    assert seen.code != 0 and "sha256" not in seen.out


@pytest.fixture
def npmrc(world):
    path = HOME / ".npmrc"

    def write(text):
        path.write_text(text)
        stage.give(path)
    yield write
    path.unlink(missing_ok=True)


def test_the_users_own_registry_counts_as_it_was_recorded(project, npmrc, place):
    TRUST.unlink(missing_ok=True)

    def verdict(host, *options):
        done = sluice.call("check", "--format", "json", "--preset", "npm", *options,
                           f"https://{host}/", cwd=HOME)
        return json.loads(done.out)["verdict"]
    npmrc("registry=https://npm.corp.example/\n")
    assert verdict("npm.corp.example") == "deny"
    assert sluice.call("trust", "--configured", cwd=HOME).code == 125
    assert verdict("npm.corp.example") == "deny"
    done = sluice.call("trust", "--configured", "--yes", cwd=HOME)
    assert done.code == 0 and "npm.corp.example:443" in done.out
    assert verdict("npm.corp.example") == "allow"
    assert verdict("npm.corp.example", "--only") == "deny"
    npmrc("registry=https://npm.evil.example/\n")
    assert verdict("npm.evil.example") == "deny"
    assert sluice.call("trust", "--configured", "--revoke", cwd=HOME).code == 0
    assert verdict("npm.corp.example") == "deny"
