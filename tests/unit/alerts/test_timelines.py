"""Stories with a fake clock, told in YAML: what happens, and exactly who hears what of it, when.

Each goes through the real configuration, decisions and store; only time, delivery and the hosts are made up. The
words of a line are explained by `World`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from roundsman import alerting, delivery, oncall
from roundsman.alerts.matchers import Matchers
from roundsman.alerts.matchers import parse as matchers_of
from roundsman.alerts.model import (
    Acknowledge,
    AlertState,
    CheckResult,
    HumanEvent,
    NoData,
    Resolve,
    Status,
    Unacknowledge,
)
from roundsman.alerts.names import fingerprint
from roundsman.alerts.oncall import Override
from roundsman.alerts.silencing import LONGEST_UNTIL_RESOLVED, RunSilence, Silence, of_alert, symptom
from roundsman.config import Settings, parse
from roundsman.notify.channel import Channel, Outcome
from roundsman.notify.message import Message
from roundsman.store import Store, alerts, escalations, groups, hosts, outbox, silences
from roundsman.telling import tell, telling
from roundsman.times import moment, seconds, stamp
from roundsman.watching import watch

from ..ledger.team import deliver
from .cast import START

TIMELINES = sorted((Path(__file__).parent / "timelines").glob("*.yml"))
STORIES = [(path.stem, story) for path in TIMELINES for story in yaml.safe_load(path.read_text("utf-8"))]
LINE = re.compile(r"at (\S+) (.*)")
HUMANS = {"acks": Acknowledge, "unacks": Unacknowledge, "resolves": Resolve}


class Punctual(random.Random):
    """Retries come when they are due, not up to a quarter later."""

    def random(self) -> float:
        return 0.0


@dataclass(frozen=True)
class Ear:
    """A target that says what it hears, unless it is down."""

    name: str
    world: World

    def send(self, message: Message) -> Outcome:
        if self.name in self.world.silent:
            return Outcome(ok=False, detail="HTTP 503")
        self.world.heard.append(f"at {_shown(self.world.now)} {self.name} {_words(message)}")
        return Outcome(ok=True)

    def problem(self) -> None:
        return None


@dataclass
class World:
    store: Store
    settings: Settings
    heard: list[str] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    down: bool = False
    now: datetime = START
    overrides: dict[int, Override] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A receiver's only target is called as the receiver is."""
        self.targets: dict[str, dict[str, Channel]] = {
            name: {one: Ear(one if len(targets) > 1 else name, self) for one in targets}
            for name, targets in delivery.channels_of(self.settings).items()
        }

    # Each method is the word that a line begins with, or its second one.

    def host(self, host: str, check: str, *rest: str) -> None:
        """host web1 disk CRITICAL | host web1 disk no data: a round measures it, or cannot."""
        status = " ".join(rest)
        event = (
            NoData(host, check, "host unreachable", "run", self.now)
            if status == "no data"
            else CheckResult(host, check, Status(status), f"{check} is {status}", {}, "run", self.now)
        )
        with self.store.write() as tx:
            alerting.measure(tx, alerting.states_of(tx, host), [event], self.now)

    def person(self, who: str, verb: str, host: str, check: str, *how: str) -> None:
        """alice acks web1 disk [for 2h] | alice unacks … | alice resolves …"""
        ends: dict[str, Any] = {"until": self.now + _length(how[1])} if how else {}
        event: HumanEvent = HUMANS[verb](who, self.now, **ends)
        with self.store.write() as tx:
            (state,) = alerts.find(tx, fingerprint(host, check))
            assert not alerting.respond(tx, AlertState.from_dict(state), event, self.now).refused

    def silence(self, *words: str) -> None:
        """silence host=web1 for 1h [during night] | silence web1 disk until it resolves"""
        if words[-1] == "resolves":
            with self.store.read() as tx:
                (row,) = alerts.find(tx, fingerprint(*words[:2]))
            state = AlertState.from_dict(row)
            self._silenced(of_alert(state), LONGEST_UNTIL_RESOLVED, alert=state.fingerprint)
        else:
            matchers, _for, length, *during = words
            self._silenced(matchers_of(matchers), _length(length), during=tuple(during[1:]))

    def _silenced(self, matchers: Matchers, length: timedelta, **more: Any) -> None:
        with self.store.write() as tx:
            name = f"s{len(silences.listed(tx, self.now, expired=True)) + 1}"
            made = Silence(name, matchers, "alice", "planned", self.now, self.now + length, self.now, **more)
            silences.save(tx, made.to_dict())

    def expire(self, _silence: str) -> None:
        """expire silence: the one that was made first"""
        self._change(lambda silence: silence.expired(self.now))

    def confirm(self, _silence: str) -> None:
        """confirm silence: the one that was made first, with the end that it has"""
        self._change(lambda silence: silence.edited(self.now))

    def _change(self, change: Callable[[Silence], Silence]) -> None:
        with self.store.write() as tx:
            (row,) = silences.find(tx, "s1")
            silences.save(tx, change(Silence.from_dict(row)).to_dict())

    def override(self, schedule: str, person: str, _for: str, length: str) -> None:
        """override duty bob for 8h"""
        end = self.now + _length(length)
        made = Override(schedule, person, self.now, end, "ill", "alice", self.now)
        self.overrides[len(self.overrides) + 1] = made

    def remembered(self, host: str, check: str, *reasons: str) -> None:
        """remembered web1 disk opened resolved: the alert's whole timeline, by its reasons"""
        with self.store.read() as tx:
            rows = alerts.timeline_of(tx, fingerprint(host, check))
        assert " ".join(row["reason"] for row in rows) == " ".join(reasons)

    def run(self, run: str, *rest: str) -> None:
        """run R1 on web1,web2 declares disk for 1h | run R1 ends"""
        with self.store.write() as tx:
            if rest == ("ends",):
                silences.end_run(tx, run, self.now)
                return
            _on, names, _declares, check, _for, length = rest
            made = RunSilence(run, frozenset(names.split(",")), (symptom(check),), self.now, self.now + _length(length))
            silences.save_run(tx, made.to_dict())

    def labels(self, host: str, *pairs: str) -> None:
        """labels web1 team=db env=prod: what the inventory says of a host"""
        with self.store.write() as tx:
            hosts.note(tx, host, dict(pair.split("=") for pair in pairs), [], stamp(self.now))

    def depends(self, host: str, _on: str, needed: str) -> None:
        """depends web1 on router"""
        with self.store.write() as tx:
            hosts.note(tx, host, {}, [needed], stamp(self.now))
            hosts.note(tx, needed, {}, [], stamp(self.now))

    def breaks(self, target: str) -> None:
        """breaks team: nothing gets through to it, until `works team`"""
        self.silent.add(target)

    def works(self, target: str) -> None:
        self.silent.remove(target)

    def claims(self, receiver: str) -> None:
        """claims team: another process takes its message, to be sent"""
        with self.store.write() as tx:
            self.claimed = outbox.claim(tx, self.now, delivery.LEASE, self.targets[receiver])
        assert self.claimed

    def fails(self) -> None:
        """fails: what the other process has claimed did not get through; it is tried again in a minute"""
        retry_at = self.now + timedelta(minutes=1)
        with self.store.write() as tx:
            outbox.settle(tx, self.claimed, now=self.now, ok=False, detail="HTTP 503", retry_at=retry_at)

    def stop(self) -> None:
        """stop: Roundsman does not run until `start`"""
        self.down = True

    def start(self) -> None:
        self.down = False

    # What Roundsman does by itself.

    def tick(self) -> None:
        if self.down:
            return
        with self.store.write() as tx:
            alerting.pass_time(tx, self.now)
            watch(tx, self.now, self.settings.alerts.expect_rounds)
            duty = oncall.duty(self.settings, self.overrides, self.now)
            how = telling(tx, self.settings, self.targets, duty, self.now)
            assert how is not None
            tell(tx, how, self.now)
        every = {name: ear for targets in self.targets.values() for name, ear in targets.items()}
        manners = delivery.manners(self.settings.alerts)
        deliver(self.store, every, self.now, manners, Punctual())

    def next_due(self) -> datetime | None:
        """When something will be due next, as a timer of Roundsman's own would find out."""
        with self.store.read() as tx:
            ends = [AlertState.from_dict(row).acknowledged_until for row in alerts.acknowledged(tx)]
            ends += [moment(row["ends_at"]) for row in silences.of_runs(tx, self.now)]
            ends += [moment(row["due_at"]) for row in outbox.waiting(tx) if row["status"] == "pending"]
            due = [*map(_moment, (groups.next_due(tx), escalations.next_due(tx))), *ends]
        later = [at for at in due if at is not None and at > self.now]
        return min(later, default=None)


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _words(message: Message) -> str:
    """`opened web1 disk, resolved web1 load`, in the order of the message."""
    return ", ".join(f"{alert.kind.split()[-1]} {alert.host} {alert.check}" for alert in message.alerts)


