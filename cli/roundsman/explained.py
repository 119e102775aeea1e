"""What maintenance explains while it is at work: its silences begin and end with what the ledger says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .alerts.silencing import LONGEST_RUN, RunSilence, symptom
from .store import Transaction, silences
from .times import moment

Entry = Mapping[str, Any]


def explain(tx: Transaction, entry: Entry) -> None:
    """A procedure has taken a host: silence the symptoms that it declared, there, and never longer than it may.

    Raises SilenceError when it declares what no run may silence.
    """
    if not entry["data"]["symptoms"]:
        return
    begins = moment(entry["time"])
    ends = begins + min(timedelta(seconds=entry["data"]["silence_s"]), LONGEST_RUN)
    symptoms = tuple(symptom(text) for text in entry["data"]["symptoms"])
    one = RunSilence(_name(entry), frozenset({entry["host"]}), symptoms, begins, ends)
    silences.save_run(tx, one.to_dict())


def explained_no_more(tx: Transaction, entry: Entry) -> None:
    """The procedure is over: what is still amiss is told."""
    silences.end_run(tx, _name(entry), moment(entry["time"]))


def _name(entry: Entry) -> str:
    return f"{entry['run']} {entry['host']}"
