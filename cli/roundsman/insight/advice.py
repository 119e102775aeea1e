"""What rules see of a host, what they advise, and the exact command line that does it.

What comes from hosts is not to be trusted: a person pastes these lines into a shell, and Ansible itself takes `{{ }}`
in an argument for a template. So text from a host gets into a command only if it is as plain as honest names are.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from roundsman.insight.forecast import Forecast
from roundsman.insight.freshness import Missing
from roundsman.perfdata import Item, parse

Result = Mapping[str, Any]
# No spaces, quotes, braces, backslashes, commas or equals signs; and no option.
_PLAIN = re.compile(r"[A-Za-z0-9/@._][A-Za-z0-9/@._:+~-]{0,250}")


def is_plain(name: object) -> bool:
    """Whether a name from a host may stand in a command."""
    return isinstance(name, str) and _PLAIN.fullmatch(name) is not None


class Urgency(IntEnum):
    """In the order in which a person sees to things."""

    NOW = 1  # it is amiss
    SOON = 2  # it will be
    SOME_DAY = 3  # it could be better


@dataclass(frozen=True)
class HostEvidence:
    """All that is known about one host. `forecasts`, `unforeseen` (of what is amiss, why it has no forecast) and
    `unusual` (words) are by check and performance data's label.
    """

    host: str
    results: Sequence[Result] = ()  # the newest of each check, as docs/records.md has them
    forecasts: Mapping[tuple[str, str], Forecast] = field(default_factory=dict)
    unforeseen: Mapping[tuple[str, str], str] = field(default_factory=dict)
    unusual: Mapping[tuple[str, str], str] = field(default_factory=dict)
    snapshots: Sequence[Mapping[str, Any]] = ()  # newest first, as store.snapshots.held has them
    missing: Sequence[Missing] = ()
    uncovered: Sequence[str] = ()  # databases and directories that no source saves, the worst first

    def of_type(self, *types: str) -> Iterator[Result]:
        return (result for result in self.results if result.get("type") in types)


def is_amiss(result: Result) -> bool:
    return result["status"] in {"WARNING", "CRITICAL"}


def items(result: Result) -> dict[str, Item]:
    """A result's performance data by label."""
    return {item.label: item for item in parse(result.get("perfdata") or "")}


def up_to(amounts: Sequence[float]) -> str:
    """A whole number of one host, or the largest of several."""
    return f"{max(amounts):.0f}" if len(amounts) == 1 else f"up to {max(amounts):.0f}"


def number(details: Mapping[str, Any], key: str) -> float:
    """A number in a result's details; 0 where there is none."""
    value = details.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


@dataclass(frozen=True)
class Invocation:
    """The inventories in use, and whether a person named them (so that roundsman has to be told, too)."""

    inventories: Sequence[str]
    named: bool = False

    @property
    def options(self) -> list[str]:
        return [word for inventory in self.inventories for word in ("-i", inventory)]


@dataclass(frozen=True)
class Ansible:
    """A module on the hosts, as root. `listed` is put in for LIST, joined by commas: what different hosts need."""

    module: str
    arguments: str = ""
    one_by_one: bool = False
    listed: frozenset[str] = frozenset()

    @property
    def kind(self) -> object:
        """Equal for commands that are one command for several hosts."""
        return self.module, self.arguments

    def line(self, hosts: Sequence[str], used: Invocation, listed: Sequence[str]) -> str:
        words = ["ansible", *used.options, ",".join(hosts), "-b", *(["-f", "1"] if self.one_by_one else [])]
        words += ["-m", f"ansible.builtin.{self.module}"]
        if self.arguments:
            words += ["-a", self.arguments.replace("LIST", ",".join(listed))]
        return shlex.join(words)


@dataclass(frozen=True)
class Roundsman:
    """One of our own commands that take --limit."""

    words: tuple[str, ...]
    listed: frozenset[str] = frozenset()

    @property
    def kind(self) -> object:
        return self.words

    def line(self, hosts: Sequence[str], used: Invocation, _listed: Sequence[str]) -> str:
        return shlex.join(
            ["roundsman", *self.words, *(used.options if used.named else []), "--limit", ",".join(hosts)]
        )


@dataclass(frozen=True)
class Declare:
    """Checks to add to the inventory: YAML to paste."""

    checks: tuple[str, ...]  # a line each
    listed: frozenset[str] = frozenset()

    @property
    def kind(self) -> object:
        return self.checks

    def line(self, hosts: Sequence[str], _used: Invocation, _listed: Sequence[str]) -> str:
        place = f"host_vars/{hosts[0]}.yml" if len(hosts) == 1 else f"group_vars of {', '.join(hosts)}"
        return "\n".join([f"# {place}", "roundsman_checks:", *(f"  - {check}" for check in self.checks)])


Command = Ansible | Roundsman | Declare


@dataclass(frozen=True)
class Advice:
    """What one rule says about one host. `text` is told the `amount` of each host that the same is said about."""

    host: str
    urgency: Urgency
    subject: str  # what it is about; the same advice about several hosts has the same subject
    text: Callable[[Sequence[float]], str]
    command: Command
    evidence: str
    amount: float = 0.0