def _length(text: str) -> timedelta:
    return timedelta(seconds=seconds(text))


def _shown(at: datetime) -> str:
    minutes, rest = divmod(round((at - START).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest}s" if rest else ""]
    return "".join(parts) or "0m"


def _lines(story: dict[str, Any]) -> Iterator[tuple[datetime, str]]:
    for line in story["timeline"]:
        match = LINE.fullmatch(line)
        assert match, line
        yield START + (timedelta(0) if match[1] == "0m" else _length(match[1])), match[2]


@pytest.mark.parametrize(("file", "story"), STORIES, ids=[f"{file}: {story['name']}" for file, story in STORIES])
def test_a_story(tmp_path: Path, file: str, story: dict[str, Any]) -> None:
    settings = parse(yaml.safe_dump({"alerts": story["alerts"]}), tmp_path / "roundsman.yml")
    world = World(Store(f"sqlite:///{tmp_path}/store.db"), settings)
    expected: list[str] = []
    for at, lines in groupby(_lines(story), lambda line: line[0]):
        while (due := world.next_due()) is not None and due < at and not world.down:
            world.now = due
            world.tick()
        world.now = at
        for words in [words for _, words in lines]:
            verb, *rest = words.split()
            if verb == "expect":
                expected += [f"at {_shown(at)} {' '.join(rest)}"] if rest != ["nothing"] else []
            elif rest and rest[0] in HUMANS:
                world.person(verb, *rest)
            else:
                getattr(world, verb)(*rest)
        world.tick()
        # Who is told first at one time does not matter.
        assert sorted(world.heard) == sorted(expected), f"{story['name']}, at {_shown(at)}"
