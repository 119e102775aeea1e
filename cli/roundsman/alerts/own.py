"""What Roundsman alerts about itself: alerts of the host `roundsman`, which no inventory need know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from roundsman.alerts.inhibition import Rule
from roundsman.alerts.matchers import Matcher, Operator, text_of
from roundsman.alerts.model import CheckResult, Status
from roundsman.alerts.names import REACHABLE, CheckKind
from roundsman.alerts.silencing import Silence, Standing

HOST = "roundsman"

# Fewer hosts may be down by themselves; and what fails together within this time has one cause.
FEWEST = 3
TOGETHER = timedelta(minutes=15)

# A silence that nobody has made, changed or confirmed for so long may have outlived its reason.
REVIEWED_WITHIN = timedelta(days=7)

# That nobody can be reached from here says nothing about anybody.
ISOLATION_EXPLAINS = Rule(
    (Matcher("check", Operator.EQUAL, CheckKind.ISOLATED),),
    (Matcher("check", Operator.EQUAL, REACHABLE),),
    name="isolation",
)


def isolation(unreachable: Mapping[str, datetime], known: int, now: datetime) -> CheckResult:
    """Whether most of the `known` hosts became unreachable at once. `unreachable`: host -> since when."""
    newest = max(unreachable.values(), default=now)
    together = [host for host, since in unreachable.items() if newest - since <= TOGETHER]
    if len(together) < FEWEST or 2 * len(together) <= known:
        said = f"{known - len(unreachable)} of {known} hosts can be reached"
        return CheckResult(HOST, CheckKind.ISOLATED, Status.OK, said, {}, "", now)
    said = (
        f"{len(unreachable)} of {known} hosts became unreachable at once: look at the network of the machine that "
        "Roundsman runs on before you look at theirs"
    )
    evidence = {"hosts": sorted(unreachable)[:20], "value": len(unreachable), "known": known}
    return CheckResult(HOST, CheckKind.ISOLATED, Status.CRITICAL, said, evidence, "", now)


def late_rounds(last: datetime | None, expected: timedelta, now: datetime) -> CheckResult:
    """Whether the newest whole sweep of health is as young as it should be. One of the future is as of now."""
    if last is not None and now - last <= expected:
        return CheckResult(HOST, CheckKind.ROUNDS, Status.OK, "the rounds are made in time", {}, "", now)
    when = f"the last rounds ended at {last:%Y-%m-%d %H:%M} UTC" if last else "no rounds were ever made"
    said = f"{when}, one is expected every {expected}: look whether what starts them runs"
    return CheckResult(HOST, CheckKind.ROUNDS, Status.CRITICAL, said, {"limit_s": expected.total_seconds()}, "", now)


def forgotten_silences(silences: Iterable[Silence], now: datetime) -> CheckResult:
    """Whether somebody has thought of each silence lately. One that recurs lets through what lasts, so it may rest."""
    forgotten = [
        one
        for one in silences
        if one.standing(now) is Standing.ACTIVE
        and not one.during
        and now - max(one.starts_at, one.updated_at) > REVIEWED_WITHIN
    ]
    if not forgotten:
        return CheckResult(HOST, CheckKind.SILENCES, Status.OK, "no silence is forgotten", {}, "", now)
    first = min(forgotten, key=lambda one: max(one.starts_at, one.updated_at))
    others = f", nor of {len(forgotten) - 1} more" if len(forgotten) > 1 else ""
    said = (
        f"for {REVIEWED_WITHIN.days} days nobody has thought of silence {first.id[:8]} by {first.author} "
        f"({text_of(first.matchers)}: {first.comment}){others}: confirm it with `roundsman alerts silence edit "
        f"{first.id[:8]} --until WHEN`, or end it with `roundsman alerts silence expire {first.id[:8]}`"
    )
    evidence = {"silences": [one.id for one in forgotten][:20], "value": len(forgotten)}
    return CheckResult(HOST, CheckKind.SILENCES, Status.WARNING, said, evidence, "", now)
