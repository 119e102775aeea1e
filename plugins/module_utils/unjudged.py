# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A snapshot counts once the module has judged what the engine said of it.

Whoever is killed in between leaves a snapshot that is tagged as complete whatever the engine could not read. So it is
noted before the engine begins, and what such a note is still of was never judged.
"""

from __future__ import annotations

import contextlib
import json
import os

from .engines.base import BackupError, complete_ids, of_source, tag_value
from .repository import key
from .state import read_json, replace_file


def _path(session, source):
    return os.path.join(session.state.directory, "unjudged", key(session.url), source + ".json")


def begin(session, source, manifest_sha256):
    session.state.make("unjudged", key(session.url))
    replace_file(_path(session, source), json.dumps(manifest_sha256))


def end(session, source):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(session, source))


def left(session, source):
    """The hash of the manifest whose snapshot nobody judged, or None."""
    return read_json(_path(session, source), None)


def settle(session, engine, source, snapshots):
    """Mark as incomplete what was left unjudged; the source's snapshots as they are then, and what to warn of."""
    manifest_sha256 = left(session, source)
    mine = {s.short_id for s in snapshots if manifest_sha256 and tag_value(s, "manifest") == manifest_sha256}
    unmarked = {s.id for s in snapshots if s.short_id in mine} & complete_ids(snapshots)
    if not mine:
        return snapshots, []
    for snapshot in unmarked:
        engine.mark_incomplete(snapshot)
    after = of_source(engine.snapshots(), session.host, source)
    names = ", ".join(sorted(mine))
    if unmarked & complete_ids(after):
        raise BackupError("engine_failed", _UNMARKED.format(names))
    return after, [_MARKED.format(names)]


_MARKED = (
    "an earlier backup was killed while it saved, so that nobody judged its snapshot ({0}): it is marked incomplete "
    "and does not count"
)
_UNMARKED = (
    "an earlier backup was killed while it saved, so that nobody judged its snapshot ({0}), and it could not be marked "
    "incomplete. Nothing was saved. Try again; `restic tag --add incomplete {0}` must work with this repository"
)
