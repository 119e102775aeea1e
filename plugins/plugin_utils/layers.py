# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The layers in which an inventory says what a host's checks are: the only file that knows Ansible's insides for that.

They are found in the way and in the order of ansible.vars.manager, so that the strongest is what Ansible itself takes.
"""

from __future__ import annotations

import re

from ansible import constants
from ansible.errors import AnsibleError
from ansible.inventory.helpers import sort_groups
from ansible.parsing.vault import EncryptedString
from ansible.vars.plugins import get_vars_from_inventory_sources

from ..module_utils.specs import FAMILIES, family_of
from .profiles import Broken, Layer, Setting, merge, not_a_list

try:
    from ansible._internal._datatag._tags import Origin, VaultedValue
except ImportError:  # they are private: without them files and lines are not named
    Origin = VaultedValue = None

CHECKS = "roundsman_checks"
DEFAULTS = "roundsman_default_checks"
DEFAULT_SET = "default set"
OF_THE_PLAY = "play or extra variables"
VAULT = b"$ANSIBLE_VAULT"
MAYBE_TEMPLATE = re.compile("{|^#jinja2:")
NOT_FOR_EYES = re.compile(r"lookup|query\(|vault", re.IGNORECASE)


# Once, when Ansible's main process loads the plugin: its workers, one for each host, inherit them.
for _family in FAMILIES:
    family_of(_family)


class Inventory:
    """The inventory and the host of a running task."""

    def __init__(self, task, loader, host_name):
        self._manager = task.get_variable_manager()
        self._inventory = self._manager._inventory
        self._task, self._loader = task, loader
        self.host = self._inventory.get_host(host_name)

    def says(self, name):
        """[(layer, value)] of a variable, the weakest first."""
        everybody = [self._inventory.groups["all"]]
        groups = sort_groups(group for group in self.host.get_groups() if group.name != "all")
        sources, roots = self._inventory._sources, self._beside_play()
        steps = {
            "all_inventory": lambda: _own(name, everybody),
            "groups_inventory": lambda: _own(name, groups),
            "all_plugins_inventory": lambda: self._beside(name, sources, everybody),
            "all_plugins_play": lambda: self._beside(name, roots, everybody),
            "groups_plugins_inventory": lambda: self._beside(name, sources, groups),
            "groups_plugins_play": lambda: self._beside(name, roots, groups),
        }
        found = [one for step in constants.VARIABLE_PRECEDENCE if step in steps for one in steps[step]()]
        host = [self.host]
        return found + _own(name, host) + self._beside(name, sources, host) + self._beside(name, roots, host)

    def _beside(self, name, places, entities):
        """What group_vars, host_vars and other vars plugins say, place by place."""
        return [one for place in places for one in self._at(name, place, entities)]

    def _at(self, name, place, entities):
        # Few of many groups know anything of it, and those are found by halves.
        values = get_vars_from_inventory_sources(self._loader, [place], entities, "task")
        if name not in values:
            return []
        if len(entities) == 1:
            return [(_title(entities[0]), values[name])]
        half = len(entities) // 2
        return self._at(name, place, entities[:half]) + self._at(name, place, entities[half:])

    def _beside_play(self):
        if constants.PLAYBOOK_VARS_ROOT == "all":
            return self._task.get_search_path()
        if constants.PLAYBOOK_VARS_ROOT in ("bottom", "playbook_dir"):
            return self._task.get_search_path()[:1]
        return [self._loader.get_basedir()] if self._manager.safe_basedir else []


def _own(name, entities):
    """What the inventory's own files say of groups or hosts."""
    return [(_title(one), one.vars[name]) for one in entities if name in one.vars]


def _title(entity):
    return "%s %s" % (entity.base_type.name.lower(), entity.name)


def profile_of(action, task_vars):
    """(checks, faults) of the host of an action plugin, as profiles.merge makes them."""
    if CHECKS not in task_vars and DEFAULTS not in task_vars:
        # Nothing to look at must not pass for nothing amiss.
        return {}, ["there are none: name them as checks, define %s, or use the role roundsman.fleet.health" % CHECKS]
    inventory = Inventory(action._task, action._loader, task_vars["inventory_hostname"])
    return merge(layers_of(inventory, task_vars, action._templar))


