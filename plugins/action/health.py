# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges the checks on the controller, then sends one lean script to the host instead of a module payload."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import signal
import threading
import time

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..module_utils.checks import clock
from ..module_utils.family import UNKNOWN, worst
from ..module_utils.health import ARGUMENT_SPEC, clean, prepare, run_all
from ..module_utils.lean import MARKER
from ..plugin_utils import bookmarks, profiles
from ..plugin_utils.layers import profile_of
from ..plugin_utils.parcel import TOO_OLD, pack_psutil, parcel, script
from ..plugin_utils.routing import VARIABLES, routing_of

MODULE = "roundsman.fleet.health"
TRANSPORTS = ("lean", "module")
NEWEST_FIRST = tuple("python3.%d" % minor for minor in range(14, 7, -1))
PYTHONS = ("/usr/bin/python3", "python3", *NEWEST_FIRST, "/usr/libexec/platform-python")
GRACE_S = 60  # for connecting, starting Python and sending psutil, on a host that is hard at work


def parse(reply):
    """The JSON value in a reply of `_low_level_execute_command`, whatever noise surrounds it."""
    _noise, marker, text = reply["stdout"].rpartition(MARKER)
    try:
        if marker:
            return json.JSONDecoder().raw_decode(text)[0]
    except ValueError:
        pass
    tail = "\n".join((reply["stderr"].strip() or reply["stdout"].strip()).splitlines()[-5:]) or "it said nothing"
    if reply["rc"] == TOO_OLD:
        raise AnsibleActionFail(
            "no Python 3.8 or newer was found on the host, so no check ran: install one, "
            "or set ansible_python_interpreter to its path (%s)" % tail.replace("\n", "; ")
        )
    raise AnsibleActionFail("the health checks gave no result (exit code %s): %s" % (reply["rc"], tail))


class TooLateError(BaseException):
    """Raised by the alarm; not an Exception, which connection plugins would take for a reason to try again."""


@contextlib.contextmanager
def patience(seconds):
    """Ends what runs inside after some time: a host that hangs keeps its connection open and never answers."""

    def give_up(_signal, _frame):
        raise TooLateError

    before, earlier = signal.signal(signal.SIGALRM, give_up), _children()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TooLateError:
        # An ssh that waits for a host that hangs would outlive this worker, and one more would with every round.
        for child in _children() - earlier:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGTERM)
        raise AnsibleConnectionFailure(
            "the host took the connection and gave no answer within %d s; nothing is known about it. Does it hang?"
            % seconds
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _children():
    """Process ids of what this process has started, where the kernel tells (Linux)."""
    found = set()
    for listed in glob.glob("/proc/self/task/*/children"):
        with contextlib.suppress(OSError), open(listed, encoding="ascii") as pids:
            found.update(map(int, pids.read().split()))
    return found


class FromHere(threading.Thread):
    """The checks that look from the controller, while the host sees to its own."""

    def __init__(self, specs, recalled):
        super().__init__(daemon=True)
        self._specs, self._recalled = specs, recalled
        self.results, self.bookmarks = [], {}

    def run(self):
        self.results, self.bookmarks = run_all(self._specs, None, "not needed", self._recalled)


def on_host(spec):
    return spec.keys["from"] == "host"


def whole(specs, answer, from_here, exchange):
    """The host's answer with what was seen from here, in the order of the specs, and what only both can know."""
    times = answer.pop("clock")
    found = {result["id"]: result for result in [*answer["checks"], *from_here.results]}
    sides = (exchange[0], times["received"], times["answered"], exchange[1])
    checks = []
    for spec in specs:
        result = found.get(clean(spec.id))  # none where something optional is not there
        if result and spec.type == "clock" and result["status"] != UNKNOWN:
            result.update(clock.conclude(spec.keys, result, sides))
        checks += [result] if result else []
    left = dict(answer["bookmarks"], **from_here.bookmarks)
    return dict(answer, checks=checks, worst=worst([check["status"] for check in checks]), bookmarks=left)


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, parameters = self.validate_argument_spec(ARGUMENT_SPEC)
        faults = []
        if parameters["checks"] is None:
            merged, faults = profile_of(self, task_vars)
            faults += profiles.faults_of(merged, parameters["timeout_s"])
            parameters["checks"] = profiles.checks_of(merged)
        wanted = {name: self._templar.template(task_vars[name]) for name in VARIABLES if name in task_vars}
        routing, said = routing_of(wanted)
        faults += said
        specs, faults = ([], faults) if faults else prepare(parameters)
        if faults:
            raise AnsibleActionFail("these health checks cannot run, so none did:\n- " + "\n- ".join(faults))
        parameters["bookmarks"] = parameters["bookmarks"] or bookmarks.recall(task_vars["inventory_hostname"])
        from_here = FromHere([spec for spec in specs if not on_host(spec)], parameters["bookmarks"])
        from_here.start()
        there = [check for check, spec in zip(parameters["checks"], specs) if on_host(spec)]
        # A time limit that the task has keeps the alarm for itself.
        limit = GRACE_S + max((spec.limit_s for spec in specs), default=0)
        with contextlib.nullcontext() if self._task.timeout else patience(limit):
            answer = self._look_there(dict(parameters, checks=there), task_vars)
        if "checks" in answer:
            from_here.join()
            answer = dict(whole(specs, answer, from_here, self._exchange), routing=routing)
        result.update(answer)
        return result

    def _look_there(self, parameters, task_vars):
        if self._transport(task_vars) == "lean" and self._can_pipe():
            return dict(self._sweep(parameters, task_vars), changed=False)
        sent = time.time()
        answer = self._execute_module(module_name=MODULE, module_args=parameters, task_vars=task_vars)
        self._exchange = sent, time.time()
        answer.pop("invocation", None)  # a URL of a check may hold a password
        return answer

    def _transport(self, task_vars):
        transport = self._templar.template(task_vars.get("roundsman_health_transport", TRANSPORTS[0]))
        if transport not in TRANSPORTS:
            raise AnsibleActionFail(
                'roundsman_health_transport is "%s"; it takes %s' % (transport, " or ".join(TRANSPORTS))
            )
        return transport

    def _can_pipe(self):
        """Whether this connection and way of privilege escalation pass standard input on to the command."""
        connection = self._connection
        if not connection.has_pipelining or (connection.become and not connection.become.pipelining):
            return False
        # The local connection answers password prompts on a terminal, unless pipelining is on; that garbles the script.
        prompts = connection.transport == "local" and connection.become and connection.become.expect_prompt()
        return not prompts or connection.is_pipelining_enabled()

    def _pythons(self, task_vars):
        wanted = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        wanted = str(self._templar.template(wanted) or "auto")
        return PYTHONS if wanted.startswith("auto") else (wanted,)

    def _sweep(self, parameters, task_vars):
        answer = self._call(parameters, task_vars, b"")
        if answer.get("send_psutil"):
            answer = self._call(parameters, task_vars, pack_psutil())
        if answer.get("faults") or "checks" not in answer:
            raise AnsibleActionFail("the host refused the health checks, so none ran: %s" % answer)
        return answer

    def _call(self, parameters, task_vars, archive):
        command = script(self._pythons(task_vars), self._compute_environment_string())
        data, sent = parcel(parameters, archive), time.time()
        reply = self._low_level_execute_command(command, in_data=data)
        self._exchange = sent, time.time()
        return parse(reply)
