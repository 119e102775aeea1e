# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements of maintenance give way to whoever waits for the locks that they hold."""

from __future__ import annotations

import time

LOOK_EVERY_S = 1.0


class Watch:
    """Ticks of a long statement. What it locks keeps out few (ALTER TABLE, TRUNCATE), but all others queue behind them.

    `give_way()` ends the statement if somebody waits for it, and says whether it did.
    """

    def __init__(self, step, give_way):
        self._step = step
        self._give_way = give_way
        self._next_look = time.monotonic() + LOOK_EVERY_S
        self.gave_way = False

    def tick(self):
        self._step.tick()
        if time.monotonic() >= self._next_look and not self.gave_way:
            self.gave_way = self._give_way()
            self._next_look = time.monotonic() + LOOK_EVERY_S
