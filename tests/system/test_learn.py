# SPDX-License-Identifier: Apache-2.0
"""Learning: what was used becomes a policy, and the same run under it is allowed whole."""
import pytest

import internet
import sluice
import stage
import zone
from stage import ZONE

REC = f"rec.{ZONE}"
OTHER = f"other.{ZONE}"


def learn(*logs, options=()):
    """The policy that logs teach, in a file of its own; it is checked by lint."""
    done = sluice.call("learn", *options, *logs)
    assert done.code == 0, done.err
    path = stage.directory(stage.HOME / "learnt") / f"{next(sluice.counter)}.yaml"
    path.write_text(done.out)
    path.chmod(0o644)
    lint = sluice.call("policy", "lint", "--only", path)
    assert lint.code == 0, lint.err
    return path


def again(policy, command, *options, log=None):
    """The same command under the policy and nothing else: allowed whole, as check --log foretold."""
    if log:
        told = sluice.call("check", "--only", "-p", policy, "--format", "json", "--log", log)
        assert told.code == 0 and told.json()["now_denied"] == 0, (told.out, policy.read_text())
        assert told.json()["replayed"] > 0, told.out
    done = sluice.run("--only", "-p", policy, *options, command=command)
    assert done.code == 0, done.err
    assert not done.denied(), (policy.read_text(), done.denied())
    return done


@pytest.mark.core
def test_learnt_is_allowed_and_nothing_else(world):
    command = ["sh", "-c", f"curl -sf http://{REC}/a/b >/dev/null; curl -sf https://{REC}/x >/dev/null"]
    first = sluice.run("--mode", "monitor", command=command)
    assert first.code == 0, first.err
    policy = learn(first.log)
    text = policy.read_text()
    assert 'host: "rec.' in text and "methods: [GET]" in text and '"/a/b"' in text, text
    again(policy, command, log=first.log)
    for url in (f"http://{OTHER}/", f"http://{REC}/other", f"https://{OTHER}/"):
        other = sluice.run("--only", "-p", policy, command=["curl", "-sfm5", url])
        assert other.code != 0 and other.denied(), url


def test_replay_tells_what_another_policy_would_change(world):
    policy = stage.directory(stage.HOME / "learnt") / "narrow.yaml"
    policy.write_text(f"version: 1\nallow:\n  - host: {REC}\n    ports: [80]\n    methods: [GET]\n"
                      f"    paths: [/a/*]\n  - host: {OTHER}\n")
    policy.chmod(0o644)
    done = sluice.run("--allow", REC, command=["sh", "-c", f"curl -s http://{REC}/a/1; "
                      f"curl -s http://{REC}/b/1; curl -s http://{REC}/b/1; curl -sm3 http://{OTHER}/"])
    told = sluice.call("check", "--only", "-p", policy, "--format=json", "--log", done.log)
    assert told.code == 1
    changes = {(c["target"], c["old"]["verdict"], c["new"]["verdict"], c["new"]["reason"]): c["count"]
               for c in told.json()["changes"]}
    assert changes[f"GET http://{REC}/b/1", "allow", "deny", "path"] == 2, changes
    assert changes[f"dns:{OTHER}/A", "deny", "allow", "allowed"] >= 1, changes
    assert not any("/a/1" in target for target, *_ in changes), changes
    text = sluice.call("check", "--only", "-p", policy, "--log", done.log)
    assert text.code == 1 and f"allow -> deny   GET http://{REC}/b/1  (allowed -> path" in text.out
    same = sluice.call("check", "--only", "--allow", REC, "--log", done.log)
    assert same.code == 0 and "0 of" in same.out, same.out


def test_log_that_does_not_verify_is_refused(world, tmp_path):
    done = sluice.run("--mode", "monitor", command=["curl", "-s", f"http://{REC}/"])
    lines = done.log.read_text().splitlines(keepends=True)
    forged = stage.directory(stage.HOME / "learnt") / "forged.jsonl"
    forged.write_text("".join(lines[:3] + [lines[3].replace("rec.", "evil.")] + lines[4:]))
    forged.chmod(0o644)
    refused = sluice.call("learn", forged)
    assert refused.code == 125 and not refused.out and "line" in refused.err, refused
    assert sluice.call("learn", "--unverified", forged).code == 0


def target(name):
    path = stage.directory(stage.HOME / "learnt") / name
    path.unlink(missing_ok=True)
    return path


def learnt(path, *options, command, code=0):
    """run --learn: the file it wrote, and what it said."""
    done = sluice.run("--only", *options, command=command)
    assert done.code == code, done.err
    lint = sluice.call("policy", "lint", "--only", path)
    assert lint.code == 0, lint.err
    return done, path.read_text()


def test_run_learn_full_learns_methods_and_paths(world):
    path = target("full.yaml")
    command = ["sh", "-c", f"curl -sf https://{REC}/v1/models >/dev/null && "
               f"curl -sf -d x https://{REC}/v1/chat/17 >/dev/null"]
    done, text = learnt(path, "--learn=full", path, command=command)
    assert 'methods: [GET]\n    paths: ["/v1/models"]' in text, text
    assert 'methods: [POST]\n    paths: ["/v1/chat/*"]' in text, text
    assert "learnt" in done.err and str(path) in done.err
    again(path, command)
    for args in (["-d", "x", f"https://{REC}/v1/models"], [f"https://{REC}/v1/other"]):
        other = sluice.run("--only", "-p", path, command=["curl", "-sfm5", *args])
        assert other.code != 0 and other.reasons() & {"method", "path"}, args


