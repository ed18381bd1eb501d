# SPDX-License-Identifier: Apache-2.0
"""The agent: does what the test says, one JSON request a line, and tells how it went.

The same program runs in the jail and, as the positive control, outside of it.
Each request runs in a child of its own with a time limit, so that one that hangs
or is killed by a signal is an answer like another; with "stay" it runs in the
agent itself and what it opened stays open.
"""
import json
import os
import select
import signal
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import moves        # noqa: E402
import intrusions   # noqa: E402


def perform(request):
    name = request["do"]
    move = getattr(moves, name, None) or getattr(intrusions, name)
    try:
        return {"ok": move(*request.get("args", []), **request.get("kwargs", {}))}
    except OSError as error:
        return {"error": type(error).__name__, "errno": error.errno, "text": str(error)}
    except Exception as error:      # every failure is an answer
        return {"error": type(error).__name__, "errno": None, "text": traceback.format_exc()}


def perform_apart(request):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setsid()
        with os.fdopen(writing, "w") as out:
            json.dump(perform(request), out)
        os._exit(0)
    os.close(writing)
    text, deadline = b"", request.get("limit", 15)
    waiting = select.poll()
    waiting.register(reading, select.POLLIN)
    with os.fdopen(reading, "rb") as pipe:
        while True:
            if not waiting.poll(deadline * 1000):
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return {"error": "hang", "errno": None, "text": ""}
            piece = os.read(pipe.fileno(), 65536)
            if not piece:
                break
            text += piece
    status = os.waitpid(child, 0)[1]
    if not text:
        return {"error": "killed", "errno": None, "text": str(status)}
    return json.loads(text)


def main():
    print(json.dumps({"ok": "ready"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = perform(request) if request.get("stay") else perform_apart(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
