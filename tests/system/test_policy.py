# SPDX-License-Identifier: Apache-2.0
"""Policy files: what is wrong is one line with its place, and nothing runs."""
import json
import pathlib
import re

import pytest

import sluice
import stage
from stage import HOME, ZONE

# name: text, line of the mistake, column or None, words that the message must hold
BAD = {
    "empty": ("", 1, None, []),
    "no-version": ("mode: filtered\n", 1, None, ["version"]),
    "version-2": ("version: 2\n", 1, 10, ["2", "1"]),
    "version-text": ("version: one\n", 1, 10, ["one"]),
    "not-a-map": ("- version: 1\n", 1, 1, []),
    "unknown-key": ("version: 1\nalow:\n  - host: a.example\n", 2, 1, ["alow", "allow"]),
    "unknown-rule-key": ("version: 1\nallow:\n  - hots: a.example\n", 3, 5, ["hots", "host"]),
    "duplicate-key": ("version: 1\nmode: filtered\nmode: isolated\n", 3, 1, ["mode"]),
    "duplicate-rule-key": ("version: 1\nallow:\n  - host: a.example\n    host: b.example\n", 4, 5,
                           ["host"]),
    "duplicate-id": ("version: 1\nallow:\n  - {host: a.example, id: x}\n"
                     "  - {host: b.example, id: x}\n", 4, None, ["x"]),
    "bad-mode": ("version: 1\nmode: open\n", 2, 7, ["open", "filtered", "isolated"]),
    "default-allow": ("version: 1\ndefault: allow\n", 2, 10, ["allow"]),
    "allow-is-text": ("version: 1\nallow: a.example\n", 2, 8, []),
    "rule-is-text": ("version: 1\nallow:\n  - a.example\n", 3, 5, ["a.example"]),
    "rule-without-target": ("version: 1\nallow:\n  - {ports: [443]}\n", 3, 5, ["host"]),
    "host-and-ip": ("version: 1\nallow:\n  - {host: a.example, ip: 1.2.3.4, ports: [1]}\n", 3, None,
                    []),
    "host-empty": ("version: 1\nallow:\n  - host: ''\n", 3, 11, []),
    "host-number": ("version: 1\nallow:\n  - host: [a]\n", 3, 11, []),
    "host-space": ("version: 1\nallow:\n  - host: a b.example\n", 3, 11, ["a b.example"]),
    "host-url": ("version: 1\nallow:\n  - host: https://a.example/\n", 3, 11, []),
    "host-port": ("version: 1\nallow:\n  - host: a.example:443\n", 3, 11, ["a.example:443"]),
    "host-inner-star": ("version: 1\nallow:\n  - host: a.*.example\n", 3, 11, ["*"]),
    "host-star": ("version: 1\nallow:\n  - host: '*'\n", 3, 11, []),
    "host-public-suffix": ("version: 1\nallow:\n  - host: '*.com'\n", 3, 11, ["suffix com"]),
    "host-private-suffix": ("version: 1\nallow:\n  - host: '*.github.io'\n", 3, 11, ["github.io"]),
    "host-dot-suffix": ("version: 1\nallow:\n  - host: .co.uk\n", 3, 11, ["co.uk"]),
    "host-label-long": (f"version: 1\nallow:\n  - host: {'a' * 64}.example\n", 3, 11, []),
    "host-is-an-address": ("version: 1\nallow:\n  - host: 1.2.3.4\n", 3, 11, ["ip"]),
    "ip-bad": ("version: 1\nallow:\n  - {ip: 1.2.3.400, ports: [1]}\n", 3, 10, ["1.2.3.400"]),
    "ip-host-bits": ("version: 1\nallow:\n  - {ip: 10.0.0.1/8, ports: [1]}\n", 3, 10, ["10.0.0"]),
    "ip-prefix": ("version: 1\nallow:\n  - {ip: 10.0.0.0/33, ports: [1]}\n", 3, 10, []),
    "ip-without-ports": ("version: 1\nallow:\n  - ip: 10.0.0.1\n", 3, None, ["ports"]),
    "ports-zero": ("version: 1\nallow:\n  - {host: a.example, ports: [0]}\n", 3, 31, ["0"]),
    "ports-large": ("version: 1\nallow:\n  - {host: a.example, ports: [65536]}\n", 3, 31,
                    ["65536"]),
    "ports-reverse": ("version: 1\nallow:\n  - {host: a.example, ports: ['90-80']}\n", 3, 31,
                      ["90-80"]),
    "ports-text": ("version: 1\nallow:\n  - {host: a.example, ports: [https]}\n", 3, 31, ["https"]),
    "ports-protocol": ("version: 1\nallow:\n  - {host: a.example, ports: [80/sctp]}\n", 3, 31,
                       ["sctp"]),
    "ports-scalar-53": ("version: 1\nallow:\n  - {host: a.example, ports: [53/udp]}\n", 3, 31,
                        ["53"]),
    "ports-853": ("version: 1\nallow:\n  - {host: a.example, ports: [853]}\n", 3, 31, ["853"]),
    "ports-empty": ("version: 1\nallow:\n  - {host: a.example, ports: []}\n", 3, None, ["ports"]),
    "protocol-bad": ("version: 1\nallow:\n  - {host: a.example, protocol: ftp}\n", 3, 33,
                     ["ftp", "tls"]),
    "private-text": ("version: 1\nallow:\n  - {host: a.example, private: maybe}\n", 3, 32,
                     ["maybe"]),
    "preset-unknown": ("version: 1\npresets: [no-such]\n", 2, 11, ["no-such"]),
    "private-networks-bad": ("version: 1\nprivate_networks: [10.0.0.0/99]\n", 2, 20, []),
    "host-ports-bad": ("version: 1\nhost_ports: [99999]\n", 2, 14, ["99999"]),
    "publish-bad": ("version: 1\npublish: [-1]\n", 2, 11, ["-1"]),
    "synthetic-small": ("version: 1\ndns:\n  synthetic: [28.0.0.0/31]\n", 3, 15, []),
    "dns-unknown": ("version: 1\ndns:\n  colour: red\n", 3, 3, ["colour"]),
    "tab": ("version: 1\nallow:\n\t- host: a.example\n", 3, None, []),
    "unclosed": ("version: 1\nallow: [\n", None, None, []),
    "two-documents": ("version: 1\n---\nversion: 1\n", 2, None, []),
    "anchor-loop": ("version: 1\nallow: &a [*a]\n", 2, None, []),
    "not-utf8": (b"version: 1\n# \xff\xfe\n", None, None, []),
    "nul": (b"version: 1\nmode: fil\0tered\n", None, None, []),
    "deny-unknown": ("version: 1\ndeny:\n  - {host: a.example, private: true}\n", 3, None,
                     ["private"]),
    "not-yet-or-never": ("version: 1\nsurprise: true\n", 2, 1, ["surprise"]),
    "null-value": ("version: 1\nallow:\n", 2, None, []),
    "merge-key": ("version: 1\nbase: &b {host: a.example}\nallow:\n  - {<<: *b}\n", 2, None, []),
}


