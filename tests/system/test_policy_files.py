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


def shipped():
    return json.loads(sluice.call("presets", "--format", "json").out)


def matches(pattern, text):
    """A second opinion on patterns: '*' stops at '/', '**' does not, and may be no segment."""
    words = {"/**/": "/(.*/)?", "**": ".*", "*": "[^/]*"}
    parts = re.split(r"(/\*\*/|\*\*|\*)", pattern)
    return re.fullmatch("".join(words.get(p, re.escape(p)) for p in parts), text)


def cases_of(name):
    for line in (CASES / "presets" / f"{name}.yaml").read_text().splitlines():
        found = re.match(r'- \{target: "(?:([A-Z]+) )?https?://([^/"]+)([^"]*)", verdict: (\w+)'
                         r'(?:, reason: (\w+))?\}', line)
        if found:
            yield found[1] or "GET", *found.groups()[1:]


def is_of(host, name):
    return name.endswith(host[1:]) if host.startswith("*") else name == host


def test_every_kind_of_request_has_cases(world):
    """What a preset reads with has a case that passes, and each host one that does not."""
    counted = 0
    for preset in shipped():
        cases = list(cases_of(preset["name"]))
        for host in (h for h in preset["hosts"] if h["host"]):     # else it is a network
            mine = [c for c in cases if is_of(host["host"], c[1])]
            for read in host["read"] or []:
                for method in read["methods"]:
                    for path in read["paths"] or ["/**"]:
                        counted += 1
                        assert [c for c in mine if c[0] == method and c[3] == "allow"
                                and matches(path, c[2].partition("?")[0])], (host["host"], read)
            shut = [c for c in mine if c[4] in ("method", "path")]
            assert bool(shut) == bool(host["read"]), host["host"]
    assert counted > 900


REPOS = ["acme/tool", "open/*"]
INSIDE = ["acme/tool", "open/one", "open/two"]
OUTSIDE = ["acme/tool2", "acme/too", "acme2/tool", "Acme/tool", "open2/one", "x/acme/tool", "acme"]


def repo_cases(preset):
    """(target, repository) for each way in which a preset's paths name one."""
    for host in preset["hosts"]:
        for read in host["read"] or []:
            templates = read["repos"] or (not read["paths"] and host["repos"]) or []
            for template in templates:
                for repo in INSIDE + OUTSIDE:
                    path = template.replace("{repo}", repo).replace("**", "x/y.z")
                    for method in read["methods"]:
                        yield f"{method} https://{host['host']}{path}", repo


@pytest.mark.parametrize("name", ["github", "gitlab", "git-forges-other"])
def test_repos_pin_every_template(policy, name):
    (preset,) = [p for p in shipped() if p["name"] == name]
    rules = policy(f"version: 1\nallow: [{{preset: {name}, repos: {json.dumps(REPOS)}}}]\n")
    # a path of another repository may well be one below a pinned one: "/open/**" is no template
    cases = [(t, "allow" if repo in INSIDE else "deny") for t, repo in repo_cases(preset)]
    assert len(cases) > 50
    text = "".join(f"- {{target: {json.dumps(t)}, verdict: {v}"
                   + (", reason: path}\n" if v == "deny" else "}\n") for t, v in cases)
    done = policy_command("test", policy(text, "cases.yaml"), "-p", rules)
    assert done.code == 0, done.out + done.err
    # whoever has templates is in the list above
    assert {p["name"] for p in shipped() if any(h["repos"] for h in p["hosts"])} \
        == {"github", "gitlab", "git-forges-other"}


def test_repos_over_ssh_are_refused(policy):
    rules = policy("version: 1\nallow: [{preset: 'github:ssh', repos: [acme/*]}]\n")
    done = policy_command("lint", rules)
    assert done.code == 125 and "no repository can be seen" in done.err
    rules = policy("version: 1\nallow: [{preset: 'github:write', repos: [acme/*]}]\n")
    for target, code in (("POST https://github.com/acme/a.git/git-receive-pack", 0),
                         ("https://github.com/acme/a.git/info/refs?service=git-receive-pack", 0),
                         ("POST https://github.com/acme2/a.git/git-receive-pack", 1),
                         ("POST https://uploads.github.com/repos/acme/a/releases/1/assets", 0),
                         ("github.com:22", 1), ("PUT https://codeload.github.com/x/y/z", 1)):
        assert sluice.call("check", "--only", "-p", rules, target).code == code, target


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


# Of these every host is only read, and none is shared by strangers
@pytest.mark.parametrize("name", ["npm", "pypi", "github", "rust", "go"])
def test_lint_is_silent_about_presets_that_read(policy, name):
    done = policy_command("lint", "--strict", policy(f"version: 1\npresets: [{name}]\n"))
    assert (done.code, done.out, done.err) == (0, "", "")
    done = policy_command("lint", policy(f"version: 1\npresets: ['{name}:write']\n"))
    assert done.code == 0 and "data can be left" in done.out


def test_lint_tells_of_repos_that_pin_nothing(policy):
    narrowed = "allow: [{preset: github, repos: [acme/*]}]\n"
    assert policy_command("lint", "--strict", policy(f"version: 1\n{narrowed}")).code == 0
    done = policy_command("lint", policy(f"version: 1\npresets: [github]\n{narrowed}"))
    assert re.search(r"allow.0.|github.com: rule preset:github.0. allows all of this", done.out)


@pytest.mark.parametrize("args", [["lint", "/nowhere"], ["show", "/nowhere"], ["diff", "/a"],
                                  ["test"], ["bend"], []])
def test_errors_are_125_and_one_line(world, args):
    done = sluice.call("policy", *args)
    assert done.code == 125 and len(done.err.strip().splitlines()) == 1
