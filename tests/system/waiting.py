# SPDX-License-Identifier: Apache-2.0
"""Until something is so."""
import time


def wait_for(condition, limit=30):
    """Its first result that is true."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it does not come")