@pytest.mark.core
@pytest.mark.parametrize("name", BAD)
def test_bad_policy_is_one_line_with_its_place(place, policy, name):
    text, line, column, words = BAD[name]
    path = place / "policy.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    stage.give(place)
    done = sluice.call("run", "-p", path, "--", "touch", place / "ran")
    assert done.code == 125
    assert not (place / "ran").exists()
    assert len(done.err.strip().splitlines()) == 1, done.err
    found = re.search(rf"{re.escape(str(path))}:(\d+):(\d+): ", done.err)
    assert found, done.err
    if line:
        assert int(found[1]) == line, done.err
    if column:
        assert int(found[2]) == column, done.err
    for word in words:
        assert word in done.err
    check = sluice.call("check", "-p", path, "https://a.example/")
    assert check.code == 125


GOOD = {
    "least": "version: 1\n",
    "empty-lists": "version: 1\nallow: []\ndeny: []\npresets: []\n",
    "all-keys": f"""
version: 1
mode: filtered
default: deny
allow:
  - {{host: rec.{ZONE}, ports: [443, 80, "8000-8010", "123/udp"], protocol: auto, reason: x, id: y}}
  - {{host: "*.{ZONE}"}}
  - {{host: .deep.{ZONE}}}
  - {{ip: 203.0.113.0/24, ports: [22]}}
  - {{host: db.corp.example, ports: [5432], private: true}}
deny:
  - {{host: "*.pastebin.com", reason: no, id: z}}
  - {{ip: 198.51.100.0/24}}
private_networks: [10.20.0.0/16, "fd00:20::/32"]
host_ports: [5432]
publish: [3000]
dns:
  synthetic: [28.0.0.0/12, "2d00:736c::/64"]
""",
    "json": '{"version": 1, "allow": [{"host": "a.example"}]}',
    "comments": "# one\nversion: 1 # two\n",
    "no-newline": "version: 1",
}


