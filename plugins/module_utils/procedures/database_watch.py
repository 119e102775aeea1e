# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements of maintenance give way to whoever waits for the locks that they hold."""

from __future__ import annotations

import time

LOOK_EVERY_S = 1.0


class Watch:
    """Ticks of a long statement. Its locks keep out few (ALTER TABLE, TRUNCATE), but all others queue behind those."""

    def __init__(self, step):
        self._step = step
        self._give_way = None
        self._next_look = 0.0
        self.gave_way = False

    def begin(self, give_way):
        """From now on look who waits: `give_way()` ends the statement if somebody does, and says whether it did."""
        self._give_way = give_way
        self._next_look = time.monotonic() + LOOK_EVERY_S

    def tick(self):
        self._step.tick()
        if self._give_way and time.monotonic() >= self._next_look:
            self.gave_way = self._give_way() or self.gave_way
            self._next_look = time.monotonic() + LOOK_EVERY_S
