# SPDX-License-Identifier: Apache-2.0
"""The daemon's page, in a browser: what it shows, what a click does, and who is not answered."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading

import pytest

import internet
import netns
import pages
import sluice
import stage
from netns import DENIED, REC, call, events, get, until_ended, wait_for
from pages import follow
from stage import ZONE

PORT = 9477
HERE = f"http://127.0.0.1:{PORT}"
URL = netns.RUN / "dashboard.url"
DRIVE = pathlib.Path(__file__).resolve().parent.parent / "browser" / "drive.js"
CROWD = pathlib.Path(__file__).with_name("crowd.py")
HOSTILE = "<img src=x onerror=alert(1)>"


class Browser:
    def __init__(self):
        if not (DRIVE.parent / "node_modules" / ".of").exists():    # setup has told why
            pytest.skip("no driver of a browser: the npm registry was not reachable")
        self.errors = open(stage.ROOT / "browser.err", "wb")
        self.process = subprocess.Popen(
            ["node", str(DRIVE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            text=True, env={"PATH": os.environ["PATH"], "HOME": str(stage.ROOT), "LANG": "C.UTF-8"})
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        assert line, pathlib.Path(self.errors.name).read_text()
        answer = json.loads(line)
        assert "error" not in answer, answer
        return answer["ok"]

    def js(self, js, value=None):
        self.process.stdin.write(json.dumps({"js": js, "with": value}) + "\n")
        self.process.stdin.flush()
        return self.read()

    def text(self, where):
        return self.js("return await page.locator(value).innerText()", where)

    def sees(self, where, text):
        """@text comes to be in what @where names."""
        self.js("await page.locator(value[0]).filter({hasText: value[1]}).first().waitFor()", [where, text])

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.errors.close()


class Later(threading.Thread):
    """An agent's request that waits for a word."""

    def __init__(self, agent, host, token, port=80):
        super().__init__()
        self.args = (agent, host, token, port)
        self.start()

    def run(self):
        agent, host, token, port = self.args
        self.answer = agent.do("requests", host, port, [get(token, host)], wait=36, limit=45)

    def get(self):
        self.join(50)
        assert not self.is_alive()
        return "200 OK" in self.answer.get("ok", [""])[0]


@pytest.fixture(scope="module")
def daemon(world):
    yield from netns.serving("--dashboard", f"127.0.0.1:{PORT}", asks=f"default: ask\n"
                             f"allow:\n  - host: {REC}\n    ports: [80]\ndeny:\n  - host: {DENIED}\n")
    assert not URL.exists()


@pytest.fixture(scope="module")
def box(daemon):
    one = netns.Box()
    one.attach("asks", "asker", "--label", f"who={HOSTILE}")
    one.talks = one.agent()
    yield from netns.until_killed(one)


@pytest.fixture(scope="module")
def browser(box):
    one = Browser()
    one.js("await page.goto(value)", URL.read_text().strip())
    one.sees("#link", "live")
    yield from until_ended(one)


def token():
    return URL.read_text().strip().partition("#")[2]


def http(method="GET", path="/state", host=f"127.0.0.1:{PORT}", body="", **fields):
    head = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in fields.items() if v)
    with socket.create_connection(("127.0.0.1", PORT), 10) as s:
        s.settimeout(10)
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{head}"
                  f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = s.makefile("rb").read()
    return int(answer.split()[1]), answer


def role(daemon):
    found = [child for child, line in sluice.children(daemon.process.pid).items()
             if line[1:2] == ["role-dashboard"]]
    return found[0] if found else None


# what it shows

def test_the_token_is_roots_and_leaves_the_address(browser):
    assert URL.stat().st_mode & 0o777 == 0o600 and URL.stat().st_uid == 0
    assert len(token()) == 64
    assert browser.js("return page.url()") == HERE + "/"
    for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes()
        except OSError:
            continue
        assert token().encode() not in words


