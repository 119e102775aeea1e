"""Base trees: one Debian release each, made once with debootstrap and shared read-only by every host.

A tree lives at `<cache>/<name>-<stamp>`. The stamp is a hash of what goes into the tree, so a changed list makes a new
tree. Another kind of host is one more `Tree` with its own packages; it may begin as a copy of another tree.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RELEASES = ("bookworm", "trixie")

# No psutil: how it gets to a host is for Roundsman to solve.
HOST_PACKAGES = (
    "systemd systemd-sysv dbus openssh-server python3 iproute2 cron logrotate sudo procps ca-certificates curl"
    " restic rclone"
)
# What others measure with, and what the checks of disks and updates ask.
PEER_PACKAGES = (
    "monitoring-plugins-basic prometheus-node-exporter smartmontools apt-utils dnf rpm createrepo-c e2fsprogs"
)
NEWCOMER_PACKAGES = "python3 python3-venv git ca-certificates"
SERVER_PACKAGES = "postgresql mariadb-server redis-server rabbitmq-server nginx postfix ssl-cert"

# Same on every host: no host keys and no identity of the builder's, nothing that starts by itself and needs a network.
HOST_SETUP = """
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id /etc/resolv.conf /etc/hostname
apt-get clean
rm -rf /var/lib/apt/lists/*
systemctl mask --quiet console-getty.service getty.target apt-daily.timer apt-daily-upgrade.timer \
    systemd-resolved.service systemd-networkd-wait-online.service
useradd --create-home --shell /bin/bash ops
printf 'ops ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/ops
chmod 0440 /etc/sudoers.d/ops
install -d -m 0700 -o ops -g ops /home/ops/.ssh
install -d -m 0700 /root/.ssh
cat > /etc/ssh/sshd_config.d/fleet.conf <<CONF
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 200
CONF
"""
NEWCOMER_SETUP = "useradd --create-home --shell /bin/bash anna"
# No server runs while the tree is built nor when a host boots: a test starts the ones that it needs.
# Installs its arguments, packages of programs that want to start at once, without letting them.
INSTALL = """
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$@"
apt-get clean
rm -rf /var/lib/apt/lists/* /usr/sbin/policy-rc.d /etc/resolv.conf
"""
PEER_SETUP = f"""{INSTALL}
systemctl mask --quiet prometheus-node-exporter.service smartmontools.service
"""
SERVER_SETUP = f"""
debconf-set-selections <<SELECTIONS
postfix postfix/main_mailer_type select Local only
postfix postfix/mailname string localhost
SELECTIONS
{INSTALL}
systemctl disable --quiet postgresql.service mariadb.service mariadb.socket redis-server.service \\
    rabbitmq-server.service epmd.service epmd.socket nginx.service postfix.service
echo '[rabbitmq_management].' > /etc/rabbitmq/enabled_plugins
"""


@dataclass(frozen=True)
class Tree:
    """What a base tree is made of: Debian release, packages (space separated), and a root shell script run inside.

    With `below`, it begins as a copy of that tree, and its script gets the packages as arguments and installs them.
    """

    name: str
    release: str
    packages: str
    setup: str
    below: Tree | None = None

    @property
    def stamp(self) -> str:
        content = f"{self.release}\0{self.packages}\0{self.setup}" + (self.below.stamp if self.below else "")
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def host_tree(release: str) -> Tree:
    return Tree(f"host-{release}", release, HOST_PACKAGES, HOST_SETUP)


def peer_tree(release: str) -> Tree:
    return Tree(f"peer-{release}", release, PEER_PACKAGES, PEER_SETUP, below=host_tree(release))


def servers_tree(release: str) -> Tree:
    return Tree(f"servers-{release}", release, SERVER_PACKAGES, SERVER_SETUP, below=host_tree(release))


def newcomer_tree(release: str) -> Tree:
    return Tree(f"newcomer-{release}", release, NEWCOMER_PACKAGES, NEWCOMER_SETUP)


def cache_dir() -> Path:
    return Path(os.environ.get("ROUNDSMAN_FLEET_CACHE", "/var/cache/roundsman-fleet"))


def ensure(tree: Tree) -> Path:
    """Return the root of the tree, building it first if need be (about a minute). Safe in several processes."""
    root = cache_dir() / f"{tree.name}-{tree.stamp}"
    if root.exists():
        return root
    with _locked(cache_dir() / f".{tree.name}.lock"):
        if not root.exists():
            _remove_abandoned(tree)
            building = Path(tempfile.mkdtemp(prefix=f".building-{tree.name}-", dir=cache_dir()))
            _build(tree, building) if tree.below is None else _build_on(ensure(tree.below), tree, building)
            building.rename(root)
    return root


def mount_over(tree: Path, folder: Path) -> Path:
    """Mount a disk at `folder/root` that shows `tree` and keeps its changes in `folder`; return the mount point."""
    upper, work, root = (folder / part for part in ("upper", "work", "root"))
    for part in (upper, work, root):
        part.mkdir(parents=True)
    # volatile: no fsync reaches the real disk, which is most of what forty booting hosts would wait for.
    options = f"lowerdir={tree},upperdir={upper},workdir={work},volatile"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "fleet", str(root)], check=True)
    return root


def _build(tree: Tree, root: Path) -> None:
    debs = cache_dir() / "debs" / tree.release
    debs.mkdir(parents=True, exist_ok=True)
    include = ",".join(tree.packages.split())
    # No mirror named: debootstrap's default is the right one.
    _run(["debootstrap", "--variant=minbase", f"--include={include}", f"--cache-dir={debs}", tree.release, str(root)])
    root.chmod(0o755)
    _run(["chroot", str(root), "/bin/sh", "-euc", tree.setup])


def _build_on(below: Path, tree: Tree, root: Path) -> None:
    _run(["cp", "--archive", "--reflink=auto", f"{below}/.", str(root)])
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    # Packages of servers want /proc, /sys and /dev of their own when they are installed.
    command = ["systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--as-pid2", "--pipe"]
    command += [f"--directory={root}", f"--machine={tree.name}", "--resolv-conf=off", "--timezone=off"]
    command += ["--link-journal=no", "/bin/sh", "-euc", tree.setup, "sh", *tree.packages.split()]
    _run(command)


def _run(command: list[str]) -> None:
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"base tree: {' '.join(command[:3])} … ended with {done.returncode}; the tree was not made. "
            f"Its last words:\n{done.stdout[-2000:]}"
        )


def _remove_abandoned(tree: Tree) -> None:
    """Remove what a killed build left behind. Called with the tree's lock held, so nobody is building."""
    for path in cache_dir().glob(f".building-{tree.name}-*"):
        remove_tree(path)


def remove_tree(root: Path) -> None:
    """Unmount all below `root`, then delete it. Raises OSError rather than delete through a mount."""
    for mount in reversed(mounts_below(root)):
        subprocess.run(["umount", mount], check=False, capture_output=True)
    for mount in reversed(mounts_below(root)):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    if left := mounts_below(root):
        raise OSError(f"{root} was not removed: still mounted: {', '.join(left)}. Find the user with `fuser -vm`.")
    shutil.rmtree(root, ignore_errors=False)


def mounts_below(root: Path) -> list[str]:
    """Mount points at or below `root`, in the order they were mounted."""
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines())
    points_plain = (point.encode().decode("unicode_escape") for point in points)
    return [point for point in points_plain if point == str(root) or point.startswith(f"{root}/")]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
