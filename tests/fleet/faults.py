"""What can be wrong with a host, each really so. A fault is a context manager: it breaks, and repairs on the way out.

    with failed_unit(web1): …                          or     web1.suffer(failed_unit) … web1.recover(failed_unit)

or from the start with `fleet.host("web1", failed_unit=True)`. There is no `finally` in them: when a test failed, its
hosts are thrown away and nothing is left to repair.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.fleet.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fleet.host import Host

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
FAILED_UNIT = """[Unit]
Description=Payroll export
[Service]
Type=oneshot
ExecStart=/bin/false
"""


@contextmanager
def full_filesystem(host: Host, path: str = "/srv/full", size: str = "8M") -> Iterator[None]:
    """A filesystem of its own at `path`, filled to the last byte. The repair frees the space and keeps the mount."""
    host.run(f"mkdir -p '{path}' && mount -t tmpfs -o size={size} full '{path}'")
    host.run(f"dd if=/dev/zero of='{path}/ballast' bs=64k 2>/dev/null", check=False)
    yield
    host.run(f"rm '{path}/ballast'")


@contextmanager
def failed_unit(host: Host, unit: str = "payroll.service") -> Iterator[None]:
    """A unit of systemd in state `failed`."""
    host.write(f"/etc/systemd/system/{unit}", FAILED_UNIT)
    host.run(f"systemctl daemon-reload; systemctl start {unit}", check=False)
    yield
    host.run(f"rm /etc/systemd/system/{unit} && systemctl daemon-reload && systemctl reset-failed {unit}")


@contextmanager
def dead_web_server(host: Host) -> Iterator[None]:
    """The web server of a host made with `web=True` was killed and does not come back by itself."""
    host.run("systemctl kill --signal=KILL web.service")
    host.run(until("systemctl is-failed --quiet web.service"))
    yield
    host.run("systemctl reset-failed web.service; systemctl restart web.service")


@contextmanager
def down(host: Host) -> Iterator[None]:
    """The plug is pulled; the repair boots it again."""
    host.kill()
    yield
    host.start()


@contextmanager
def changed_host_key(host: Host) -> Iterator[None]:
    """The host answers with another key than the fleet's known_hosts has. `host.run` still works."""
    old = host.read(HOST_KEY)
    _use_host_key(host, host.new_host_key())
    yield
    host.wait()
    _use_host_key(host, old)
    host.restore_host_key(old)


def _use_host_key(host: Host, private: str) -> None:
    # By the console, because the way over SSH ends with the old key.
    host.inside("sh", "-c", f"umask 077; printf %s '{private}' > {HOST_KEY}; systemctl restart ssh")


@contextmanager
def broken_sudo(host: Host) -> Iterator[None]:
    """The user `ops` may log in, but sudo refuses him."""
    host.run("mv /etc/sudoers.d/ops /root/sudoers.ops")
    yield
    host.run("mv /root/sudoers.ops /etc/sudoers.d/ops")


@contextmanager
def noexec_homes(host: Host) -> Iterator[None]:
    """Nothing below /home, /root, /tmp and /var/tmp can be executed."""
    paths = "/home /root /tmp /var/tmp"
    host.run(f"for p in {paths}; do mount --bind $p $p && mount -o remount,bind,noexec $p || exit; done")
    yield
    host.run(f"cd / && umount {paths}")


@contextmanager
def flipped_byte(host: Host, path: str, offset: int = 0) -> Iterator[None]:
    """All bits of one byte of a file are turned; a negative offset counts from the end. Size and mtime stay."""
    _flip(host, path, offset)
    yield
    _flip(host, path, offset)


def _flip(host: Host, path: str, offset: int) -> None:
    script = (
        "import os, sys; path, offset = sys.argv[1], int(sys.argv[2]); s = os.stat(path); os.chmod(path, 0o600)\n"
        "with open(path, 'r+b') as f:\n"
        "    at = f.seek(offset, 2 if offset < 0 else 0); byte = f.read(1)[0]\n"
        "    f.seek(at); f.write(bytes([byte ^ 255]))\n"
        "os.chmod(path, s.st_mode & 0o7777); os.utime(path, ns=(s.st_atime_ns, s.st_mtime_ns))"
    )
    host.run(f"python3 - '{path}' {offset}", text_in=script)


# A restic of which one command waits to be let go.
HELD = """#!/bin/sh
[ "$1" != {command} ] || until test -e /run/restic-go; do sleep .1; done
exec /usr/bin/restic "$@"
"""


@contextmanager
def held_restic(host: Host, command: str) -> Iterator[None]:
    """restic waits where it is to `backup` or `restore`, so that it is met there however long one takes to look."""
    host.run("rm -f /run/restic-go")
    host.write("/usr/local/bin/restic", HELD.format(command=command), mode="0755")
    yield
    host.run("rm /usr/local/bin/restic; touch /run/restic-go")


@contextmanager
def slow_network(host: Host, rate: str = "64kbit") -> Iterator[None]:
    """The way to and from the host is narrow, so that all that uses it waits."""
    # Not netem: the kernel of the machines that test this project has none.
    host.shape(f"tbf rate {rate} burst 3k latency 20s")
    yield
    host.shape(None)


@contextmanager
def unplugged(host: Host) -> Iterator[None]:
    """The host runs, but nothing reaches it."""
    host.unplug()
    yield
    host.plug()


@contextmanager
def frozen(host: Host) -> Iterator[None]:
    """The host is hung: a connection opens, and nobody ever answers."""
    host.freeze()
    yield
    host.thaw()


FAULTS = {
    fault.__name__: fault
    for fault in (
        full_filesystem,
        failed_unit,
        dead_web_server,
        down,
        changed_host_key,
        broken_sudo,
        noexec_homes,
        flipped_byte,
        held_restic,
        slow_network,
        unplugged,
        frozen,
    )
}
