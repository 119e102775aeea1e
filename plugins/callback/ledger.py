# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: ledger
type: aggregate
short_description: Keeps the records of Roundsman runs
version_added: "0.1.0"
author:
  - Roundsman contributors (@roundsman)
description:
  - Appends every result of a Roundsman module, every unreachable host and every failed task of a run to that run's
    ledger, one JSON object per line. The C(roundsman) command reads ledgers into its store.
  - It is the write-ahead log of a run. What was written survives the death of Ansible; what could not be written
    because the disk was full is written as soon as there is room.
  - The C(roundsman) command enables it for its own runs. For plain C(ansible-playbook) add it to C(callbacks_enabled).
requirements:
  - enabled in C(callbacks_enabled)
options:
  ledger_dir:
    description:
      - Directory of the ledgers. It is created with mode 0700.
      - The default is C(/var/lib/roundsman/ledger) for root, C(~/.local/state/roundsman/ledger) for others.
    type: path
    env:
      - name: ROUNDSMAN_LEDGER_DIR
    ini:
      - section: callback_roundsman_ledger
        key: ledger_dir
  run_id:
    description: Id of the run. By default a new one is made from the time and a random part.
    type: str
    env:
      - name: ROUNDSMAN_RUN_ID
"""

EXAMPLES = r"""
# One line, and plain ansible-playbook keeps records like the roundsman command does:
ansible.cfg: |
  [defaults]
  callbacks_enabled = roundsman.fleet.ledger
