# SPDX-License-Identifier: Apache-2.0
"""presets, doctor, selftest, version, help."""
import json
import pathlib
import re
import subprocess

import pytest

import sluice
import stage

COMMANDS = ["run", "check", "policy", "presets", "trust", "log", "report", "proxy", "doctor", "selftest"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(world, command):
    done = sluice.call(command, "--help")
    assert done.code == 0 and command in done.out and done.err == ""
    assert max(len(line) for line in done.out.splitlines()) <= 110


def test_help_lists_the_commands(world):
    done = sluice.call("--help")
    assert done.code == 0
    assert all(command in done.out for command in COMMANDS)


OPTIONS = ["--policy", "--only", "--preset", "--allow", "--deny", "--private-network",
           "--mode", "--log", "--report", "--session", "--label", "--allow-unix", "--host-port",
           "--publish", "--dry-run", "--fail-on-deny", "--quiet"]


@pytest.mark.parametrize("option", OPTIONS)
def test_help_of_run_names(world, option):
    assert option in sluice.call("run", "--help").out


def test_version(world):
    done = sluice.call("--version")
    assert done.code == 0 and re.search(r"\d+\.\d+", done.out)
    for library in ("openssl", "unbound", "libevent"):
        assert library in done.out.lower()


def test_output_to_a_full_disk_is_an_error(world):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sluice.PROGRAM, "presets"], stdout=full, stderr=subprocess.PIPE,
                              env=sluice.environment(), **sluice.as_user())
    assert done.returncode != 0


# presets

NAMES = ["npm", "pypi", "cargo", "go", "github", "debian"]


@pytest.mark.parametrize("name", NAMES)
def test_preset_is_listed_and_shown(world, name):
    assert name in sluice.call("presets").out
    done = sluice.call("presets", name)
    assert done.code == 0 and "443" in done.out or "80" in done.out


def test_preset_says_what_it_opens(world):
    shown = sluice.call("presets", "npm").out
    host = shown[shown.index("\n  registry.npmjs.org:443"):].splitlines()
    assert host[2].strip().startswith("open for GET, HEAD; POST /-/npm/")
    assert "npm:write opens them too" in shown
    assert "Each host is open whole" in sluice.call("presets", "telemetry").out


def test_variants_are_among_the_names(world):
    names = sluice.call("presets", "--names").out.splitlines()
    assert {"npm", "node", "npm:write", "rust:write", "github:ssh"} <= set(names)
    assert "telemetry:write" not in names and len(names) == len(set(names))
    for name in [n for n in names if ":" in n]:
        assert sluice.call("check", "--only", "--preset", name, "https://a.example/").code == 1


@pytest.mark.parametrize("name, host", [
    ("npm", "https://registry.npmjs.org/"), ("pypi", "https://pypi.org/simple/"),
    ("cargo", "https://index.crates.io/"), ("go", "https://proxy.golang.org/"),
    ("github", "https://github.com/"), ("debian", "http://deb.debian.org/")])
def test_preset_opens_its_hosts(world, name, host):
    assert sluice.call("check", "--only", "--preset", name, host).code == 0
    assert sluice.call("check", "--only", "--preset", name, "https://evil.com/").code == 1
    assert sluice.call("check", "--only", host).code == 1


def test_presets_add_up(world):
    for host in ("https://registry.npmjs.org/", "https://pypi.org/"):
        assert sluice.call("check", "--only", "--preset", "npm", "--preset", "pypi", host).code == 0


def test_unknown_preset_is_an_error_that_names_it(world):
    done = sluice.call("presets", "no-such-preset")
    assert done.code == 125 and "no-such-preset" in done.err


def test_presets_as_json(world):
    found = json.loads(sluice.call("presets", "--format", "json").out)
    assert "npm" in json.dumps(found)


def test_preset_of_the_users_own(world):
    folder = stage.HOME / ".config" / "sluice" / "presets.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.yaml").write_text("preset: mine\ntitle: Mine\ndescription: Our own.\nhosts:\n"
                                      "  - host: npm.mine.example\n    ports: [443]\n")
    stage.give(stage.HOME / ".config")
    try:
        done = sluice.call("check", "--preset", "mine", "https://npm.mine.example/")
        assert done.code == 0, done.out + done.err
    finally:
        (folder / "mine.yaml").unlink(missing_ok=True)


