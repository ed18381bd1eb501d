# SPDX-License-Identifier: Apache-2.0
"""Real terminals, as a person has them: what they answer by themselves, and what their screen shows."""
import os
import re
import select
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


def read_until(fd, words, limit=15):
    """What a terminal's other end shows, up to these words and maybe more: it comes in pieces."""
    seen, end = b"", time.monotonic() + limit
    while words not in seen:
        assert select.select([fd], [], [], max(0, end - time.monotonic()))[0], seen
        seen += os.read(fd, 65536)
    return seen


class Tmux:
    """A tmux server of its own, with one window, in which runs a command line."""

    def __init__(self, *command, rows=24, columns=80, env=None):
        folder = stage.directory(stage.ROOT / "tmux", 0o700)
        self.socket = folder / f"{time.monotonic_ns()}"
        self.env = env or sluice.environment(TERM="tmux-256color")
        self("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, "-s", "one", "--",
             *self.told(command))

    @staticmethod
    def told(command):
        return ["sh", "-c", f"{shlex.join(map(str, command))}; echo \"its code was $?\"; exec sleep 60"]

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

    def disturb(self, number):
        """What it would tell a command that wants to hear of it, by itself."""
        self.resize(25 - number)

    def kill(self):
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=20, **sluice.as_user())


class Xterm(Tmux):
    """An xterm on a display of its own, with a program that may do all it can."""

    def __init__(self, *command, rows=24, columns=80, env=None):
        folder = stage.directory(stage.ROOT / "xterm", 0o777) / f"{time.monotonic_ns()}"
        stage.directory(folder)
        self.printed = folder / "screen"
        reader, writer = os.pipe()
        self.display = subprocess.Popen(["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x1024x24",
                                         "-nolisten", "tcp"], pass_fds=[writer], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(writer)
        with open(reader) as number:
            self.env = {**(env or sluice.environment()), "DISPLAY": f":{number.readline().strip()}"}
        settings = [f"allow{what}Ops: true" for what in ("Window", "Title", "Tcap", "Color", "Font", "Mouse")]
        settings += ["printAttributes: 0", "printerAutoClose: true", "VT100.translations: #override <Key>F12: print()",
                     f"printerCommand: cat >{self.printed}.new; mv {self.printed}.new {self.printed}"]
        self.process = subprocess.Popen(
            ["xterm", "-geometry", f"{columns}x{rows}", *(word for pair in settings for word in ("-xrm", f"XTerm*{pair}")),
             "-e", "sh", "-c", f'echo $WINDOWID >{folder}/window; exec "$@"', "sh", *self.told(command)],
            env=self.env, cwd=stage.WORK, stdin=subprocess.DEVNULL, **sluice.as_user())
        window = folder / "window"
        assert until(lambda: window.exists() and window.read_text().strip())
        self.tool("windowfocus", "--sync", window.read_text().strip())

    def tool(self, *args):
        return subprocess.run(["xdotool", *args], env=self.env, check=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout

    def screen(self):
        self.printed.unlink(missing_ok=True)
        self.key("F12")
        assert until(self.printed.exists, 5)
        text = self.printed.read_text(errors="replace").replace("\f", "").replace("\r", "")
        return "\n".join(row.rstrip() for row in text.split("\n")).rstrip("\n")

    def type(self, text):
        self.tool("type", "--delay", "5", text)

    def key(self, name):
        self.tool("key", name)

    def disturb(self, number):
        for place in (50, 100):
            self.tool("mousemove", str(place + number), str(place), "click", "1")

    def kill(self):
        for process in (self.process, self.display):
            process.kill()
            process.wait(20)
