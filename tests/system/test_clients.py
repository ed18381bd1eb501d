# SPDX-License-Identifier: Apache-2.0
"""Real clients trust what inspects them, with nothing done for it.

Each runs twice in a jail under a rule that lets a GET pass: as it is, and where the places that
sluice changes for trust are as they are outside.  There each must refuse: it does verify, and what
it trusts comes from those places alone.
"""
import os
import shutil

import pytest

import sluice
import stage
from stage import ROOT, ZONE

WWW = f"www.{ZONE}"
URL = f"https://{WWW}/hello"
HELLO = f"hello from {WWW} over https"

PYTHON_SSL = ("import sys, urllib.request as u; "
              "print(u.urlopen(sys.argv[1], timeout=20).read().decode())")
REQUESTS = "import sys, requests; print(requests.get(sys.argv[1], timeout=20).text)"
FETCH = ("fetch(process.argv[1]).then(r => r.text()).then(t => console.log(t))"
         ".catch(e => { console.error(e.cause || e); process.exit(1) })")
NODE_HTTPS = ("require('https').get(process.argv[1], r => r.pipe(process.stdout))"
              ".on('error', e => { console.error(e); process.exit(1) })")
RUBY = "require 'net/http'; puts Net::HTTP.get(URI(ARGV[0]))"
PHP = "($text = file_get_contents($argv[1])) !== false or exit(1); echo $text;"
REQUEST = f"printf 'GET /hello HTTP/1.1\\r\\nHost: {WWW}\\r\\nConnection: close\\r\\n\\r\\n'"
NPM = (f"npm --cache=cache --fetch-retries=0 --registry=https://npm.{ZONE}/npm/ install tiny-thing"
       " && node -p 'require(\"tiny-thing\")'")
APT = ('mkdir -p lists/partial archives/partial state; : >state/status; '
       f'echo "deb [trusted=yes] https://apt.{ZONE}/apt ./" >sources; '
       'set -- -q -oDir::State::lists=$PWD/lists -oDir::Cache=$PWD -oDir::Etc::parts=- '
       '-oDir::Etc::sourcelist=$PWD/sources -oDir::Etc::sourceparts=- -oAPT::Sandbox::User=root '
       '-oDir::State::status=$PWD/state/status -oAPT::Update::Error-Mode=any '
       '-oAcquire::Retries=0; '
       'apt-get "$@" update && apt-get "$@" download tiny && ls')

# what is run in a folder of its own; what it prints
CLIENTS = {
    "curl": (["curl", "-sSf", URL], HELLO),
    "wget": (["wget", "-nv", "-O-", URL], HELLO),
    "git": (["sh", "-c", f"git clone -q https://git.{ZONE}/git/hello.git && cat hello/hello.txt"],
            "hello from git"),
    "openssl": (["sh", "-c", f"({REQUEST}; sleep 1) | openssl s_client -quiet -servername {WWW} "
                 f"-verify_hostname {WWW} -verify_return_error -connect {WWW}:443"], HELLO),
    "gnutls": (["sh", "-c", f"({REQUEST}; sleep 1) | gnutls-cli {WWW}"], HELLO),
    "python-ssl": (["python3", "-c", PYTHON_SSL, URL], HELLO),
    "python-requests": (["python3", "-c", REQUESTS, URL], HELLO),
    "python-certifi": (["env", "PYTHONPATH=.", "python3", "-c", REQUESTS, URL], HELLO),
    "node-https": (["node", "-e", NODE_HTTPS, URL], HELLO),
    "node-fetch": (["node", "-e", FETCH, URL], HELLO),
    "npm": (["sh", "-c", NPM], "tiny"),
    "apt": (["sh", "-c", APT], "tiny_1.0_all.deb"),
    "ruby": (["ruby", "-e", RUBY, URL], HELLO),
    "php": (["php", "-r", PHP, URL], HELLO),
    # gh is written in Go; with a whole URL it is a plain client
    "go": (["env", "GH_TOKEN=none", "GH_NO_UPDATE_NOTIFIER=1", "gh", "api", URL], HELLO),
}

# Folders of /etc in which the jail's view replaces something
CHANGED = ["ssl"]


@pytest.fixture(scope="module")
def before(world):
    """What the host has in the places that the jail's view replaces."""
    folder = ROOT / "before"
    for name in CHANGED:
        shutil.copytree(f"/etc/{name}", folder / name, symlinks=True)
    return folder


@pytest.fixture
def client(world, policy, place):
    """Run one of CLIENTS; prefix: what it is run by."""
    rules = policy(f"version: 1\nallow: [{{host: '*.{ZONE}', methods: [GET, POST]}}]\n")
    other_list(place)

    def run(command, prefix=(), **kwargs):
        work = stage.directory(place / f"work-{len(list(place.iterdir()))}")
        shutil.copytree(place / "certifi", work / "certifi")
        stage.give(work)
        return sluice.run("--only", "-p", rules, command=[*prefix, *command], cwd=work, limit=120,
                          env=sluice.environment(SSL_CERT_FILE=None, NODE_EXTRA_CA_CERTS=None),
                          **kwargs)
    return run


def other_list(place):
    """certifi as pip brings it: with a list of its own."""
    package = place / "certifi"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import os\ndef where():\n    return os.path.join(os.path.dirname(__file__), 'own.pem')\n"
        "def contents():\n    return open(where()).read()\n")
    shutil.copy("/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt", package / "own.pem")


def as_outside(before):
    """A sandbox in the jail in which nothing speaks for the session's CA."""
    binds = [part for name in CHANGED for part in ("--ro-bind", before / name, f"/etc/{name}")]
    return ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", *binds,
            "env", "-i", f"PATH={os.environ['PATH']}", f"HOME={stage.HOME}"]


@pytest.mark.parametrize("name", CLIENTS)
def test_client_trusts_the_jail(client, name):
    command, expected = CLIENTS[name]
    done = client(command)
    assert done.code == 0 and expected in done.out, done.out + done.err
    assert {e["verdict"] for e in done.of("http")} == {"allow"}      # so it was inspected


@pytest.mark.parametrize("name", CLIENTS)
def test_client_refuses_where_nothing_speaks_for_the_ca(client, before, name):
    command, expected = CLIENTS[name]
    done = client(command, prefix=as_outside(before))
    assert done.code != 0 and expected not in done.out, (done.out, done.err)
    assert "ertificate" in done.out + done.err, (done.out, done.err)
    assert not done.of("http") and [e["verdict"] for e in done.of("conn.open")][:1] == ["allow"]
