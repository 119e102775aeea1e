# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which repository this host knows at which address, so that none is silently replaced by another or made anew."""

from __future__ import annotations

import hashlib
import json
import os

from .engines.base import BackupError
from .redaction import without_credentials
from .state import read_json, replace_file


def key(url):
    """A short name for an address, fit for file names."""
    return hashlib.sha256(without_credentials(url).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def local_path(url):
    """The directory (bytes) of a repository on this host's own filesystem, or None."""
    path = url[len("local:") :] if url.startswith("local:") else url
    return os.fsencode(os.path.abspath(path)) if path.startswith("/") else None


class Memory:
    """`repositories.json`: address without credentials -> repository id."""

    def __init__(self, state):
        self._state = state
        self._path = os.path.join(state.directory, "repositories.json")

    def known(self, url):
        return read_json(self._path, {}).get(without_credentials(url))

    def learn(self, url, repository_id):
        ids = read_json(self._path, {})
        ids[without_credentials(url)] = repository_id
        self._state.make()
        replace_file(self._path, json.dumps(ids, indent=1, sort_keys=True) + "\n")


def recognise(engine, memory, url):
    """The id of the repository at `url`, which must be the one this host knows, if it knows one."""
    known = memory.known(url)
    try:
        found = engine.repository_id()
    except BackupError as failure:
        if failure.reason == "repository_missing" and known:
            raise BackupError("repository_missing", _VANISHED.format(without_credentials(url), known[:8])) from failure
        raise
    if known and found != known:
        raise BackupError("repository_changed", _CHANGED.format(without_credentials(url), found[:8], known[:8]))
    return found


def open_or_create(engine, memory, url, initialize):
    """Open the repository; make it when it is new to this host and `initialize` allows. True when it was made."""
    created = False
    try:
        found = recognise(engine, memory, url)
    except BackupError as failure:
        if failure.reason != "repository_missing" or not initialize or memory.known(url):
            raise
        engine.create_repository()
        created = True
        found = engine.repository_id()
    if memory.known(url) != found:
        memory.learn(url, found)
    return created


_VANISHED = (
    "The repository {0} (id {1}) that this host used before is gone. Nothing was done and no new one was made. "
    "Look whether its storage is mounted; if it was removed on purpose, take it out of repositories.json in the state "
    "directory."
)
_CHANGED = (
    "Another repository answers at {0}: its id is {1}, this host knows {2}. Nothing was done. Find out who replaced "
    "it; if that was on purpose, take the old one out of repositories.json in the state directory."
)
