"""What hosts depend on, by explicit words of the inventory; never because they are in a group together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


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


def edges(known: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, tuple[str, ...]]:
    """host -> hosts, from host -> (its address, names or addresses that it depends on).

    Names that are no host that is known (nor the address of one) are kept out: nothing can be said about them.
    """
    by_address = {address: host for host, (address, _) in known.items() if address}
    found: dict[str, tuple[str, ...]] = {}
    for host, (_, needed) in known.items():
        there = (one if one in known else by_address.get(one) for one in needed)
        found[host] = tuple(dict.fromkeys(one for one in there if one is not None and one != host))
    return found
