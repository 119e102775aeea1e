"""From what is known about all hosts to a ranked list of what to do next, each with the exact command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from roundsman.insight.advice import Advice, HostEvidence, Invocation
from roundsman.insight.rules import RULES, Rule


@dataclass(frozen=True)
class Recommendation:
    rank: int  # from 1
    rule: str
    text: str
    command: str
    hosts: tuple[str, ...]
    evidence: tuple[str, ...]  # of each host, what it follows from


def recommend(fleet: Iterable[HostEvidence], used: Invocation, now: datetime) -> list[Recommendation]:
    """What to do next, the most urgent first. What several hosts need is said once."""
    grouped: dict[tuple[str, str, object], list[Advice]] = {}
    for host in fleet:
        for rule in RULES:
            for advice in _advised(rule, host, now):
                grouped.setdefault((rule.__name__, advice.subject, advice.command.kind), []).append(advice)
    ranked = sorted(grouped.items(), key=lambda item: _rank(item[0][0], item[1]))
    return [_recommendation(rank, rule, same, used) for rank, ((rule, *_), same) in enumerate(ranked, start=1)]


def _advised(rule: Rule, host: HostEvidence, now: datetime) -> list[Advice]:
    """One host whose answers have a shape of their own must not keep all others from being advised."""
    try:
        return list(rule(host, now))
    except (AttributeError, KeyError, TypeError, ValueError):
        return []


def _rank(rule: str, same: list[Advice]) -> tuple[int, int, int, float, str]:
    """The order of the rules is that of their weight; then what more hosts need, then the larger sum."""
    position = [one.__name__ for one in RULES].index(rule)
    urgency = min(advice.urgency for advice in same)
    return urgency, position, -len(same), -sum(advice.amount for advice in same), same[0].subject


def _recommendation(rank: int, rule: str, same: list[Advice], used: Invocation) -> Recommendation:
    hosts = tuple(sorted({advice.host for advice in same}))
    who = hosts[0] if len(hosts) == 1 else f"{len(hosts)} hosts"
    listed = sorted({name for advice in same for name in advice.command.listed})
    return Recommendation(
        rank=rank,
        rule=rule,
        text=f"{who}: {same[0].text([advice.amount for advice in same])}",
        command=same[0].command.line(hosts, used, listed),
        hosts=hosts,
        evidence=tuple(f"{advice.host}: {advice.evidence}" for advice in sorted(same, key=lambda one: one.host)),
    )
