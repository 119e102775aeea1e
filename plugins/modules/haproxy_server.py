#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_server
short_description: Take a server out of HAProxy's service, or put it back
version_added: "0.2.0"
description:
  - Sets the state of a server by HAProxy's runtime API and waits until it has come; until nobody uses a server that is
    drained, until one that is ready is up.
options:
  server:
    description: The server, as BACKEND/SERVER.
    type: str
    required: true
  state:
    description: As in HAProxy's C(set server).
    type: str
    choices: [ready, drain, maint]
    required: true
  socket:
    description: The path of the socket of the runtime API at level admin, or HOST:PORT.
    type: str
    default: /run/haproxy/admin.sock
  wait_s:
    description:
      - How long to wait, in seconds. A server that is not up by then is a failure; sessions that are left on a drained
        one are not.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Looks at the server, and changes nothing.
  diff_mode:
    support: none
    description: Nothing but a state is changed.
  platform:
    support: full
    description: The host on which HAProxy runs.
    platforms: posix
author:
  - Roundsman contributors (@roundsman)
"""

EXAMPLES = r"""
- name: Drain this host
  roundsman.fleet.haproxy_server:
    server: "shop/{{ inventory_hostname }}"
    state: drain
  delegate_to: lb1
  become: true
"""

RETURN = r"""
status:
  description: What HAProxy says of the server at the end.
  returned: success
  type: str
  sample: DRAIN
sessions:
  description: How many sessions the server has at the end.
  returned: success
  type: int
  sample: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import haproxy

SHOWN = {"ready": ("UP", "no check"), "drain": ("DRAIN",), "maint": ("MAINT",)}


def main():
    module = AnsibleModule(
        argument_spec={
            "server": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(SHOWN), "required": True},
            "socket": {"type": "str", "default": "/run/haproxy/admin.sock"},
            "wait_s": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    server, state, address = (module.params[key] for key in ("server", "state", "socket"))
    try:
        status, sessions = haproxy.look(address, server)
        changed = not status.startswith(SHOWN[state])
        came = True
        if not module.check_mode:
            haproxy.set_state(address, server, state)
            came, status, sessions = haproxy.wait(address, server, state, module.params["wait_s"])
    except haproxy.HaproxyError as error:
        module.fail_json(msg=str(error))
    if state == "ready" and not came:
        text = "HAProxy was told that {0} is ready, and says {1} after {2} s"
        module.fail_json(msg=text.format(server, status, module.params["wait_s"]), status=status)
    module.exit_json(changed=changed, status=status, sessions=sessions)


if __name__ == "__main__":
    main()
