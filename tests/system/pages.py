# SPDX-License-Identifier: Apache-2.0
"""The pages of docs/, followed: what they say to type is run as it stands there.

A block begins with ```sh NAME.  tests/lint/pages.sh looks for ("PAGE.md", "NAME" in the tests, as of
follow(): no block is left out.
"""
import contextlib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile

import netns
import sluice
import stage

WORDS = "IMAGE", "ID", "NAME", "HOST"     # what a reader puts something else for


def text_of(page):
    return (stage.TOP / "docs" / page).read_text()


def blocks(page, kind):
    """What the page has in blocks of this kind, as "json" or "sh setup"."""
    found = re.findall(rf"^```{kind}\n(.*?)^```$", text_of(page), re.M | re.S)
    assert found, f"{page}: no block {kind}"
    return found


def install():
    """sluice where the pages have it, once; what useradd(8) writes is not the machine's either."""
    place = pathlib.Path("/usr/local/bin/sluice")
    if place.is_symlink() and place.resolve() == sluice.PROGRAM:
        return
    for folder in place.parent, "/var/log":
        stage.overlay(str(folder))
    place.unlink(missing_ok=True)
    place.symlink_to(sluice.PROGRAM)


def begin(page, part, prefix=(), env=None, words=None, **process):
    """Do what the page says under that name, as root in the folder of the sources unless told otherwise."""
    text = "".join(blocks(page, f"sh {part}"))
    for word, value in (words or {}).items():
        text, count = re.subn(rf"\b{word}\b", str(value), text)
        assert count, f"{page}, {part}: no {word}"
    left = re.search(rf"\b({'|'.join(WORDS)})\b", text)
    assert not left, f"{page}, {part}: {left[0]} is for the reader to replace"
    return subprocess.Popen([*map(str, prefix), "sh", "-ec", text], text=True,
                            **{"stdin": subprocess.DEVNULL, "cwd": stage.TOP, "env": env or netns.root_env(), **process})


@contextlib.contextmanager
def running(page, part, **kwargs):
    """The same, while the reader leaves it running."""
    one = begin(page, part, stdout=subprocess.PIPE, **kwargs)
    try:
        yield one
    finally:
        for pid in [*sluice.children(one.pid), one.pid] if one.poll() is None else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        one.wait(20)
        one.stdout.close()


def follow(page, part, **kwargs):
    """The same to its end; what was said. A daemon that it leaves behind has the file of that still open."""
    with tempfile.TemporaryFile("w+") as said:
        code = begin(page, part, stdout=said, stderr=said, **kwargs).wait(90)
        said.seek(0)
        told = said.read()
    assert code == 0, f"{page}, {part}: {code}\n{told}"
    return told


def daemon_pid():
    """The daemon that serves, whoever started it. OSError: none does."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(netns.RUN / "control.sock"))
        return struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def end_daemon():
    """The one that a page started, if it did: it is nobody's child."""
    with contextlib.suppress(OSError):
        pid = daemon_pid()
        os.kill(pid, signal.SIGTERM)
        netns.wait_for(lambda: netns.is_dead(pid))
