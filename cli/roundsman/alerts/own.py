"""What Roundsman alerts about itself: alerts of the host `roundsman`, which no inventory need know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from roundsman.alerts.inhibition import Rule
from roundsman.alerts.matchers import Matcher, Operator
from roundsman.alerts.model import CheckResult, Status
from roundsman.alerts.names import REACHABLE, CheckKind

HOST = "roundsman"

# Fewer hosts may be down by themselves; and what fails together within this time has one cause.
FEWEST = 3
TOGETHER = timedelta(minutes=15)

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
