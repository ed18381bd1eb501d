# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus takes the page, and every expression of the dashboard.

Grafana is not in Debian, so that the dashboard loads there is not tried: its JSON has what a
dashboard has, names only metrics that there are, and Prometheus evaluates each expression.
"""
import json
import pathlib
import re
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

import scrape
import sluice
import stage
from stage import ZONE
from terminals import until

REC = f"rec.{ZONE}"
DASHBOARD = json.loads((pathlib.Path(__file__).parents[2] / "packaging" / "grafana" /
                        "sluice.json").read_text())
EXPRESSIONS = [t["expr"] for p in DASHBOARD["panels"] for t in p["targets"]]
NAME = re.compile(r"\b(?:agent|sluice)_[a-z_]+")


def get(token="x"):
    return f"GET /{token} HTTP/1.1\r\nHost: {REC}\r\n\r\n"


@pytest.fixture
def agent(jail):
    agent = jail("--metrics", "127.0.0.1:0", "--session", "watched", "-q", "--allow", f"{REC}:80")
    agent.ok("requests", REC, 80, [get(), get()])
    agent.fails("tcp", "21.9.0.40", 80)
    agent.do("resolve", f"denied.{ZONE}")
    return agent


def test_promtool_has_nothing_to_say(agent):
    page = scrape.page(scrape.port(agent)).text
    done = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and done.stdout == "", done.stdout
    broken = subprocess.run(["promtool", "check", "metrics"], input=page.replace(" gauge\n", " gauged\n"),
                            text=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert broken.returncode != 0


def test_dashboard_has_what_a_dashboard_has(agent):
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(DASHBOARD)
    ids = [p["id"] for p in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids) > 10
    taken = set()
    for panel in DASHBOARD["panels"]:
        assert panel["type"] in ("timeseries", "stat") and panel["title"] and panel["targets"]
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken
        taken |= cells
        assert len({t["refId"] for t in panel["targets"]}) == len(panel["targets"])
    def names():
        return {name for name, _ in scrape.page(scrape.port(agent)).numbers}
    used = set(NAME.findall(" ".join(EXPRESSIONS)))
    # what the kernel refused is counted a moment later
    assert until(lambda: used <= names()), used - names()
    exported = names()
    # and all that is exported is to be seen but for a few that say it another way
    assert {n for n in exported if n.endswith("_total")} - used == \
        {"sluice_policy_reloads_total", "sluice_records_total", "sluice_webhook_sent_total"}


class Prometheus:
    def __init__(self, folder, target):
        self.port = 9090        # none that a client gets; nobody else listens in here
        config = folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                          "scrape_configs:\n- job_name: sluice\n  static_configs:\n"
                          f"  - targets: ['127.0.0.1:{target}']\n")
        stage.give(folder)
        self.log = open(folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=folder,
            **sluice.as_user())

    def query(self, expression):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + \
            urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=5) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]["result"]

    def wait(self, expression, value):
        deadline = time.monotonic() + 60
        while True:
            try:
                found = self.query(expression)
                if found and float(found[0]["value"][1]) == value:
                    return found
            except OSError:
                found = "no answer"
            assert time.monotonic() < deadline, (expression, found)
            time.sleep(0.2)

    def end(self):
        self.process.kill()
        self.process.wait(20)
        self.log.close()


def test_prometheus_scrapes_it(agent, place):
    prometheus = Prometheus(place, scrape.port(agent))
    try:
        prometheus.wait("up", 1)
        (found,) = prometheus.wait('sluice_http_requests_total{method="GET",verdict="allow"}', 2)
        assert found["metric"]["session"] == "watched"
        prometheus.wait("sum(agent_network_blocked_connections_total)", 1)
        agent.ok("requests", REC, 80, [get()] * 3)
        agent.fails("tcp", "21.9.0.40", 80)
        prometheus.wait("sum(agent_network_blocked_connections_total)", 2)
        prometheus.wait('sum(sluice_http_requests_total{verdict="allow"})', 5)
        prometheus.wait('sum(rate(sluice_http_requests_total[30s])) > bool 0', 1)
        empty = []
        for expression in EXPRESSIONS:
            expression = expression.replace("$__rate_interval", "30s").replace("$session", ".*")
            if not prometheus.query(expression):
                empty.append(expression)
        # what shows only what is not 0, and there were no alerts
        assert [e for e in empty if "> 0" not in e] == [] and len(empty) <= 1, empty
    finally:
        prometheus.end()
