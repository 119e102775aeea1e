# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Updates of the operator's own applications: which hooks there are, and what is to be done. No effects."""

from __future__ import annotations

import re
from collections import namedtuple

from ..specs import read

LOOK_S = 10
HOOKS = ("fetch", "stop", "switch", "migrate", "start", "verify")
# In place of a hook: all of them are through.
DONE = "done"

# command: str (for a shell), list (a program and its arguments) or None; user: whom it runs as; url: a mapping or None
Hook = namedtuple("Hook", "command user timeout_s url")
# what: nothing, failed before, update, go on, go back; hooks: those to run, in order
Decision = namedtuple("Decision", "what hooks")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*\Z")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}\Z")
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@\\-]*\Z")
# What a recipe does itself, or cannot do without.
_NEEDED = {"release": ("path", "fetch"), "unit": ("unit",), "hooks": ("switch", "roll_back")}
_REFUSED = {"release": ("switch", "roll_back", "current"), "unit": ("switch", "roll_back", "current"), "hooks": ()}
# A program that dies at once and is restarted soon exhausts systemd's patience, and no other version would start.
_START = 'systemctl reset-failed -- "$1" 2>/dev/null; exec systemctl start -- "$1"'


def read_hooks(params):
    """(hooks by name, faults) of the module's parameters; a hook that is not there is left out."""
    found = {}
    faults = _faults(params)
    for name in (*HOOKS, "migrate_undo", "roll_back", "current"):
        asked = params[name]
        try:
            hook = _read_hook(asked, params)
        except ValueError as error:
            faults.append("{0}: {1}".format(name, error))
            continue
        if hook.url and name not in ("fetch", "verify"):
            faults.append("{0} takes a command, and no URL".format(name))
        if hook.command or hook.url:
            found[name] = hook
        elif asked is None and params["unit"] and name in ("stop", "start"):
            found[name] = Hook(_of_systemd(name, params["unit"]), None, params["hook_timeout_s"], None)
    return found, faults + _fetch_faults(found.get("fetch")) + _verify_faults(found.get("verify"))


def _read_hook(asked, params):
    if asked is None or asked is False or asked == "":
        return Hook(None, None, 0, None)
    if isinstance(asked, str):
        asked = {"url": asked} if re.match(r"https?://", asked) else {"command": asked}
    if not isinstance(asked, dict) or ("command" in asked) == ("url" in asked):
        raise ValueError("a command, a URL, or a mapping with one of command and url is wanted")
    common = {key: asked[key] for key in ("user", "timeout_s") if key in asked}
    rest = {key: value for key, value in asked.items() if key not in common and key != "command"}
    if "command" in asked and rest:
        raise ValueError("{0} is not known beside command".format(", ".join(sorted(rest))))
    user = common.get("user", params["user"])
    return Hook(asked.get("command"), user, float(common.get("timeout_s", params["hook_timeout_s"])), rest or None)


def _of_systemd(name, unit):
    return ["systemctl", "stop", "--", unit] if name == "stop" else ["sh", "-c", _START, "sh", unit]


def _faults(params):
    recipe = params["recipe"]
    faults = ["recipe {0} needs {1}".format(recipe, name) for name in _NEEDED[recipe] if not params[name]]
    faults += ["{0} is what recipe {1} does itself".format(name, recipe) for name in _REFUSED[recipe] if params[name]]
    for name in ("id", "version"):
        if not _NAME.match(params[name]):
            faults.append("{0} {1!r} has other characters than letters, digits and ._+~-".format(name, params[name]))
    if params["unit"] and not _UNIT.match(params["unit"]):
        faults.append("unit {0!r} is no name of a unit of systemd".format(params["unit"]))
    if params["path"] and not params["path"].startswith("/"):
        faults.append("path has to be absolute, not {0}".format(params["path"]))
    if params["migrate"] and params["migrate_undo"] is None and params["irreversible"] is None:
        faults.append(
            "migrate needs migrate_undo, or irreversible: true (then nothing is rolled back after it), or "
            "irreversible: false (the old version works with what was migrated)"
        )
    if not params["unit"] and not params["verify"]:
        faults.append("verify is needed where there is no unit")
    if params["keep"] < 2:
        faults.append("keep has to be at least 2: what serves, and what served before")
    return faults


def _fetch_faults(hook):
    if hook is None or not hook.url:
        return []
    if not _CHECKSUM.match(str(hook.url.get("checksum", ""))):
        return ["fetch from a URL needs its checksum, as sha256: and 64 hexadecimal digits"]
    strange = sorted(set(hook.url) - {"url", "checksum"})
    return ["fetch: {0} is not known beside url".format(", ".join(strange))] if strange else []


def check_of(hook):
    """The health check that a verification by URL is."""
    return dict(hook.url, type="http", id="application")


def _verify_faults(hook):
    return ["verify: " + fault for fault in read([check_of(hook)], LOOK_S)[1]] if hook and hook.url else []


def is_open(update):
    """Whether an update was begun and neither ended nor was undone."""
    return update is not None and update["begun"] != DONE


def decide(version, serving, state, retry):
    """What is to be done so that `version` serves; `state` is what the host remembers of the application."""
    update, failed = state["update"], state["failed"]
    if is_open(update):
        if update["back"] or update["to"] != version:
            return Decision("go back", ())
        return Decision("go on", HOOKS[HOOKS.index(update["begun"]) :])
    if serving == version:
        return Decision("nothing", ())
    if failed and failed["version"] == version and not retry:
        return Decision("failed before", ())
    return Decision("update", HOOKS)


def has_begun(update, hook):
    """Whether an update came as far as to begin `hook`."""
    return update["begun"] == DONE or HOOKS.index(update["begun"]) >= HOOKS.index(hook)


def bars_the_way_back(update, params):
    """Whether a migration that cannot be undone was begun."""
    return bool(params["irreversible"] and params["migrate"]) and has_begun(update, "migrate")


def surplus(releases, protected, keep):
    """Names of the releases to remove, oldest first. `releases` are (name, modified at); `protected` count as kept."""
    others = sorted((at, name) for name, at in releases if name not in protected)
    return [name for _at, name in others[: max(0, len(releases) - keep)]]
