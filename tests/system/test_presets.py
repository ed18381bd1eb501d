# SPDX-License-Identifier: Apache-2.0
"""Presets mean reading: the shipped ones, by their true names, against real servers."""
import json
import os
import pathlib

import pytest

import daemons
import sluice
import stage
from stage import ZONE

GITHUB, NPM, DEBIAN = "https://github.com", "https://registry.npmjs.org", "http://deb.debian.org"
CURL = ["curl", "-sS", "--path-as-is", "--max-time", "20"]


@pytest.fixture(autouse=True)
def forgotten(world):
    """What a test asks for is its own."""
    daemons.git_requests.clear()
    daemons.npm_requests.clear()


def curl(*arguments, options, **kwargs):
    return sluice.run("--only", *options, command=[*CURL, *arguments], **kwargs)


def pushes():
    return [r for r in daemons.git_requests if "receive-pack" in r[1]]


def requests(done):
    return [(e["method"], e["path"], e["verdict"], e["reason"]) for e in done.of("http")]


# Git

SHELL = """set -e
export HOME="$PWD" GIT_TERMINAL_PROMPT=0
git config --global user.name a; git config --global user.email a@b
git config --global http.version "$HTTP"
"""
PUSH = SHELL + """
git clone -q "$URL" copy && cd copy
echo more >"$TOKEN" && git add . && git commit -qm more
git push -q origin HEAD:refs/heads/$TOKEN
"""


def git(script, url, token, place, options, http="HTTP/1.1"):
    return sluice.run("--only", *options, command=["sh", "-c", script], cwd=place,
                      env=sluice.environment(URL=url, TOKEN=token, HTTP=http))


