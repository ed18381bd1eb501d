# SPDX-License-Identifier: Apache-2.0
"""The report: true to the log or refused, and a page that a browser takes without a word."""
import html.parser
import re
import subprocess

import pytest

import sluice
import stage
from stage import ZONE

REC = f"rec.{ZONE}"


def get(token="x"):
    return f"GET /{token} HTTP/1.1\r\nHost: {REC}\r\n\r\n"


@pytest.fixture(scope="module")
def done(world):
    agent = sluice.jail("-q", "--allow", f"{REC}:80")
    agent.ok("requests", REC, 80, [get()] * 3)
    for _ in range(2):
        agent.fails("tcp", "21.9.0.40", 80)
    agent.do("resolve", f"denied.{ZONE}")
    agent.ok("command", "sleep", "1.5")
    agent.ok("requests", REC, 80, [get()])
    return agent.end()


class Tables(html.parser.HTMLParser):
    """The cells of each row, the text of headings, and how many elements of each kind."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.cell = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        self.cell = [] if tag in ("td", "th") else None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append("".join(self.cell))
            self.cell = None


def test_page_in_a_browser(done, place):
    report = sluice.call("report", "--format", "json", done.log).json()
    page = place / "report.html"
    page.write_text(sluice.call("report", "--format", "html", done.log).out)
    stage.give(place)

    def browse(path):
        return subprocess.run(
            ["chromium", "--headless=new", "--disable-gpu", f"--user-data-dir={place / 'profile'}",
             "--no-first-run", "--enable-logging=stderr", "--dump-dom", f"file://{path}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=sluice.environment(), cwd=place, timeout=90, **sluice.as_user())
    shown = browse(page)
    assert shown.returncode == 0, shown.stderr
    assert "CONSOLE" not in shown.stderr, shown.stderr
    tables = Tables(shown.stdout)
    rows = tables.rows
    words = dict(r for r in rows if len(r) == 2)
    assert words["connections"] == str(report["totals"]["connections"]) == "4"
    assert words["denied"] == str(report["totals"]["denied"])
    assert words["alerts"] == str(report["totals"]["alerts"])
    (host,) = report["hosts"]
    assert [host["host"], str(host["connections"])] in [r[:2] for r in rows]
    for d in report["denials"]:
        place_of = d["host"] + (f":{d['port']}" if d["port"] else "")
        assert [str(d["count"]), place_of, d["reason"], d["suggest"]] in rows
    for slot in report["timeline"]:
        if slot["connections"] or slot["denied"]:
            assert [slot["from"], str(slot["connections"]), str(slot["denied"])] in \
                [r[:3] for r in rows]
    bars = [a for tag, a in tables.tags if tag == "rect"]
    assert len(bars) == 2 * len(report["timeline"]) >= 4
    # nothing is loaded from anywhere
    assert not [t for t in tables.tags if t[0] in ("script", "link", "img", "iframe")]
    assert not re.search(r"(src|href|url)\s*[=(]", page.read_text())
    # the positive control: a page with a mistake is told of
    page.write_text(page.read_text().replace("</body>", "<script>no.such()</script></body>"))
    assert "CONSOLE" in browse(page).stderr


def test_timeline_adds_up(done):
    report = sluice.call("report", "--format", "json", done.log).json()
    slots, totals = report["timeline"], report["totals"]
    assert sum(s["denied"] for s in slots) == totals["denied"]
    assert sum(s["connections"] for s in slots) == \
        sum(e["verdict"] == "allow" for e in done.of("conn.open"))
    assert sum(s["bytes"] for s in slots) == totals["bytes_out"] + totals["bytes_in"]


@pytest.mark.core
def test_a_log_that_was_changed_is_refused(done, place):
    changed = place / "changed.jsonl"
    changed.write_bytes(done.log.read_bytes().replace(b'"verdict":"deny"', b'"verdict":"allow"', 1))
    stage.give(place)
    refused = sluice.call("report", changed)
    assert refused.code == 125 and refused.out == "" and "--unverified" in refused.err
    told = sluice.call("report", "--unverified", changed)
    assert told.code == 0 and REC in told.out
    assert sluice.call("report", done.log).code == 0


@pytest.mark.parametrize("form,sign", [("text", "sluice report\n"), ("markdown", "# sluice report\n"),
                                       ("html", "<!DOCTYPE html>"), ("json", '{"sessions":1')])
def test_at_the_end_of_a_run(world, form, sign):
    done = sluice.run(f"--report={form}", command=["true"])
    assert done.code == 0 and done.err.startswith(sign)