"""

import os
import secrets
import threading
import time
from datetime import datetime, timezone

from ansible import context
from ansible.plugins.callback import CallbackBase

from ..plugin_utils import bookmarks, ledger_file
from ..plugin_utils.ledger_file import LedgerFile
from ..plugin_utils.unreached import Unreached

# Module -> (kind of record, what of its result is recorded)
RECORDED = {
    "roundsman.fleet.health": ("health", ("checks", "worst", "routing")),
    "roundsman.fleet.backup": ("backup", ("backup",)),
    "roundsman.fleet.backup_verify": ("verify", ("verifications",)),
    "roundsman.fleet.backup_restore": ("restore", ("restore",)),
    "roundsman.fleet.backup_prune": ("prune", ("prune",)),
    "roundsman.fleet.backup_coverage": ("coverage", ("coverage",)),
    "roundsman.fleet.backup_info": ("inventory", ("inventory",)),
    "roundsman.fleet.maintenance_lease": ("maintenance_begun", ("lease", "symptoms", "silence_s", "previous")),
    "roundsman.fleet.maintenance_result": ("maintenance", ("maintenance",)),
}
# Of these an answer without that value is none: asked only to check definitions, or the host was not taken.
WORDLESS = {"inventory": "inventory", "maintenance_begun": "lease", "maintenance": "maintenance"}
# Evidence about backups is worth a sync to disk each; health results are measured again on the next round.
LAST_CHANCE_S = 60
SYNCED = {
    "backup", "verify", "restore", "prune", "inventory", "maintenance_begun", "maintenance",
    "run_started", "run_finished",
}


def default_ledger_dir() -> str:
    if os.geteuid() == 0:
        return "/var/lib/roundsman/ledger"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "roundsman", "ledger")


def new_run_id(now: datetime) -> str:
    return now.strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(3)


def is_handled(task) -> bool:
    """Whether the playbook itself says what becomes of this failure: it is ignored, or its block has a rescue."""
    if task.ignore_errors is True or task.vars.get("roundsman_recorded") is True:
        return True
    inner, outer = task, task._parent
    while outer is not None:
        if getattr(outer, "rescue", None) and any(one._uuid == inner._uuid for one in outer.block):
            return True
        # What an import brought stands in its place.
        inner, outer = inner if getattr(outer, "statically_loaded", False) else outer, outer._parent
    return False


def _not_looked(asked: dict, host: str, where: str, said: str) -> list[dict]:
    """Verifications of a drill host that could not be reached."""
    # Rarely needed, and it takes a while.
    from ..module_utils.verification import blank

    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = f"{{}} of {host}: nothing was verified, {said}. Try: roundsman doctor --limit {where}"
    seen = {"where": where, "reason": "drill_host_unreachable", "time": now}
    return [
        {**blank(source, None, asked.get("level")), **seen, "message": text.format(source)}
        for source in asked.get("sources") or []
    ]


class CallbackModule(CallbackBase):
    """Writes a run's ledger (docs/records.md)."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "roundsman.fleet.ledger"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        # Results of loop items arrive in another thread than those of tasks.
        self._guard = threading.Lock()
        self._file: LedgerFile | None = None
        self._playbook = ""
        self._bookmarks_dir = ""
        self._started = False
        self._play = None
        self._unreached = Unreached()
        self._write_failed = False

    def v2_playbook_on_start(self, playbook) -> None:
        self._playbook = os.path.basename(playbook._file_name)
        directory = self.get_option("ledger_dir") or default_ledger_dir()
        # Taken, so that neither a second playbook of this command nor an Ansible that a task starts writes there, too.
        run_id = os.environ.pop("ROUNDSMAN_RUN_ID", None) or self.get_option("run_id")
        if not run_id or os.path.exists(os.path.join(directory, run_id + ".jsonl")):
            run_id = new_run_id(datetime.now(timezone.utc))
        self._started = False
        self._bookmarks_dir = os.path.join(os.path.dirname(os.path.normpath(directory)), "bookmarks")
        os.environ[bookmarks.DIRECTORY] = self._bookmarks_dir
        try:
            self._file = LedgerFile(directory, run_id)
        except OSError as error:
            # An exception would only be a warning to Ansible, and the run would go on without records.
            why = f"the ledger in {directory} cannot be opened ({error.strerror}); nothing was run"
            self._display.error(f"roundsman: {why}")
            raise SystemExit(1) from None
        os.environ[ledger_file.CURRENT] = self._file.path

    def v2_playbook_on_play_start(self, play) -> None:
        self._play = play
        if self._started:
            return
        self._started = True
        inventory = play.get_variable_manager()._inventory
        self._append("run_started", {"data": {
            "playbook": self._playbook,
            "pattern": context.CLIARGS.get("subset") or "all",
            "check_mode": bool(context.CLIARGS.get("check")),
            "hosts": [host.get_name() for host in inventory.get_hosts(play.hosts)],
            "controller": os.uname().nodename,
            "pid": os.getpid(),
        }})

    def v2_runner_on_ok(self, result) -> None:
        if not result.task.loop:
            self._record(result, ok=True)

    def v2_runner_on_failed(self, result, ignore_errors=False) -> None:  # noqa: ARG002 - Ansible's signature
        if not result.task.loop or "results" not in result.result:
            self._record(result, ok=False)

    def v2_runner_item_on_ok(self, result) -> None:
        self._record(result, ok=True)

    def v2_runner_item_on_failed(self, result) -> None:
        self._record(result, ok=False)

    def v2_runner_on_unreachable(self, result) -> None:
        host, said = result.host.get_name(), str(result.result.get("msg", ""))
        where = result.task_fields.get("delegate_to") or host
        if where == host:
            data = {"task": result.task.get_name(), **self._unreached.told(self._play, result.host)}
            self._append("unreachable", {"host": host, "ok": False, "changed": False, "msg": said, "data": data})
        elif (result.task.resolved_action or result.task.action) == "roundsman.fleet.backup_verify":
            # The host itself was not asked, so nothing is known against it.
            said = f"the host {where}, which was to do this, could not be reached: {said}"
            data = {"verifications": _not_looked(result.task_fields["args"], host, where, said)}
            self._append("verify", {"host": host, "ok": False, "changed": False, "msg": said, "data": data})
        elif not result.task.loop:
            # Of a loop the items have said so.
            self._record(result, ok=False)

    def v2_playbook_on_stats(self, stats) -> None:
        hosts = sorted(stats.processed)
        self._append("run_finished", {"data": {"stats": {host: dict(stats.summarize(host)) for host in hosts}}})
        if self._file is None:
            return
        self._write_the_rest(self._file)
        self._file.close()
        self._file = None

    def _write_the_rest(self, file) -> None:
        """The last chance: what is still in memory dies with this process."""
        for _attempt in range(LAST_CHANCE_S):
            try:
                file.flush(sync=True)
            except OSError:
                time.sleep(1)
            else:
                return
        lost = f"{file.unwritten} records of this run are lost: {file.path} could not be written to the end"
        self._display.error(f"roundsman: {lost}")

    def _record(self, result, *, ok: bool) -> None:
        action = result.task.resolved_action or result.task.action
        values = result.result
        fields = {"host": result.host.get_name(), "ok": ok, "changed": bool(values.get("changed", False))}
        if values.get("msg"):
            fields["msg"] = str(values["msg"])
        kind, keys = RECORDED.get(action, (None, ()))
        if kind and (kind not in WORDLESS or values.get(WORDLESS[kind])):
            # Only of our own loops: the label of another's item may be all of it, secrets included.
            if values.get("_ansible_item_label") is not None:
                fields["item"] = str(values["_ansible_item_label"])
            if values.get("skipped"):
                return
            # A sweep that was repeated until something is well, in vain, failed as a task and not as a sweep.
            fields["ok"] = ok or (kind == "health" and "checks" in values)
            self._append(kind, {**fields, "data": {key: values[key] for key in keys if key in values}})
            if values.get("bookmarks") and not context.CLIARGS.get("check"):
                self._keep_bookmarks(fields["host"], values["bookmarks"])
        elif not ok and not is_handled(result.task):
            kind = "refused" if result.task.vars.get("roundsman_refuses") is True else "failed"
            self._append(kind, {**fields, "data": {"task": result.task.get_name(), "action": action}})

    def _keep_bookmarks(self, host: str, left: dict) -> None:
        """After the record, never before it: what a lost record counted is counted again on the next round."""
        try:
            if self._file is not None and not self._file.unwritten:
                self._file.flush(sync=True)
                bookmarks.keep(self._bookmarks_dir, host, left, time.time())
        except OSError as error:
            self._display.warning(f"roundsman: {error}; the next round of {host} looks at the same again")

    def _append(self, kind: str, fields: dict) -> None:
        if self._file is None:
            return
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._guard:
            try:
                self._file.append(now, kind, fields, sync=kind in SYNCED)
                self._write_failed = False
            except OSError as error:
                if not self._write_failed:
                    why = f"cannot write {self._file.path} ({error.strerror})"
                    self._display.error(f"roundsman: {why}; records are kept in memory and tried again")
                self._write_failed = True
