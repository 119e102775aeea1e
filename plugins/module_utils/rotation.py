# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which parts of a repository's data are read next, so that all are read within some days. Pure.

Data are split into as many parts as there are days, by the names of their packs, so that a pack never changes its part.
A memory belongs to one repository: `repository` (its id), `of` (number of parts), `since` (when the rotation began),
`read` (part -> when its last good reading began), `failed` (parts whose last reading found damage). Times are seconds
since the epoch, parts are written as text, because the memory is kept as JSON.
"""

from __future__ import annotations

DAY_S = 86400.0
MOST = 256  # restic's limit
# Looks that are a day apart are so by some minutes more or less.
_EARLY_S = DAY_S / 2


def begin(memory, repository, of, now):
    """The memory to go on with: a new one without one of this repository and number of parts, or with a future one.

    Damage that was known must not be forgotten with the parts that it was found in, so then all parts are overdue.
    """
    known = memory if memory and memory["repository"] == repository else None
    if known and known["of"] == of and known["since"] <= now:
        return known
    return {
        "repository": repository,
        "of": of,
        "since": 0 if known and known["failed"] else now,
        "read": {},
        "failed": [],
    }


def due(memory, now):
    """The parts to read now: those that would be older than all days before the next look, else the one due longest.

    Damaged parts come first and come again each time, so that no good part hides them.
    """
    last = {part: _last(memory, part, now) for part in range(1, memory["of"] + 1)}
    order = sorted(last, key=lambda part: (str(part) not in memory["failed"], last[part] or 0, part))
    limit = memory["of"] * DAY_S - _EARLY_S

    def overdue(part):
        return str(part) in memory["failed"] or now - (last[part] or memory["since"]) > limit

    return [part for part in order if overdue(part)] or order[:1]


def _last(memory, part, now):
    """When a part was read, or None; what a wrong clock dated in the future counts as unread."""
    moment = memory["read"].get(str(part))
    return moment if moment is not None and moment <= now else None


def noted(memory, part, held, began):
    """The memory after a part was read; `began` is when the reading did."""
    name = str(part)
    read = {one: moment for one, moment in memory["read"].items() if one != name}
    failed = [one for one in memory["failed"] if one != name]
    return dict(
        memory, read=dict(read, **{name: began}) if held else read, failed=failed if held else sorted([*failed, name])
    )


def parts_read(memory, since, now):
    """How many parts were read after the moment `since`."""
    lasts = [_last(memory, part, now) for part in range(1, memory["of"] + 1)]
    return sum(last is not None and last > since for last in lasts)
