"""Runs playbooks through ansible-runner: the only room that knows it.

ansible-runner writes the whole environment to `artifacts/<id>/command`, turns host key checking off unless told
otherwise, and would keep everything: here it gets a minimal environment that is written to memory alone, host key
checking, a private directory per run that is removed afterwards, and no event files.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import shutil
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COLLECTION = "roundsman.fleet"
LEDGER_CALLBACK = f"{COLLECTION}.ledger"
# For who has no ansible.cfg: what no variable of the environment can say.
CONFIG = Path(__file__).with_name("ansible.cfg")
LAST_LINES = 60
# Warnings of Ansible after which hosts may be missing from a run.
DOUBTS = ("nable to parse", "ailed to parse", "Could not match supplied host pattern")
# The one template that everybody uses for this machine itself, and whose value is known without Ansible.
OWN_PYTHON = "{{ ansible_playbook_python }}"

# What Ansible, ssh and their helpers need to work; secrets that lookups read are named by `pass_environment`.
_PASSED = {
    "COLUMNS", "HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "PYTHONPATH", "SHELL", "SSH_AGENT_PID", "SSH_AUTH_SOCK",
    "TERM", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV", "KRB5CCNAME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
}  # fmt: skip
_PASSED_PREFIXES = ("ANSIBLE_", "AWX_", "RUNNER_", "ROUNDSMAN_", "LC_", "ORIGINAL_STDOUT_CALLBACK", "AD_HOC_COMMAND_ID")


@dataclass(frozen=True)
class Job:
    """One playbook run. `variables` are written to a file for the length of the run: no secrets in there."""

    run_id: str
    playbook: str
    inventories: Sequence[str]
    ledger_dir: Path
    work_dir: Path
    state_dir: Path
    limit: str | None = None
    check: bool = False
    forks: int = 20
    connect_timeout_s: int = 10
    verbosity: int = 0
    variables: Mapping[str, Any] = field(default_factory=dict)
    pass_environment: Sequence[str] = ()


class Execution:
    """A running playbook. `rc` is None until it ended, and stays None when it could not be started."""

    def __init__(self, job: Job, on_event: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self._job = job
        self._on_event = on_event
        self._cancelled = threading.Event()
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self.doubts: list[str] = []
        self._thread = threading.Thread(target=self._run, name=f"run {job.run_id}", daemon=True)
        self.rc: int | None = None
        self.error: str | None = None

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Ask Ansible to stop. What already runs on a host may run to its end there."""
        self._cancelled.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended, at the latest after `timeout_s`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def last_words(self) -> list[str]:
        """What Ansible said about its failure: from its first error on, else the end of its output."""
        lines = [line for line in self._lines if line.strip()]
        first_error = next((n for n, line in enumerate(lines) if line.startswith(("[ERROR]", "ERROR!"))), -5)
        return lines[first_error:]

    def _run(self) -> None:
        try:
            # Slow to import, and needed by few commands.
            from ansible_runner.interface import init_runner  # noqa: PLC0415

            runner = init_runner(**self._arguments())
            runner.config.env = self._environment(runner.config.env)
            with _only_in_memory(Path(runner.config.artifact_dir) / "command"):
                runner.run()
            self.rc = runner.rc
        except Exception as error:  # noqa: BLE001 - whatever ansible-runner raises must end as a reported failure
            self.error = f"{type(error).__name__}: {error}"
        finally:
            shutil.rmtree(self._job.work_dir, ignore_errors=True)

    def _arguments(self) -> dict[str, Any]:
        job = self._job
        for directory in (job.work_dir.parent, job.work_dir):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = [part for path in job.inventories for part in ("-i", _absolute(path))]
        if job.check:
            options.append("--check")
        return {
            "private_data_dir": str(job.work_dir),
            "ident": job.run_id,
            "playbook": job.playbook,
            "cmdline": shlex.join(options),
            "limit": job.limit,
            "forks": job.forks,
            "verbosity": job.verbosity or None,
            "extravars": dict(job.variables),
            "settings": {"pexpect_timeout": 1, "suppress_output_file": True, "suppress_ansible_output": True},
            "quiet": True,
            "event_handler": self._event,
            "cancel_callback": self._cancelled.is_set,
        }

    def _environment(self, prepared: Mapping[str, str]) -> dict[str, str]:
        job = self._job
        kept = {
            name: value
            for name, value in prepared.items()
            if name in _PASSED or name in job.pass_environment or name.startswith(_PASSED_PREFIXES)
        }
        enabled = [LEDGER_CALLBACK, *os.environ.get("ANSIBLE_CALLBACKS_ENABLED", "").split(",")]
        return kept | {
            # The ansible-playbook that was installed with this program, whatever else is on the path.
            "PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}",
            "ANSIBLE_HOST_KEY_CHECKING": os.environ.get("ANSIBLE_HOST_KEY_CHECKING", "True"),
            "ANSIBLE_PIPELINING": os.environ.get("ANSIBLE_PIPELINING", "True"),
            "ANSIBLE_TIMEOUT": str(job.connect_timeout_s),
            "ANSIBLE_CALLBACKS_ENABLED": ",".join(dict.fromkeys(filter(None, enabled))),
            "ANSIBLE_COLLECTIONS_PATH": _collections_path(),
            "ANSIBLE_CACHE_PLUGIN": "memory",
            "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
            **_config(),
            "ANSIBLE_NOCOLOR": "1",
            "ROUNDSMAN_RUN_ID": job.run_id,
            "ROUNDSMAN_LEDGER_DIR": str(job.ledger_dir),
            "ROUNDSMAN_STATE_DIR": str(job.state_dir),
        }

    def _event(self, event: Mapping[str, Any]) -> bool:
        lines = str(event.get("stdout", "")).splitlines()
        self._lines.extend(lines)
        self.doubts += _doubts(lines)
        # An exception here would leave ansible-playbook running without anyone to watch it.
        try:
            if self._on_event:
                self._on_event(event)
        except Exception as error:  # noqa: BLE001
            self._lines.append(f"progress display failed: {error}")
        return False


