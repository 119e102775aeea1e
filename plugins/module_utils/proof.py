# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last rung of the ladder: the application answers from the restored copy what it answered at backup time."""

from __future__ import annotations

import os

from . import tree
from .engines.base import BackupError
from .sources import registry

# Reasons that speak against a snapshot; all others mean that we could not look.
DAMAGE = ("repository_damaged", "proof_failed")
SHOWN = 50


def prove(session, record, header, copy, self_test):
    """Start what the copy is for and compare; fills the verification `record`, raises BackupError when it fails.

    A snapshot without expectations stays at `restored`, which is all that can be known of files.
    """
    if header.get("expectations") is None:
        return
    source = registry.source_of(header["definition"])
    expected = header["expectations"]["values"]
    record.update(failed_level="proven", canary_at=header["expectations"]["canary_at"])
    _require_declared(header["definition"], session.module.params["checks"])
    effects = session.effects()
    # The runbook and the manifest lie beside them.
    saved = [os.fsencode(copy) + tree.raw(path) for path in header["paths"]]
    if any(b".." in path.split(b"/") for path in saved):
        raise BackupError("proof_failed", "the manifest names a path that leads out of the copy")
    if source.SPOOLS:
        copy = os.fsdecode(saved[0])
    findings = _findings(expected, source.prove(copy, expected, effects))
    record["findings"] = findings[:SHOWN]
    wrong = [one for one in findings if one["expected"] != one["found"]]
    if wrong:
        text = "{0} of {1} values are not those of backup time, first {2[what]}: {2[expected]!r} then, {2[found]!r} now"
        raise BackupError("proof_failed", text.format(len(wrong), len(findings), wrong[0]))
    if self_test:
        _cut_largest_file(saved)
        _must_fail(source, copy, expected, effects)
    record.update(level="proven", failed_level=None)


def _require_declared(definition, declared):
    """A snapshot brings data. What is run with it is said by the inventory, or whoever owns a source owns the drill."""
    named = [definition.get("check"), definition.get("user") or ""]
    if named[0] and named != declared.get(definition["id"]):
        raise BackupError("unprivileged", _UNDECLARED.format(named[0]))


def _findings(expected, found):
    """What was expected and found, by name; what differs comes first."""
    findings = [
        {"what": what, "expected": expected.get(what), "found": found.get(what)} for what in sorted({*expected, *found})
    ]
    return sorted(findings, key=lambda one: one["expected"] == one["found"])


def _must_fail(source, copy, expected, effects):
    """The same proof once more, on a copy that was cut in half: if it holds there, it holds anywhere."""
    try:
        found = source.prove(copy, expected, effects)
    except BackupError as failure:
        if failure.reason in DAMAGE:
            return
        raise
    if found == expected:
        raise BackupError("drill_broken", _BROKEN)


def _cut_largest_file(roots):
    files = [
        (found.info.st_size, found.path)
        for found in tree.walk(roots, b"", lambda _path: False)
        if found.info and tree.type_of(found.info.st_mode) == "file"
    ]
    if files:
        size, path = max(files)
        os.truncate(path, size // 2)


_UNDECLARED = (
    "the snapshot was made with the check {0!r} (or another user), which the inventory does not name now. It was not "
    "run. After a change of the check make a new backup"
)
_BROKEN = (
    "the drill cannot fail: it found nothing wrong with a copy whose largest file was cut in half, so that its success "
    "proves nothing. Make the source's check look at the data"
)
