#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: application
short_description: Bring an application of one's own to a version, or back
version_added: "0.2.0"
description:
  - Updates software that no package manager knows, by hooks in a fixed order - fetch, stop, switch, migrate, start,
    verify. A recipe brings most of them along.
  - When a hook fails, or the new version fails its verification, the version before is put back by the same call, and
    its verification has to hold again. That works on the host alone, whatever became of the controller.
  - What was begun is noted on the host before it is begun. After any death the next run goes on with the hook that was
    reached, or undoes the update when another version is wanted by then. So every hook has to bear being run twice.
  - A version that was rolled back is not tried again until another one is wanted, or O(retry) is set.
extends_documentation_fragment:
  - roundsman.fleet.procedure
options:
  state:
    description:
      - V(updated) brings the application to O(version). V(verified) verifies it once more if this lease has updated it.
        V(rolled_back) undoes what this lease did.
    type: str
    choices: [updated, verified, rolled_back]
    default: updated
  id:
    description: The name of the application.
    type: str
    required: true
  version:
    description: The version that is to serve.
    type: str
    required: true
  recipe:
    description:
      - With V(release), C(current) in O(path) is a link to C(releases/VERSION), and replaced as a whole.
      - With V(unit), a drop-in of O(unit) sets C(ROUNDSMAN_VERSION) in its environment, and with O(path)
        C(ROUNDSMAN_RELEASE).
      - With V(hooks), O(switch) and O(roll_back) do it.
    type: str
    choices: [release, unit, hooks]
    default: release
  path:
    description: The directory of the application. The version is fetched into C(releases/VERSION) in it.
    type: path
  unit:
    description: The systemd unit of the application; it is stopped, started, and has to be active in the end.
    type: str
  fetch:
    description:
      - A hook is a command for C(/bin/sh), or a mapping of C(command), C(user) and C(timeout_s). An empty string leaves
        out what the recipe would do.
      - This one makes the version available; with O(path) in the empty directory in which it is run. In place of the
        command it may have C(url) and C(checksum) (C(sha256:...)); an archive of tar is unpacked.
    type: raw
  stop:
    description: Stops the application. By default it stops O(unit).
    type: raw
  switch:
    description: Switches to the new version, with O(recipe=hooks).
    type: raw
  migrate:
    description: Migrates the data. It needs O(migrate_undo) or a word about O(irreversible).
    type: raw
  migrate_undo:
    description: Undoes the migration, also one that was done in part.
    type: raw
  irreversible:
    description:
      - V(true) says that the migration cannot be undone; once it was begun nothing is rolled back.
      - V(false) says that nothing needs to be undone, for the version before works with what was migrated.
    type: bool
  start:
    description: Starts the application. By default it starts O(unit).
    type: raw
  verify:
    description:
      - Proves that the application serves. A command, a URL, or a mapping of C(url) and any key of a health check of
        type C(http), which has to be OK.
    type: raw
  roll_back:
    description: Switches back to the version before, with O(recipe=hooks).
    type: raw
  current:
    description: Prints which version serves, with O(recipe=hooks); without it that is remembered.
    type: raw
  environment:
    description: More environment variables for the hooks. All values count as secret.
    type: dict
    default: {}
  user:
    description: Whom the hooks run as; by default the user of the module, who does what a recipe does itself.
    type: str
  hook_timeout_s:
    description: How long a hook may take, in seconds.
    type: float
    default: 600
  verify_within_s:
    description: How long after its start the application may take until its verification holds, in seconds.
    type: float
    default: 30
  keep:
    description: How many releases are kept, with the one that serves and the one before.
    type: int
    default: 3
  retry:
    description: Try a version again that was rolled back.
    type: bool
    default: false
  rollback:
    description: Put the version before back when the new one fails.
    type: bool
    default: true
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Update the shop
  roundsman.fleet.application:
    id: shop
    version: "2.4.1"
    path: /srv/shop
    unit: shop.service
    user: shop
    fetch:
      url: https://artifacts.example/shop-2.4.1.tar.gz
      checksum: sha256:{{ shop_sha256 }}
    migrate: bin/migrate up
    migrate_undo: bin/migrate down
    verify: http://127.0.0.1:8080/health
    environment:
      DATABASE_PASSWORD: "{{ vault_shop_password }}"
"""

RETURN = r"""
maintenance:
  description: The record of the step as described in docs/records.md of the collection.
  returned: always
  type: dict
  sample: {procedure: application, step: shop, message: "shop 2.4.1 serves in place of 2.4.0", actions: []}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.checks import http as _http  # noqa: F401 - a verification may be one, and specs finds it by name
from ..module_utils.procedures.application import read_hooks
from ..module_utils.procedures.application_hooks import Hooks
from ..module_utils.procedures.application_memory import Memory
from ..module_utils.procedures.application_recipes import ByHooks, Release, Unit
from ..module_utils.procedures.application_releases import Releases
from ..module_utils.procedures.application_update import Update
from ..module_utils.procedures.base import ProcedureError
from ..module_utils.procedures.step import COMMON, run_step
from ..module_utils.state import State, own_directory

HOOK = {"type": "raw"}


def _update(step, params, found):
    memory = Memory(State(params["state_dir"] or own_directory()), params["id"])
    releases = Releases(step, params["path"])
    hooks = Hooks(step, params, found, releases.where)

    def reload():
        done = step.run(["systemctl", "daemon-reload"])
        if done.rc:
            raise ProcedureError("hook_failed", "systemctl daemon-reload: " + done.err.strip())

    recipe = {
        "release": lambda: Release(params["path"]),
        "unit": lambda: Unit(params["unit"], releases, reload),
        "hooks": lambda: ByHooks(hooks, memory.known),
    }[params["recipe"]]()
    return Update(step, params, memory, hooks, recipe, releases)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            state={"type": "str", "choices": ["updated", "verified", "rolled_back"], "default": "updated"},
            id={"type": "str", "required": True},
            version={"type": "str", "required": True},
            recipe={"type": "str", "choices": ["release", "unit", "hooks"], "default": "release"},
            path={"type": "path"},
            unit={"type": "str"},
            fetch=HOOK,
            stop=HOOK,
            switch=HOOK,
            migrate=HOOK,
            migrate_undo=HOOK,
            irreversible={"type": "bool"},
            start=HOOK,
            verify=HOOK,
            roll_back=HOOK,
            current=HOOK,
            environment={"type": "dict", "default": {}, "no_log": True},
            user={"type": "str"},
            hook_timeout_s={"type": "float", "default": 600.0},
            verify_within_s={"type": "float", "default": 30.0},
            keep={"type": "int", "default": 3},
            retry={"type": "bool", "default": False},
            rollback={"type": "bool", "default": True},
        ),
        supports_check_mode=True,
        # What a verification sends may be secret, which the host's log is not for.
        no_log=True,
    )
    params = module.params
    found, faults = read_hooks(params)
    if faults:
        module.fail_json(msg="{0}: {1}. Nothing was done".format(params["id"], "; ".join(faults)))

    def work(step):
        update = _update(step, params, found)
        return {"updated": update.bring, "verified": update.prove, "rolled_back": update.undo}[params["state"]]()

    run_step(module, "application", params["id"], work)


if __name__ == "__main__":
    main()
