# SPDX-License-Identifier: Apache-2.0
"""Real clients trust what inspects them, with nothing done for it.

Each runs twice in a jail under a rule that lets a GET pass: as it is, and where the places that
sluice changes for trust are as they are outside.  There each must refuse: it does verify, and what
it trusts comes from those places alone.
"""
import os
import pathlib
import re
import shutil
import zipfile

import pytest

import sluice
import stage
import zone
from stage import ROOT, ZONE, call

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
# Its input does not end before the client does: at the end of it some leave, answered or not
TALK = (f"{{ printf 'GET /hello HTTP/1.1\\r\\nHost: {WWW}\\r\\nConnection: close\\r\\n\\r\\n';"
        " until [ -e over ]; do sleep 0.05; done; } | { %s; code=$?; touch over; exit $code; }")
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
    "openssl": (["sh", "-c", TALK % f"openssl s_client -quiet -servername {WWW} -verify_hostname {WWW} "
                 f"-verify_return_error -connect {WWW}:443"], HELLO),
    "gnutls": (["sh", "-c", TALK % f"gnutls-cli {WWW}"], HELLO),
    "python-ssl": (["python3", "-c", PYTHON_SSL, URL], HELLO),
    "python-requests": (["python3", "-c", REQUESTS, URL], HELLO),
    "python-certifi": (["env", "PYTHONPATH=.", "python3", "-c", REQUESTS, URL], HELLO),
    "node-https": (["node", "-e", NODE_HTTPS, URL], HELLO),
    "node-fetch": (["node", "-e", FETCH, URL], HELLO),
    "npm": (["sh", "-c", NPM], "tiny"),
    "apt": (["sh", "-c", APT], "tiny_1.0_all.deb"),
    "ruby": (["ruby", "-e", RUBY, URL], HELLO),
    "php": (["php", "-r", PHP, URL], HELLO),
    # gh is a Go program; with a whole URL it is a plain client
    "go": (["env", "GH_TOKEN=none", "GH_NO_UPDATE_NOTIFIER=1", "gh", "api", URL], HELLO),
    # with rustls-native-certs
    "rust": (["sh", "-c", "tldr --update >&2 && tldr tiny"], "hello from the farm"),
    # the one of the programs that come with a JRE that fetches a URL as all Java programs do
    "java": (["keytool", "-printcrl", "-file", f"https://{WWW}/test.crl"], "CN=test CA"),
    "chromium": (["chromium", "--headless=new", "--disable-gpu", "--user-data-dir=profile",
                  "--dump-dom", URL], HELLO),
}

# Folders of /etc in which the jail's view replaces something
CHANGED = ["ssl", "chromium"]


@pytest.fixture(scope="module")
def before(world):
    """What the host has in the places that the jail's view replaces."""
    folder = ROOT / "before"
    crl()
    for name in CHANGED:
        shutil.copytree(f"/etc/{name}", folder / name, symlinks=True)
    return folder


def crl():
    """A list of revoked certificates, as something that a Java machine prints."""
    (ROOT / "ca.conf").write_text(
        "[ca]\ndefault_ca = here\n[here]\ndatabase = index\ndefault_md = sha256\n"
        "default_crl_days = 2\n")
    (ROOT / "index").touch()
    call("openssl", "ca", "-gencrl", "-config", "ca.conf", "-keyfile", "ca.key", "-cert", "ca.pem",
         "-out", "www/test.crl", cwd=ROOT)


@pytest.fixture(scope="module")
def pages(world):
    """What tldr fetches, under the one name that it knows."""
    world.dns.names["tldr.sh"] = zone.Name(zone.WEB)
    (ROOT / "www" / "assets").mkdir()
    with zipfile.ZipFile(ROOT / "www" / "assets" / "tldr.zip", "w") as packed:
        packed.writestr("pages/common/tiny.md", "# tiny\n\n> hello from the farm\n")
    yield
    del world.dns.names["tldr.sh"]


@pytest.fixture
def client(pages, before, policy, place):
    """Run one of CLIENTS; prefix: what it is run by."""
    rules = policy(f"version: 1\nallow:\n  - {{host: '*.{ZONE}', methods: [GET, POST]}}\n"
                   "  - {host: tldr.sh, methods: [GET]}\n")
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
    said = done.out + done.err
    assert (done.code != 0 or name == "chromium") and expected not in done.out, said
    assert re.search("certificate|certification|err_cert", said.lower()), said
    assert not done.of("http") and [e["verdict"] for e in done.of("conn.open")][:1] == ["allow"]


# Java's stores

def entries(done):
    """What keytool lists: alias -> fingerprint."""
    assert done.code == 0, done.out + done.err
    return dict(re.findall(r"^(\S+), .*trustedCertEntry, \n.*\(SHA-256\): (\S+)$", done.out, re.M))


def keytool(options, store, *prefix, env=None):
    command = [*prefix, "keytool", "-list", "-keystore", store, "-storepass", "changeit"]
    if options is None:
        return entries(sluice.Done(0, call(*map(str, command)).decode(), ""))
    return entries(sluice.run(*options, command=command, env=env))


INSPECT = ["--only", "--allow", WWW, "--inspect"]
NEVER = ["--only", "--allow", WWW, "--no-inspect"]
CACERTS = "/etc/ssl/certs/java/cacerts"


def test_the_java_store_has_one_certificate_more(world):
    host, inside = keytool(None, CACERTS), keytool(INSPECT, CACERTS)
    assert len(host) > 100
    assert {k: v for k, v in inside.items() if k in host} == host
    assert set(inside) - set(host) == {"sluice-session-ca-1"}
    # nothing is inspected: nothing is changed
    assert keytool(NEVER, CACERTS) == host


