"""Sight: what nobody looks at, or cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import yaml

from roundsman.insight.advice import Advice, Declare, HostEvidence, Result, Roundsman, Urgency
from roundsman.times import span
from roundsman.words import counted

Check = Mapping[str, Any]
FOR_ANY_SOFTWARE = {"filesystem", "http", "journal", "listen", "logfile", "plugin", "processes", "systemd", "tcp"}

def not_looked_at(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Results are too old to go by: make a round."""
    if host.missing:
        oldest = max(one.age.total_seconds() for one in host.missing)
        evidence = f"{counted(len(host.missing), 'check')} not looked at, such as {host.missing[0].check}"
        yield Advice(host.host, Urgency.SOON, "", _not_looked, Roundsman(("health",)), evidence, oldest)


def only_root_can_look(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Checks cannot look because they do not run as root: see whether they could."""
    blind = [result for result in host.results if result["status"] == "UNKNOWN" and _asks_for_root(result)]
    if blind:
        words = ("doctor", "--become")
        yield Advice(host.host, Urgency.SOON, "", _needs_root, Roundsman(words), blind[0]["message"], len(blind))


def value_is_unusual(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Something is far from what is usual at this hour: look again, at everything."""
    for (check, label), words in sorted(host.unusual.items()):
        said = f"{check}{f' ({label})' if label and label != check else ''} is {words}"
        yield Advice(
            host.host, Urgency.SOON, said, partial(_as_it_is, said), Roundsman(("health", "--verbose")), said
        )


def software_without_check(host: HostEvidence, _now: datetime) -> Iterator[Advice]:
    """Software was found that no check of the host looks at: the checks to add."""
    for result in host.of_type("software"):
        for found in (result.get("details") or {}).get("found") or []:
            lines = tuple(_line(check) for check in found["checks"])
            if lines and None not in lines and not any(_is_there(check, host.results) for check in found["checks"]):
                said = f"nothing looks at {found['software']}"
                text = partial(_as_it_is, said)
                declare = Declare(tuple(line for line in lines if line))
                yield Advice(host.host, Urgency.SOME_DAY, said, text, declare, result["message"])


def _is_there(suggested: Check, results: Sequence[Result]) -> bool:
    """Whether a check of the host looks at the same. A family that is made for one software is enough."""
    values = {str(each) for value in suggested.values() for each in (value if isinstance(value, list) else [value])}
    return any(
        result["id"] == suggested.get("id")
        or (
            result["type"] == suggested["type"]
            and (result["type"] not in FOR_ANY_SOFTWARE or result.get("target") in values)
        )
        for result in results
    )


def _line(check: Check) -> str | None:
    """A check as YAML on one line; nothing that Ansible would take for a template, for that runs on the controller."""
    line = yaml.safe_dump(dict(check), default_flow_style=True, width=10_000, sort_keys=False).strip()
    return line if line.isprintable() and not any(sign in line for sign in ("{{", "{%", "{#", "!unsafe")) else None


def _asks_for_root(result: Mapping[str, Any]) -> bool:
    return "root" in (result.get("remedy") or "")


def _not_looked(ages_s: Sequence[float]) -> str:
    return f"nobody has looked for {'' if len(ages_s) == 1 else 'up to '}{span(max(ages_s))}"


def _needs_root(counts: Sequence[float]) -> str:
    return f"{counted(round(sum(counts)), 'check')} can only look as root"


def _as_it_is(said: str, _amounts: Sequence[float]) -> str:
    return said
