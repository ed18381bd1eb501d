# SPDX-License-Identifier: Apache-2.0
"""Files that decide are read-only in the jail, files that sluice writes are out of reach.

Wherever they are, existing or not; by any name; and no parent can be moved aside.
All of them belong to the jail's own user, who outside may do all of this.
"""
import os
import pathlib
import shutil

import pytest

import sluice
import stage
from stage import HOME, ZONE

CONFIG = HOME / ".config" / "sluice"
STATE = HOME / ".local" / "state" / "sluice"


@pytest.fixture(scope="module")
def tree(world):
    """A user's home with everything in it that sluice reads or writes, and a jail over it."""
    project = stage.directory(HOME / "project" / "deep")
    for folder in (CONFIG / "presets.d", CONFIG / "categories.d", STATE / "keys"):
        folder.mkdir(parents=True, exist_ok=True)
    (CONFIG / "policy.yaml").write_text("version: 1\ndeny:\n  - host: never.example\n")
    (CONFIG / "approved.yaml").write_text("version: 1\n")
    policies = stage.directory(HOME / "policies" / "mine")
    (policies / "policy.yaml").write_text(
        f"version: 1\nallow:\n  - host: www.{ZONE}\n  - host: rec.{ZONE}\n    ports: [9999]\n")
    stage.give(HOME)
    log = stage.directory(HOME / "records" / "mine") / "log.jsonl"
    agent = sluice.jail("-p", policies / "policy.yaml", log=log, cwd=project)
    yield agent
    agent.kill()
    shutil.rmtree(CONFIG)


DECIDE = {
    "policy": HOME / "policies" / "mine" / "policy.yaml",
    "user-policy": CONFIG / "policy.yaml",
    "program": sluice.PROGRAM,
    "gate-program": sluice.PROGRAM.with_name("sluice-gate"),
    "jail-program": sluice.PROGRAM.with_name("sluice-jail"),
}
SECRET = {
    "log": HOME / "records" / "mine" / "log.jsonl",
    "key": STATE / "keys" / "audit.key",
}
NOT_YET = {
    "approved": CONFIG / "approved2.yaml", "preset": CONFIG / "presets.d" / "evil.yaml",
    "category": CONFIG / "categories.d" / "evil.yaml", "trust": STATE / "trust.json",
    "audit-log": STATE / "audit" / "forged.jsonl",
    "data-preset": stage.TREE / "data" / "presets" / "evil.yaml",
    "runtime": stage.RUNTIME / "sluice" / "control.sock",
}


def digest(path):
    return path.read_bytes()


def is_untouched(path, before):
    """It is there and holds the same; to a log sluice itself may have added records."""
    now = path.read_bytes() if path.exists() else None
    if path.suffix != ".jsonl" or not now:
        return now == before
    return now.startswith(before) and all(line.startswith(b'{"v":1,"seq":')
                                          for line in now.splitlines())


@pytest.mark.core
@pytest.mark.parametrize("what", [*DECIDE, *SECRET])
@pytest.mark.parametrize("move", ["write_file", "truncate", "write_through_mmap", "remove"])
def test_file_cannot_be_changed(tree, what, move):
    path = {**DECIDE, **SECRET}[what]
    before = digest(path)
    assert tree.fails(move, str(path))
    assert is_untouched(path, before)


@pytest.mark.parametrize("what", [*DECIDE, *SECRET])
@pytest.mark.parametrize("move", ["write_file", "truncate", "remove", "remount_writable",
                                  "open_by_handle"])
def test_file_cannot_be_changed_as_nested_root(tree, what, move):
    path = {**DECIDE, **SECRET}[what]
    before = digest(path)
    assert tree.fails("nested_then", move, str(path))
    assert is_untouched(path, before)


@pytest.mark.parametrize("what", DECIDE)
def test_file_that_decides_can_be_read(tree, what):
    assert tree.ok("read_file", str(DECIDE[what]))


@pytest.mark.parametrize("what", SECRET)
def test_file_that_sluice_writes_cannot_be_read(tree, what):
    before = digest(SECRET[what])[:30].decode("latin-1")
    answer = tree.do("read_file", str(SECRET[what]))
    assert answer.get("ok", "") == "" and before


@pytest.mark.core
@pytest.mark.parametrize("what", [*DECIDE, *SECRET])
def test_file_cannot_be_renamed_or_replaced(tree, what, token):
    path = {**DECIDE, **SECRET}[what]
    before, inode = digest(path), path.stat().st_ino
    new = HOME / f"new-{token}"
    new.write_text("evil\n")
    stage.give(new)
    assert tree.fails("rename", str(path), str(path) + ".aside")
    assert tree.fails("rename", str(new), str(path))
    assert tree.fails("exchange_names", str(new), str(path))
    assert is_untouched(path, before) and path.stat().st_ino == inode


@pytest.mark.core
@pytest.mark.parametrize("what", [*DECIDE, *SECRET])
def test_no_parent_can_be_moved_aside(tree, what, token):
    path = {**DECIDE, **SECRET}[what]
    for parent in path.parents:
        if parent in (HOME, HOME.parent):
            break
        answer = tree.do("rename", str(parent), f"{parent}-{token}")
        assert "error" in answer, parent
        assert parent.is_dir() and not pathlib.Path(f"{parent}-{token}").exists()
        other = HOME / f"planted-{token}-{parent.name}"
        other.mkdir()
        stage.give(other)
        assert tree.fails("exchange_names", str(other), str(parent))
        other.rmdir()
    assert path.exists()


@pytest.mark.parametrize("what", DECIDE)
def test_link_does_not_lead_to_a_writable_file(tree, what, place):
    path = DECIDE[what]
    before = digest(path)
    tree.do("hard_link", str(path), str(place / "hard"))
    tree.do("soft_link", str(path), str(place / "soft"))
    assert digest(path) == before


