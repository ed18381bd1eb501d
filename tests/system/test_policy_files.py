# SPDX-License-Identifier: Apache-2.0
"""sluice policy: lint, show, test, diff; and the cases that come with every preset."""
import json
import re

import pytest

import sluice
import stage

CASES = stage.TOP / "tests" / "cases"
PRESETS = sorted(path.stem for path in (CASES / "presets").glob("*.yaml"))
PUBLISHED = ["requests", "names", "gateway"]


def policy_command(word, *args, **kwargs):
    return sluice.call("policy", word, "--only", *args, **kwargs)


@pytest.mark.parametrize("name", PRESETS)
def test_cases_of_preset(world, place, name):
    """NAME.yaml is for --preset NAME, NAME.VARIANT.yaml for NAME:VARIANT."""
    cases = place / "cases.yaml"
    cases.write_text((CASES / "presets" / f"{name}.yaml").read_text())
    stage.give(place)
    done = policy_command("test", "--preset", name.replace(".", ":"), cases)
    assert done.code == 0, done.out + done.err
    # positive control: without the preset none of it is allowed
    assert policy_command("test", cases).code == 1


def test_every_preset_and_variant_has_cases(world):
    presets = json.loads(sluice.call("presets", "--format", "json").out)
    names = {p["name"] for p in presets}
    names |= {f"{p['name']}.{v['variant']}" for p in presets for v in p["variants"]}
    assert names == set(PRESETS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_examples(world, policy, name):
    folder = CASES / "published"
    rules = policy((folder / f"{name}.policy.yaml").read_text())
    cases = policy((folder / f"{name}.yaml").read_text(), "cases.yaml")
    done = policy_command("test", cases, "-p", rules)
    assert done.code == 0, done.out + done.err
    assert policy_command("test", cases).code == 1


RULES = "version: 1\nallow:\n  - host: a.example\n  - {host: b.example, ports: [22]}\n"


def test_what_differs_is_printed(policy):
    rules = policy(RULES)
    cases = policy("- {target: https://a.example/, verdict: allow, reason: allowed}\n"
                   "- {target: https://a.example/, verdict: deny}\n"
                   "- {target: https://c.example/, verdict: deny, reason: port}\n", "cases.yaml")
    done = policy_command("test", cases, "-p", rules)
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == f"{cases}:2: https://a.example/: allow (allowed), not deny"
    assert lines[1] == f"{cases}:3: https://c.example/: deny (no_rule), not deny (port)"
    assert "2 of 3" in lines[2]


BAD = {
    "no-list": "target: https://a.example/\n", "empty": "[]\n", "verdict": "- {target: a:1}\n",
    "word": "- {target: 'a:1', verdict: maybe}\n", "key": "- {target: 'a:1', verdict: deny, x: y}\n",
    "reason": "- {target: 'a:1', verdict: deny, reason: because}\n",
    "target": "- {target: 'a', verdict: deny}\n", "yaml": "- [\n", "null": "-\n",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_cases_are_an_error(policy, name):
    done = policy_command("test", policy(BAD[name], "cases.yaml"))
    assert done.code == 125 and len(done.err.strip().splitlines()) == 1
    assert re.search(r"cases\.yaml:\d+:\d+: ", done.err), done.err


def bare(text):
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def test_show_loads_again_as_the_same(policy):
    rules = policy(RULES + "presets: [npm, 'github:ssh']\ndeny: [{host: c.example, reason: x}]\n")
    first = policy_command("show", rules)
    assert first.code == 0
    assert f"# policy, {rules}:3\n  - host: \"a.example\"" in first.out
    assert "preset github:" in first.out
    again = policy_command("show", policy(first.out, "shown.yaml"))
    assert again.code == 0 and bare(again.out) == bare(first.out)
    done = policy_command("diff", rules, policy(first.out, "shown.yaml"))
    assert done.code == 0 and "Nothing becomes allowed" in done.out


def test_diff_says_what_opens_and_what_stops(policy):
    old = policy(RULES, "old.yaml")
    new = policy("version: 1\nallow:\n  - {host: a.example, ports: [443]}\n"
                 "  - {host: '*.c.example', ports: [80], methods: [GET]}\n", "new.yaml")
    done = policy_command("diff", old, new)
    assert done.code == 0
    assert done.out.splitlines() == [
        "Becomes allowed:", "  + GET on *.c.example:80",
        "Stops being allowed:", "  - a.example:80", "  - b.example:22"]


LINTS = {
    "hosting": ("allow: [{host: '*.github.io', unsafe_wildcard: true}]", "strangers"),
    "leaks": ("allow: [{host: registry.npmjs.org}]", "data can be left"),
    "expired": ("allow: [{host: a.example, expires: 2020-01-01}]", "expired"),
    "denied": ("allow: [{host: a.example}]\ndeny: [{host: .example}]", "never matches"),
    "partly": ("allow: [{host: a.example}]\ndeny: [{host: a.example, ports: [80]}]",
               "some ports only"),
    "doubled": ("allow: [{host: '*.a.example'}, {host: b.a.example}]", "already"),
    "env": ("allow: [{host: a.example, inject: {header: X-Key, value: '${env:NO_SUCH}'}}]",
            "NO_SUCH"),
    "wide": ("allow: [{ip: 8.0.0.0/8, ports: [22]}]", "wide"),
    "tcp": ("allow: [{host: a.example, ports: [443], protocol: tcp}]", "not looked at"),
    "ech": ("allow: [{host: a.example, ech: allow}]", "hide"),
    "fronts": ("allow: [{host: d1.cloudfront.net}]", "other names"),
}


@pytest.mark.parametrize("name", LINTS)
def test_lint_warns(policy, name):
    rules, word = LINTS[name]
    path = policy(f"version: 1\n{rules}\n")
    done = policy_command("lint", path)
    assert done.code == 0 and word in done.out, done.out + done.err
    assert policy_command("lint", "--strict", path).code == 1


def test_lint_is_silent_about_good_rules(policy):
    path = policy("version: 1\nallow: [{host: a.example}, {host: b.example, ports: [22]}]\n"
                  "deny: [{host: c.example}]\n")
    done = policy_command("lint", "--strict", path)
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("args", [["lint", "/nowhere"], ["show", "/nowhere"], ["diff", "/a"],
                                  ["test"], ["bend"], []])
def test_errors_are_125_and_one_line(world, args):
    done = sluice.call("policy", *args)
    assert done.code == 125 and len(done.err.strip().splitlines()) == 1