@pytest.mark.parametrize("cipher", ["NONE", "PBEWithHmacSHA256AndAES_256"])
def test_a_java_machine_of_the_users_own(before, place, cipher):
    """JAVA_HOME with a store in PKCS #12, as JDKs since 18 bring it, or enciphered."""
    store = place / "jdk" / "lib" / "security" / "cacerts"
    store.parent.mkdir(parents=True)
    call("keytool", "-importcert", "-noprompt", "-file", str(ROOT / "ca.pem"), "-alias", "mine",
         "-keystore", str(store), "-storetype", "PKCS12", "-storepass", "changeit",
         f"-J-Dkeystore.pkcs12.certProtectionAlgorithm={cipher}",
         f"-J-Dkeystore.pkcs12.macAlgorithm={'NONE' if cipher == 'NONE' else 'HmacPBESHA256'}")
    stage.give(place)
    bytes_before, env = store.read_bytes(), sluice.environment(JAVA_HOME=place / "jdk")
    inside = keytool(INSPECT, store, env=env)
    mine = keytool(None, store)["mine"]
    assert mine in inside.values() and "sluice-session-ca-1" in inside
    assert len(inside) == 2 if cipher == "NONE" else len(inside) > 100
    # it is what a Java machine goes by; where JAVA_HOME is unset, it does not know the CA
    command = ["keytool", f"-J-Djavax.net.ssl.trustStore={store}", *CLIENTS["java"][0][1:]]
    for home, works in ((place / "jdk", True), (None, False)):
        done = sluice.run(*INSPECT, command=command, env=sluice.environment(JAVA_HOME=home))
        assert (CLIENTS["java"][1] in done.out) == works, done.out + done.err
    assert store.read_bytes() == bytes_before


@pytest.mark.parametrize("kind", ["text", "nothing", "folder", "pipe", "loop", "secret"])
def test_what_is_no_java_store_is_left_alone(world, place, kind):
    store = place / "lib" / "security" / "cacerts"
    store.parent.mkdir(parents=True)
    if kind == "text":
        store.write_text("not a store\n")
    elif kind == "folder":
        store.mkdir()
    elif kind == "pipe":
        os.mkfifo(store)
    elif kind == "loop":
        store.symlink_to(store)
    elif kind == "secret":
        store.symlink_to("/etc/shadow")
    stage.give(place)
    done = sluice.run(*INSPECT, command=["stat", "-c", "%F", store],
                      env=sluice.environment(JAVA_HOME=place))
    assert done.code == (kind == "nothing"), done.err
    if kind != "nothing":
        kinds = {"text": "regular file", "folder": "directory", "pipe": "fifo"}
        assert done.out == kinds.get(kind, "symbolic link") + "\n"


# Policies of browsers

CHROMIUM = pathlib.Path("/etc/chromium")
MANAGED = CHROMIUM / "policies" / "managed"


@pytest.fixture
def policies(world):
    """Policies of the host's for Chromium, while the test runs."""
    MANAGED.mkdir(parents=True)
    yield MANAGED
    shutil.rmtree(CHROMIUM / "policies")


def tree(*options, root=False):
    """Names and bytes of what Chromium's folder is in the jail."""
    script = (f"cd {CHROMIUM} && find . ! -type d | sort | while read f; do"
              " echo $f $(sha256sum <$f | cut -c1-16); done; touch policies/managed/new && echo new written")
    done = sluice.run(*(options or INSPECT), command=["sh", "-c", script], root=root)
    return dict(line.split() for line in done.out.splitlines())


@pytest.mark.parametrize("root", [False, True])
def test_the_policy_is_one_file_more(policies, root):
    (policies / "theirs.json").write_text('{"HomepageLocation": "about:blank"}')
    (CHROMIUM / "policies" / "recommended").mkdir()
    host = tree(*NEVER)
    inside = tree(root=root)
    assert {k: v for k, v in inside.items() if k in host} == host
    assert "./policies/managed/theirs.json" in host and "./master_preferences" in host
    assert set(inside) - set(host) == {"./policies/managed/sluice-session-ca.json"}
    assert not list(CHROMIUM.rglob("*sluice*")) and not list(CHROMIUM.rglob("new"))


def test_policies_that_name_cas_stay_alone(policies):
    (policies / "theirs.json").write_text('{"CACertificates": []}')
    assert tree() == tree(*NEVER)


def test_a_folder_that_is_not_plain_is_left_alone(policies):
    (policies / "theirs.json").symlink_to("/etc/hostname")
    assert tree() == tree(*NEVER)
    (policies / "theirs.json").unlink()
    assert len(tree()) == len(tree(*NEVER)) + 1


def test_a_folder_that_is_a_link_is_left_alone(world):
    (CHROMIUM / "policies").symlink_to("/var/lib")
    try:
        done = sluice.run(*INSPECT, command=["ls", CHROMIUM / "policies"])
        assert done.code == 0 and "managed" not in done.out.split()
    finally:
        (CHROMIUM / "policies").unlink()


def test_the_folder_of_programs_that_are_not_packaged(world):
    """Chrome's policies are below /etc/opt, and nobody makes a folder there for them."""
    (pathlib.Path("/etc/opt") / "other").mkdir(parents=True)
    try:
        done = sluice.run(*INSPECT, command=["sh", "-c", "cd /etc/opt && find . -type f; ls"])
    finally:
        os.rmdir("/etc/opt/other")
    names = [f"./{b}/policies/managed/sluice-session-ca.json"
             for b in ("chrome", "chrome_for_testing", "edge")]
    assert set(done.out.split()) == {*names, "chrome", "chrome_for_testing", "edge", "other"}
