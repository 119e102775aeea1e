"""What hosts depend on, by explicit words of the inventory; never because they are in a group together."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

DEPENDS_ON = "roundsman_depends_on"
# Where an inventory says how SSH gets to a host.
_SSH_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")


class Topology:
    """Edges from a host to those without which it cannot be reached or cannot work."""

    def __init__(self, depends_on: Mapping[str, Iterable[str]]) -> None:
        self._edges = {host: tuple(needed) for host, needed in depends_on.items()}
        self._above: dict[str, dict[str, tuple[str, ...]]] = {}

    def above(self, host: str) -> Mapping[str, tuple[str, ...]]:
        """All that the host depends on, nearest first, each with the chain that leads there.

        Hosts that depend on each other are left out: either could be the cause, so neither hides the other.
        """
        if host not in self._above:
            reached = self._reached(host)
            self._above[host] = {one: chain for one, chain in reached.items() if host not in self._reached(one)}
        return self._above[host]

    def _reached(self, host: str) -> dict[str, tuple[str, ...]]:
        chains: dict[str, tuple[str, ...]] = {host: (host,)}
        waiting = [host]
        for one in waiting:
            for needed in self._edges.get(one, ()):
                if needed not in chains:
                    chains[needed] = (*chains[one], needed)
                    waiting.append(needed)
        del chains[host]
        return chains


def edges(inventory: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The edges of an inventory, host by host with its variables: `roundsman_depends_on`, a host or a list of hosts,
    and the jump hosts of SSH's arguments. Names that are no host of the inventory (nor the address of one) are kept
    out: nothing is known about them.
    """
    by_address = {
        str(variables["ansible_host"]): host for host, variables in inventory.items() if "ansible_host" in variables
    }
    found: dict[str, tuple[str, ...]] = {}
    for host, variables in inventory.items():
        named = variables.get(DEPENDS_ON) or []
        wanted = [named] if isinstance(named, str) else [str(one) for one in named]
        wanted += [jump for name in _SSH_ARGUMENTS for jump in jumps(str(variables.get(name) or ""))]
        known = (one if one in inventory else by_address.get(one) for one in wanted)
        found[host] = tuple(dict.fromkeys(one for one in known if one is not None and one != host))
    return found


def jumps(arguments: str) -> Iterator[str]:
    """The hosts that SSH goes through by `-J`, `ProxyJump` or `ProxyCommand="ssh -W …"`."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        return
    for word, following in pairwise([*words, ""]):
        if word.startswith("-J"):
            yield from _names((word[2:] or following).split(","))
        elif word.startswith("-o"):
            option, value = ([*re.split(r"\s*[=\s]\s*", word[2:] or following, maxsplit=1), ""])[:2]
            if option.lower() == "proxyjump":
                yield from _names(value.split(","))
            elif option.lower() == "proxycommand" and "-W" in value.split():
                yield from _names(value.split()[-1:])


def _names(hops: Iterable[str]) -> Iterator[str]:
    """`ssh://user@bastion:22` is bastion."""
    for hop in hops:
        match = re.fullmatch(r"(?:ssh://)?(?:[^@]*@)?(?:\[(.+)\]|([^:/]+))(?::\d+)?/?", hop)
        if match:
            yield match[1] or match[2]
