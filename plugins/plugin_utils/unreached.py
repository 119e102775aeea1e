# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of a host that could not be reached: what its variables say, and the way that SSH tried to go."""

from __future__ import annotations

import shlex
import subprocess

from ansible.errors import AnsibleError
from ansible.template import Templar

from .routing import SSH_ARGUMENTS, VARIABLES, jumps, routing_of

# It answers in milliseconds, unless the controller is busy or a name service hangs.
SSH_LIMIT_S = 10


class Unreached:
    """Of one run."""

    def __init__(self):
        self._ssh_answers = True

    def told(self, play, host):
        """`{"routing": ...}` as it is now: of a host that was never reached nothing else is known.

        Empty when it cannot be told, for example because it takes facts of the host: what was known before holds on.
        """
        names = (*VARIABLES, "ansible_connection")
        try:
            values = play.get_variable_manager().get_vars(play=play, host=host)
            templar = Templar(loader=play.get_loader(), variables=values)
            said = {name: templar.template(values[name]) for name in names if name in values}
            routing, faults = routing_of(said)
        except AnsibleError:
            return {}
        if faults:
            return {}
        if said.get("ansible_connection", "ssh") in ("ssh", "smart"):
            through = self._configured(routing["address"] or host.get_name(), said)
            routing["depends_on"] = list(dict.fromkeys([*routing["depends_on"], *through]))
        return {"routing": routing}

    def _configured(self, address, said):
        """The jump hosts of SSH's own configuration. One that takes long to ask is not asked again in this run."""
        if not self._ssh_answers or address.startswith("-"):
            return ()
        try:
            arguments = [word for name in SSH_ARGUMENTS for word in shlex.split(str(said.get(name) or ""))]
            return configured_jumps(address, arguments)
        except ValueError:
            return ()
        except (OSError, subprocess.TimeoutExpired):
            self._ssh_answers = False
            return ()


def configured_jumps(address, arguments):
    """The hosts through which SSH, called like this, goes to that address. It connects to none of them."""
    asked = ["ssh", "-G", *arguments, address]
    done = subprocess.run(
        asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=SSH_LIMIT_S,
        check=False,
    )  # fmt: skip
    options = (line.partition(" ")[::2] for line in done.stdout.splitlines())
    proxies = [f"{name}={value}" for name, value in options if name in ("proxyjump", "proxycommand")]
    return [hop for proxy in proxies for hop in jumps(shlex.join(["-o", proxy]))]