def test_npm_preset_adds_the_configured_registry(world):
    """Files owned by root as they are; the user's own never by themselves."""
    target = "https://npm.farm.example/"
    rc = pathlib.Path("/etc/npmrc")
    rc.write_text("registry=https://npm.farm.example/npm/\n")
    own = stage.HOME / ".npmrc"
    own.write_text("registry=https://evil.farm.example/\n")
    stage.give(stage.HOME)
    try:
        assert sluice.call("check", "--only", "--preset", "npm",
                           "https://evil.farm.example/").code == 1
    finally:
        rc.unlink()
        own.unlink()
    assert sluice.call("check", "--only", "--preset", "npm", target).code == 1


def test_debian_preset_adds_the_configured_mirror(world):
    path = pathlib.Path("/etc/apt/sources.list.d/test.list")
    path.write_text("deb http://apt.farm.example/apt ./\n")
    try:
        assert sluice.call("check", "--only", "--preset", "debian",
                           "http://apt.farm.example/apt/Packages").code == 0
    finally:
        path.unlink()
    assert sluice.call("check", "--only", "--preset", "debian",
                       "http://apt.farm.example/apt/Packages").code == 1


# doctor and selftest

@pytest.mark.core
def test_doctor_finds_this_machine_usable(world):
    done = sluice.call("doctor")
    assert done.code == 0, done.out
    for word in ("bwrap", "nft", "seccomp", "landlock", "userns"):
        assert word in done.out.lower(), done.out


def test_doctor_as_json(world):
    rows = {row["name"]: row for row in sluice.call("doctor", "--format", "json").json()["abilities"]}
    assert rows["tbf"]["works"] and rows["tbf"]["why"] == "for bandwidth into guests"
    assert rows["nft_tproxy"]["required"] and not rows["tbf"]["required"]
    assert not rows["daemon"]["works"] and "sluice daemon" in rows["daemon"]["why"]


def test_doctor_says_what_is_missing(world):
    done = sluice.without_user_namespaces("doctor")
    assert done.code != 0 and "user namespace" in done.out.lower()


@pytest.mark.core
def test_selftest_tries_thirty_ways_and_none_gets_out(world):
    start = world.wire.mark()
    done = sluice.call("selftest", limit=60)
    assert done.code == 0, done.out + done.err
    assert len(done.out.strip().splitlines()) >= 30
    assert world.wire.since(start) == []


def test_selftest_as_json(world):
    done = sluice.call("selftest", "--format", "json", limit=60)
    assert json.loads(done.out) and done.code == 0


def test_the_readme(world, place):
    """What it has under Use, line by line, beside the policy that stands there."""
    text = (stage.TOP / "README.md").read_text().partition("## Use\n")[2]
    shown, policy = text.partition("```yaml\n")[::2]
    for name, lines in {"policy.yaml": policy.partition("```")[0], "ads.hosts": "ads.example\n", "bad.netset": "192.0.2.0/24\n",
                        "Makefile": "test:\n\techo made\n", "agent": "#!/bin/sh\n", "release.sh": "#!/bin/sh\n"}.items():
        (place / name).write_text(lines)
        (place / name).chmod(0o755)
    (place / "build").symlink_to(sluice.PROGRAM.parent)
    stage.give(place)
    sluice.run("--only", command=["true"], log=place / "audit.jsonl")
    world.dns.names["api.github.com"] = world.dns.names["github.com"]
    lines = re.findall(r"^    (build/sluice (\S+).*)$", shown, re.M)
    assert len(lines) == len(re.findall(r"^ {4}", shown, re.M)) > 9
    for line, verb in lines:
        if verb == "selftest":      # it has a test of its own, and takes seconds
            assert re.fullmatch("build/sluice selftest +#.*", line)
            continue
        done = subprocess.Popen(["sh", "-c", f"exec {line}"], cwd=place, env=sluice.environment(), text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **sluice.as_user())
        if verb == "proxy":         # it stays until it is ended
            while "proxy=" not in done.stdout.readline():
                assert done.poll() is None
            done.terminate()
        said = done.communicate(timeout=60)[0]
        denied = line.startswith("build/sluice check -p policy.yaml https://example.com/ ")
        assert verb == "proxy" or done.returncode == denied, (line, said)
    assert (place / "learnt.yaml").exists()
    del world.dns.names["api.github.com"]
