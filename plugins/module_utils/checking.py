# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One look at a whole repository: its structure, and those of its data whose turn it is."""

from __future__ import annotations

import json
import os
import time
from collections import namedtuple

from . import rotation
from .engines.base import BackupError
from .repository import key
from .state import read_json, replace_file

# level (None, stored, read), failure (BackupError or None), reading (memory of rotation, or None), whole (were all data
# read in this look?)
Look = namedtuple("Look", "level failure reading whole")


def look(session, engine, repository_id, parts):
    """Check the structure, and with `parts` (a number, else None) also the parts of the data that are due."""
    if parts is None:
        return _structure(engine)
    path = os.path.join(session.state.make("read"), key(session.url) + ".json")
    reading = rotation.begin(read_json(path, None), repository_id, parts, time.time())
    due = rotation.due(reading, time.time())
    whole = len(due) == parts
    # All parts in one go cost the checking of the structure once.
    for one, of, covered in [(1, 1, due)] if whole else [(part, parts, [part]) for part in due]:
        began = time.time()
        try:
            engine.check((one, of))
        except BackupError as failure:
            return _failed(engine, failure, path, reading, covered, began)
        reading = _keep(path, reading, covered, True, began)
    return Look("read", None, reading, whole)


def _structure(engine):
    try:
        engine.check(None)
    except BackupError as failure:
        return Look(None, failure, None, False)
    return Look("stored", None, None, False)


def _failed(engine, failure, path, reading, covered, began):
    """Reading failed: was it the data alone? (The usual, good case needs only one check.)"""
    if failure.reason in ("timeout", "repository_locked"):
        return Look(None, failure, reading, False)
    if failure.reason == "repository_damaged":
        reading = _keep(path, reading, covered, False, began)
    return Look(_structure(engine).level, failure, reading, False)


def _keep(path, reading, covered, held, began):
    for part in covered:
        reading = rotation.noted(reading, part, held, began)
    replace_file(path, json.dumps(reading, sort_keys=True))
    return reading
