"""What a person asks to run, and how it becomes a job; questions that the inventory alone can answer."""

from __future__ import annotations

import secrets
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import times
from .config import Settings
from .runner import Execution, Job

POLL_S = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Request:
    """What a person asked to run."""

    playbook: str
    inventories: Sequence[str]
    limit: str | None = None
    check: bool = False
    verbosity: int = 0
    variables: Mapping[str, Any] | None = None


def ask(settings: Settings, request: Request, module: str) -> dict[str, Mapping[str, Any]]:
    """host -> what a module answers that looks at the inventory alone: nothing is recorded, no store is opened.

    Raises AskError with the words of the module, or else Ansible's; KeyboardInterrupt when a signal ended it.
    """
    answers: dict[str, Mapping[str, Any]] = {}
    refusals: list[str] = []

    def take(event: Mapping[str, Any]) -> None:
        kind, data = event.get("event"), event.get("event_data", {})
        if kind == "runner_on_ok" and data["resolved_action"] == module:
            answers[data["host"]] = data["res"]
        elif kind == "runner_item_on_failed" or (kind == "runner_on_failed" and not refusals):
            refusals.append(str(data["res"].get("msg", "")).removeprefix("Task failed: "))

    with tempfile.TemporaryDirectory(prefix="roundsman-") as scratch:
        job = job_of(settings, new_run_id(), request)
        execution = Execution(
            replace(job, work_dir=Path(scratch) / "runner", ledger_dir=Path(scratch) / "ledger"), take
        )
        with cancelled_by_signals(execution.cancel) as cancelled:
            execution.start()
            while not execution.wait(POLL_S):
                pass
    if cancelled.is_set():
        raise KeyboardInterrupt
    if execution.rc != 0 or not answers:
        words = "\n".join([*refusals, *([] if refusals else execution.last_words)])
        raise AskError(execution.error or words or "ansible-playbook gave no answer")
    return answers


class AskError(Exception):
    """The inventory gives no answer."""


def job_of(settings: Settings, run_id: str, request: Request) -> Job:
    return Job(
        run_id=run_id,
        playbook=request.playbook,
        inventories=request.inventories,
        ledger_dir=settings.ledger_dir,
        work_dir=settings.state_dir / "runner" / run_id,
        limit=request.limit,
        check=request.check,
        forks=settings.forks,
        connect_timeout_s=round(settings.connect_timeout.total_seconds()),
        verbosity=request.verbosity,
        variables=request.variables or {},
        pass_environment=settings.pass_environment,
        state_dir=settings.state_dir,
    )


def new_run_id() -> str:
    return times.now().strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(3)


@contextmanager
def cancelled_by_signals(cancel: Callable[[], None]) -> Iterator[threading.Event]:
    """While it is open, Ctrl-C and SIGTERM stop the run, not this process: it has yet to record how the run ended."""
    cancelled = threading.Event()

    def handle(_number: int, _frame: object) -> None:
        cancelled.set()
        cancel()

    # What is ignored stays ignored: nohup and shells' background jobs ask for that.
    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield cancelled
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