def test_traffic_is_shown_as_it_comes(world, browser, box):
    browser.sees("#sessions", "asker")
    assert "serving" in browser.text("#sessions") and "asks" in browser.text("#sessions")
    assert "200 OK" in box.talks.ok("requests", REC, 80, [get("shown")])[0]
    assert "error" in box.talks.do("requests", DENIED, 80, [get("x", DENIED)])
    browser.sees("#events tr:has(.allow)", REC)
    browser.sees("#events tr:has(.deny)", DENIED)
    browser.sees("#denied", DENIED)
    assert "deny_rule" in browser.text("#denied")
    browser.js("await page.keyboard.press('/'); await page.keyboard.type('denied.')")
    browser.sees("#events", DENIED)
    assert REC not in browser.text("#events tbody")
    browser.js("await page.locator('#filter').fill(''); await page.keyboard.press('Escape')")
    drawn = browser.js("""return await page.evaluate(() => [...document.querySelectorAll("canvas")].map(
        c => c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some(x => x)))""")
    assert drawn == [True, True, True]


# what a person decides

def asked(browser, host):
    browser.sees(".card .to", host)
    browser.js("await page.locator('.card', {hasText: value}).locator('.once:enabled').waitFor()", host)


def test_allowed_by_mouse_passes(world, browser, box):
    host = f"mouse.{ZONE}"
    world.dns.names[host] = world.dns.names[REC]
    # a click before it could be read does nothing: as soon as it is there
    browser.js("""await page.evaluate(() => new MutationObserver((_, observer) => {
        const button = document.querySelector(".card .once");
        if (button) { observer.disconnect(); button.click(); window.clicked = true; }
    }).observe(document.body, {childList: true, subtree: true}))""")
    later = Later(box.talks, host, "clicked")
    browser.sees(".card .to", f"{host}:80")
    asked(browser, host)
    assert browser.js("return await page.evaluate(() => window.clicked)")
    assert later.is_alive() and not world.recorder.arrived(b"clicked")
    browser.js("await page.locator('.card', {hasText: value}).locator('.once').click()", host)
    assert later.get() and world.recorder.requests(b"clicked")
    assert [(e["host"], e["decision"], e["scope"], e["by"]) for e in events("asker", "approval")] == [
        (host, "approved", "once", "web")]
    browser.js("await page.locator('#cards li').waitFor({state: 'detached'})")


def test_denied_by_key_does_not(world, browser, box):
    host, start = f"open.{ZONE}", world.wire.mark()
    world.dns.names[host] = world.dns.names[REC]
    later = Later(box.talks, host, "keyed-away")
    asked(browser, host)
    browser.js("await page.keyboard.press('d')")
    assert not later.get()
    assert not world.recorder.arrived(b"keyed-away") and not world.wire.carries(b"keyed-away", start)
    browser.js("await page.locator('#cards li').waitFor({state: 'detached'})")
    # the positive control: the same, allowed by key
    later = Later(box.talks, host, "keyed-on")
    asked(browser, host)
    browser.js("await page.keyboard.press('a')")
    assert later.get() and world.recorder.requests(b"keyed-on")
    browser.js("await page.locator('#cards li').waitFor({state: 'detached'})")


def test_what_was_not_shown_is_not_decided(world, browser, box):
    """The question of that number is about another host than the one that was read."""
    host = f"other.{ZONE}"
    world.dns.names[host] = world.dns.names[REC]
    later = Later(box.talks, host, "stands")
    asked(browser, host)
    key = {"Authorization": f"Bearer {token()}", "Origin": HERE}
    question = call("approvals", "--format", "json").json()[0]
    said = {"do": "approve", "id": question["number"], "host": REC, "port": 80, "transport": "tcp"}
    ask = "/decide?session=asker"
    answer = http("POST", ask, body=json.dumps(said), **key)[1]
    assert b'"ok":false' in answer and b"another host" in answer
    assert b'"ok":false' in http("POST", ask, body=json.dumps({**said, "host": host, "port": 81}), **key)[1]
    # without a name, for ever, and what is no decision
    for body in ({"do": "approve", "id": said["id"]}, {**said, "host": host, "scope": "always"},
                 {"do": "reload"}, {"do": "detach", "session": "asker"}, {"do": "status"}):
        assert http("POST", ask, body=json.dumps(body), **key)[0] == 403
    assert http("POST", "/decide?session=control", body=json.dumps(said), **key)[0] == 503
    good = json.dumps({**said, "host": host})
    for wrong in ({"Origin": ""}, {"Origin": "http://evil.example"}, {"Origin": "null"},
                  {"Sec_Fetch_Site": "cross-site"}):
        assert http("POST", ask, body=good, **{**key, **wrong})[0] == 403
    assert http("POST", ask, body=good, Origin=HERE)[0] == 401
    assert http("GET", ask, Authorization=key["Authorization"], Origin=HERE)[0] == 405
    assert later.is_alive() and not world.recorder.arrived(b"stands")
    browser.js("await page.locator('.card').locator('.no').click()")
    assert not later.get() and not world.recorder.arrived(b"stands")
    browser.js("await page.locator('#cards li').waitFor({state: 'detached'})")


