# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every backup engine offers, and how it says that it could not."""

from __future__ import annotations

import abc
from collections import namedtuple

TAG = "roundsman"
COMPLETE = "complete"
INCOMPLETE = "incomplete"
SAFETY = "safety"  # in place of COMPLETE: what a restore overwrote; only ever taken by its id


class BackupError(Exception):
    """A failure with a reason code of docs/records.md and a message for the person on call."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason
        self.message = message


# id (full), short_id, time (RFC 3339, UTC), host, tags, paths, original (the id before it was tagged again, or None)
# and sizes (total_bytes and added_bytes, or nothing where the engine does not tell)
Snapshot = namedtuple("Snapshot", "id short_id time host tags paths original sizes")
Snapshot.__new__.__defaults__ = ({},)
Snapshot.__new__.__defaults__ = ({},)

# snapshot (id as the engine printed it), files, total_bytes, added_bytes, unreadable (paths), vanished (paths)
Saved = namedtuple("Saved", "snapshot files total_bytes added_bytes unreadable vanished")


def tag_value(snapshot, key):
    """The value of the tag `key=value`, or None."""
    for tag in snapshot.tags:
        if tag.startswith(key + "="):
            return tag[len(key) + 1 :]
    return None


def complete_ids(snapshots):
    """Ids of the snapshots that hold everything their source had.

    Marking a snapshot writes a copy with another id. A repository that refuses deletes keeps the unmarked original
    beside it, so an original counts as what its copy says.
    """
    spoilt = {s.id for s in snapshots if INCOMPLETE in s.tags}
    spoilt |= {s.original for s in snapshots if INCOMPLETE in s.tags and s.original}
    return {s.id for s in snapshots if COMPLETE in s.tags and s.id not in spoilt}


def of_source(snapshots, host, source):
    """The snapshots of one source of one host, oldest first."""
    mine = [s for s in snapshots if s.host == host and TAG in s.tags and tag_value(s, "source") == source]
    return sorted(mine, key=lambda s: (s.time, s.id))


class Engine(abc.ABC):
    """One backup program at one repository. Every method raises BackupError."""

    name = ""
    version = ""

    @abc.abstractmethod
    def repository_id(self):
        """The id of the repository; reason `repository_missing` only when it certainly is not there."""

    @abc.abstractmethod
    def create_repository(self):
        """Make a new, empty repository."""

    @abc.abstractmethod
    def snapshots(self):
        """All snapshots as a list of Snapshot, oldest first."""

    @abc.abstractmethod
    def save(self, paths, excludes, host, tags, parent, one_file_system=False):
        """Back up `paths` (bytes) and return Saved; `parent` None re-reads all data.

        With `one_file_system`, what is mounted below them is left out, all but the mount points.
        """

    @abc.abstractmethod
    def mark_incomplete(self, snapshot):
        """Make sure that this snapshot is never taken as good."""

    @abc.abstractmethod
    def check(self, part):
        """Check structure; reason `repository_damaged` when the engine finds damage.

        `part`, when not None, is (i, n): also read back the i-th of n parts of the data. A pack's part never changes.
        """

    @abc.abstractmethod
    def find(self, pattern, host, source):
        """Entries whose name or path matches, of a host's snapshots (and source's, when given).

        A list of (snapshot id, {path, type, size_bytes, mtime}).
        """

    @abc.abstractmethod
    def dump(self, snapshot, path, stream):
        """Write one file of a snapshot to a binary stream."""

    @abc.abstractmethod
    def restore(self, snapshot, target, paths):
        """Restore a snapshot (only `paths`, when given) below `target`, past every cache."""

    @abc.abstractmethod
    def remove(self, snapshots):
        """Remove snapshots by id and free their space."""