@pytest.mark.parametrize("name", GOOD)
def test_good_policy(policy, name):
    done = sluice.call("check", "--only", "-p", policy(GOOD[name]), "https://nothing.example/")
    assert done.code == 1, done.err


def test_unreadable_policy_is_an_error(place):
    path = place / "policy.yaml"
    path.write_text("version: 1\n")
    path.chmod(0)
    done = sluice.call("run", "-p", path, "--", "touch", place / "ran")
    assert done.code == 125 and not (place / "ran").exists()


def check(*options, target):
    done = sluice.call("check", "--format", "json", *options, target)
    return json.loads(done.out)


def test_several_policies_add_up(policy):
    one = policy("version: 1\nallow: [{host: a.example}]\n", "one.yaml")
    two = policy("version: 1\nallow: [{host: b.example}]\ndeny: [{host: a.example}]\n", "two.yaml")
    assert check("-p", one, target="https://a.example/")["verdict"] == "allow"
    assert check("-p", one, "-p", two, target="https://b.example/")["verdict"] == "allow"
    found = check("-p", one, "-p", two, target="https://a.example/")
    assert (found["verdict"], found["reason"]) == ("deny", "deny_rule")


@pytest.fixture
def user_layer(world):
    folder = HOME / ".config" / "sluice"

    def write(text):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.yaml").write_text(text)
        stage.give(HOME / ".config")
    yield write
    (folder / "policy.yaml").unlink(missing_ok=True)


@pytest.fixture
def system_layer(world):
    folder = pathlib.Path("/etc/sluice")

    def write(text, mode=0o644):
        folder.mkdir(exist_ok=True)
        (folder / "policy.yaml").write_text(text)
        (folder / "policy.yaml").chmod(mode)
    yield write
    (folder / "policy.yaml").unlink(missing_ok=True)


def test_user_layer_applies_and_only_leaves_it_out(user_layer):
    user_layer("version: 1\nallow: [{host: user.example}]\n")
    found = check(target="https://user.example/")
    assert (found["verdict"], found["layer"]) == ("allow", "user")
    assert check("--only", target="https://user.example/")["verdict"] == "deny"


def test_system_layer_applies_with_only_too(system_layer):
    system_layer("version: 1\ndeny: [{host: bad.example, reason: never}]\n")
    for options in ((), ("--only",)):
        found = check(*options, "--allow", "bad.example", target="https://bad.example/")
        assert (found["verdict"], found["reason"], found["layer"]) \
            == ("deny", "deny_rule", "system")


@pytest.mark.parametrize("spoil", ["bad", "unreadable"])
def test_spoilt_system_layer_stops_everything(system_layer, spoil):
    system_layer("version: 1\n" if spoil == "unreadable" else "version: 9\n",
                 0o600 if spoil == "unreadable" else 0o644)
    assert sluice.call("run", "--only", "--", "true").code == 125
    assert sluice.call("check", "https://a.example/").code == 125


def test_project_layer_that_is_not_trusted_opens_nothing(place, token, world):
    (place / ".sluice.yaml").write_text(
        f"version: 1\nallow: [{{host: rec.{ZONE}}}]\ndeny: [{{host: www.{ZONE}}}]\n")
    stage.give(place)
    done = sluice.run("--allow", f"www.{ZONE}", cwd=place, command=[
        "sh", "-c", f"curl -sm3 http://rec.{ZONE}/{token}; curl -sm3 http://www.{ZONE}/{token}"])
    assert not world.arrived(token.encode())
    assert done.code == 125 or done.reasons() >= {"deny_rule"}
