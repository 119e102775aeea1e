# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which kinds of source there are, and whether definitions of sources are sound."""

from __future__ import annotations

import re

from . import plan
from .custom import CustomSource
from .files import FilesSource
from .mariadb import MariadbSource
from .postgresql import PostgresqlSource
from .redis import RedisSource
from .sqlite import SqliteSource

_ALL = (CustomSource, FilesSource, MariadbSource, PostgresqlSource, RedisSource, SqliteSource)
KINDS = {kind.type: kind for kind in _ALL}

# Keys that belong to the plan (read on the controller), not to the kind of source.
_OBJECTIVES = ("every", "verify", "verify_every", "prove", "retention")
PLAN_KEYS = frozenset(("id", "type", "description", "tags", "stop", *_OBJECTIVES))

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*\.[a-z]+")


def faults(specs):
    """Everything that is wrong with a list of definitions, each fault naming source, key and what is allowed."""
    found, seen = [], set()
    for number, spec in enumerate(specs, 1):
        if not isinstance(spec, dict):
            found.append("source {0}: must be a dictionary, not {1!r}".format(number, spec))
            continue
        name = spec.get("id")
        label = "source {0}".format(name if isinstance(name, str) and name else number)
        found += ["{0}: {1}".format(label, fault) for fault in _spec_faults(spec)]
        if isinstance(name, str) and name in seen:
            found.append("{0}: id is used twice".format(label))
        seen.add(name if isinstance(name, str) else None)
    return found


def _spec_faults(spec):
    found = []
    name = spec.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        found.append("id must be 1 to 64 of A-Z a-z 0-9 . _ - and start with a letter or digit, not {0!r}".format(name))
    kind = KINDS.get(spec.get("type", "files")) if isinstance(spec.get("type", "files"), str) else None
    if kind is None:
        found.append("type must be one of {0}, not {1!r}".format(", ".join(sorted(KINDS)), spec.get("type")))
        return found
    stop = spec.get("stop", [])
    if not isinstance(stop, list) or not all(isinstance(unit, str) and _UNIT.fullmatch(unit) for unit in stop):
        found.append("stop must be a list of systemd units, as shop.service, not {0!r}".format(stop))
    allowed = sorted(PLAN_KEYS | set(kind.KEYS))
    found += [
        "{0} is no key of type {1}; allowed are {2}".format(key, kind.type, ", ".join(allowed))
        for key in spec
        if key not in allowed
    ]
    return found + plan.faults(spec) + kind.faults(spec)


def source_of(spec):
    """The source that a sound definition describes."""
    return KINDS[spec.get("type", "files")](spec)


def without_secrets(spec):
    """A sound definition as the manifest keeps it: what a proof on another host may need to know."""
    return {key: value for key, value in spec.items() if key not in KINDS[spec.get("type", "files")].SECRETS}


def secrets_of(spec):
    """The secret values of a definition, sound or not."""
    kind = KINDS.get(str(spec.get("type", "files")))
    values = [spec[key] for key in (kind.SECRETS if kind else ()) if spec.get(key)]
    return [str(one) for value in values for one in (value.values() if isinstance(value, dict) else [value])]


def _hide_only_secrets(module, specs):
    """Definitions are no_log, because the host's log gets all arguments; but results have to name paths and ids."""
    module.no_log_values.difference_update(_texts(specs))
    params = module.params
    secrets = [params.get("password"), *(params.get("environment") or {}).values()]
    secrets += [secret for spec in specs if isinstance(spec, dict) for secret in secrets_of(spec)]
    module.no_log_values.update(str(secret) for secret in secrets if secret)


def _texts(value):
    """All that a definition says, as text."""
    if isinstance(value, dict):
        return {text for one in value.values() for text in _texts(one)}
    if isinstance(value, list):
        return {text for one in value for text in _texts(one)}
    return {str(value)}


def require_sound(module, specs):
    """Fail the module with all faults at once, before anything runs. From here on its output hides only secrets."""
    _hide_only_secrets(module, specs)
    found = faults(specs)
    if found:
        module.fail_json(msg="Nothing was done, because definitions are faulty:\n" + "\n".join(found), faults=found)