def test_file_is_out_of_reach_while_learning(world):
    path = target("reach.yaml")
    script = (f"cat {path}; echo version: 1 >{path}; rm -f {path}; ln -s /etc/passwd {path}; "
              f"mv {path.parent} {path.parent}x; mkdir -p {path.parent}; echo x >{path}; "
              f"curl -s http://{REC}/ >/dev/null; true")
    done, text = learnt(path, "--learn", path, command=["sh", "-c", script])
    assert text.startswith("# Learnt by sluice") and REC in text, text
    assert path.is_file() and not path.is_symlink()


def test_policy_of_a_person_is_never_replaced(world):
    path = target("mine.yaml")
    path.write_text("version: 1\n")
    path.chmod(0o666)
    done = sluice.run("--learn", path, command=["touch", stage.WORK / "ran"])
    assert done.code == 125 and "not made by learning" in done.err, done.err
    assert path.read_text() == "version: 1\n" and not (stage.WORK / "ran").exists()
    path.unlink()
    command = ["curl", "-sf", f"http://{REC}/first", "-o", "/dev/null"]
    learnt(path, "--learn", path, command=command)
    _, text = learnt(path, "--learn", path, command=[*command[:2], f"http://{REC}/second", *command[3:]])
    assert "/second" in text and "/first" not in text, text
    done = sluice.run("-p", path, "--learn", path, command=["true"])
    assert done.code == 125 and "of this very run" in done.err


def test_file_is_not_left_behind_when_nothing_ran(world):
    path = target("nothing.yaml")
    done = sluice.run("--learn", path, command=["/no/such/program"])
    assert done.code == 127
    path = target("bad.yaml")
    done = sluice.run("--learn", path, "--mode", "isolated", command=["true"])
    assert done.code == 125 and not path.exists(), done.err
    done = sluice.run("--learn=full", path, "--no-inspect", command=["true"])
    assert done.code == 125 and not path.exists(), done.err


def test_private_addresses_are_learnt_as_such(world):
    """What a rule of the user's own opened: learnt with private, and never without a word."""
    path, own = target("private.yaml"), target("own.yaml")
    host = f"private10.{ZONE}"
    own.write_text(f"version: 1\nallow:\n  - {{host: {host}, ports: [80], private: true}}\n"
                   "  - {ip: 192.168.77.5, ports: [80]}\n")
    command = ["sh", "-c", f"curl -sf http://{host}/x; curl -sf http://192.168.77.5/y"]
    done, text = learnt(path, "--learn", path, "-p", own, command=command)
    assert f'- host: "{host}"' in text and "private: true" in text, text
    assert '- ip: "192.168.77.5"' in text and "special-purpose" in done.err, (text, done.err)
    again(path, command)
    forged = sluice.call("learn", "--unverified", done.log)
    assert f'# - host: "{host}"' in forged.out and '# - ip: "192.168.77.5"' in forged.out, forged


def test_many_siblings_are_one_wildcard(world, fresh):
    names = [f"s{i}.cdn.{ZONE}" for i in range(9)]
    for name in names:
        world.dns.names[name] = zone.Name([internet.RECORDER4])
    try:
        path = target("siblings.yaml")
        script = "; ".join(f"curl -sf http://{name}/x" for name in names)
        _, text = learnt(path, "--learn", path, command=["sh", "-c", script])
        assert f'- host: "*.cdn.{ZONE}"' in text and "s3.cdn" not in text, text
        again(path, ["sh", "-c", script])
    finally:
        for name in names:
            del world.dns.names[name]


def test_what_the_jail_reaches_of_its_host_is_counted(world):
    path = target("ports.yaml")
    done, text = learnt(path, "--learn", path, "--host-port", "7777", command=[
        "sh", "-c", f"curl -sm2 http://localhost:7777/; curl -sf http://{REC}/x"])
    assert REC in text and "7777" not in text, text


def test_denied_is_not_learnt_and_stays_blocked(world, token):
    path = target("denied.yaml")
    script = (f"curl -sm3 http://{OTHER}/{token}; curl -sm3 http://10.9.9.9/; curl -sm3 http://169.254.169.254/; "
              f"curl -sm3 -H 'Host: evil.test' http://{REC}/; curl -sfm5 http://{REC}/good?{token}")
    done, text = learnt(path, "--learn", path, "--deny", OTHER, command=["sh", "-c", script])
    assert {"deny_rule", "special_address", "host_mismatch"} <= done.reasons(), done.reasons()
    assert "other." not in text and "10.9" not in text and "169.254" not in text, text
    assert "evil" not in text and '"/good"' in text, text
    assert world.wire.carries(f"/good?{token}".encode())
    assert not world.wire.carries(f" /{token}".encode())
