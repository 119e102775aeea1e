"""One command's work: settings and store opened, ledgers read, playbooks run, messages delivered."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import alerting, clocks, delivery, ledger, oncall, refreshing, times
from .advising import evidence_of
from .alerts.model import AlertState
from .asking import POLL_S, Request, cancelled_by_signals, job_of, new_run_id
from .config import Settings
from .insight.advice import Invocation
from .insight.freshness import FORGOTTEN_AFTER
from .insight.recommend import recommend
from .notify.channel import Outcome
from .page import HostPage, host_page
from .runner import Execution
from .store import Store, StoreError, alerts, checks, escalations, forgetting, groups, history, outbox, runs
from .store import oncall as oncall_records
from .telling import tell, telling
from .views.report import Report, report
from .watching import watch

CANCEL_S = 30
# Ansible's words.
NO_HOSTS = ("leaves us with no hosts to target", "[ERROR]: Could not match supplied host pattern")


class Progress:
    """Told what happens while a run is at work; views/progress.py draws it."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Something of ansible-runner's, in another thread."""

    def entries(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """New records of the ledger."""


class Session:
    """Opens the store and brings it up to date with all ledgers, whoever wrote them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Whether a signal asked the last run, or the delivery after it, to stop; the run may have come to its end.
        self.told_to_stop = False
        self.store = Store(settings.store_url)
        self._channels = delivery.channels_of(settings)
        self._targets = {name: channel for known in self._channels.values() for name, channel in known.items()}
        self._delivery = delivery.Delivery(self.store, self._targets, delivery.manners(settings.alerts))
        self.catch_up()

    def catch_up(self) -> None:
        now = times.now()
        ledger.catch_up(self.store, self.settings.ledger_dir, now)
        with self.store.write() as tx:
            checks.forget_unseen(tx, now - FORGOTTEN_AFTER)
            alerting.pass_time(tx, now)
            keep = self.settings.history
            runs.thin(tx, now - keep.raw)
            forgetting.forget(tx, now - keep.alerts)
            history.condense(tx, now, history.Retention(keep.raw, keep.hourly, keep.daily))
        ledger.forget_read_ledgers(self.store, self.settings.ledger_dir, times.now())
        self._sweep_work_dirs()

    def judge_clocks(self) -> None:
        """Not before a run that may make fresh what is too old."""
        with self.store.write() as tx:
            clocks.judge(tx, times.now())

    def tell(self, hurry: Callable[[AlertState], bool] = lambda _: False, run_id: str | None = None) -> None:
        """Decide who is to be told of what by now."""
        now = times.now()
        with self.store.read() as tx:
            overrides = oncall_records.since(tx, now)
        # Calendars may have to be fetched: the store must not wait for that.
        duty = oncall.duty(self.settings, overrides, now)
        with self.store.write() as tx:
            watch(tx, now, self.settings.alerts.expect_rounds)
            how = telling(tx, self.settings, self._channels, duty, now)
            if how is not None:
                tell(tx, how, now, hurry, run_id)

    def _something_is_due(self) -> bool:
        now = times.stamp(times.now())
        with self.store.read() as tx:
            due = (groups.next_due(tx), escalations.next_due(tx))
        return any(at is not None and at <= now for at in due)

    def deliver(self, run_id: str | None = None) -> None:
        """Tell all that is known by now, and deliver it: after a command nothing more comes for long.

        A person who is tired of waiting for retries leaves them to the next command.
        """
        self.tell(lambda alert: not alert.labels, run_id)
        try:
            self._delivery.stay(self.settings.alerts.deliver_for)
        except KeyboardInterrupt:
            self.told_to_stop = True

    def deliver_once(self, fingerprint: str) -> None:
        """What a person did to an alert is told at once."""
        self.tell(lambda alert: alert.fingerprint == fingerprint)
        self.deliver_now()

    def deliver_now(self) -> int:
        """Deliver what is due, and wait for what comes of it; how many attempts that were."""
        self._delivery.start()
        return self._delivery.wait()

    def begin_to_deliver(self, over: Callable[[], bool] = lambda: False) -> None:
        """As `deliver_now` without waiting, until `over`."""
        self._delivery.start(over)

    def end_delivery(self) -> None:
        """Come back when what was begun is done."""
        self._delivery.wait()

    def refresh(self) -> Mapping[str, Outcome]:
        """Say again to Alertmanagers what still fires; what came of each."""
        return refreshing.refresh(self.store, self._channels)

    def run(self, request: Request, progress: Progress) -> Report:
        """Run a playbook to its end, or to the person's Ctrl-C, and say what it found."""
        run_id = new_run_id()
        job = job_of(self.settings, run_id, request)
        with ledger.run_lock(self.settings.ledger_dir, run_id):
            with self.store.write() as tx:
                runs.register(
                    tx, run_id, command=shlex.join(["roundsman", *sys.argv[1:]]), playbook=job.playbook,
                    pattern=job.limit or "all", check_mode=job.check, started_at=times.stamp(times.now()),
                )  # fmt: skip
            execution = Execution(job, progress.event)
            with cancelled_by_signals(execution.cancel) as cancelled:
                execution.start()
                try:
                    self._watch(run_id, execution, progress, cancelled.is_set)
                except BaseException:
                    # Whatever is wrong here, Ansible must not go on with nobody to watch it.
                    execution.cancel()
                    execution.wait(CANCEL_S)
                    raise
            self.told_to_stop = cancelled.is_set()
            self._conclude(run_id, execution, cancelled=self.told_to_stop)
        self.catch_up()
        if not job.check:
            self.judge_clocks()
            self.deliver(run_id)
        return self.report(run_id)

    def report(self, run_id: str) -> Report:
        with self.store.read() as tx:
            run = runs.get(tx, run_id)
            assert run is not None, run_id  # noqa: S101 - callers have looked it up
            return report(
                run, runs.entries_of(tx, run_id), alerts.listed(tx), outbox.of_run(tx, run_id), checks.known(tx)
            )

    def advised(self, report: Report, named_inventories: Sequence[str] = ()) -> Report:
        """The report of a sweep with what to do next about all hosts that answered."""
        answers = {host.host: host.checks for host in report.hosts if host.checks}
        if report.run["check_mode"] or not answers:
            return report
        now = times.now()
        with self.store.read() as tx:
            evidence = evidence_of(tx, answers, now)
        return replace(report, recommendations=recommend(evidence, self._used(named_inventories), now))

    def host_page(self, host: str, report: Report | None, named_inventories: Sequence[str] = ()) -> HostPage:
        """What is known of a host: after the run that `report` is of, or from the records alone."""
        with self.store.read() as tx:
            return host_page(tx, host, times.now(), report, self._used(named_inventories))

    def _used(self, named_inventories: Sequence[str]) -> Invocation:
        return Invocation(named_inventories or self.settings.inventories, named=bool(named_inventories))

    def _watch(
        self, run_id: str, execution: Execution, progress: Progress, cancelled: Callable[[], bool]
    ) -> None:
        """Take the records as they come, so that alerts go out while the run goes on."""
        path = self.settings.ledger_dir / f"{run_id}.jsonl"
        over = False
        while not over:
            over = execution.wait(POLL_S)
            try:
                entries = ledger.ingest(self.store, path, times.now())
                if not over:
                    # A turn looks at all that fires, which is too much to do twice a second for nothing.
                    if entries or self._something_is_due():
                        self.tell(run_id=run_id)
                    self.begin_to_deliver(cancelled)
            except StoreError:
                # Locked, or its disk is full: the ledger keeps everything, so the work on the hosts goes on.
                if over:
                    raise
                continue
            # Nobody reads it any more, or its disk is full: that is no reason to stop the work.
            with contextlib.suppress(OSError, ValueError):
                progress.entries(entries)

    def _conclude(self, run_id: str, execution: Execution, *, cancelled: bool) -> None:
        with self.store.write() as tx:
            run = runs.get(tx, run_id)
            if run is None:
                return
            last_words = "\n".join(execution.last_words)
            if run["status"] == "finished" and run["hosts"]:
                if not execution.doubts:
                    return
                status, said = "incomplete", "\n".join(["the inventory was not read whole:", *execution.doubts])
            elif cancelled:
                status = "interrupted"
                said = "stopped by a signal; what already ran on hosts may have run to its end there"
            elif run["status"] == "finished" or any(sign in last_words for sign in NO_HOSTS):
                no_host = f"not every part of {run['pattern']!r} matches a host of the inventory; nothing was run"
                status, said = "refused", "\n".join([no_host, *execution.doubts])
            else:
                status, said = "failed", execution.error or last_words or f"ansible-playbook ended with {execution.rc}"
            runs.update(tx, run_id, status=status, finished_at=times.stamp(times.now()), message=said)

    def _sweep_work_dirs(self) -> None:
        """What runs that were killed left of ansible-runner's files."""
        base = self.settings.state_dir / "runner"
        for leftover in base.iterdir() if base.is_dir() else ():
            if not ledger.is_alive(self.settings.ledger_dir, leftover.name):
                shutil.rmtree(leftover, ignore_errors=True)
