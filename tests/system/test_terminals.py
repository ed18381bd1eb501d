# SPDX-License-Identifier: Apache-2.0
"""--ask in terminals that answer by themselves, and that a command can paint on."""
import json
import re

import pytest

import sluice
import stage
from stage import ZONE
from terminals import Tmux, Xterm, until

REC = f"rec.{ZONE}"
FALSE = "sluice: the command wants to reach github.com:443 (no rule matches)"

# What a command leaves behind just before it connects; escapes are those of printf(1)
PAINT = {
    "margins": rf"\033[2J\033[4;1H{FALSE}\r\n\033[5;6r\033[5;1H",
    "origin": rf"\033[2J\033[4;1H{FALSE}\r\n\033[5;6r\033[?6h",
    "sides": rf"\033[2J\033[4;1H{FALSE}\r\n\033[?69h\033[60;80s",
    "dcs": r"\033P1$tx", "osc": r"\033]2;x", "apc": r"\033_x", "csi": r"\033[1;",
    "nowrap": r"\033[?7l", "insert": r"\033[1;1H\033[4h", "unseen": r"\033[8m\033(0\033)0\016",
    "other": r"\033[?1;1049h\033[2J", "late": r"\033[?2026h", "tektronix": rf"\033[?38h\033\014{FALSE}",
}


def run(command, options=(), kind=Tmux, **kwargs):
    log = sluice.new_log()
    t = kind(sluice.PROGRAM, "run", "--only", "--ask", "--log", log, *options, "--", *command, **kwargs)
    t.log = log
    return t


@pytest.fixture
def real(world):
    """Start sluice in a real terminal: tmux, if not said otherwise."""
    made = []

    def start(*args, **kwargs):
        made.append(run(*args, **kwargs))
        return made[-1]
    yield start
    for one in made:
        one.kill()


def until_there(path):
    """A shell's words that wait for the test."""
    return f"until [ -e {path} ]; do sleep 0.1; done"


def curl(path="/"):
    return f"curl -sS -m 20 -o /dev/null -w 'got %{{http_code}}.' http://{REC}{path}"


def of(t, kind):
    return sluice.events_so_far(t.log, kind)


def asked(path, letters, exe="/usr/bin/curl"):
    """The rows of a question."""
    return [f"sluice: the command wants to reach {REC}:80 (no rule matches)", f"  it sent: GET {path}",
            f"  program: {exe}", f"  y once, s session, t 5 minutes, a always: then type {letters}",
            "  n or Enter no, v never:"]


def rows(text, count=5):
    return [row.split(" (pid ")[0].rstrip() for row in text.split("\n")[-count:]]


@pytest.mark.parametrize("kind,names", [(Tmux, [n for n in PAINT if n != "tektronix"]), (Xterm, ["tektronix", "sides", "dcs"])],
                         ids=["tmux", "xterm"])
def test_what_was_painted_before_a_question_is_no_part_of_it(real, kind, names):
    """The question stands whole on the last rows, whatever the command has made of the terminal."""
    fill = "i=0; while [ $i -lt 400 ]; do printf 'filled up '; i=$((i+1)); done; "
    t = real(["sh", "-c", fill + "".join(f"printf '{PAINT[name]}'; {curl('/' + name)}; " for name in names)], kind=kind)
    for number, name in enumerate(names):
        letters, text = t.question()
        assert rows(text) == asked(f"/{name}", letters), text
        t.type("y" + letters)
        assert until(lambda: len(of(t, "approval")) == 1 + number)
    t.until("its code was 0")
    assert {e["decision"] for e in of(t, "approval")} == {"approved"}


# Each makes the terminal say something: where the cursor is, what it is, its title, colours,
# settings, modes, size, version (not the clipboard: xterm 379 dies of that question); and of mouse, focus and pasting what happens to them
QUERIES = (r"\033[6n\033[5n\033[?6n\033[c\033[>c\033[=c\033[x\033[20t\033[21t\033[14t\033[18t\033[19t\033[>q\033[?u"
           r"\033]10;?\007\033]11;?\007\033]4;1;?\007"
           r"\033P$qm\033\\\033P$qr\033\\\033[?2004$p\033[?1000h\033[?1003h\033[?1004h\033[?2004h\005")


@pytest.mark.parametrize("kind,says", [(Tmux, rb"\x1b\[\?1;2c"), (Xterm, rb"\x1b\]lnyv\x1b\\.*\x1bP1\$r0m")],
                         ids=["tmux", "xterm"])
