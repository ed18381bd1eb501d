# SPDX-License-Identifier: Apache-2.0
"""A real guest: Debian's cloud kernel and busybox, under QEMU's emulation, started by libvirt."""
import functools
import glob
import gzip
import pathlib
import re
import socket
import subprocess

import frames
import stage
from netns import wait_for

# What virtio's network needs, each after what it stands on
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "failover", "net_failover", "virtio_net"]

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in {modules}; do insmod /lib/$module.ko; done
ip link set lo up
ip link set eth0 up
wget() {{ /usr/bin/wget -q -t 1 -T 4 -O- "$@"; }}
{script}
echo the-end
poweroff -f
"""

LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr flush dev eth0
ip addr add $ip/$mask dev eth0
ip route add default via $router
echo "nameserver $dns" >/etc/resolv.conf
echo "lease: $ip/$mask $router $dns"
"""

DOMAIN = """<domain type='qemu'>
<name>{name}</name>
{metadata}
<memory unit='MiB'>128</memory>
<os><type arch='x86_64'>hvm</type><kernel>{kernel}</kernel><initrd>{initrd}</initrd>
<cmdline>console=ttyS0 quiet panic=-1</cmdline></os>
<features><acpi/></features>
<on_poweroff>destroy</on_poweroff>
<devices>
<serial type='file'><source path='{console}'/></serial>
<interface type='network'>{mac}<source network='{network}'/>
{filter}
<model type='virtio'/></interface>
<memballoon model='none'/>
{devices}
</devices>
</domain>
"""


def kernel():
    return sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64"))[-1]


def modules():
    folder = pathlib.Path(kernel().replace("/boot/vmlinuz-", "/lib/modules/")) / "kernel"
    found = {path.stem: path for part in ("drivers/virtio", "drivers/net", "net/core")
             for path in (folder / part).glob("*.ko")}
    return [(f"lib/{name}.ko", 0o100644, found[name].read_bytes()) for name in MODULES]


def program(path):
    """A program of this machine, with its libraries, as files of the guest's."""
    listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    paths = [path, *re.findall(r"(/\S+)", listed)]
    folders = {str(parent)[1:] for p in paths for parent in pathlib.Path(p).parents} - {"", "bin", "lib"}
    return [(folder, 0o40755, b"") for folder in sorted(folders)] + [
        (p[1:], 0o100755, pathlib.Path(p).read_bytes()) for p in paths]


def archive(files):
    """An initramfs (Linux, Documentation/driver-api/early-userspace/buffer-format.rst)."""
    out = b""
    for number, (name, mode, data) in enumerate([*files, ("TRAILER!!!", 0, b"")]):
        head = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % n for n in head) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return out


@functools.cache
def base():
    """What is the same in every guest."""
    files = [(folder, 0o40755, b"") for folder in ("bin", "lib", "proc", "sys", "etc", "dev")]
    files += [("bin/busybox", 0o100755, pathlib.Path("/bin/busybox").read_bytes()),
              ("lease", 0o100755, LEASE.encode()), *modules(), *program("/usr/bin/wget")]
    return gzip.compress(archive(files), 1)


def writer():
    """Files for a guest that sends frames as it likes: frames HEX..."""
    return [*program("/usr/bin/perl"), ("bin/frames", 0o100755, frames.PERL.encode())]


FILTER = """<filterref filter='agent-network-filter'>
<parameter name='IP' value='192.168.101.10'/></filterref>"""


# A guest that does what it is told through its published port 22, until it is destroyed; it says so
# once somebody listens there
SHELL = """
udhcpc -i eth0 -n -q -s /lease
nc -ll -p 22 -e /bin/sh &
until grep -q ':0016 .* 0A ' /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done
echo serves
wait
"""
# The same metadata that docs/libvirt.md speaks of
METADATA = "<metadata><s:guest xmlns:s='https://sluice.internal/guest' {}/></metadata>"


def ask(port, command, limit=60, address="127.0.0.1"):
    """What a guest's shell says, by the port of this machine that it is published on."""
    with socket.create_connection((address, port), 5) as s:
        s.settimeout(limit)
        s.sendall(f"{{ {command}\n}} 2>&1; echo said-all\n".encode())
        s.shutdown(socket.SHUT_WR)
        said = b""
        while part := s.recv(65536):
            said += part
    said = said.decode(errors="replace")
    assert said.endswith("said-all\n"), said
    return said.removesuffix("said-all\n")


class Machine:
    """One start of a guest, which runs a script and ends."""

    def __init__(self, virt, name, script, network="agent-nat-filtered", metadata="", devices="",
                 guarded=False, extra=(), mac=""):
        """guarded: by libvirt's filter too, for which a hundred programs are run.  extra: files of the guest.
        mac: its interface's, where it matters."""
        self.virt, self.name = virt, name
        self.console = stage.ROOT / f"{name}.console"
        init = INIT.format(modules=" ".join(MODULES), script=script).encode()
        initrd = stage.ROOT / f"{name}.initrd"
        initrd.write_bytes(base() + gzip.compress(archive([("init", 0o100755, init), *extra]), 1))
        virt.define("define", DOMAIN.format(name=name, kernel=kernel(), initrd=initrd, network=network,
                                            console=self.console, metadata=metadata, devices=devices,
                                            filter=FILTER if guarded else "",
                                            mac=f"<mac address='{mac}'/>" if mac else ""))

    def start(self):
        """What virsh says."""
        return self.virt.try_virsh("start", self.name)

    def said(self):
        return re.sub("\r", "", self.console.read_text(errors="replace")) if self.console.exists() else ""

    def wait(self):
        """Until it has ended; what it said."""
        wait_for(lambda: "the-end" in self.said() or "panic" in self.said(), 120)
        return self.said()

    def runs(self):
        return self.name in self.virt.virsh("list", "--name").split()
