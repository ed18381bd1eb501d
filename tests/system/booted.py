# SPDX-License-Identifier: Apache-2.0
"""systemd as process 1 of namespaces of its own, in the network that the tests have.

Of the machine it sees the files, beneath an overlay; of units only those that it is given here, so that
nothing of what the machine starts at boot is started.
"""
import os
import pathlib
import signal
import shutil
import subprocess

import netns
import stage

PLACE = stage.ROOT / "systemd"
UNITS = PLACE / "units"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
# A machine has one tree of cgroups (version 2), or systemd's own beside those of each controller
HIERARCHIES = [CGROUPS / name for name in ("systemd", "unified") if (CGROUPS / name).is_dir()] or [CGROUPS]
BOOT = r"""
set -e
new=$1 units=$2
mount --make-rprivate /
mkdir "$new/upper" "$new/work" "$new/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$new/upper,workdir=$new/work" "$new/root"
for kept in /etc /var/lib "${new%/*}"; do
	mount --rbind "$kept" "$new/root$kept"
done
hybrid=$(test -d /sys/fs/cgroup/systemd && echo yes || true)
cd "$new/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
if [ "$hybrid" ]; then
	mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
	mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
	mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
	mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
else
	mount -t cgroup2 cgroup2 sys/fs/cgroup
fi
for empty in run tmp dev; do
	mount -t tmpfs -o mode=755 tmpfs $empty
done
chmod 1777 tmp
mkdir dev/pts dev/shm
for node in null zero full random urandom tty; do
	touch dev/$node
	mount --bind /dev/$node dev/$node
done
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
touch dev/console
mount --bind "$new/console" dev/console
mkdir old
pivot_root . old
cd /
umount -l old
mount --make-rshared /
exec env -i container=tests SYSTEMD_UNIT_PATH="$units" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --unit=main.target --log-target=null --show-status=0
"""
TARGET = "[Unit]\nDescription={}\nDefaultDependencies=no\n"


class Booted:
    """With the service as it is installed, of this build."""

    def __init__(self, program):
        UNITS.mkdir(parents=True)
        (PLACE / "console").write_text("")
        for name in ("sysinit", "basic", "shutdown", "umount"):
            (UNITS / f"{name}.target").write_text(TARGET.format(name))
        (UNITS / "main.target").write_text(TARGET.format("main") + "Requires=sluice.service\n")
        unit = (stage.TOP / "packaging/systemd/sluice.service.in").read_text()
        (UNITS / "sluice.service").write_text(unit.replace("@BINDIR@", str(pathlib.Path(program).parent)))
        own = [h / f"sluice-test-{os.getpid()}" for h in HIERARCHIES]
        for one in own:
            one.mkdir()
        self.cgroups = own
        enter = "; ".join(f"echo 0 >{one}/cgroup.procs" for one in own)
        self.outer = subprocess.Popen(
            ["sh", "-c", f'{enter}; exec unshare --mount --pid --cgroup --fork --kill-child sh -c "$@"',
             "sh", BOOT, "sh", str(PLACE), str(UNITS)], stdin=subprocess.DEVNULL, cwd="/",
            stdout=open(PLACE / "boot.out", "wb"), stderr=subprocess.STDOUT, env=netns.root_env())
        try:
            netns.wait_for(self.is_up, 30)
        except AssertionError as error:
            said = (PLACE / "boot.out").read_text() + (PLACE / "console").read_text()
            state = self("systemctl", "status", "sluice").stdout
            self.end()
            raise AssertionError(f"not up: {said}\n{state}") from error

    @property
    def pid(self):
        """Process 1 in there."""
        return int(pathlib.Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children").read_text().split()[0])

    def is_up(self):
        assert self.outer.poll() is None, (PLACE / "boot.out").read_text()
        try:
            return self("systemctl", "is-active", "sluice").stdout.strip() == "active"
        except IndexError:
            return False

    def __call__(self, *argv):
        return subprocess.run(["nsenter", "-t", str(self.pid), "--mount", "--pid", "--cgroup", "--", *map(str, argv)],
                              text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=30, env=netns.root_env(), cwd="/")

    def show(self, name):
        return self("systemctl", "show", "sluice", "--property", name, "--value").stdout.strip()

    def end(self):
        if self.outer.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self.outer.wait(20)
        for one in self.cgroups:
            netns.wait_for(lambda one=one: self.removed(one))
        shutil.rmtree(PLACE, ignore_errors=True)

    @staticmethod
    def removed(folder):
        for path, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                return False
        return True