def _doubts(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.startswith("[WARNING]") and any(sign in line for sign in DOUBTS)]


@contextlib.contextmanager
def _only_in_memory(file: Path) -> Iterator[None]:
    """What this process writes to `file` meanwhile never reaches a disk, not even when it is killed just then."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory = os.memfd_create(file.name)
    try:
        file.symlink_to(f"/proc/self/fd/{memory}")
        yield
    finally:
        os.close(memory)


def _absolute(inventory: str) -> str:
    """ansible-runner has a working directory of its own."""
    return inventory if "," in inventory else str(Path(inventory).absolute())


def _config() -> dict[str, str]:
    """The ansible.cfg where the person is, under Ansible's own condition; ours where there is none anywhere."""
    here = Path.cwd()
    if "ANSIBLE_CONFIG" in os.environ:
        return {}
    if (here / "ansible.cfg").is_file() and not here.stat().st_mode & stat.S_IWOTH:
        return {"ANSIBLE_CONFIG": str(here / "ansible.cfg")}
    elsewhere = any(path.exists() for path in (Path.home() / ".ansible.cfg", Path("/etc/ansible/ansible.cfg")))
    return {} if elsewhere else {"ANSIBLE_CONFIG": str(CONFIG)}


def _collections_path() -> str:
    """Our own collection first: a copy in ~/.ansible/collections must not shadow the one that this program fits."""
    paths = []
    spec = importlib.util.find_spec("ansible_collections.roundsman.fleet")
    if spec and spec.submodule_search_locations:
        paths.append(str(Path(next(iter(spec.submodule_search_locations))).parents[2]))
    configured = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "~/.ansible/collections:/usr/share/ansible/collections")
    return ":".join([*paths, configured])


class InventoryError(Exception):
    """The inventory cannot be read, or the pattern means no host."""


def check_inventories(inventories: Sequence[str]) -> None:
    """Raise InventoryError when one is not there, before anything is started; "host," names hosts on the spot."""
    missing = [name for name in inventories if "," not in name and not Path(name).exists()]
    if missing:
        raise InventoryError("\n".join(f"there is no inventory {name}" for name in missing))


def inventory_of(inventories: Sequence[str], limit: str | None) -> dict[str, dict[str, Any]]:
    """As `read_inventory`, for whom the hosts are enough that could be read."""
    return read_inventory(inventories, limit)[0]


def read_inventory(inventories: Sequence[str], limit: str | None) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """(host -> its variables as the inventory has them, templates not rendered; warnings that hosts may be missing).

    Raises InventoryError with Ansible's words, also when a part of the pattern means no host.
    """
    import json  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    options = [part for path in inventories for part in ("-i", path)]
    if limit:
        options += ["--limit", limit]
    command = [str(Path(sys.executable).parent / "ansible-inventory"), *options, "--list"]
    environment = {**os.environ, "ANSIBLE_HOST_PATTERN_MISMATCH": "error"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise InventoryError(done.stderr.strip() or "ansible-inventory failed without a word")
    listed = json.loads(done.stdout)
    groups = [group for name, group in listed.items() if name != "_meta"]
    hosts = {host for group in groups for host in group.get("hosts", [])}
    variables = json.loads(json.dumps(listed["_meta"]["hostvars"]).replace(OWN_PYTHON, sys.executable))
    return {host: variables.get(host, {}) for host in sorted(hosts)}, _doubts(done.stderr.splitlines())
