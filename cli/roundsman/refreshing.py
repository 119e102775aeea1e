"""Alertmanagers forget what nobody repeats: what was told to them and still fires is told again."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from .alerts.groups import GroupState
from .alerts.model import AlertState
from .notify.alertmanager import Alertmanager
from .notify.channel import Channel, Outcome
from .store import Store, alerts, groups


def refresh(store: Store, channels: Mapping[str, Mapping[str, Channel]]) -> dict[str, Outcome]:
    """What came of each Alertmanager, by its target's name. To be called at every tick: a minute, as Prometheus has it.

    `channels` are those of each receiver. Nothing is recorded: a failure is mended by the next tick.
    """
    peers = [
        (receiver, target, channel)
        for receiver, known in channels.items()
        for target, channel in known.items()
        if isinstance(channel, Alertmanager)
    ]
    if not peers:
        return {}
    firing = _firing(store)

    def repeat(peer: tuple[str, str, Alertmanager]) -> tuple[str, Outcome]:
        receiver, target, channel = peer
        return target, channel.refresh(firing.get(receiver, []))

    # All at once: while one does not answer the others would forget.
    with ThreadPoolExecutor(len(peers)) as pool:
        return dict(pool.map(repeat, peers))


def _firing(store: Store) -> dict[str, list[AlertState]]:
    """What each receiver was told of and is not over."""
    with store.read() as tx:
        states = {state["fingerprint"]: AlertState.from_dict(state) for state in alerts.listed(tx)}
        known = [GroupState.from_dict(state) for state in groups.every(tx)]
    told: dict[str, set[str]] = {}
    for group in known:
        told.setdefault(group.receiver, set()).update(group.told)
    return {receiver: [states[name] for name in sorted(names & states.keys())] for receiver, names in told.items()}
