# SPDX-License-Identifier: Apache-2.0
"""Containers of Podman behind the gate: another engine, the same runtime."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess

import pytest

import engine
import internet
import netns
import pages
import stage
from netns import DENIED, REC, wait_for
from pages import follow

RUNTIME = pathlib.Path("/usr/local/bin/sluice-runc")
CONFIG = pathlib.Path("/etc/containers")
# What a machine without systemd needs, and files that are the tests' own
STORE = f"""[storage]
driver = "vfs"
graphroot = "{stage.ROOT}/podman"
runroot = "/run/podman-store"
"""
ENGINE = """[containers]
default_ulimits = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@pytest.fixture(scope="module")
def daemon(world):
    yield from netns.serving(rec=f"allow:\n  - host: {REC}\n", web='allow:\n  - host: "*.example.com"\n')


@pytest.fixture(scope="module")
def podman(world, daemon):
    (CONFIG / "containers.conf.d").mkdir(parents=True, exist_ok=True)
    (CONFIG / "containers.conf.d" / "machine.conf").write_text(ENGINE)
    (CONFIG / "storage.conf").write_text(STORE)
    pages.install()
    follow("podman.md", "link")
    image = stage.ROOT / "podman.tar"
    engine.write_image(image)
    done = subprocess.run(["podman", "import", image, engine.IMAGE], env=netns.root_env(), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, cwd="/")
    assert done.returncode == 0, done.stderr

    def run(*command, policy="rec", network="none", runtime=RUNTIME, options=()):
        return subprocess.run(
            ["podman", "--runtime", str(runtime), "run", "--rm", "--network", network,
             "-e", f"SLUICE_POLICY={policy}", "-v", "/usr:/usr:ro", "-v",
             "/etc/ssl:/etc/ssl:ro", *options, engine.IMAGE, *command], env=netns.root_env(), text=True, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
    yield run
    RUNTIME.unlink()


def test_allowed_passes_and_nothing_else(world, podman, token):
    start = world.wire.mark()
    done = podman("sh", "-c", f"curl -sS --max-time 20 https://{REC}/{token}g || exit 1; "
                  f"curl -sS --max-time 20 https://{DENIED}/{token}x && exit 2; "
                  f"curl -sS --max-time 20 http://{internet.RECORDER4}/{token}x && exit 3; exit 0")
    assert done.returncode == 0, done.stdout
    assert world.recorder.requests((token + "g").encode())
    assert not world.recorder.arrived((token + "x").encode())
    assert not world.wire.carries((token + "x").encode(), start)


@pytest.mark.parametrize("how, why", [
    (dict(policy="nowhere"), "nowhere.yaml"), (dict(network="host"), "machine's own network"),
    (dict(options=("--cgroupns", "ns:/proc/self/ns/cgroup")), "control groups"),
    (dict(options=("-v", "/etc/sluice:/s:O")), "type overlay"),
])
def test_refused_before_it_starts(podman, how, why):
    done = podman("echo", "it", "runs", **how)
    assert done.returncode != 0 and why in done.stdout and "it runs" not in done.stdout, done.stdout
    assert podman("echo", "it", "runs", runtime="/usr/sbin/runc", options=how.get("options", ())).stdout == "it runs\n"


# without root

@pytest.fixture(scope="module")
def rootless(world, podman):
    """The same engine as an ordinary user's own, who is of the daemon's group or is not."""
    for name in "subuid", "subgid":
        pathlib.Path(f"/etc/{name}").write_text(f"{stage.UID}:200000:65536\n")
    home, runtime = stage.directory(stage.HOME / "podman", 0o755), stage.directory(stage.HOME / "podman-run", 0o700)
    env = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "PATH": netns.root_env()["PATH"]}
    image = home / "image.tar"
    engine.write_image(image)
    image.chmod(0o644)

    def begin(*words, groups=(stage.ROLES_ID,)):
        return subprocess.Popen(
            ["podman", *map(str, words)], user=stage.UID, group=stage.GID, extra_groups=list(groups), env=env, cwd=home,
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def user(*words, **kwargs):
        with begin(*words, **kwargs) as process:
            said = process.communicate(timeout=90)[0]
        return subprocess.CompletedProcess(words, process.returncode, said)

    def run(*command, policy="rec", how=user, options=(), **kwargs):
        return how("--runtime", RUNTIME, "run", "--rm", "--network", "none", "-e",
                   f"SLUICE_POLICY={policy}", "-v", "/usr:/usr:ro", "-v", "/etc/ssl:/etc/ssl:ro", *options, engine.IMAGE,
                   *command, **kwargs)
    run.begin, run.user, run.env = begin, user, env
    done = user("import", image, engine.IMAGE)
    assert done.returncode == 0, done.stdout
    yield run, runtime / "sluice"


def test_rootless(world, rootless, token):
    run, folder = rootless
    start = world.wire.mark()
    done = run("sh", "-c", "grep -c BEGIN /etc/sluice-ca.pem || exit 4; ip link show type veth | grep . && exit 5; "
               f"curl -sS --max-time 20 https://{REC}/{token}g || exit 1; "
               f"curl -sS --max-time 20 https://{DENIED}/{token}x && exit 2; "
               f"curl -sS --max-time 20 http://{internet.RECORDER4}/{token}x && exit 3; exit 0")
    assert done.returncode == 0, done.stdout
    assert world.recorder.requests((token + "g").encode())
    assert not world.recorder.arrived((token + "x").encode())
    assert not world.wire.carries((token + "x").encode(), start)
    wait_for(lambda: not list(folder.glob("*.pem")))


def test_rootless_is_the_groups_alone(world, rootless):
    run, _ = rootless
    done = run("echo", "it", "runs", groups=())
    assert done.returncode != 0 and "root and the group sluice" in done.stdout and "it runs" not in done.stdout
    done = run("echo", "it", "runs", policy="nowhere")
    assert done.returncode != 0 and "nowhere.yaml" in done.stdout and "it runs" not in done.stdout


def test_rootless_is_held_again(world, daemon, rootless, place, token):
    """The new session's CA comes into the file that is mounted, and nobody stays when the container has gone."""
    run, folder = rootless
    netns.policies(get=f"allow:\n  - host: {REC}\n    methods: [GET]\n")
    script = f"curl -sS --max-time 20 https://{REC}/{token}a || exit 1; touch {place}/ready; " \
        f"while [ ! -e {place}/go ]; do sleep 0.05; done; curl -sS --max-time 20 https://{REC}/{token}b || exit 2"

    def followers():
        return subprocess.run(["pgrep", "-fx", "sluice attach --oci .*"], capture_output=True, text=True).stdout.split()

    def is_new(own, ca, before):
        """Both may be written just now."""
        with contextlib.suppress(FileNotFoundError):
            return ca.read_text() != before and own.read_text() == ca.read_text() != ""

    with run("sh", "-c", script, policy="get", how=run.begin, options=("-v", f"{place}:{place}")) as process:
        wait_for((place / "ready").exists, 60)
        wait_for(lambda: len(followers()) == 1)     # of what ran before one may be about to end
        one, = wait_for(lambda: len(rows := daemon.all()) == 1 and rows)
        own, = wait_for(lambda: len(found := list(folder.glob("*.pem"))) == 1 and found)
        before, ca = own.read_text(), netns.RUN / f"{one['session']}-ca.pem"
        os.kill(one["keeper"], signal.SIGKILL)
        wait_for(lambda: is_new(own, ca, before), 60)
        wait_for(lambda: daemon.held(one["session"])["state"] == "serving", 60)
        with run.begin("--runtime", RUNTIME, "exec", "--latest", "curl", "-sS", "--max-time", "20",
                       f"https://{REC}/{token}c") as more:
            said = more.communicate(timeout=60)[0]
        assert more.returncode == 0, said
        follower, = map(int, followers())
        os.kill(follower, signal.SIGSTOP)
        (place / "go").touch()
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    for letter in "abc":
        assert world.recorder.requests((token + letter).encode())
    wait_for(lambda: not own.exists() and not ca.exists())
    # by the time that it hears of it others have these names: they are not its own
    for path in ca, own:
        path.write_text("another's")
        path.chmod(0o666)
    os.kill(follower, signal.SIGCONT)
    wait_for(lambda: not followers())
    for path in ca, own:
        path.unlink()


# docs/podman.md

TRIES = "i=0; until wget -O- http://www.example.com/{token}-ok || [ $i = 100 ]; do sleep 0.1; i=$((i+1)); done; " \
    "wget -O- http://{denied}/{token}-bad; wget -O- http://{address}/{token}-bad; echo refused"


def test_the_page(world, podman, rootless, token):
    """As a new user follows it, from its top to its end."""
    world.dns.names["www.example.com"] = world.dns.names[REC]
    start = world.wire.mark()
    run, _ = rootless
    groups = pathlib.Path("/etc/group").read_bytes()
    home = pathlib.Path(run.env["HOME"])
    user = dict(user=stage.UID, group=stage.GID, env=run.env, cwd=home)
    image = home / "agent.tar"
    engine.write_image(image, alone=True)
    image.chmod(0o644)
    bring = "import", "--change", "CMD " + json.dumps(["sh", "-c", TRIES.format(
        token=token, denied=DENIED, address=internet.RECORDER4)]), image, "agent"
    done = subprocess.run(["podman", *bring], env=netns.root_env(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert run.user(*bring).returncode == 0

    def reached(times):
        return len(world.recorder.requests(f"{token}-ok".encode())) == times
    assert follow("podman.md", "run", words={"IMAGE": "agent"}).endswith("refused\n") and reached(1)
    # the engine's own file
    config = CONFIG / "containers.conf"
    was = config.read_bytes() if config.exists() else None
    config.write_text(pages.blocks("podman.md", "toml")[0])
    plain = "podman", "run", "--network", "none", "-e"
    assert f"`{' '.join(plain)} SLUICE_POLICY=web IMAGE`" in pages.text_of("podman.md")
    for policy, times in ("nowhere", 1), ("web", 2):
        done = subprocess.run([*plain, f"SLUICE_POLICY={policy}", "agent"], env=netns.root_env(), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert reached(times) and ("nowhere.yaml" in done.stdout) == (policy == "nowhere"), done.stdout
    config.write_bytes(was) if was is not None else config.unlink()

    # without root
    with pytest.raises(AssertionError, match="root and the group sluice"):
        follow("podman.md", "rootless", words={"IMAGE": "agent"}, extra_groups=[], **user)
    follow("podman.md", "group", words={"NAME": stage.USER})
    logged_in = os.getgrouplist(stage.USER, stage.GID)
    assert follow("podman.md", "rootless", words={"IMAGE": "agent"}, extra_groups=logged_in, **user).endswith("refused\n")
    assert reached(3)
    # without the group
    (home / "policy.yaml").write_text(netns.POLICIES.joinpath("web.yaml").read_text())
    with pages.running("podman.md", "hold", words={"IMAGE": "agent", "NAME": "mine"}, extra_groups=[],
                       stderr=subprocess.STDOUT, **user) as hold:
        said = hold.communicate(timeout=60)[0]      # it ends with the container
    assert hold.returncode == 0 and "serves" in said, said
    assert reached(4)
    wait_for(lambda: run.user("logs", "mine").stdout.endswith("refused\n"))     # its engine writes them down
    assert not world.recorder.arrived(f"{token}-bad".encode()) and not world.wire.carries(f"{token}-bad".encode(), start)
    pathlib.Path("/etc/group").write_bytes(groups)
    del world.dns.names["www.example.com"]
