# SPDX-License-Identifier: Apache-2.0
"""The world that the tests share: one internet, one machine, one agent outside of any jail."""
import os
import re
import resource
import secrets
import signal
import socket
import sys

import pytest

if not os.environ.get("SLUICE_WORLD") or [n for _, n in socket.if_nameindex()] != ["lo"]:
    sys.exit("start the system tests with tests/system/run: they need namespaces of their own")

import daemons      # noqa: E402
import internet     # noqa: E402
import sluice       # noqa: E402
import stage        # noqa: E402
import zone         # noqa: E402


# What a shell ignores for its background jobs would be ignored in every jail too
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# The servers of thousands of tunnels live in this process
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))


@pytest.fixture(scope="session")
def world():
    stage.build(os.environ["SLUICE"], [internet.DNS4])
    net = internet.Internet(stage.ROOT / "zone.pem", stage.ROOT / "zone.key")
    zone.fill(net.dns.names)
    zone.fill(net.other_dns.names)
    daemons.start_all(net)
    return net


@pytest.fixture(scope="session")
def outside(world):
    """The agent with no sluice around it: the positive control."""
    agent = sluice.Agent([])
    yield agent
    agent.kill()


@pytest.fixture(scope="module")
def closed(world):
    """A jail with nothing allowed."""
    agent = sluice.jail()
    yield agent
    agent.kill()


@pytest.fixture
def jail(world):
    """Start jails with options; they end with the test."""
    agents = []

    def start(*options, **kwargs):
        agents.append(sluice.jail(*options, **kwargs))
        return agents[-1]
    yield start
    for agent in agents:
        agent.kill()


@pytest.fixture
def place(world, request):
    """A folder of the user's own for this test."""
    name = re.sub(r"\W+", "-", request.node.name)[:60]
    return stage.directory(stage.HOME / "tests" / f"{name}-{secrets.token_hex(3)}")


@pytest.fixture
def policy(place):
    """Write a policy file; its path."""
    def write(text, name="policy.yaml"):
        path = place / name
        path.write_text(text)
        stage.give(place)
        return path
    return write


@pytest.fixture
def token():
    """Bytes that appear nowhere else."""
    return "t" + secrets.token_hex(8)


@pytest.fixture
def fresh(world):
    """Names that exist only for this test: fresh(addresses...) -> name."""
    made = []

    def make(**spec):
        name = f"n{secrets.token_hex(5)}.{stage.ZONE}"
        world.dns.names[name] = zone.Name(**spec)
        made.append(name)
        return name
    yield make
    for name in made:
        del world.dns.names[name]