@pytest.mark.parametrize("what", [*DECIDE, *SECRET])
@pytest.mark.parametrize("recursive", [False, True], ids=["bind", "rbind"])
def test_another_mount_does_not_lead_to_a_writable_file(tree, what, place, recursive):
    """A bind of the parent elsewhere, in a nested mount namespace."""
    path = {**DECIDE, **SECRET}[what]
    before = digest(path)
    (place / "m").mkdir()
    stage.give(place)
    for parent in (path.parent, path.parent.parent, HOME, pathlib.Path("/")):
        target = place / "m" / path.relative_to(parent)
        tree.do("command", "bwrap", "--bind", "/", "/", "--bind", str(parent), str(place / "m"),
                "sh", "-c", 'echo evil >>"$1"; rm -f "$1"; mv "$1" "$1.x"', "sh", str(target))
        tree.do("bind_elsewhere", str(parent), str(place / "m"), recursive)
    assert is_untouched(path, before)


@pytest.mark.parametrize("what", [*DECIDE, *SECRET])
def test_masks_cannot_be_unmounted(tree, what):
    path = {**DECIDE, **SECRET}[what]
    for target in (path, path.parent, path.parent.parent):
        assert tree.fails("unmount", str(target))


@pytest.mark.parametrize("what", [*DECIDE, *SECRET])
@pytest.mark.parametrize("pid", ["self", "1", "2"])
def test_other_processes_roots_do_not_lead_there(tree, what, pid):
    path = {**DECIDE, **SECRET}[what]
    before = digest(path)
    assert tree.fails("write_via_root", pid, str(path))
    assert is_untouched(path, before)


@pytest.mark.core
@pytest.mark.parametrize("what", NOT_YET)
def test_file_that_would_decide_cannot_be_made(tree, what):
    path = NOT_YET[what]
    tree.do("make_file", str(path))
    tree.do("command", "sh", "-c", 'mkdir -p "$1" && echo "version: 1" >"$2"', "sh",
            str(path.parent), str(path))
    assert not path.exists()


@pytest.mark.parametrize("what", ["preset", "trust", "audit-log"])
def test_folder_that_would_decide_cannot_be_swapped(tree, what, place):
    """Make a folder with the file ready, and try to put it in place."""
    path = NOT_YET[what]
    ready = place / path.parent.name
    ready.mkdir()
    (ready / path.name).write_text("version: 1\n")
    stage.give(place)
    tree.do("remove_folder", str(path.parent))
    tree.do("rename", str(ready), str(path.parent))
    tree.do("soft_link", str(ready), str(path.parent))
    assert not path.exists() and not path.parent.is_symlink()


def test_everything_is_writable_outside(tree, outside, place):
    """The positive control: the same user, the same files, no jail."""
    copy = place / "copy.yaml"
    shutil.copy(DECIDE["policy"], copy)
    stage.give(place)
    assert outside.ok("write_file", str(copy))
    assert outside.ok("rename", str(copy), str(copy) + "2")
    assert os.access(DECIDE["policy"], os.W_OK)
    assert DECIDE["program"].stat().st_uid == stage.UID


def test_other_files_of_the_user_stay_writable(tree, place):
    assert tree.ok("make_file", str(place / "work.txt"))
    assert tree.ok("rename", str(place / "work.txt"), str(place / "done.txt"))
    assert (place / "done.txt").stat().st_uid == stage.UID


def test_the_jail_still_works_after_all_of_this(tree, token):
    assert tree.ok("half_close", f"rec.{ZONE}", 9999, token)["data"] == token


def test_default_log_is_out_of_reach(world):
    """Without --log: in the state folder, which the jail sees empty."""
    done = sluice.call("run", "--session", "plain", "--", "sh", "-c",
                       f"ls -A {STATE}; ls -A {STATE}/audit 2>/dev/null; echo done")
    assert done.out == "done\n"
    [log] = (STATE / "audit").glob("*plain*.jsonl")
    assert log.stat().st_mode & 0o777 == 0o600
    assert sluice.read_log(log)[-1]["event"] == "checkpoint"


def test_log_in_the_working_directory_is_out_of_reach(place):
    log = place / "log.jsonl"
    done = sluice.run(log=log, cwd=place, command=[
        "sh", "-c", "echo x >>log.jsonl; rm -f log.jsonl; mv log.jsonl y; cat log.jsonl; true"])
    assert done.code == 0 and "session.start" not in done.out
    assert done.events[0]["event"] == "session.start"


def test_log_through_a_symbolic_link_is_refused(place):
    (place / "real").write_text("")
    os.symlink(place / "real", place / "link.jsonl")
    stage.give(place)
    done = sluice.call("run", "--log", place / "link.jsonl", "--", "true")
    assert done.code == 125 and (place / "real").read_text() == ""


def test_program_cannot_be_replaced_by_a_new_file_beside_it(tree):
    """Its folder: nothing may be put where the next run would find it."""
    tree.do("make_file", str(stage.TREE / "build" / "sluice.new"))
    assert tree.fails("rename", str(stage.TREE / "build" / "sluice.new"), str(sluice.PROGRAM))


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "XDG_STATE_HOME"])
def test_own_folders_inside_a_project_are_an_error(place, variable):
    (place / ".sluice.yaml").write_text("version: 1\n")
    (place / "own" / "sluice").mkdir(parents=True)
    stage.give(place)
    done = sluice.call("run", "--", "true", cwd=place,
                       env=sluice.environment(**{variable: place / "own"}))
    assert done.code == 125 and "own" in done.err