def test_what_a_terminal_answers_answers_no_question(real, place, kind, says):
    said = place / "said"
    t = real(["sh", "-c", f"stty -icanon -echo; dd bs=1 of={said} status=none </dev/tty & "
              "printf '\\033]2;nyv\\007\\033[21t'; "
              f"i=0; while [ $i -lt 300 ]; do printf '{QUERIES}'; i=$((i+1)); done & sleep 0.2; "
              f"{curl()}; {curl()}"], kind=kind)
    for number in range(2):
        letters, text = t.question()
        assert rows(text) == asked("/", letters)
        t.disturb(number)
        assert not until(lambda: len(of(t, "approval")) > number, limit=1)
        t.type("n" if number else "y" + letters)
        t.until("got 403" if number else "got 200")
    assert re.search(says, said.read_bytes(), re.DOTALL)        # it did say it
    assert [e["decision"] for e in of(t, "approval")] == ["approved", "denied"]


def test_command_that_types_stops_and_resizes(real, place):
    (place / "attack.py").write_text(f"""
import fcntl, os, signal, struct, sys, termios, time
with open({str(place / "tried")!r}, "w") as tried:
    tty = os.open("/dev/tty", os.O_RDWR | os.O_NONBLOCK)
    end = time.monotonic() + 1.5
    for turn in range(100000):
        for key in b"yabn\\r":
            for fd in (0, tty):
                try:
                    fcntl.ioctl(fd, termios.TIOCSTI, bytes([key]))
                    print("typed", file=tried)
                except OSError as e:
                    print(e.errno, file=tried)
        try:
            os.write(tty, b"yab\\ryes\\rn\\r")
        except BlockingIOError:
            pass
        for name in set(os.listdir("/dev/pts")) - {{"ptmx"}}:
            try:
                os.write(os.open("/dev/pts/" + name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), b"yab\\rn\\r")
            except OSError:
                pass
            else:
                print("pts", name, file=tried)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 2, 10, 0, 0))
        termios.tcflush(0, termios.TCIOFLUSH)
        if time.monotonic() > end:
            break
        time.sleep(0.001)
print("done", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
""")
    stage.give(place)
    t = real(["sh", "-c", f"{sluice.PYTHON} {place}/attack.py </dev/tty & sleep 0.1; {curl()}; kill -KILL $!"])
    letters, text = t.question()
    assert rows(text) == asked("/", letters)
    assert not until(lambda: of(t, "approval"), limit=2)
    assert rows(t.screen()) == asked("/", letters)
    t.type("y" + letters)
    t.until("got 200")
    assert [e["decision"] for e in of(t, "approval")] == ["approved"]
    assert set((place / "tried").read_text().split("\n")) - {""} == {"1"}


def quoted(text, head):
    """The agent's text below a row of ours, each of whose rows has a mark."""
    lines = text.split("\n")
    first = lines.index(head) + 1
    marked = [line.startswith("  | ") for line in lines[first:]]
    return "".join(line[4:] for line in lines[first:first + marked.index(False)])


def test_text_of_the_agent_is_shown_escaped(real, place):
    name = "cu\033[8m\n\u202erl"
    # where it wraps would begin a row that looks like one of sluice's
    body = json.dumps({"host": REC, "port": 80, "reason": "please\n\033[2J\033[1;1H" + FALSE + "." * 100 + FALSE})
    (place / "body").write_text(body)
    stage.give(place)
    t = real(["sh", "-c", f"cp /usr/bin/curl '{place}/{name}'; "
              f"curl -sS -o /dev/null -d @{place}/body http://sluice.internal/requests; "
              f"'{place}/{name}' -sS -m 20 -o /dev/null http://second.{ZONE}/a%5b2J{'x' * 100}"])
    letters, text = t.question()
    assert f"sluice: the command wants to reach {REC}:80 (no rule matches)" in text
    assert quoted(text, "  the agent says (nobody has checked it):").startswith(
        r'"please\x0a\x1b[2J\x1b[1;1H' + FALSE + "....")
    assert [line for line in text.split("\n") if line.startswith(("sluice", "."))] == \
        [f"sluice: the command wants to reach {REC}:80 (no rule matches)"]
    t.type("n")
    letters, text = t.question()
    assert quoted(text, "  it sent:") == "GET /a%5b2J" + "x" * 100
    assert r"cu\x1b[8m\x0a\xe2\x80\xaerl" in text.replace("\n  | ", "")
    t.type("n")
    t.until("its code was 0")


def test_words_of_sluice_wait_as_well(real, policy, place):
    """An alert does not come into a question, and is a line of its own."""
    path = policy(f"version: 1\nallow: [{{host: www.{ZONE}}}]\nlimits: {{requests: 2/h}}\n")
    t = real(["sh", "-c", f"({until_there(place / 'go')}; "
              f"for i in 1 2 3; do curl -sS -o /dev/null http://www.{ZONE}/hello; done) & "
              f"{curl()}; wait"],
             ["-p", path])
    letters, text = t.question()
    (place / "go").touch()
    assert until(lambda: of(t, "alert"))
    assert not until(lambda: rows(t.screen()) != asked("/", letters), limit=0.3)
    t.type("y" + letters)
    t.until(r"\nsluice: alert: [^\n]+\n")
    assert "got 200." in t.until("its code was 0").string


