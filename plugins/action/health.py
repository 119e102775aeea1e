# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges the checks on the controller, then sends one lean script to the host instead of a module payload."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import shlex
import signal
import zipfile
import zlib
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..module_utils.health import ARGUMENT_SPEC, prepare
from ..module_utils.lean import MARKER
from ..module_utils.psutil_copy import platform

MODULE = "roundsman.fleet.health"
TRANSPORTS = ("lean", "module")
NEWEST_FIRST = tuple("python3.%d" % minor for minor in range(14, 7, -1))
PYTHONS = ("/usr/bin/python3", "python3", *NEWEST_FIRST, "/usr/libexec/platform-python")
TOO_OLD = 43
GRACE_S = 60  # for connecting, starting Python and sending psutil, on a host that is hard at work

# Runs on the host with the sources at hand: imports them from memory, each only when it is needed.
BOOTSTRAP = """
from _frozen_importlib import ModuleSpec
class Memory:
    def find_spec(name, path=None, target=None):
        if name in SOURCES:
            return ModuleSpec(name, Memory, origin=name, is_package=not SOURCES[name])
    def create_module(spec):
        return None
    def exec_module(module):
        exec(compile(SOURCES[module.__name__], module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Memory)
from roundsman_lean.lean import main
main(stream, size)
"""
# Reads "<bytes of code> <bytes of request>", the code and the request; what is left over is a copy of psutil.
FIRST_STEP = (
    "import sys,zlib\n"
    "if sys.version_info<(3,8): sys.stderr.write(sys.executable+' is '+sys.version[:6]+chr(10)); sys.exit(%d)\n"
    "stream=sys.stdin.buffer\n"
    "code,size=map(int,stream.readline().split())\n"
    "exec(zlib.decompress(stream.read(code)))"
) % TOO_OLD


def pack_code(folder):
    """The compressed script that holds the modules under a `module_utils` folder which a sweep can need."""
    wanted = ["family", "health", "lean", "psutil_copy", "specs", "thresholds", "x509"]
    files = [folder / (name + ".py") for name in wanted] + sorted((folder / "checks").glob("[a-z]*.py"))
    sources = {"roundsman_lean": "", "roundsman_lean.checks": ""}
    for file in files:
        name = ".".join(file.relative_to(folder).with_suffix("").parts)
        sources["roundsman_lean." + name] = file.read_text(encoding="utf-8")
    return zlib.compress(("SOURCES = %r\n%s" % (sources, BOOTSTRAP)).encode(), 9)


def psutil_files():
    """Files of the controller's psutil that run on any Python 3 of its platform: name -> path; empty if none do."""
    found = importlib.util.find_spec("psutil")
    folder = Path(found.origin).parent if found and found.origin else None
    if not folder or not list(folder.glob("*.abi3.so")):
        return {}
    files = [*folder.glob("*.py"), *folder.glob("*.abi3.so")]
    return {"psutil/" + file.name: file for file in sorted(files)}


def pack_psutil():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as copy:
        for name, file in psutil_files().items():
            copy.write(file, name)
    return archive.getvalue()


def offer_psutil():
    """What hosts have to know about our copy to want it, see psutil_copy.load; None when there is none to carry."""
    digest = hashlib.sha256()
    files = psutil_files()
    for name, file in files.items():
        digest.update(name.encode() + file.read_bytes())
    return dict(platform(), hash=digest.hexdigest()[:16]) if files else None


# Made once, when Ansible's main process loads the plugin; its workers inherit them.
CODE = pack_code(Path(__file__).parent.parent / "module_utils")
OFFER = offer_psutil()


def script(pythons, environment=""):
    """The shell command that runs what comes over standard input in the first Python that is new enough.

    A Python that is too old ends before it reads, so that the next one finds the input untouched.
    """
    names = " ".join(shlex.quote(python) for python in pythons)
    return (
        '( for p in %s; do command -v "$p" >/dev/null 2>&1 || continue; %s "$p" -I -c %s; r=$?; '
        "case $r in %d|126|127) ;; *) exit $r ;; esac; done; "
        "echo tried %s >&2; exit %d )"
    ) % (names, environment, shlex.quote(FIRST_STEP), TOO_OLD, names, TOO_OLD)


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

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TooLateError:
        raise AnsibleConnectionFailure(
            "the host took the connection and gave no answer within %d s; nothing is known about it. Does it hang?"
            % seconds
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, parameters = self.validate_argument_spec(ARGUMENT_SPEC)
        specs, faults = prepare(parameters)
        if faults:
            raise AnsibleActionFail("these health checks cannot run, so none did:\n- " + "\n- ".join(faults))
        lean = self._transport(task_vars) == "lean" and self._can_pipe()
        # A time limit that the task has keeps the alarm for itself.
        limit = GRACE_S + max((spec.limit_s for spec in specs), default=0)
        with contextlib.nullcontext() if self._task.timeout else patience(limit):
            if lean:
                result.update(self._sweep(parameters, task_vars), changed=False)
            else:
                result.update(self._execute_module(module_name=MODULE, module_args=parameters, task_vars=task_vars))
                result.pop("invocation", None)  # a URL of a check may hold a password
        return result

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
        request = json.dumps({"parameters": parameters, "offer": OFFER}).encode()
        data = b"%d %d\n" % (len(CODE), len(request)) + CODE + request + archive
        command = script(self._pythons(task_vars), self._compute_environment_string())
        return parse(self._low_level_execute_command(command, in_data=data))
