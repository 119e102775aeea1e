"""Ports for tests that have to name one before anybody listens there, or where nobody ever does."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_kept: list[socket.socket] = []


def free_port() -> int:
    """For a program that cannot be told to take any.

    Not one that the kernel gives to whoever connects or asks for any: hundreds do at every moment while all tests run,
    and one of them could be quicker than the program. Nor in an order that other processes go by as well.
    """
    first = int(_EPHEMERAL.read_text().split()[0])
    ports = range(10_000, first) if first > 20_000 else range(61_000, 65_536)
    for port in random.SystemRandom().sample(ports, len(ports)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("every port is taken")


def refusing_port() -> int:
    """One of 127.0.0.1 that refuses connections, and does so until the tests end: it is held, but not listened on."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    _kept.append(held)
    port: int = held.getsockname()[1]
    return port