def layers_of(inventory, task_vars, templar):
    """[Layer] of all that is said about the host's checks, the weakest first."""
    said = inventory.says(CHECKS)
    final = task_vars.get(CHECKS, [])
    # What is stronger than any inventory (play, set_fact, extra variables) is known by its winning.
    if final != (said[-1][1] if said else []):
        said.append((OF_THE_PLAY, final))
    said.insert(0, (DEFAULT_SET, task_vars.get(DEFAULTS, [])))
    return [_layer(name, raw, templar) for name, raw in said]


def _layer(name, raw, templar):
    where = None if name == DEFAULT_SET else place_of(raw)
    title = "%s (%s)" % (name, where) if where else name
    # A list is rendered entry by entry and key by key, so that what is wrong can be named, or does not matter.
    checks = raw if isinstance(raw, list) else _rendered(raw, templar)
    if isinstance(checks, Broken):
        return Layer(name, [], ["%s: %s" % (title, checks.why)])
    if not isinstance(checks, list):
        return Layer(name, [], ["%s: %s" % (title, not_a_list(checks))])
    entries, faults = [], []
    for position, raw_check in enumerate(checks, start=1):
        check = raw_check if isinstance(raw_check, dict) else _rendered(raw_check, templar)
        if isinstance(check, dict):
            entries.append(_entry(check, name, None if name == DEFAULT_SET else where, templar))
        else:
            why = check.why if isinstance(check, Broken) else "it is not a mapping of keys"
            faults.append("%s, check %d: %s" % (title, position, why))
    return Layer(name, entries, faults)


def _entry(check, layer, where, templar):
    entry = {}
    for each, raw in check.items():
        rendered = {each: raw} if _is_plain(raw) else _rendered({each: raw}, templar)
        if isinstance(rendered, Broken):
            value = rendered
        elif each in rendered:
            value = rendered[each]
        else:
            continue  # its value is `omit`
        place = where and (place_of(each) or where)
        entry[str(each)] = Setting(value, layer, place, is_vaulted(value) or _is_of_secrets(str(raw)))
    return entry


def _is_plain(raw):
    """Whether this is surely no template: to have Ansible find that out for each value would double the cost."""
    return raw is None or isinstance(raw, (int, float)) or (isinstance(raw, str) and not MAYBE_TEMPLATE.search(raw))


def _is_of_secrets(template):
    return "{{" in template and bool(NOT_FOR_EYES.search(template))


def _rendered(raw, templar):
    try:
        return templar.template(raw)
    except AnsibleError as error:
        return Broken(" ".join(str(error).split()))


def place_of(value):
    """`file:line` where a value is written, or None when Ansible does not know."""
    origin = Origin.get_tag(value) if Origin else None
    if origin is None:
        return None
    return "%s:%d" % (origin.path, origin.line_num) if origin.path and origin.line_num else str(origin)


def is_vaulted(value):
    """Whether a vault's value is in there."""
    if isinstance(value, dict):
        return any(is_vaulted(one) for one in value.values())
    if isinstance(value, list):
        return any(is_vaulted(one) for one in value)
    return bool(VaultedValue and VaultedValue.is_tagged_on(value))


def secrets_of(task_vars, templar):
    """All texts among the host's variables that are in a vault, as a whole file or as a value."""
    waiting = [value for name, value in task_vars.items() if name not in ("hostvars", "vars", "groups")]
    found, files = set(), {}
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, EncryptedString):
            found.add(_rendered(value, templar))
        elif isinstance(value, str) and (is_vaulted(value) or _is_in_vault(value, files)):
            found.add(value)
    return {str(text) for text in found if not isinstance(text, Broken)}


def _is_in_vault(value, files):
    path = getattr(Origin.get_tag(value), "path", None) if Origin else None
    if path and path not in files:
        try:
            with open(path, "rb") as file:
                files[path] = file.read(len(VAULT)) == VAULT
        except OSError:
            files[path] = False
    return bool(path) and files[path]
