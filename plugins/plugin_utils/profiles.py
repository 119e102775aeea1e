# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks from several layers (the default set, a host's groups, itself) merge by id, key by key. Pure."""

from __future__ import annotations

import collections

from ..module_utils.family import key
from ..module_utils.key_values import kind_of, value_of
from ..module_utils.specs import COMMON, FAMILIES, hint, identity_of, read_one
from ..module_utils.thresholds import BadValueError

# Who says something, what (a list of entries, each key -> Setting), and what is wrong with it.
Layer = collections.namedtuple("Layer", "name entries faults")
# A key's value, the name of the layer that says so, and the file and line, or None. `secret`: not for anybody's eyes.
Setting = collections.namedtuple("Setting", "value layer place secret", defaults=(None, False))
# The value of a key whose template could not be rendered. It is a fault only where nothing stronger replaces it.
Broken = collections.namedtuple("Broken", "why")

# Whether the check runs: a key of profiles, that no family sees.
ENABLED = key("bool", "whether the check runs", True)


def merge(layers):
    """(id -> key -> every Setting of it, the weakest first; faults) of layers from the weakest to the strongest."""
    checks, faults = {}, []
    for layer in layers:
        entries, wrong = by_id(layer)
        faults += layer.faults + wrong
        for name, entry in list(entries.items()):
            fault = _misfit(name, entry, checks)
            if fault:
                faults.append("%s: %s" % (_place([each[-1] for each in entry.values()], layer), fault))
                del entries[name]
        checks = combine(checks, entries)
    return checks, faults


def combine(weaker, stronger):
    """Both together; of each key all Settings are kept, and the last one holds."""
    checks = {name: dict(keys) for name, keys in weaker.items()}
    for name, keys in stronger.items():
        known = checks.setdefault(name, {})
        for each, settings in keys.items():
            known[each] = known.get(each, []) + settings
    return checks


def by_id(layer):
    """(id -> key -> [Setting], faults) of the entries of one layer."""
    named, faults = {}, []
    for position, entry in enumerate(layer.entries, start=1):
        name, wrong = _name(entry)
        if name in named:
            wrong = ['the id "%s" is there twice: give each check its own id' % name]
        elif not wrong:
            named[name] = {each: [setting] for each, setting in entry.items()}
        faults += ["%s, check %d: %s" % (_place(entry.values(), layer), position, fault) for fault in wrong]
    return named, faults


def _name(entry):
    """(id, faults) of an entry: what it says, or what its type and target make."""
    plain = {each: setting.value for each, setting in entry.items()}
    broken = ["%s: %s" % (each, value.why) for each, value in plain.items() if isinstance(value, Broken)]
    if isinstance(plain.get("id"), Broken):
        return None, broken
    try:
        identity = value_of(plain.get("id"), COMMON["id"])
    except BadValueError as error:
        return None, ["id: %s" % error]
    if identity is not None:
        return identity, []
    if broken:
        return None, broken
    checked = {each: value for each, value in plain.items() if each != "enabled"}
    identity = identity_of(checked) if checked.get("type") in FAMILIES else None
    return identity, [] if identity else read_one(checked, 1)[1]


def _misfit(name, entry, checks):
    """Why an entry does not fit what weaker layers declare, or None."""
    known = checks.get(name)
    kind, enabled = entry.get("type"), entry.get("enabled")
    if known is None and enabled and is_false(enabled[-1].value):
        return "it switches off a check that nobody declares, %s" % _unknown(name, checks)
    if known is None and kind is None:
        return "it changes a check that nobody declares, %s; a check of its own needs a type" % _unknown(name, checks)
    before = known["type"][-1] if known and kind else None
    if before and kind[-1].value != before.value and not isinstance(kind[-1].value, Broken):
        return 'the check "%s" is of type %s in %s, and cannot become %s: choose another id' % (
            name, before.value, before.place or before.layer, kind[-1].value,
        )  # fmt: skip
    return None


def _unknown(name, checks):
    declared = ", ".join(checks) if checks else "none"
    return '"%s"%s: there are %s' % (name, hint(name, checks), declared)


def _place(settings, layer):
    """The layer and, when it is known, the file and line of an entry."""
    place = next((each.place for each in settings if each.place), None)
    return "%s (%s)" % (layer.name, place) if place else layer.name


def is_false(raw):
    """Whether this value of `enabled` surely switches off; what it may not be is found by `faults_of`."""
    try:
        return value_of(raw, ENABLED) is False
    except BadValueError:
        return False


def is_on(keys):
    return "enabled" not in keys or not is_false(keys["enabled"][-1].value)


def plain(name, keys):
    """A check as a family takes it."""
    values = {each: settings[-1].value for each, settings in keys.items() if each != "enabled"}
    return dict(values, id=name)


def checks_of(checks):
    """The checks of merged layers that are switched on, as the module takes them."""
    return [plain(name, keys) for name, keys in checks.items() if is_on(keys)]


def faults_of(checks, timeout_s):
    """All that is wrong with merged checks, each with the layers that it comes from."""
    faults = []
    for name, keys in checks.items():
        layers = list(dict.fromkeys(setting.layer for settings in keys.values() for setting in settings))
        faults += ["check %s (%s): %s" % (name, ", ".join(layers), fault) for fault in _faults(name, keys, timeout_s)]
    return faults


def _faults(name, keys, timeout_s):
    where = {each: settings[-1].place or settings[-1].layer for each, settings in keys.items()}
    holding = {each: settings[-1].value for each, settings in keys.items()}
    broken = {each: value.why for each, value in holding.items() if isinstance(value, Broken) and is_on(keys)}
    if broken:
        return ["%s in %s: %s" % (each, where[each], why) for each, why in broken.items()]
    faults = []
    try:
        value_of(holding.get("enabled"), ENABLED)
    except BadValueError as error:
        faults.append("enabled in %s: %s" % (where["enabled"], error))
    return faults + (read_one(plain(name, keys), timeout_s, where)[1] if is_on(keys) else [])


def not_a_list(value):
    return "it is %s, not a list of checks" % kind_of(value)
