# SPDX-License-Identifier: Apache-2.0
"""Debian's libvirtd, started by hand: no systemd, its files on file systems of its own; sluice is installed."""
import os
import pathlib
import subprocess
import tempfile

import pages
import stage
from netns import root_env, wait_for

# A sysfs of the network namespace that it is in, for bridges; its cache is nobody else's
START = """
mount -t sysfs sysfs /sys && mkdir -p $ROOT/libvirt-cache &&
mount --bind $ROOT/libvirt-cache /var/cache && mount -t tmpfs tmpfs /var/log &&
exec libvirtd
"""


class Libvirt:
    """In the network namespace of the process `inside`, or in this one."""

    def __init__(self, inside=None):
        self.prefix = ["nsenter", f"--net=/proc/{inside}/ns/net", "--"] if inside else []
        self.log = stage.ROOT / "libvirtd.log"
        pages.install()
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, "unshare", "--mount", "sh", "-c", START], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, "PATH": root_env()["PATH"],
                                             "ROOT": str(stage.ROOT)})
        wait_for(lambda: self.try_virsh("version").returncode == 0, 30)

    def restart(self):
        """Its guests run on."""
        self.process.terminate()
        self.process.wait(20)
        self.start()

    def try_virsh(self, *argv, **kwargs):
        assert self.process.poll() is None, self.log.read_text()
        return subprocess.run(["virsh", "-q", "-c", "qemu:///system", *map(str, argv)], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, **kwargs)

    def virsh(self, *argv):
        done = self.try_virsh(*argv)
        assert done.returncode == 0, (argv, done.stdout, self.log.read_text()[-2000:])
        return done.stdout

    def define(self, command, xml):
        with tempfile.NamedTemporaryFile("w", suffix=".xml", dir=stage.ROOT) as f:
            f.write(xml)
            f.flush()
            return self.virsh(command, f.name)

    def end(self):
        """With all that was defined: the next one starts anew."""
        for name in self.virsh("list", "--all", "--name").split():
            self.try_virsh("destroy", name)     # it may have ended meanwhile
            self.virsh("undefine", name)
        for name in self.virsh("net-list", "--all", "--name").split():
            self.try_virsh("net-destroy", name)
            self.virsh("net-undefine", name)
        for port in self.virsh("nwfilter-binding-list").split("\n"):
            if port.strip():
                self.virsh("nwfilter-binding-delete", port.split()[0])
        self.virsh("nwfilter-undefine", "agent-network-filter")
        self.process.terminate()
        self.process.wait(20)
        for pid in pathlib.Path("/run/libvirt").glob("**/*.pid"):
            pid.unlink(missing_ok=True)
