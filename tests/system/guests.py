# SPDX-License-Identifier: Apache-2.0
"""A guest without a machine: what it would do is done in a namespace at the other end of a veth."""
import subprocess

import netns
import sluice
import stage

GATEWAY, ADDRESS, MAC = "192.168.101.1", "192.168.101.10", "52:54:00:00:00:0a"

# What a DHCP client tells its script (busybox), done
LEASE = """#!/bin/sh
case $1 in
bound|renew)
    ip addr flush dev $interface
    ip addr add $ip/$mask dev $interface
    ip route replace default via $router dev $interface
    echo "$ip/$mask $router $dns $lease";;
esac
"""


class Guest(netns.Box):
    """Its end of the veth is eth0; the other one, the tap, stands in `room`, which is the gate's."""

    def __init__(self, bounds=""):
        """bounds: of bandwidth, as hold --guest takes them."""
        super().__init__()
        self.bounds = bounds
        self.room = netns.Box()
        self.room.enter("ip", "link", "add", "vnet0", "type", "veth", "peer", "name", "eth0",
                        "netns", str(self.pid))
        for command in f"ip link set eth0 address {MAC} up", "ip link set lo up":
            self.enter(*command.split())
        self.keeper = None

    def hold(self, *options, session="guest"):
        """Behind a gate, by hand."""
        self.log = sluice.new_log()
        self.errors = stage.ROOT / f"hold-{self.pid}.err"
        with open(self.errors, "wb") as err:
            self.keeper = subprocess.Popen(
                [str(sluice.PROGRAM), "hold", "--pid", str(self.room.pid), "--only", "--guest",
                 f"vnet0={MAC}{self.bounds}", "--log", str(self.log), "--session", session, *map(str, options)],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err, cwd="/", env=netns.root_env())
        netns.wait_for(lambda: " serves\n" in self.errors.read_text() or self.keeper.poll() is not None)
        assert self.keeper.poll() is None, self.errors.read_text()
        return self

    def lease(self, *options):
        """Ask DHCP, and take what it says."""
        script = stage.ROOT / "lease.sh"
        script.write_text(LEASE)
        script.chmod(0o755)
        return self.enter("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "3", "-T", "1",
                          "-s", str(script), *options)

    def kill(self):
        if self.keeper and self.keeper.poll() is None:
            self.keeper.terminate()
            self.keeper.wait(10)
            sluice.unbroken(self.errors.read_text())
        super().kill()
        self.room.kill()
