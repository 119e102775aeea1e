# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What checks left for the next round, one file per host beside the ledgers: id -> {at, mark}.

Only the ledger callback keeps them, after it wrote the host's record: the last round is the last one that is recorded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile

DIRECTORY = "ROUNDSMAN_BOOKMARKS_DIR"  # set by the callback, inherited by Ansible's workers
FORGOTTEN_AFTER_S = 30 * 86400


def recall(host):
    """id -> what that check of the host left; empty when nobody keeps bookmarks."""
    directory = os.environ.get(DIRECTORY)
    return {name: one["mark"] for name, one in _load(directory, host).items()} if directory else {}


def keep(directory, host, left, now):
    """Keep what checks of the host left at `now` (s since the epoch). Raises OSError.

    Of checks that left nothing what they left before stays, until it is too old to mean anything.
    """
    kept = {name: one for name, one in _load(directory, host).items() if now - one["at"] < FORGOTTEN_AFTER_S}
    kept.update((name, {"at": now, "mark": mark}) for name, mark in left.items())
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor, path = tempfile.mkstemp(prefix=".incoming-", dir=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(kept, file)
        os.replace(path, _path(directory, host))
    except OSError:
        os.unlink(path)
        raise


def _load(directory, host):
    try:
        with open(_path(directory, host), encoding="ascii") as file:
            return json.load(file)
    except (OSError, ValueError):  # none yet, or damaged: as on a first round
        return {}


def _path(directory, host):
    # A host's name may hold what a file's name may not.
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", host)[:80]
    return os.path.join(directory, "%s-%s.json" % (readable, hashlib.sha256(host.encode()).hexdigest()[:8]))
