# SPDX-License-Identifier: Apache-2.0
"""`sluice top` as a person sees it: on the screen of a tmux."""
import re
import time

import pytest

import dnsd
import internet
import sluice
from stage import ZONE
from terminals import Tmux, until
from waiting import wait_for
from test_control import ASK, approvals, asking, events, post, wish

REC = f"rec.{ZONE}"


@pytest.fixture
def top(world):
    made = []

    def start(**kwargs):
        made.append(Tmux(sluice.PROGRAM, "top", **kwargs))
        return made[-1]
    yield start
    for one in made:
        one.kill()


def joined(text):
    """The rows as one; what goes on in another row has a mark."""
    return text.replace("\n  | ", "").replace("\n", " ")


def test_shows_what_goes_on(world, jail, asking, top, place):
    one = jail("--only", "--session", "first", "--allow", f"{REC}:80,9999", "--allow", f"www.{ZONE}")
    two = asking("", "--session", "second")
    one.ok("hold", REC, 9999, 3, stay=True)
    one.do("tcp", REC, 8080, "x")
    one.ok("popen", "sh", "-c", f"for i in $(seq 100); do curl -sS -o /dev/null http://www.{ZONE}/hello; sleep 0.1; done", stay=True)
    two.ok("dns", "8.8.8.8", dnsd.question("ev\x1b[2J\x07il.example", 1).hex(), False)
    host = ".".join(["github.com", "a" * 60, "b" * 60, "c" * 30, ZONE])
    assert " 202 " in post(two, wish(host, 80, "please\n\x1b[2J\x1b[31m b\u00fcro \u202eyes"))
    t = top(columns=70)
    t.until(r"(?s)sluice top: 2 sessions.*first  filtered  pid.*second  filtered  pid")
    rates = re.compile(r"first .* conn/s (\d+) .* in (\d+) B/s  out (\d+) B/s .*second")
    assert until(lambda: (found := rates.search(joined(t.screen()))) and int(found[1]) <= 10 and
                 min(int(found[2]), int(found[3])) > 50), t.screen()
    text = t.screen()
    lines = joined(text)
    assert re.search(r"first  filtered  pid \d+  open \d+ .* denied 2 .* waiting 0 +3  rec\.farm\.example", lines)
    assert f"denied 2 times  {REC}:8080  (port)" in lines
    assert r"denied 1 times  ev\027[2j\007il.example:0  (no_rule)" in lines
    # whole, though it is longer than a row: its end says whose it is
    assert re.search(rf"> second/1  {re.escape(host)}:80  \d+ s left  the agent says: please\\x0a\\x1b\[2J\\x1b\[31m "
                     r"b\u00fcro \\xe2\\x80\\xaeyes", lines), text
    t.resize(40, 300)
    t.until(rf"(?m)^> second/1  {re.escape(host)}:80  .*yes$")
    t.type("q")
    assert "sluice top" not in t.until("its code was 0").string


READ = 1.0      # seconds in which a question that came in another's place is not yet decided


def swapped(asking, top, fresh):
    """Another question is chosen, and y typed so soon.  None: this machine was too slow for it."""
    good, bad = (fresh(addresses=[internet.RECORDER4]) for _ in range(2))
    session = f"swap{time.monotonic_ns() % 1000000}"
    agent = asking("", "--session", session)
    agent.ok("hold", good, 9999, 1, stay=True)
    t = top(rows=8)
    t.until(rf"> {session}/1  {good}:9999 ")
    agent.ok("hold", bad, 9999, 1, stay=True)
    t.until(rf" {session}/2  {bad}:9999 ")
    start = time.monotonic()
    assert sluice.call("reject", f"{session}/1").code == 0
    t.until(rf"> {session}/2  {bad}:9999 ")
    t.type("y")
    if time.monotonic() - start < READ:
        return agent, bad, t
    agent.kill()
    return None


def test_key_is_about_what_was_read(world, asking, top, fresh):
    """An agent can withdraw a question, and have another one stand in its place."""
    agent, bad, t = wait_for(lambda: swapped(asking, top, fresh), 60)
    t.until("another question came: read it first")
    assert [q["host"] for q in approvals()] == [bad]
    assert [e["decision"] for e in events(agent, "approval")] == ["denied"]
    time.sleep(1)
    t.type("y")
    t.until("/2: approved")
    assert until(lambda: [e["decision"] for e in events(agent, "approval")] == ["denied", "approved"])


def test_chosen_question_is_on_the_screen(asking, top):
    agent = asking("", "--session", "many")
    for number in range(20):
        post(agent, wish(f"host{number}.example"))
    t = top(rows=8)
    t.until("> many/1 ")
    assert "many/19" not in t.screen()
    t("send-keys", "-t", "one", "-N", 19, "Down")
    t.until("> many/20  host19.example:80 ")
    t.type("y")
    t.until("many/20: approved")
    t.until("> many/1 ")
    t.key("Up")
    assert len(approvals()) == 19