@pytest.mark.parametrize("http", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("clone", [pytest.param("", marks=pytest.mark.core), "--depth=1", "--filter=blob:none"])
def test_clone_and_fetch_pass(place, token, clone, http):
    script = SHELL + f'git clone -q {clone} "$URL" copy && cat copy/hello.txt && git -C copy fetch'
    done = git(script, f"{GITHUB}/acme/tool", token, place, ["--preset", "github"], http)
    assert (done.code, done.out, done.err) == (0, "hello from git\n", "")
    assert {(m, v) for m, _, v, _ in requests(done)} == {("GET", "allow"), ("POST", "allow")}
    assert ("POST", "/git/acme/tool/git-upload-pack") in daemons.git_requests


@pytest.mark.core
def test_push_is_refused(place, token):
    done = git(PUSH, f"{GITHUB}/acme/tool.git", token, place, ["--preset", "github"])
    assert done.code != 0 and "403" in done.err, done.err
    assert "denied github.com:443 (method): --preset github:write" in done.err
    (denied,) = [r for r in requests(done) if r[2] == "deny"]
    assert denied == ("GET", "/acme/tool.git/info/refs", "deny", "method")
    assert not pushes() and daemons.git_requests        # it was cloned
    # the positive control, by the line that was told
    place = stage.directory(place / "again")
    done = git(PUSH, f"{GITHUB}/acme/tool.git", token, place, ["--preset", "github:write"])
    assert done.code == 0, done.err
    assert ("POST", "/git/acme/tool.git/git-receive-pack") in pushes()
    assert token in stage.call("git", "-C", str(stage.ROOT / "git/acme/tool.git"), "branch").decode()


WAYS = ["?service=git-receive-pack", "?SERVICE=GIT-RECEIVE-PACK", "?x=1&service=git-receive-pack",
        "?service=git-upload-pack&service=git-receive-pack", "?%73ervice=git%2Dreceive-pac%6b",
        "?service=git-receive-pack&service=git-upload-pack", "/?service=git-receive-pack",
        "?service=git-receive-pack;x", "%3fservice=git-receive-pack"]


@pytest.mark.parametrize("path, reason", [
    *((f"/acme/tool.git/info/refs{way}", "method") for way in WAYS),
    ("/acme/tool.git/info%2frefs?service=git-receive-pack", "method"),
    *((("POST", f"/acme/{path}"), "path") for path in (
        "tool.git/git-receive-pack", "tool/git-receive-pack", "tool.git/git-receive-pack/",
        "tool.git/git-receive-pack?x=/git-upload-pack", "tool.git/git%2Dreceive-pack",
        "tool.git/git-upload-packs", "tool.git/git-upload-pack/x", "tool.git/GIT-RECEIVE-PACK",
        "tool.git/git-receive-pack;git-upload-pack")),
    *((("POST", f"/acme/{path}"), "malformed") for path in (
        "tool.git//git-upload-pack/../git-receive-pack", "tool.git/git-upload-pack%2f..%2fx",
        "tool.git/git-receive-pack%2fgit-upload-pack",
        "tool.git/git-receive-pack/%2e%2e/git-upload-pack")),
    (("PUT", "/acme/tool.git/git-upload-pack"), "method"),
])
def test_no_push_however_it_is_written(path, reason):
    method, path = ("GET", path) if isinstance(path, str) else path
    done = curl("-w", "\n%{http_code}", "-X", method, *(["-d", "0000"] if method == "POST" else []),
                GITHUB + path, options=["--preset", "github"])
    body, _, status = done.out.rpartition("\n")
    assert status == "403", (done.out, done.err)
    found = json.loads(body)
    assert found["reason"] == reason
    assert found["suggest"] == (None if reason == "malformed" else "--preset github:write")
    assert not daemons.git_requests
    # what check says is what happens
    checked = sluice.call("check", "--only", "--format", "json", "--preset", "github",
                          f"{method} {GITHUB}{path}")
    assert checked.code == 1 and json.loads(checked.out)["reason"] == reason
    assert json.loads(checked.out)["suggest"] == found["suggest"]


def test_push_in_clear_needs_no_inspection(policy, place, token):
    """What HTTP in clear shows is held to reading without a look into TLS."""
    rules = policy(f"""
version: 1
allow:
  - {{host: git.{ZONE}, ports: [80], methods: [GET, HEAD]}}
  - {{host: git.{ZONE}, ports: [80], methods: [POST], paths: ["/**/git-upload-pack"]}}
""")
    url = f"http://git.{ZONE}/git/acme/tool.git"
    done = git(PUSH, url, token, place, ["-p", rules, "--no-inspect"])
    assert done.code != 0 and "403" in done.err
    assert daemons.git_requests and not pushes()
    place = stage.directory(place / "again")
    done = git(PUSH, url, token, place, ["--allow", f"git.{ZONE}:80", "--no-inspect"])
    assert done.code == 0 and pushes(), done.err


def test_lfs_asks_and_does_not_store(world, token):
    batch = f"/acme/tool.git/info/lfs/objects/batch?{token}"
    curl("-d", "{}", GITHUB + batch, options=["--preset", "github"])
    assert daemons.git_requests == [("POST", f"/git{batch}")]
    store = f"https://github-cloud.s3.amazonaws.com/{token}"
    done = curl("-T", "/etc/hostname", f"{store}-put", options=["--preset", "github"])
    assert done.reasons() == {"method"} and not world.recorder.arrived(f"{token}-put".encode())
    curl(f"{store}-get", options=["--preset", "github"])
    assert world.recorder.requests(f"{token}-get".encode())
    curl("-T", "/etc/hostname", f"{store}-put", options=["--preset", "github:write"])
    assert world.recorder.requests(f"{token}-put".encode())


# Repositories

@pytest.fixture
def pinned(policy):
    return ["-p", policy("version: 1\nallow: [{preset: github, repos: [acme/tool, open/*]}]\n")]


@pytest.mark.parametrize("name, passes", [
    ("acme/tool", True), ("acme/tool.git", True), ("open/one", True), ("acme/tool2", False),
    ("acme/tool2.git", False), ("closed/one", False),
])
def test_repos_pin_clones(place, token, pinned, name, passes):
    done = git(SHELL + 'git clone -q "$URL" copy && cat copy/hello.txt', f"{GITHUB}/{name}", token,
               place, pinned)
    assert (done.code == 0) == passes, done.err
    assert bool(daemons.git_requests) == passes
    if not passes:
        assert "denied github.com:443 (path): no flag allows this" in done.err
        # the positive control
        done = git(SHELL + 'git clone -q "$URL" copy', f"{GITHUB}/{name}", token, place,
                   ["--preset", "github"])
        assert done.code == 0 and daemons.git_requests, done.err


@pytest.mark.parametrize("path, reason", [
    ("/acme/tool/../tool2/HEAD", "malformed"), ("/acme/tool/%2e%2e/tool2/HEAD", "malformed"),
    ("/acme/tool/..;/tool2/HEAD", "malformed"), ("/acme/tool%2f..%2ftool2/HEAD", "malformed"),
    ("/acme//tool/HEAD", "malformed"), ("//acme/tool/HEAD", "malformed"),
    ("/acme%2ftool/HEAD", "malformed"), ("/acme/tool%252f../HEAD", "malformed"),
    ("/acme/tool2/HEAD?/acme/tool/", "path"), ("/acme/tool.git2/HEAD", "path"),
    ("/Acme/tool/HEAD", "path"), ("/acme/", "path"), ("/", "path"), ("/acme/tool2/acme/tool", "path"),
    ("/open", "path"), ("/open2/one/HEAD", "path"), ("/x/open/one/HEAD", "path"),
])
def test_repos_end_where_they_end(pinned, path, reason):
    done = curl(GITHUB + path, options=pinned)
    assert done.reasons() == {reason}, done.out
    assert not daemons.git_requests
    # the positive control
    curl(f"{GITHUB}/acme/tool/HEAD", options=pinned)
    assert daemons.git_requests == [("GET", "/git/acme/tool/HEAD")]


def test_pinned_repos_that_write(policy, place, token):
    rules = ["-p", policy("version: 1\nallow: [{preset: 'github:write', repos: [open/*]}]\n")]
    done = git(PUSH, f"{GITHUB}/open/one.git", token, place, rules)
    assert done.code == 0 and pushes(), done.err
    daemons.git_requests.clear()
    done = curl("-d", "0000", f"{GITHUB}/acme/tool.git/git-receive-pack", options=rules)
    assert done.reasons() == {"path"} and not daemons.git_requests


# npm

INSTALL = ["sh", "-c", "npm --loglevel=error --no-update-notifier --cache=cache --fetch-retries=0"
           f" --registry={NPM}/ install --audit tiny-thing && node -p 'require(\"tiny-thing\")'"]
PUBLISH = ["sh", "-c", "echo '{\"name\": \"tiny-new\", \"version\": \"1.0.0\"}' >package.json"
           " && echo '//registry.npmjs.org/:_authToken=planted' >.npmrc"
           " && npm --loglevel=error --no-update-notifier --cache=cache --fetch-retries=0"
           f" --registry={NPM}/ publish"]


@pytest.mark.core
def test_npm_installs(place):
    done = sluice.run("--only", "--preset", "npm", command=INSTALL, cwd=place)
    assert done.code == 0 and "tiny" in done.out, done.out + done.err
    assert ("GET", "/tiny-thing") in daemons.npm_requests
    assert ("POST", "/-/npm/v1/security/advisories/bulk") in daemons.npm_requests


@pytest.mark.parametrize("rules", ["preset", "methods"])
def test_npm_does_not_publish(policy, place, rules):
    methods = policy("version: 1\nallow: [{host: registry.npmjs.org, methods: [GET, HEAD]}]\n")
    options = ["--preset", "npm"] if rules == "preset" else ["-p", methods]
    assert sluice.run("--only", *options, command=INSTALL, cwd=place).code == 0
    done = sluice.run("--only", *options, command=PUBLISH, cwd=place)
    assert done.code != 0
    assert [r for r in requests(done) if r[2] == "deny"] == [("PUT", "/tiny-new", "deny", "method")]
    assert not [r for r in daemons.npm_requests if r[0] == "PUT"]
    hint = "--preset npm:write" if rules == "preset" else "no flag allows this"
    assert f"denied registry.npmjs.org:443 (method): {hint}" in done.err
    # the positive control
    done = sluice.run("--only", "--preset", "npm:write", command=PUBLISH, cwd=place)
    assert done.code == 0, done.out + done.err
    assert ("PUT", "/tiny-new") in daemons.npm_requests


def test_writing_leaves_tls_closed():
    """A host that is open whole is not looked into."""
    done = curl("-o", "/dev/null", f"{NPM}/tiny-thing", options=["--preset", "npm:write"])
    assert done.code == 0 and not done.of("http"), done.err
    done = curl("-o", "/dev/null", f"{NPM}/tiny-thing", options=["--preset", "npm"])
    assert done.code == 0 and len(done.of("http")) == 1, done.err


def test_a_preset_beside_its_writing_writes():
    """The flag that is told works together with what denied."""
    done = curl("-X", "PUT", f"{NPM}/tiny-new", options=["--preset", "npm", "--preset", "npm:write"])
    assert done.code == 0 and daemons.npm_requests == [("PUT", "/tiny-new")]


def test_check_of_a_port_hangs_on_the_request(world):
    done = sluice.call("check", "--only", "--format", "json", "--preset", "npm",
                       "registry.npmjs.org:443")
    found = json.loads(done.out)
    assert (done.code, found["verdict"], found["depends"]) == (0, "allow", ["method", "path"])
    done = sluice.call("check", "--only", "--format", "json", "--preset", "npm:write",
                       "registry.npmjs.org:443")
    assert "depends" not in json.loads(done.out)


# Without inspection

@pytest.mark.core
def test_no_inspection_no_reading():
    done = curl(f"{NPM}/tiny-thing", options=["--preset", "npm", "--no-inspect"])
    assert done.code != 0 and done.reasons() == {"inspection_required"}
    assert "denied registry.npmjs.org:443 (inspection_required): --preset npm:write" in done.err
    assert not daemons.npm_requests
    checked = sluice.call("check", "--only", "--preset", "npm", "--no-inspect", f"{NPM}/tiny-thing")
    assert checked.code == 1 and "without --no-inspect" in checked.out
    assert "to allow it: --preset npm:write" in checked.out
    done = curl(f"{NPM}/tiny-thing", options=["--preset", "npm:write", "--no-inspect"])
    assert done.code == 0 and daemons.npm_requests, done.err


@pytest.mark.parametrize("options", [[], ["--no-inspect"]])
def test_packages_of_debian_in_clear(world, place, options):
    for folder in ("lists/partial", "archives/partial", "state"):
        (place / folder).mkdir(parents=True)
    (place / "sources").write_text(f"deb [trusted=yes] {DEBIAN}/apt ./\n")
    (place / "state/status").write_text("")
    for folder, _, _ in os.walk(place):
        os.chown(folder, 0, 0)
    apt = [f"-oDir::State::lists={place}/lists", f"-oDir::Cache::archives={place}/archives",
           f"-oDir::Etc::sourcelist={place}/sources", "-oDir::Etc::sourceparts=-",
           f"-oDir::State::status={place}/state/status", f"-oDir::Cache={place}",
           "-oDir::Etc::parts=-"]
    script = 'apt-get -q "$@" update && cd "$PLACE" && apt-get -q "$@" download tiny && ls'
    done = sluice.run("--only", "--preset", "debian", *options, root=True, cwd=place,
                      env=sluice.environment(PLACE=place, HOME="/root"),
                      command=["sh", "-c", script, "sh", *apt])
    assert done.code == 0 and "tiny_1.0_all.deb" in done.out, done.out + done.err
    done = curl("-T", "/etc/hostname", f"{DEBIAN}/x", options=["--preset", "debian", *options])
    assert done.reasons() == {"method"} and '"suggest":"--preset debian:write"' in done.out


def test_configured_registries_are_only_read():
    """A mirror that the machine is set up to use is held to reading as well."""
    rc = pathlib.Path("/etc/npmrc")
    rc.write_text(f"registry=https://npm.{ZONE}/npm/\n")
    try:
        url = f"https://npm.{ZONE}/npm/tiny-thing"
        done = curl("-o", "/dev/null", url, options=["--preset", "npm"])
        assert done.code == 0 and [r[3] for r in requests(done)] == ["allowed"], done.err
        done = curl("-X", "PUT", url, options=["--preset", "npm"])
        assert done.reasons() == {"method"} and '"suggest":"--preset npm:write"' in done.out
        audit = f"POST https://npm.{ZONE}/npm/-/npm/v1/security/advisories/bulk"
        assert sluice.call("check", "--only", "--preset", "npm", audit).code == 0
        assert sluice.call("check", "--only", "--preset", "npm:write", f"PUT {url}").code == 0
    finally:
        rc.unlink()