def test_question_that_does_not_fit_is_not_asked(real):
    t = real(["sh", "-c", curl("/" + "x" * 400)], rows=4)
    t.until("make this window larger")
    t.type("yaa")
    assert "yaa" not in t.screen()
    t.resize(8)
    letters, text = t.question()        # not all that is known, and all that is asked
    assert "more is known than fits" in text and f"{REC}:80" in text and "xxx" not in text
    t.resize(4)
    t.until("make this window larger")
    t.resize(24)
    again, text = t.question()
    t.type("y" + again)
    t.until("got 200")


# ---- what else runs there ----

@pytest.fixture
def shell(world, place):
    """A user's own shell, with job control; `sluice SCRIPT` runs a script's text under --ask."""
    t = Tmux("bash", "--norc", "-i", env=sluice.environment(TERM="tmux-256color", PS1="$ "))
    t.log = sluice.new_log()

    def script(text, after=""):
        (place / "script").write_text(text)
        stage.give(place)
        t.type(f"clear; {sluice.PROGRAM} run --only --ask --log {t.log} -- sh {place}/script {after}\n")
    t.sluice = script
    t.until(r"\$ ?$")
    yield t
    t.kill()


def test_job_control_of_a_plain_command(shell, place):
    shell.sluice(f"echo here; read x; echo got $x; {until_there(place / 'go')}; echo working; "
                 f"sleep 0.5; {curl()}; echo over")
    shell.until("^here")
    shell.key("C-z")
    shell.until("Stopped")
    shell.type("stty -a | grep -o '.icanon'; echo o''ne\n")
    shell.until(r"\n icanon\none")
    shell.type("fg\n")
    shell.until(r"(?s)\$ fg\n.*script$")
    shell.type("hello\n")
    shell.until("got hello")
    shell.key("C-z")
    shell.until(r"(?s)got hello\n.*Stopped")
    # in the background it works, and stops when it has to ask: the terminal stays the shell's
    shell.type("clear; bg\n")
    (place / "go").touch()
    shell.until("working$")
    assert until(lambda: of(shell, "dns.query"))

    def jobs():
        shell.type("clear; jobs; echo an''d\n")
        return shell.until(r"\nand\n\$$").string
    assert until(lambda: re.match(r"\s*\[1\]\+ +Stopped", jobs()))
    shell.type("fg\n")
    letters, text = shell.question()
    assert rows(text) == asked("/", letters)
    shell.type("y" + letters)
    shell.until(r"got 200\.over\n\$$")


@pytest.mark.parametrize("editor,leave", [("vi", ":q\n"), ("nano", "\x18")])
def test_screen_of_an_editor_is_there_again_after_a_question(shell, place, editor, leave):
    (place / "text").write_text("".join(f"line {number}\n" for number in range(100)))
    shell.sluice(f"({until_there(place / 'go')}; {curl()} >/dev/null) & {editor} {place}/text; wait; echo over")
    before = shell.until(r"line 0\n(line.*\n)+line 17\n").string
    (place / "go").touch()
    letters, text = shell.question()
    assert rows(text) == asked("/", letters) and "line" not in text
    shell.type("y" + letters)
    shell.until(r"line 0\n(line.*\n)+line 17\n")
    assert shell.screen().split("\n")[1:18] == before.split("\n")[1:18]
    for _ in range(30):
        shell.key("Down")
    shell.until("line 29")
    shell.type(leave)
    text = shell.until(r"over\n\$$").string
    assert rows(text, 7)[:4] == asked("/", letters)[:4]     # where the question was, it still is
    assert [e["decision"] for e in of(shell, "approval")] == ["approved"]


@pytest.mark.parametrize("form", ["> {}", "| cat > {}", "</dev/null 2>/dev/null | cat > {}"])
def test_output_that_goes_elsewhere_is_whole(shell, place, form):
    """The question is on the terminal; what is held there is held nowhere else."""
    write = f"{sluice.PYTHON} -c 'import os; os.write(1, bytes(range(256)) * 64)'"
    shell.sluice(f"{write}; {curl().replace('got %{http_code}.', '')}; {write}", form.format(place / "out"))
    letters, text = shell.question()
    assert rows(text) == asked("/", letters)
    assert until(lambda: (place / "out").stat().st_size == 16384)
    shell.type("y" + letters)
    shell.until(r"allowed once\n\$$")
    assert (place / "out").read_bytes() == bytes(range(256)) * 128
