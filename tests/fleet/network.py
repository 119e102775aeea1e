"""The network of a fleet, and the kernel limits that many hosts need.

Fleet N has the N-th /22 of 10.213.0.0/16 and a bridge `rmfN`; its host I a network namespace `rmfN-I`, which is also
the name of the outer end of the host's veth pair. No route leads out.
"""

from __future__ import annotations

import ipaddress
import re
import subprocess
from contextlib import suppress
from pathlib import Path

PREFIX = "rmf"
NETWORKS = list(ipaddress.ip_network("10.213.0.0/16").subnets(new_prefix=22))
LIMITS = {
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 1048576,
    "kernel/keys/maxkeys": 20000,
    "kernel/keys/maxbytes": 2000000,
}


def address(fleet: int, host: int) -> str:
    """Address of host number `host`, from 1; 0 is the controller's own, on the bridge."""
    return str(NETWORKS[fleet][host + 1])


def interface(fleet: int, host: int) -> str:
    return f"{PREFIX}{fleet}-{host}"


def raise_limits() -> None:
    """Raise, never lower, the kernel limits without which systemd hangs at boot from about the tenth host on."""
    for key, wanted in LIMITS.items():
        path = Path("/proc/sys") / key
        if int(path.read_text()) < wanted:
            path.write_text(str(wanted))


def add_bridge(fleet: int) -> None:
    name = f"{PREFIX}{fleet}"
    prefix = NETWORKS[fleet].prefixlen
    _ip(f"link add {name} type bridge", f"addr add {address(fleet, 0)}/{prefix} dev {name}", f"link set {name} up")


def add_host(fleet: int, host: int) -> None:
    name = interface(fleet, host)
    prefix = NETWORKS[fleet].prefixlen
    _ip(f"netns add {name}", f"link add {name} type veth peer name eth0 netns {name}")
    _ip(f"link set {name} master {PREFIX}{fleet} up")
    _ip(f"addr add {address(fleet, host)}/{prefix} dev eth0", "link set lo up", "link set eth0 up", namespace=name)


def set_link(fleet: int, host: int, *, up: bool) -> None:
    _ip(f"link set {interface(fleet, host)} {'up' if up else 'down'}")


def set_shape(fleet: int, host: int, shape: str | None) -> None:
    """Shape the traffic to and from a host, in the words of tc(8): "tbf rate 64kbit burst 3k latency 20s", or, where
    the kernel has it, "netem delay 200ms". None: as it was.
    """
    name = interface(fleet, host)
    for end in (["-n", name], "eth0"), ([], name):
        tc, device = ["tc", *end[0], "qdisc"], ["dev", end[1], "root"]
        # Removed first: `tc qdisc replace` keeps what the new shape does not name.
        subprocess.run([*tc, "del", *device], check=False, capture_output=True)
        if shape:
            _run([*tc, "add", *device, *shape.split()])


def remove(fleet: int) -> None:
    """Remove the namespaces, veth pairs and bridge of a fleet. Its processes must be gone."""
    for namespace in [n for n in _names("/run/netns") if n.startswith(f"{PREFIX}{fleet}-")]:
        _ip(f"netns del {namespace}")
    # A namespace takes its end of the pair along a moment later, and the pair with it.
    for device in [n for n in _names("/sys/class/net") if re.fullmatch(rf"{PREFIX}{fleet}(-\d+)?", n)]:
        with suppress(RuntimeError):
            _ip(f"link del {device}")


def exists(fleet: int) -> bool:
    """Whether this fleet has a bridge, an interface or a namespace."""
    return fleet in fleets_seen()


def fleets_seen() -> set[int]:
    """Numbers of all fleets that have left a trace in the network."""
    names = [*_names("/run/netns"), *_names("/sys/class/net")]
    return {int(found[1]) for name in names if (found := re.fullmatch(rf"{PREFIX}(\d+)(-\d+)?", name))}


def _names(folder: str) -> list[str]:
    path = Path(folder)
    return [entry.name for entry in path.iterdir()] if path.is_dir() else []


def _ip(*lines: str, namespace: str | None = None) -> None:
    _run(["ip", *(["-n", namespace] if namespace else []), "-batch", "-"], text="\n".join(lines))


def _run(command: list[str], text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} {text} failed: {done.stderr.strip()}")
