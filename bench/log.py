#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Time and peak of memory of what reads a large log (see README.md)."""
import argparse
import os
import pathlib
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
POLICY = "version: 1\nallow:\n  - {host: '*.example.org', paths: ['/v1/**']}\n"


def measure(argv, out):
    """Seconds, peak in kB, exit code, bytes said."""
    start = time.monotonic()
    with open(out, "wb") as to:
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[
            (os.POSIX_SPAWN_DUP2, to.fileno(), 1)])
        _, status, usage = os.wait4(pid, 0)
    return (time.monotonic() - start, usage.ru_maxrss, os.waitstatus_to_exitcode(status),
            os.path.getsize(out))


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--megabytes", type=int, nargs="+", default=[100, 1000])
    parse.add_argument("--build", default=TOP / "build", type=pathlib.Path)
    parse.add_argument("--bound", type=int, metavar="MB", help="fail if a peak is higher")
    parse.add_argument("--only", nargs="+", default=[], metavar="WORD")
    given = parse.parse_args()
    sluice, make = str(given.build / "sluice"), str(given.build / "tests/unit/audit/log_make")
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        log, policy = f"{folder}/log.jsonl", f"{folder}/policy.yaml"
        pathlib.Path(policy).write_text(POLICY)
        commands = [["log", "verify"], *(["report", "--format", f] for f in ("text", "json", "markdown", "html")),
                    ["learn", "--key", f"{log}.key.pub"], ["check", "--only", "-p", policy, "--log"],
                    ["log", "show"]]
        for megabytes in given.megabytes:
            seconds, _, code, _ = measure([make, log, str(megabytes)], f"{folder}/out")
            print(f"{megabytes} MB: {pathlib.Path(folder, 'out').read_text().strip()}, "
                  f"made in {seconds:.1f} s")
            for words in commands:
                name = " ".join(w for w in words if not w.startswith(("-", "/")) or w == "--log")
                if code or (given.only and not set(given.only) & set(words)):
                    continue
                seconds, peak, done, said = measure([sluice, *words, log], f"{folder}/out")
                late = given.bound and peak > given.bound * 1000
                bad = done not in (0, 1, 2) or (done and words[0] != "check")
                missed |= bool(late or bad)
                print(f"  {name:24} {seconds:7.1f} s  {peak / 1000:7.1f} MB at its peak  "
                      f"{said / 1e6:7.1f} MB said{'  FAILED ' + str(done) if bad else ''}"
                      f"{'  MISSED' if late else ''}", flush=True)
            if code:
                return 1
    return missed


if __name__ == "__main__":
    sys.exit(main())
