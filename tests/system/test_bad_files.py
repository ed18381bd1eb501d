# SPDX-License-Identifier: Apache-2.0
"""Policy files that are no files to read: one line, exit 125, and nothing starts."""
import os
import pathlib

import pytest

import sluice
import stage
from stage import HOME, ZONE

USER = HOME / ".config" / "sluice"
SYSTEM = pathlib.Path("/etc/sluice")
GOOD = f"version: 1\nallow: [{{host: rec.{ZONE}}}]\n"


def folder(path):
    path.mkdir()


def fifo(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def locked(path):
    path.write_text(GOOD)
    path.chmod(0)


def dangling(path):
    path.symlink_to("/nowhere/policy.yaml")


def loop(path):
    path.symlink_to(path.name)


def huge(path):
    with open(path, "wb") as f:
        f.write(GOOD.encode())
        f.truncate(100 << 20)


def full(path):
    """Just as long, and every byte a comment."""
    line = b"#" * 1023 + b"\n"
    with open(path, "wb") as f:
        for _ in range(100):
            f.write(line * 1024)
        f.write(GOOD.encode())


KINDS = {folder: "not a regular file", fifo: "not a regular file", device: "not a regular file",
         locked: "Permission denied", dangling: "No such file",
         loop: "Too many levels of symbolic links", huge: "more than 64 MB",
         full: "more than 64 MB"}


@pytest.fixture(params=["policy", "project", "user", "system"])
def layer(request, place, world):
    """Where the file of a layer lies, and the options that read it."""
    path = {"policy": place / "p.yaml", "project": place / ".sluice.yaml",
            "user": USER / "policy.yaml", "system": SYSTEM / "policy.yaml"}[request.param]
    path.parent.mkdir(parents=True, exist_ok=True)
    stage.give(HOME / ".config") if (HOME / ".config").exists() else None
    assert not path.exists()
    yield request.param, path, ["-p", path] if request.param == "policy" else []
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    if request.param == "system":
        SYSTEM.rmdir()


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_one_line_and_nothing_starts(layer, place, make):
    name, path, options = layer
    # the positive control: a good file there is read, and the command starts
    path.write_text(GOOD)
    if name != "system":
        os.chown(path, stage.UID, stage.GID)
    control = sluice.run(*options, command=["touch", place / "control"], cwd=place)
    assert control.code == 0 and (place / "control").exists(), control.err
    path.unlink()

    make(path)
    if name != "system" and not path.is_symlink():
        os.chown(path, stage.UID, stage.GID)
    done = sluice.run(*options, command=["touch", place / "ran"], cwd=place, limit=20)
    assert done.code == 125 and not (place / "ran").exists()
    assert len(done.err.splitlines()) == 1, done.err
    assert done.err.startswith("sluice: ") and str(path) in done.err, done.err
    if not (name == "project" and path.is_symlink()):   # links of a repository are refused as such
        assert KINDS[make] in done.err
    assert not done.log.exists() or not done.log.read_bytes()
    # check says the same
    checked = sluice.call("check", *options, f"https://rec.{ZONE}/", cwd=place)
    assert (checked.code, checked.out, checked.err) == (125, "", done.err)