def test_hostile_words_are_words(world, browser, box):
    """As a path, as the agent's reason, as a label."""
    browser.js("""await page.evaluate(() => { window.broken = [];
        document.addEventListener("securitypolicyviolation", e => broken.push(e.violatedDirective)); })""")
    box.talks.do("requests", REC, 80, [f"GET /{HOSTILE.replace(' ', '%20')} HTTP/1.1\r\nHost: {REC}\r\n\r\n"])
    words = json.dumps({"host": f"wish.{ZONE}", "port": 443, "reason": HOSTILE})
    box.talks.do("requests", "sluice.internal", 80, [
        "POST /requests HTTP/1.1\r\nHost: sluice.internal\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(words)}\r\n\r\n{words}"])
    browser.sees(".says", HOSTILE)
    assert browser.js("return await page.locator('#sessions button').first().getAttribute('title')") == \
        f"who={HOSTILE}"
    assert browser.js("return await page.locator('img, iframe, main script, main style').count()") == 0
    assert browser.js("return await page.evaluate(() => window.broken)") == []
    # the listener sees what would be one, and nothing is made of it
    made = browser.js("""return await page.evaluate(async () => {
        try { document.body.innerHTML = "<b>x</b>"; } catch (e) { return [e.name, window.broken.length > 0]; } })""")
    assert made[0] == "TypeError"
    browser.js("await page.evaluate(() => window.broken.length = 0)")
    browser.js("seen.errors.length = 0; await page.locator('.no:enabled').click()")
    browser.js("await page.locator('#cards li').waitFor({state: 'detached'})")


def test_light_dark_and_narrow(browser):
    colour = "return await page.evaluate(() => getComputedStyle(document.body).backgroundColor)"
    light = browser.js(colour)
    assert browser.js("await page.emulateMedia({colorScheme: 'dark'});" + colour) != light
    browser.js("await page.emulateMedia({colorScheme: 'light'}); await page.setViewportSize({width: 360, height: 740})")
    assert browser.js("return await page.evaluate(() => document.documentElement.scrollWidth)") <= 360
    browser.js("await page.setViewportSize({width: 1280, height: 900})")
    browser.js("await page.keyboard.press('?'); await page.locator('#help[open]').waitFor();"
               "await page.keyboard.press('Escape')")


# who is not answered

def test_without_the_token_nothing_is_told(daemon, box):
    right = f"Bearer {token()}"
    wait_for(lambda: b"asker" in http(Authorization=right)[1])
    for wrong in "", right[:-1], right + "0", right[:-1] + "x", "Basic " + token():
        status, answer = http(Authorization=wrong)
        assert status == 401 and b"asker" not in answer
    assert http(path=f"/state?after=0&token={token()}")[0] == 401
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80",
                 f"{internet.RECORDER4}:{PORT}", f"localhost.evil.example:{PORT}"):
        for path in "/state", "/", "/page.js":
            assert http(path=path, host=host, Authorization=right)[0] == 403
    assert http(Authorization=right, Origin="http://evil.example")[0] == 403
    assert http(Authorization=right, Sec_Fetch_Site="same-site")[0] == 403
    status, page = http(path="/", host=f"localhost:{PORT}")
    assert status == 200 and token().encode() not in page and b"asker" not in page
    for line in (b"Content-Security-Policy: default-src 'none'", b"frame-ancestors 'none'",
                 b"X-Frame-Options: DENY", b"nosniff", b"no-store", b"no-referrer"):
        assert line in page


