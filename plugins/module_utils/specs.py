# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what a person wrote under `checks` to specs that can run, or to all that is wrong with it at once. Pure."""

from __future__ import annotations

import collections
import importlib
import re

from .family import By, key
from .key_values import kind_of, value_of
from .thresholds import BadValueError

FAMILIES = (
    "access_log",
    "celery",
    "certificate",
    "clock",
    "containers",
    "cpu",
    "descriptors",
    "disk_io",
    "filesystem",
    "http",
    "journal",
    "listen",
    "load",
    "logfile",
    "mariadb",
    "memory",
    "network",
    "plugin",
    "postfix",
    "postgresql",
    "pressure",
    "processes",
    "prometheus",
    "rabbitmq",
    "raid",
    "reclaimable",
    "redis",
    "smart",
    "software",
    "spool",
    "swap",
    "systemd",
    "tcp",
    "throughput",
    "timers",
    "updates",
    "uptime",
    "zombies",
)
PLACES = ("host", "controller")

COMMON = {
    "id": key("str", "name of the check, unique on its host; by default the type and what is looked at"),
    "type": key("str", "family of the check", required=True),
    "timeout": key("seconds", "time limit of this check; by default the module's timeout_s"),
    "optional": key("bool", "where what it looks at is not on the host, give no result instead of UNKNOWN", False),
    "attempts": key("int", "how many rounds in a row it has to be amiss before it alerts", 1),
    "recovery": key("seconds", "how long it has to be fine before its alert is resolved"),
    "runbook_url": key("str", "http(s) address of what to do about it; alerts link to it"),
    "from": key("str", "where to look from (only checks of the network)", "host", choices=PLACES),
}
# Names of the alerts about a host itself, its runs, backups and verifications, with which no check may be confused.
RESERVED = ("reachable", "run", "health", "backup", "verify", "drill", "prune", "isolated", "rounds", "silences")
RESERVED += ("maintenance", "fresh-backup", "fresh-retention", "fresh-check", "fresh-drill")
LONGEST_ID = 200
MAY_BE_NULL = ("threshold", "list")  # no threshold, nothing; of any other key null is the default

Spec = collections.namedtuple("Spec", "id type target limit_s family keys")


def family_of(name):
    """The Family of a type in FAMILIES; only the families that are used get loaded."""
    return importlib.import_module(".checks." + name, __package__).FAMILY


def read(checks, timeout_s):
    """(list of Spec, list of errors): the specs are good for a sweep only when there are no errors."""
    specs, errors, positions = [], [], {}
    for position, check in enumerate(checks, start=1):
        spec, faults = read_one(check, timeout_s)
        name = spec.id if spec else _name(check)
        errors += ["check %d%s: %s" % (position, " (%s)" % name if name else "", fault) for fault in faults]
        if spec and not faults:
            specs.append(spec)
        if name and spec:
            positions.setdefault(name, []).append(position)
    for name, places in positions.items():
        if len(places) > 1:
            where = " and ".join(str(place) for place in places)
            errors.append('checks %s have the same id "%s": give each its own id' % (where, name))
    return specs, errors


def read_one(check, timeout_s, where=None):
    """(Spec or None, list of faults) of one check. `where`: key -> place where it is written, for its faults."""
    if not isinstance(check, dict):
        return None, ["it is %s, not a mapping of keys" % kind_of(check)]
    name = check.get("type")
    if name is None:
        return None, ["type is missing: one of %s" % ", ".join(FAMILIES)]
    if name not in FAMILIES:
        return None, ['type "%s" is unknown%s: one of %s' % (name, hint(name, FAMILIES), ", ".join(FAMILIES))]
    family = family_of(name)
    values, faults = read_keys(check, dict(COMMON, **family.keys), name, where)
    if faults:
        return None, faults
    faults += _common_faults(values, family) + family.judge_spec(values)
    if faults:
        return None, faults
    identity, target = _identity(values, family)
    faults += _id_faults(identity)
    limit_s = values["timeout"] or timeout_s
    return Spec(identity, name, target, limit_s, family, values), faults


def identity_of(check):
    """The id that a check of a known type has or gets by default; None where what it looks at cannot be told."""
    family = family_of(check["type"])
    values, _faults = read_keys(check, dict(COMMON, **family.keys), family.name)
    try:
        return _identity(values, family)[0]
    except (LookupError, TypeError, ValueError):  # a key has a fault, or does not go together with another
        return None


def _identity(values, family):
    target = family.target(values)
    return values["id"] or (family.name + "-" + target if target else family.name), target


def read_keys(check, keys, type_name, where=None):
    """(values by key, faults): every key of `keys` gets what was written, or its default."""
    values, faults = {}, []
    places = {name: " in %s" % place for name, place in (where or {}).items()}
    for written in check:
        if written not in keys:
            known, place = ", ".join(sorted(keys)), places.get(written, "")
            faults.append(
                'unknown key "%s"%s%s: %s takes %s' % (written, place, hint(written, keys), type_name, known)
            )
    for name, each in keys.items():
        if each.required and check.get(name) in (None, ""):
            faults.append("%s is missing: %s" % (name, each.help))
            continue
        settled = _settle(each, check, keys)
        raw = check.get(name)
        if raw is None and not (name in check and each.type in MAY_BE_NULL):
            raw = settled.default
        try:
            values[name] = value_of(raw, settled)
        except BadValueError as error:
            faults.append("%s%s: %s" % (name, places.get(name, ""), error))
    return values, faults


def _settle(each, check, keys):
    """A threshold with the dimension and the default that the value of another key gives it."""
    by = each.dimension
    if not isinstance(by, By):
        return each
    chosen = str(check.get(by.key, keys[by.key].default))
    return each._replace(dimension=by.dimensions.get(chosen, "count"), default=by.defaults.get(chosen))


def _common_faults(values, family):
    faults = []
    if not 1 <= values["attempts"] <= 100:
        faults.append("attempts has to be from 1 to 100, not %d" % values["attempts"])
    runbook = values["runbook_url"]
    if runbook is not None and not re.match(r"https?://\S+$", runbook):
        faults.append("runbook_url has to be an http:// or https:// address, not %s" % runbook)
    if values["from"] != PLACES[0] and not family.anywhere:
        faults.append("%s can only be looked at from the host itself" % family.name)
    return faults


def _id_faults(identity):
    first = identity.split(":")[0]
    if first in RESERVED:
        return ['the id "%s" is reserved for Roundsman\'s own alerts: choose another' % identity]
    if len(identity) > LONGEST_ID or not identity.isprintable():
        return ["the id has to be printable and at most %d characters long" % LONGEST_ID]
    return []


def hint(word, known):
    import difflib

    close = difflib.get_close_matches(str(word), [str(one) for one in known], n=1)
    return ' (did you mean "%s"?)' % close[0] if close else ""


def _name(check):
    return str(check["id"]) if isinstance(check, dict) and check.get("id") else ""
