# SPDX-License-Identifier: Apache-2.0
"""Learning: what was used becomes a policy, and the same run under it is allowed whole."""
import json

import pytest

import internet
import sluice
import stage
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


def again(policy, command, *options):
    """The same command under the policy and nothing else: allowed whole."""
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
    again(policy, command)
    for url in (f"http://{OTHER}/", f"http://{REC}/other", f"https://{OTHER}/"):
        other = sluice.run("--only", "-p", policy, command=["curl", "-sfm5", url])
        assert other.code != 0 and other.denied(), url


def test_log_that_does_not_verify_is_refused(world, tmp_path):
    done = sluice.run("--mode", "monitor", command=["curl", "-s", f"http://{REC}/"])
    lines = done.log.read_text().splitlines(keepends=True)
    forged = stage.directory(stage.HOME / "learnt") / "forged.jsonl"
    forged.write_text("".join(lines[:3] + [lines[3].replace("rec.", "evil.")] + lines[4:]))
    forged.chmod(0o644)
    refused = sluice.call("learn", forged)
    assert refused.code == 125 and not refused.out and "line" in refused.err, refused
    assert sluice.call("learn", "--unverified", forged).code == 0