def test_an_agent_does_not_reach_it(daemon, box):
    """Its 127.0.0.1 is its own; the page is on this machine's alone."""
    assert "error" in box.talks.do("requests", "127.0.0.1", PORT, [get("x", f"127.0.0.1:{PORT}")])
    done = box.enter(*sluice.AGENT[:1], "-c", f"""
import socket
for a in "127.0.0.1", "127.0.0.2", "{internet.GATEWAY4}":
    s = socket.socket(); s.settimeout(1)
    try:
        s.connect((a, {PORT})); s.sendall(b"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:{PORT}\\r\\n\\r\\n")
        print("sluice</title>" in s.recv(65536).decode())
    except OSError:
        print(False)
""")
    assert done.stdout.split() == ["False"] * 3, done.stdout
    assert http(path="/")[0] == 200


def test_it_is_nobody_without_a_network(daemon, box):
    status = pathlib.Path(f"/proc/{role(daemon)}/status").read_text()
    assert f"Uid:\t{stage.ROLES_ID}\t{stage.ROLES_ID}" in status and "CapEff:\t0000000000000000" in status
    assert "Groups:\t \n" in status and "Seccomp:\t2" in status
    assert os.readlink(f"/proc/{role(daemon)}/ns/net") != os.readlink("/proc/self/ns/net")


def test_slow_clients_keep_nobody_out(daemon, box):
    slow = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(100)]
    for s in slow:
        s.sendall(b"GET /state HTTP/1.1\r\n")
    for _ in range(3):
        assert http(Authorization=f"Bearer {token()}")[0] == 200
    assert http(path="/" + 20000 * "x")[0] in (400, 431)
    assert http("POST", "/decide?session=asker", body=5000 * "x", Authorization=f"Bearer {token()}")[0] == 413
    for s in slow:
        s.close()


def test_what_is_no_decision_changes_nothing(daemon, box):
    old, words = role(daemon), {"Authorization": f"Bearer {token()}", "Origin": HERE}
    decision = {"do": "approve", "id": 1, "scope": "once", "host": REC, "port": 80, "transport": "tcp"}
    for query, body, status in (("", "{}", 400), ("?session=", "", 400), ("?session=asker", "{", 400),
                                ("?nothing=asker", json.dumps(decision), 400),
                                (f"?session={99 * 'x'}", json.dumps(decision), 400),
                                ("?session=asker", '{"do": "reload"}', 403),
                                ("?session=asker", '{"do": "detach", "session": "asker"}', 403),
                                ("?session=asker", '{"do": "approve", "id": 1, "scope": "once"}', 403)):
        assert http("POST", "/decide" + query, body=body, **words)[0] == status, (query, body)
    assert http("GET", "/decide?session=asker", **words)[0] == 405
    assert role(daemon) == old and daemon.held("asker")["state"] == "serving"


def test_killed_it_comes_back_and_sessions_go_on(world, daemon, browser, box):
    old = role(daemon)
    os.kill(old, signal.SIGKILL)
    assert "200 OK" in box.talks.ok("requests", REC, 80, [get("meanwhile")])[0]
    assert daemon.held("asker")["state"] == "serving"
    wait_for(lambda: role(daemon) not in (None, old))
    browser.sees("#link", "live")
    assert "200 OK" in box.talks.ok("requests", REC, 80, [get("after")])[0]
    browser.sees("#sessions", "asker")


def test_nothing_from_elsewhere(browser):
    seen = browser.js("return seen")
    assert seen["requests"] and all(url.startswith(HERE + "/") for url in seen["requests"])
    assert not [e for e in seen["errors"] if "ERR_CONNECTION" not in e and "ERR_EMPTY" not in e], seen["errors"]
    assert all(token() not in url.partition("#")[0] for url in seen["requests"])


# other places

def asks(*words, path="/state", host="localhost:9400", body=None, bearer=None, origin="", **process):
    """curl's way to the page: its exit code, the status, what was answered."""
    fields = {"Host": host, "Origin": origin, "Authorization": bearer and f"Bearer {bearer}"}
    done = subprocess.run(
        ["curl", "-sm10", "-o", "-", "-w", "\n%{http_code}", *map(str, words),
         *(word for k, v in fields.items() if v for word in ("-H", f"{k}: {v}")),
         *(["--data-binary", body] if body else []), f"http://localhost{path}"],
        text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, **process)
    answer, _, status = done.stdout.rpartition("\n")
    return done.returncode, int(status), answer


def moved(daemon, *options):
    """The daemon has ended, and another one's page is elsewhere."""
    daemon.kill(signal.SIGTERM)
    assert not URL.exists()
    daemon.options = options
    daemon.start()
    return URL.read_text().strip()


