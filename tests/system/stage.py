# SPDX-License-Identifier: Apache-2.0
"""The machine that home is: a user, a private /etc, certificates, a copy of sluice.

All of it lies on a tmpfs in the launcher's mount namespace, so the real machine
keeps its files.  The copy of sluice belongs to the user, as a clone in a home
directory does: what must not be changed from inside is really changeable.
"""
import os
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
ROOT = pathlib.Path("/media" if TOP.is_relative_to("/mnt") else "/mnt")
HOME = ROOT / "home"
WORK = HOME / "work"
TREE = HOME / "src" / "sluice"          # build/sluice and data/, as in a clone
INSIDE = ROOT / "inside"
RUNTIME = pathlib.Path("/run/user/64123")
USER, UID, GID = "agent", 64123, 64123
ROLES, ROLES_ID = "sluice", 64124      # whom the gate of root's keeper runs as
ZONE = "farm.example"
# Names that the shipped presets have: in the test internet they are servers of its own
SHIPPED = ["github.com", "github-cloud.s3.amazonaws.com", "registry.npmjs.org", "deb.debian.org"]
BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def call(*argv, **kwargs):
    return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kwargs).stdout


def overlay(path):
    layer = ROOT / "layers" / path.strip("/").replace("/", "-")
    upper, work = layer / "upper", layer / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    call("mount", "-t", "overlay", "overlay",
         "-o", f"lowerdir={path},upperdir={upper},workdir={work}", path)


def give(path):
    """Let the user own path and all below."""
    os.chown(path, UID, GID)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(os.path.join(folder, name), UID, GID, follow_symlinks=False)


def directory(path, mode=0o755):
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    give(path)
    return path


def replace(path, text):
    path = pathlib.Path(path)
    path.unlink(missing_ok=True)        # it may be a symbolic link
    path.write_text(text)


def certificates():
    """A test CA that the machine trusts, and one certificate for the whole zone."""
    os.chdir(ROOT)
    call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test CA")
    call("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", "zone.key", "-out", "zone.csr", "-subj", f"/CN={ZONE}")
    names = ",".join(f"DNS:{n}" for n in (ZONE, f"*.{ZONE}", f"*.deep.{ZONE}", *SHIPPED,
                                          "tldr.sh", "api.github.com"))
    (ROOT / "zone.ext").write_text(f"subjectAltName={names}\n")
    call("openssl", "x509", "-req", "-in", "zone.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
         "-CAcreateserial", "-days", "2", "-extfile", "zone.ext", "-out", "zone.pem")
    (ROOT / "ca.pem").chmod(0o644)
    with BUNDLE.open("a") as bundle:
        bundle.write((ROOT / "ca.pem").read_text())


def accounts():
    call("sed", "-i", f"/^{ROLES}:/d", "/etc/passwd", "/etc/group", "/etc/shadow")
    for name, number, home in (USER, UID, HOME), (ROLES, ROLES_ID, "/nonexistent"):
        with open("/etc/passwd", "a") as f:
            f.write(f"{name}:x:{number}:{number}::{home}:/bin/sh\n")
        with open("/etc/group", "a") as f:
            f.write(f"{name}:x:{number}:\n")
        with open("/etc/shadow", "a") as f:
            f.write(f"{name}:*:19000::::::\n")


def sluice(program):
    """Copy the program and its data to where the user's clone would be."""
    (TREE / "build").mkdir(parents=True)
    for part in ("", "-jail", "-gate", "-resolver", "-exporter", "-courier", "-dashboard"):
        shutil.copy2(str(program) + part, TREE / "build" / f"sluice{part}")
    for name in ("data", "man"):
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, TREE / name)
    shutil.copy2(TOP / "meson.build", TREE / "meson.build")


def build(program, nameservers):
    call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(ROOT))
    overlay("/etc")
    overlay("/var/lib")
    call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    shutil.rmtree("/etc/sluice", ignore_errors=True)
    accounts()
    replace("/etc/resolv.conf", "".join(f"nameserver {n}\n" for n in nameservers))
    replace("/etc/hosts", "127.0.0.1 localhost home\n::1 localhost\n")
    replace("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    replace("/etc/gitconfig", "[safe]\n\tdirectory = *\n")
    call("hostname", "home")
    # so that ping sockets work outside, as they do on most distributions
    pathlib.Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
    certificates()
    WORK.mkdir(parents=True)
    sluice(program)
    give(HOME)
    directory(RUNTIME, 0o700)
    shutil.copytree(pathlib.Path(__file__).parent / "inside", INSIDE)
