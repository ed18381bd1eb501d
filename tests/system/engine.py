# SPDX-License-Identifier: Apache-2.0
"""A Docker Engine of the tests' own, and containers that have the machine's programs."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile

import netns
import pages
import sluice
import stage

SOCKET = "/run/docker.sock"
CONFIG = pathlib.Path("/etc/docker/daemon.json")
IMAGE = "machine"
# The machine's programs, and what the tests run in there
MOUNTS = ["-v", "/usr:/usr:ro", "-v", "/etc/ssl:/etc/ssl:ro", "-v", f"{stage.INSIDE}:{stage.INSIDE}:ro",
          "-e", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"]
RUNC = stage.ROOT / "runc"      # of containers without an engine


def write_image(path, alone=False):
    """Nothing but names: the programs are the machine's, mounted. Or busybox @alone, with nothing to mount."""
    with tarfile.open(path, "w") as tar:
        if alone:
            for name in "bin/busybox", "bin/sh", "bin/wget", "bin/sleep":
                tar.add("/bin/busybox", name)
            return
        for name in "bin", "sbin", "lib", "lib64":
            if os.path.islink("/" + name):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink("/" + name)
                tar.addfile(entry)
        for name in "usr", "tmp", "etc/ssl", "inside":
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)


def bundle(folder, *command):
    """A container without an engine, as runc takes it."""
    (folder / "rootfs").mkdir(parents=True)
    subprocess.run(["runc", "spec", "--bundle", folder], check=True)
    config = json.loads((folder / "config.json").read_text())
    config["process"].update(terminal=False, args=list(command))
    config["root"]["readonly"] = False
    config["mounts"] += [{"destination": d, "source": d, "type": "none", "options": ["rbind", "ro"]}
                         for d in ("/usr", "/lib", "/lib64")]
    return config


def runtime(*argv, policy="rec", **kwargs):
    """sluice runtime, as an engine calls it, in front of a runc of the tests' own."""
    return subprocess.run([str(sluice.PROGRAM), "runtime", "--policy", policy, "--", "--root", RUNC, *argv],
                          stdin=subprocess.DEVNULL, env=netns.root_env(), cwd="/", text=True, **kwargs)


def word(agent, host, **kwargs):
    """What the server at port 8000 there says, or the error."""
    answer = agent.do("tcp", host, 8000, **{"wait": 5, **kwargs})
    return answer["ok"]["data"] if "ok" in answer else answer["error"]


class Engine:
    """dockerd, as Debian has it, without a bridge: it has nothing but what is made in here.

    walls: it makes rules of iptables for its networks; asks: the name server that it knows, another
    than the machine's.
    """

    def __init__(self, walls=False, asks=None):
        self.root = stage.ROOT / "docker"
        self.root.mkdir()
        pages.install()
        CONFIG.parent.mkdir(exist_ok=True)
        CONFIG.unlink(missing_ok=True)
        self.log = open(stage.ROOT / "dockerd.log", "wb")
        # what it leaves in /tmp must not be seen by others: they use other programs' names there
        command = []
        if asks:
            (self.root / "resolv.conf").write_text(f"nameserver {asks}\n")
            command = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                       self.root / "resolv.conf"]
        self.process = subprocess.Popen(
            [*command, "/usr/sbin/dockerd", "--data-root", self.root / "data",
             "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid", "--bridge", "none",
             *(["--experimental", "--ip6tables=true"] if walls else ["--iptables=false", "--ip6tables=false"]),
             "--storage-driver", "vfs", "-H", f"unix://{SOCKET}"], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, env=netns.root_env(), cwd="/")
        netns.wait_for(lambda: self("info").returncode == 0, 30)
        self.configure()
        self.image()

    def configure(self, **more):
        """As docs/docker.md says, while the engine runs; @more is in the same file."""
        said = json.loads(pages.blocks("docker.md", "json")[0])
        said["runtimes"].update(more.pop("runtimes", {}))
        CONFIG.write_text(json.dumps({**said, **more}))
        pages.follow("docker.md", "reload")
        netns.wait_for(lambda: set(json.loads(self("info", "--format", "{{json .Runtimes}}").stdout)) >=
                       set(said["runtimes"]), 30)

    def __call__(self, *argv, limit=60):
        return subprocess.run(["docker", "-H", f"unix://{SOCKET}", *map(str, argv)], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit, env=netns.root_env(),
                              cwd="/")

    def image(self):
        path = self.root / "image.tar"
        write_image(path)
        done = self("import", path, IMAGE)
        assert done.returncode == 0, done.stdout

    def own_image(self, name, *command):
        """One that runs by itself, with busybox, as a reader's does."""
        path = self.root / "own.tar"
        write_image(path, alone=True)
        done = self("import", "--change", f"CMD {json.dumps(command)}", path, name)
        assert done.returncode == 0, done.stdout

    @staticmethod
    def words(*options, network="none", runtime="sluice", policy="rec", name=None):
        return ["run", "-i", "--rm", "--network", network, *(["--runtime", runtime] if runtime else []),
                *(["--name", name] if name else []),
                *(["-e", f"SLUICE_POLICY={policy}"] if policy else []),
                *MOUNTS, *options]

    def run(self, *command, options=(), **kwargs):
        return self(*self.words(*options, **kwargs), IMAGE, *command)

    def agent(self, *options, **kwargs):
        return sluice.Agent(["docker", "-H", f"unix://{SOCKET}", *self.words(*options, **kwargs), IMAGE],
                            root=True, env=netns.root_env())

    def session(self, name=None):
        """That of the container of this name, or of the last one."""
        return self("ps", "-q", *(["--filter", f"name=^{name}$"] if name else ["--latest"])).stdout.strip()

    def member(self, name, address, **kwargs):
        """An agent on the internal network."""
        agent = self.agent("--ip", address, network="agent-internal", name=name, **{"policy": "team", **kwargs})
        agent.session = self.session(name)
        return agent

    def end(self):
        names = self("ps", "-aq").stdout.split()
        if names:
            self("rm", "-f", *names)
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        for folder in self.root, "/run/docker", "/run/containerd":
            shutil.rmtree(folder, ignore_errors=True)
        pathlib.Path(SOCKET).unlink(missing_ok=True)
        CONFIG.unlink(missing_ok=True)