@pytest.fixture
def as_it_was(daemon):
    options = daemon.options
    yield
    moved(daemon, *options)


def test_at_a_unix_socket(world, daemon, box, as_it_was):
    place, start = netns.RUN / "dashboard.sock", world.wire.mark()
    assert moved(daemon, "--dashboard", f"unix:{place}") == f"http://localhost/#{token()}"
    assert place.is_socket() and place.stat().st_mode & 0o777 == 0o600 and place.stat().st_uid == 0
    there, key = ["--unix-socket", place], token()
    # root alone; whoever is of the daemon's group gets as far as the folder, and so does user sluice
    assert asks(*there, path="/")[:2] == (0, 200)
    for user, groups in ((stage.UID, []), (stage.UID, [stage.ROLES_ID]), (stage.ROLES_ID, [stage.ROLES_ID])):
        code, status, answer = asks(*there, path="/", user=user, group=stage.GID, extra_groups=groups)
        assert (code, status, answer) == (7, 0, "")
    # whatever port a tunnel has; no token, no other name
    for host in "localhost", "localhost:9400", "127.0.0.1:1", "[::1]:9400":
        assert asks(*there, host=host, bearer=key)[1] == 200
        assert asks(*there, host=host)[1] == 401
    assert asks(*there, host="evil.example:9400", bearer=key)[1] == 403
    wait_for(lambda: '"asker"' in asks(*there, bearer=key)[2])
    # what happens, and what is decided
    assert "error" in box.talks.do("requests", DENIED, 80, [get("unix-denied", DENIED)])
    wait_for(lambda: DENIED in [e.get("name") for e in json.loads(asks(*there, bearer=key)[2])["events"]])
    host = f"unix.{ZONE}"
    world.dns.names[host] = world.dns.names[REC]
    later = Later(box.talks, host, "by-socket")
    question, = wait_for(lambda: sum(json.loads(asks(*there, bearer=key)[2])["approvals"], []))
    said = json.dumps({"do": "approve", "id": question["number"], "scope": "once", "host": host, "port": 80,
                       "transport": "tcp"})
    ask = dict(path="/decide?session=asker", body=said)
    assert asks(*there, **ask, origin="http://localhost:9400")[1] == 401
    assert asks(*there, **ask, bearer=key, origin="http://localhost:9401")[1] == 403
    assert later.is_alive() and not world.wire.carries(b"by-socket", start)
    assert json.loads(asks(*there, **ask, bearer=key, origin="http://localhost:9400")[2])["ok"]
    assert later.get() and world.recorder.requests(b"by-socket")
    # killed it leaves the socket, which the next one takes, with a token of its own
    old = role(daemon)
    daemon.kill()
    wait_for(lambda: netns.is_dead(old))
    assert place.is_socket() and asks(*there, path="/")[0] == 7
    daemon.start()
    assert token() != key and asks(*there, bearer=key)[1] == 401
    wait_for(lambda: '"asker"' in asks(*there, bearer=token())[2])
    # it takes it along; what is no socket, and one that another serves, it leaves
    daemon.kill(signal.SIGTERM)
    assert not place.exists() and not URL.exists()
    file = stage.ROOT / "no-socket"
    file.write_text("kept")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place))
        other.listen()
        for taken in file, place:
            done = call("daemon", "--foreground", "--dashboard", f"unix:{taken}")
            assert done.code == 125 and f"{taken}: Address already in use" in done.err, done.err
            assert not URL.exists()
    assert file.read_text() == "kept" and place.is_socket()
    place.unlink()


def test_at_the_other_loopback(daemon, box, as_it_was):
    assert moved(daemon, "--dashboard", f"[::1]:{PORT}") == f"http://[::1]:{PORT}/#{token()}"
    there = ["--resolve", f"localhost:80:[::1]", "--connect-to", f"localhost:80:[::1]:{PORT}"]
    for host in f"[::1]:{PORT}", f"localhost:{PORT}":
        assert asks(*there, path="/", host=host)[1] == 200
        assert asks(*there, host=host)[1] == 401
        wait_for(lambda host=host: '"asker"' in asks(*there, host=host, bearer=token())[2])
    for host in "[::1]", f"[::2]:{PORT}", "[::1]:80":
        assert asks(*there, host=host, bearer=token())[1] == 403
    with pytest.raises(ConnectionRefusedError):
        http()
    s = socket.socket(socket.AF_INET6)
    with pytest.raises(OSError):
        s.connect((internet.HOME6, PORT))


