# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where each check of a host, and each of its keys, comes from; secrets are not shown. Pure."""

from __future__ import annotations

import re

from ..module_utils.redaction import HIDDEN, redactor
from ..module_utils.specs import COMMON, FAMILIES, family_of
from .profiles import Broken, Setting, is_on

SECRET_KEYS = re.compile("pass|secret|token|headers|environment|credential", re.IGNORECASE)


def explain(checks, secrets):
    """A list of plain JSON: what docs/json.md says of `health explain`. `secrets` are texts that nobody may see."""
    redact = redactor("", secrets)
    return [_check(name, keys, redact) for name, keys in checks.items()]


def _check(name, keys, redact):
    kind = keys["type"][-1].value
    family = family_of(kind).keys if kind in FAMILIES else {}
    written = [each for each in keys if each not in family and each not in ("id", "type")]
    shown = []
    for each in [*family, *written]:
        settings = _default(each, kind, family) + keys.get(each, [])
        # Ansible reads what lies beside inventory and playbook alike twice.
        settings = [setting for place, setting in enumerate(settings, start=1) if setting not in settings[place:]]
        if settings:
            *before, holds = [_shown(each, setting, redact) for setting in settings]
            shown.append(dict(holds, key=each, overrode=before[::-1]))
    declared = _shown("type", keys["type"][0], redact)
    return {
        "id": redact(name),
        "type": declared["value"],
        "enabled": is_on(keys),
        "layer": declared["layer"],
        "place": declared["place"],
        "keys": shown,
    }


def _default(each, kind, family):
    default = dict(COMMON, **family)[each].default if each in COMMON or each in family else None
    return [] if default in (None, ()) else [Setting(default, "default of %s" % kind)]


def _shown(each, setting, redact):
    hidden = setting.secret or SECRET_KEYS.search(each)
    value = _plain(setting.value, (lambda _text: HIDDEN) if hidden else redact)
    return {"value": value, "layer": setting.layer, "place": setting.place}


def _plain(value, show):
    """The value in plain JSON, every text in it as `show` shows it."""
    if isinstance(value, Broken):
        return "(cannot be rendered: %s)" % value.why
    if isinstance(value, dict):
        return {str(name): _plain(one, show) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, show) for one in value]
    if value is None or isinstance(value, bool):
        return value
    text = show(str(value))
    return text if isinstance(value, str) or text != str(value) else value
