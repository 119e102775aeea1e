"""A module with one step: it makes the files that it is asked for, and can be made to wait or to fail between them."""

from __future__ import annotations

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.base import ProcedureError
from ansible_collections.roundsman.fleet.plugins.module_utils.procedures.step import COMMON, Step, run_step


def main() -> None:
    spec = dict(COMMON, files={"type": "list", "elements": "str"}, wait={"type": "bool"}, fail={"type": "bool"})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)

    def work(step: Step) -> str:
        for name in module.params["files"]:
            if step.check_mode:
                step.plan("make", name)
                continue
            with step.action("make", name) as done:
                Path(name).write_text("made")
                done["size_bytes"] = 4
                if module.params["wait"]:
                    time.sleep(600)
                if module.params["fail"]:
                    raise ProcedureError("no_space", "the disk is full")
        return f"made {len(module.params['files'])}"

    run_step(module, "making", "make", work)


if __name__ == "__main__":
    main()