# no session's host port

class Loopback:
    """What crosses this machine's own loopback, from now on."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)     # SO_RCVBUFFORCE: a browser is on it too
        self.socket.bind(("lo", 0))
        self.socket.setblocking(False)
        self.seen = b""

    def carries(self, data):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.seen += self.socket.recv(65536)
        return data in self.seen


def hosted(*ports):
    """A policy with ports of this machine: 9000, 9001 and so on in there."""
    maps = ", ".join(f'"{9000 + i}:{port}"' for i, port in enumerate(ports))
    netns.policies(hosted=f"host_ports: [{maps}]\n")


BESIDE = """
import socket
for address in '127.0.0.1', '0.0.0.0':
    for option in socket.SO_REUSEADDR, socket.SO_REUSEPORT:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            s.bind((address, 9000))
            s.listen()
            print(address, option)
        except OSError:
            pass
print('none')
"""


def test_no_host_port_leads_to_the_daemons_pages(daemon, as_it_was, token):
    metrics, lo, server = PORT + 1, Loopback(), sluice.Agent([])
    free = server.ok("serve", 0, "host-server", "127.0.0.1", stay=True)
    moved(daemon, "--dashboard", f"127.0.0.1:{PORT}", "--metrics", f"127.0.0.1:{metrics}")
    other = netns.Box()
    agent = other.agent()

    def reaches(word, port=9000):
        agent.do("requests", "127.0.0.1", port, [get(word, f"127.0.0.1:{port}")])
        return lo.carries(word.encode())

    # not to be attached; and what is there before is no longer served to it
    attach = ["attach", "--pid", other.pid, "-p", "hosted", "--session", "hosted"]
    for port in PORT, metrics:
        hosted(free, port)
        done = call(*attach)
        assert done.code == 125 and done.err.count("\n") == 1 and not daemon.held("hosted")
        assert f"host_ports: port {port} is where the daemon serves its own page" in done.err
    hosted(free)
    other.attach("hosted", "hosted")
    assert reaches(token + "a") and not reaches(token + "b", 9001)
    assert other.enter(sluice.PYTHON, "-c", BESIDE).stdout == "none\n"
    # nor by a reload, which changes no host port
    hosted(free, PORT)
    call("reload", "hosted")
    told = wait_for(lambda: events("hosted", "policy.reload"))
    assert "host_ports cannot change" in told[0]["error"] and not told[0]["changed"]
    assert reaches(token + "c") and not reaches(token + "d", 9001)
    # nor by a daemon that comes later, with its page where the session's port leads: it is told
    hosted(free)
    server.kill()
    for words in ("--dashboard", f"127.0.0.1:{free}"), ("--dashboard", f"127.0.0.1:{PORT}", "--metrics", f"127.0.0.1:{free}"):
        moved(daemon, *words)
        daemon.serves("hosted", limit=30)
        assert not reaches(token + "e")
        assert subprocess.run(["curl", "-sfm9", f"http://127.0.0.1:{free}/{'metrics' if words[2:] else ''}?{token}f"],
                              stdout=subprocess.DEVNULL).returncode == 0
        assert lo.carries((token + "f").encode())
    assert f"host port {free} is the daemon's own page by now" in daemon.errors.read_text()
    assert (9000, "no_rule") in {(e["port"], e["reason"]) for e in events("hosted", "conn.open") if e["verdict"] == "deny"}
    # held again it would be with that policy: it stays closed, until the page is elsewhere
    os.kill(daemon.held("hosted")["keeper"], signal.SIGKILL)
    wait_for(lambda: "where the daemon serves its own page" in (daemon.held("hosted").get("why") or ""), 30)
    assert not reaches(token + "g")
    server = sluice.Agent([])
    moved(daemon, "--dashboard", f"127.0.0.1:{PORT}")
    assert server.ok("serve", free, "host-server", "127.0.0.1", stay=True) == free
    daemon.serves("hosted", limit=30)
    assert reaches(token + "h")
    other.kill()
    server.kill()
    wait_for(lambda: not daemon.held("hosted"))


# more than it looks at

def state():
    return json.loads(http(Authorization=f"Bearer {token()}")[1].partition(b"\r\n\r\n")[2])


def test_of_more_than_it_looks_at_the_page_says_so(daemon, browser, as_it_was):
    other = netns.Box()
    other.attach("asks", "seed")
    like = json.loads((netns.RUN / "held" / "seed.json").read_text())
    assert call("detach", "seed").code == 0
    daemon.kill(signal.SIGTERM)
    crowd = subprocess.Popen([sluice.PYTHON, "-B", CROWD, netns.RUN, "600"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    crowd.stdin.write(json.dumps({**like, "labels": ["long=" + 2000 * "x"]}))
    crowd.stdin.close()
    assert crowd.stdout.readline() == "all\n"
    try:
        daemon.start()
        first = wait_for(lambda: role(daemon))
        browser.js("await page.goto(value); await page.reload()", URL.read_text().strip())
        wait_for(lambda: len(state()["sessions"]) == 512, 30)
        assert len(state()["held"]) == 601 and state()["unseen"] == 89
        assert len(json.dumps(state()["held"])) > 1 << 20
        browser.sees("#beyond", "89 of 601 sessions")
        assert browser.text("#t-sessions") == "601"
        assert role(daemon) == first
    finally:
        other.kill()        # first the namespace: none of them is held again
        crowd.kill()
        crowd.wait()
    wait_for(lambda: [one["session"] for one in daemon.all()] == ["asker"], 30)
    wait_for(lambda: state()["unseen"] == 0 and [one["session"] for one in state()["sessions"]] == ["asker"], 30)
    browser.js("await page.locator('#beyond').waitFor({state: 'hidden'})")


# docs/dashboard.md

@pytest.fixture
def elsewhere(world):
    """Another machine, in inet, from which root of this one is reached by ssh: what goes before a command there."""
    folder = stage.HOME / ".ssh"
    known = folder / "known_hosts"
    was = known.read_text()
    known.write_text(was + f"{internet.HOME4} {(stage.ROOT / 'ssh_host_key.pub').read_text()}")
    config = stage.ROOT / "home-sshd.conf"
    config.write_text(f"ListenAddress {internet.HOME4}:22\nHostKey {stage.ROOT}/ssh_host_key\nPidFile none\n"
                      f"AuthorizedKeysFile {stage.ROOT}/authorized_keys\nStrictModes no\nUsePAM no\n")
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stdin=subprocess.DEVNULL,
                              stderr=open(stage.ROOT / "home-sshd.err", "wb"))

    def listens():
        with socket.socket() as s:
            return s.connect_ex((internet.HOME4, 22)) == 0
    wait_for(listens)
    yield world.outside("setpriv", f"--reuid={stage.UID}", f"--regid={stage.GID}", "--clear-groups")
    server.terminate()
    server.wait(10)
    known.write_text(was)


def test_the_page(daemon, box, elsewhere, as_it_was):
    """As a new user follows it: at this machine, from another one, and the same with a Unix socket."""
    pages.install()
    for serve, tunnel, here in (
            (("dashboard.md", "serve"), ("dashboard.md", "tunnel"), "http://127.0.0.1:9400"),
            (("dashboard.md", "socket"), ("dashboard.md", "tunnel to it"), "http://localhost")):
        daemon.kill(signal.SIGTERM)
        said = follow(*serve)
        try:
            url = URL.read_text()
            assert url == f"{here}/#{token()}\n"
            if here.endswith("9400"):
                assert said.endswith(url)
                wait_for(lambda: b"asker" in asked_of(token()))
            assert asked_of(token(), elsewhere) == b""
            with pages.running(*tunnel, words={"HOST": internet.HOME4}, prefix=elsewhere, env=sluice.environment()) as ssh:
                assert ssh.stdout.readline() == url
                wait_for(lambda: b"asker" in asked_of(token(), elsewhere), 20)
                assert b"asker" not in asked_of(token()[:-1] + "x", elsewhere)
        finally:
            pages.end_daemon()


def asked_of(key, prefix=()):
    """What the page at port 9400 tells who has that token."""
    return subprocess.run([*prefix, "curl", "-sm10", "-H", f"Authorization: Bearer {key}", "http://localhost:9400/state"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=20).stdout
