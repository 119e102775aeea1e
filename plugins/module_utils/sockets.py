# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which ports are listened on, and by which programs, from /proc: needs no program of the host and no psutil."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import socket
import struct

# State of a socket in /proc/net, as numbers in the kernel's tcp_states.h: TCP_LISTEN, and TCP_CLOSE for UDP (no peer).
TABLES = {"tcp": ("tcp", "0A"), "tcp6": ("tcp", "0A"), "udp": ("udp", "07"), "udp6": ("udp", "07")}

SOCKET = re.compile(r"socket:\[(\d+)\]")

Listener = collections.namedtuple("Listener", "protocol address port inode")


def address_of(text):
    """The address that /proc/net writes as hexadecimal words in the host's byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = struct.pack("=%dI" % len(words), *words)
    found = socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)
    return found[7:] if found.startswith("::ffff:") and "." in found else found


def parse(protocol, state, lines):
    """The Listeners in a table of /proc/net, whose first line is its head."""
    found = []
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == state and ":" in fields[1]:
            address, _colon, port = fields[1].partition(":")
            found.append(Listener(protocol, address_of(address), int(port, 16), fields[9]))
    return found


def listeners(folder="/proc/net"):
    """All Listeners of this network namespace. Raises OSError when the kernel does not show them."""
    found = []
    for name, (protocol, state) in TABLES.items():
        try:
            with open(os.path.join(folder, name), encoding="ascii") as lines:
                found += parse(protocol, state, lines)
        except FileNotFoundError:
            if name == "tcp":
                raise
    return found


def programs(inodes, folder="/proc"):
    """inode of a socket -> names of the processes that hold it, as far as this user may see them."""
    found, wanted = {}, set(inodes)
    for pid in filter(str.isdigit, os.listdir(folder)):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            for inode in _held(os.path.join(folder, pid, "fd")) & wanted:
                found.setdefault(inode, set()).add(command_name(pid, folder))
    return found


def _held(descriptors):
    """Inodes of the sockets that a process holds."""
    held = set()
    for name in os.listdir(descriptors):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            match = SOCKET.match(os.readlink(os.path.join(descriptors, name)))
            held.update([match.group(1)] if match else [])
    return held


def command_name(pid, folder="/proc"):
    """The name of a process as the kernel has it: 15 characters at most. Raises OSError."""
    with open(os.path.join(folder, pid, "comm"), encoding="utf-8", errors="replace") as comm:
        return comm.read().strip()
