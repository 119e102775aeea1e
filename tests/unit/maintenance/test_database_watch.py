"""When a long statement looks who waits for it."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.database_watch import Watch


def test_it_looks_every_second_from_when_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, looks, clock = list[float](), list[float](), SimpleNamespace(now=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    watch = Watch(SimpleNamespace(tick=lambda: ticks.append(clock.now)))

    def give_way() -> bool:
        looks.append(clock.now)
        return len(looks) == 2

    watch.tick()
    clock.now = 105.0
    watch.tick()
    watch.begin(give_way)
    for clock.now in (105.5, 106.0, 106.5, 107.0, 108.0):
        watch.tick()
    assert looks == [106.0, 107.0, 108.0]
    assert watch.gave_way
    assert len(ticks) == 7
