# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The manifest of a backup that is being made: where it comes from, and what moved while the engine worked."""

from __future__ import annotations

import contextlib
import json
import os
import time

from . import manifest, tree
from .engines.patterns import compile_patterns
from .helper import Helper
from .repository import key
from .sources import registry
from .state import read_json, replace_file


@contextlib.contextmanager
def describing(session, spec, prepared, incremental):
    """Write the manifest in a helper while the block asks the repository; yields what ends it.

    That is a function: it takes the hash of the parent's own manifest (None without a parent), puts the new one into
    its place, and returns Written. The manifest that lies there is believed until then: what the helper took over
    from one that is not the parent's is thrown away.
    """
    session.state.make("manifests")
    path = session.state.manifest(spec["id"])
    new, taken_at_ns = path + ".new", time.time_ns()

    def write(before):
        header = _header(session, spec, prepared, taken_at_ns)
        return manifest.write(new, header, walk(prepared), session.tick, before, session.processors())

    def write_ahead(_request):
        earlier = _hash_of(path) if incremental else None
        return earlier, write(path if earlier else None)

    def end(parents):
        earlier, written = helper.answer(session.tick, lambda: ("not written", None))
        if earlier not in (None, parents):
            written = write(path if parents and parents == _hash_of(path) else None)
        os.replace(new, path)
        return manifest.Written(*written), taken_at_ns

    try:
        with Helper(write_ahead, session.processors() > 1) as helper:
            helper.ask()
            yield end
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)


def _hash_of(path):
    try:
        return manifest.file_sha256(path)
    except FileNotFoundError:
        return None


def _header(session, spec, prepared, taken_at_ns):
    return {
        "source": spec["id"],
        "type": spec.get("type", "files"),
        "host": session.host,
        "taken_at_ns": taken_at_ns,
        "paths": [tree.text(p) for p in prepared.paths],
        "excludes": [tree.text(p) for p in prepared.excludes],
        "definition": registry.without_secrets(spec),
        "expectations": prepared.expectations,
    }


def walk(prepared):
    return tree.walk(prepared.paths, b"", compile_patterns(prepared.excludes), prepared.one_file_system)


def look_again(session, source, written, taken_at_ns):
    """Remember what moved while the backup ran: a later comparison must not take it for damage.

    Returns the paths (str) that certainly did.
    """
    suspects, certain = manifest.changes_since(session.state.manifest(source), taken_at_ns)
    if suspects:
        directory = session.state.make("changes", key(session.url), source)
        replace_file(os.path.join(directory, written.sha256 + ".json"), json.dumps(sorted(suspects)))
    return certain


def seen_changing(state, url, source, manifest_sha256):
    """The paths that this host saw changing while that snapshot was made; empty on any other host."""
    return frozenset(read_json(os.path.join(state.changes(key(url), source), manifest_sha256 + ".json"), ()))


def forget_changes(directory, manifests):
    """Drop the memory of snapshots that the repository no longer holds."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(directory):
            if name.partition(".")[0] not in manifests:
                os.unlink(os.path.join(directory, name))
