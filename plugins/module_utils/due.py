# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a source's next backup is due. The repository itself is asked, so that all controllers agree."""

from __future__ import annotations

import time

from . import unjudged
from .backing_up import listed
from .engines.base import BackupError, of_source
from .repository import recognise
from .session import seconds, timestamp
from .sources.plan import plan_of

# A schedule that comes a little early must not find the backup not yet due, or every second one would be left out.
EARLY = 0.1


def due_at(times, every_s, now_s):
    """When the next backup is due, after complete snapshots of these times (RFC 3339, UTC); None when it is now.

    A snapshot that is dated in the future proves nothing about now.
    """
    made = [seconds(one) for one in times]
    past = [one for one in made if one <= now_s]
    following = max(past) + every_s if past else now_s
    return following if following - now_s > EARLY * every_s else None


def is_fresh(session, spec, record):
    """Fill `record` and return True when nothing needs to be done yet.

    A source without `every` is always due, and so is one whose last backup was killed before its snapshot was judged.
    """
    every_s = plan_of(spec)["every_s"]
    if every_s is None or unjudged.left(session, spec["id"]):
        return False
    engine = session.engine()
    try:
        recognise(engine, session.memory, session.url)
    except BackupError as failure:
        # The backup itself knows whether it may make one.
        if failure.reason == "repository_missing":
            return False
        raise
    held = listed(of_source(engine.snapshots(), session.host, spec["id"]))
    following = due_at([one["time"] for one in held if one["complete"]], every_s, time.time())
    if following is None:
        return False
    record.update(
        engine={"name": engine.name, "version": engine.version}, snapshots=held, due_at=timestamp(following)
    )
    return True
