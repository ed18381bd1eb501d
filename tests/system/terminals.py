# SPDX-License-Identifier: Apache-2.0
"""Real terminals, as a person has them: what they answer by themselves, and what their screen shows."""
import re
import shlex
import subprocess
import time

import sluice
import stage

LETTERS = re.compile(r"then type ([a-z]{2})\n +n or Enter no, v never: ?$")


def until(condition, limit=15):
    """Its first result that is true; the last one, if none is."""
    end = time.monotonic() + limit
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


class Tmux:
    """A tmux server of its own, with one window, in which runs a command line."""

    def __init__(self, *command, rows=24, columns=80, env=None):
        folder = stage.directory(stage.ROOT / "tmux", 0o700)
        self.socket = folder / f"{time.monotonic_ns()}"
        self.env = env or sluice.environment(TERM="tmux-256color")
        self.history = ""
        self("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, "-s", "one", "--",
             "sh", "-c", f"{shlex.join(map(str, command))}; echo \"its code was $?\"; exec sleep 60")

    def __call__(self, *args):
        done = subprocess.run(["tmux", "-S", str(self.socket), *map(str, args)], env=self.env, text=True,
                              cwd=stage.WORK, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=20, **sluice.as_user())
        assert done.returncode == 0, done.stdout
        return done.stdout

    def screen(self):
        """What is on it, without the empty rows at its end."""
        return self("capture-pane", "-p", "-t", "one").rstrip("\n")

    def until(self, pattern, limit=15):
        pattern = re.compile(pattern) if isinstance(pattern, str) else pattern
        assert (found := until(lambda: pattern.search(self.screen()), limit)), self.screen()
        return found

    def question(self):
        """Its letters, and the screen with it.  What is typed sooner than a moment later is thrown away."""
        found = self.until(LETTERS)
        time.sleep(0.4)
        return found[1], found.string

    def type(self, text):
        self("send-keys", "-t", "one", "-l", "--", text)

    def key(self, name):
        self("send-keys", "-t", "one", name)

    def resize(self, rows, columns=80):
        self("resize-window", "-t", "one", "-x", columns, "-y", rows)

    def kill(self):
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=20, **sluice.as_user())
