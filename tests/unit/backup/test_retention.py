"""Which snapshots go: rules as restic understands them, and guards that no rule, clock or attacker gets past."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.base import Snapshot
from ansible_collections.roundsman.fleet.plugins.module_utils.retention import (
    RULES,
    Plan,
    decide,
    end_of,
    faults,
    too_many,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from .cast import PASSWORD, Anna, engines
from .quick_repository import add_snapshots

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
LEVELS = ["stored", "read", "restored", "proven"]


def name(number: int) -> str:
    return f"{number:08x}" + "0" * 56


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def made(moment: datetime, number: int, tag: str = "complete", original: str | None = None) -> Snapshot:
    return Snapshot(name(number), name(number)[:8], stamp(moment), "anna", ("roundsman", tag), (), original)


def daily(count: int, newest: datetime = NOW) -> list[Snapshot]:
    return [made(newest - timedelta(days=count - 1 - number), number) for number in range(count)]


def ids(lines: list[dict[str, Any]]) -> list[str]:
    return [line["id"] for line in lines]


def kept(snapshots: list[Snapshot], rules: dict[str, Any], **guards: Any) -> set[str]:
    return set(ids(decide(snapshots, rules, NOW, **guards).keep))


# Times cluster, so that hours, days and weeks hold several snapshots; one in eight is of a clock that is wrong.
past = st.one_of(st.integers(0, 72), st.integers(0, 24 * 60), st.integers(0, 24 * 1500)).map(
    lambda hours: NOW - timedelta(hours=hours)
)
minutes = st.integers(-40, 0).map(lambda minutes: timedelta(minutes=minutes * 20))
ahead = st.integers(1, 24 * 30_000).map(lambda hours: NOW + timedelta(hours=hours))
genuine_times = st.tuples(past, minutes).map(lambda pair: pair[0] + pair[1])
times = st.one_of(*[genuine_times] * 7, ahead)
tags = st.sampled_from(["complete"] * 5 + ["incomplete"])
snapshot_lists = st.lists(st.tuples(times, tags), max_size=40).map(
    lambda found: [made(moment, number, tag) for number, (moment, tag) in enumerate(sorted(found))]
)
counts = st.integers(1, 12)
policies = st.dictionaries(st.sampled_from(RULES), counts, min_size=1).flatmap(
    lambda rules: st.sampled_from(["36h", "14d", "2m", "1y1m3d"]).map(
        lambda span: {rule: span if rule == "within" else count for rule, count in rules.items()}
    )
)
some_evidence = st.dictionaries(st.integers(0, 39).map(name), st.sampled_from(LEVELS))
ends = [None, "2026-11-26", "2026-11-25", "2026-11-26T03:00:01Z"]
some_holds = st.lists(
    st.tuples(st.integers(0, 39).map(name), st.sampled_from(ends)),
    max_size=5,
).map(lambda pairs: [{"snapshot": one, "until": until, "why": "audit"} for one, until in pairs])


def is_future(snapshot: Snapshot) -> bool:
    return snapshot.time > stamp(NOW + timedelta(minutes=5))


def counting(snapshots: list[Snapshot]) -> list[Snapshot]:
    return [s for s in snapshots if "complete" in s.tags and not is_future(s)]


@given(snapshot_lists, policies, some_evidence, some_holds)
@settings(max_examples=200, deadline=None)
def test_every_plan(
    snapshots: list[Snapshot], rules: dict[str, Any], evidence: dict[str, str], holds: list[dict[str, Any]]
) -> None:
    plan = decide(snapshots, rules, NOW, holds, evidence)
    keep, remove = set(ids(plan.keep)), set(ids(plan.remove))
    assert keep.isdisjoint(remove)
    assert keep | remove == {s.id for s in snapshots}
    assert all(line["reasons"] for line in plan.keep + plan.remove)
    # The guarded ones.
    good = counting(snapshots)
    assert {s.id for s in good[-1:]} <= keep
    with_evidence = [(LEVELS.index(evidence[s.id]), s.time, s.id) for s in good if s.id in evidence]
    assert {one[2] for one in sorted(with_evidence)[-1:]} <= keep
    assert {hold["snapshot"] for hold in holds if hold["until"] != "2026-11-25"} & {s.id for s in snapshots} <= keep
    assert set(ids(plan.future)) == {s.id for s in snapshots if is_future(s)} <= keep
    if not good:
        assert remove == set()
    # An incomplete one goes only when a newer one is complete.
    assert all(s.time < good[-1].time for s in snapshots if s.id in remove and s not in good)
    # Twice is the same as once.
    assert decide([s for s in snapshots if s.id in keep], rules, NOW, holds, evidence).remove == []
    assert plan.counted == len(good)
    assert plan.lost == len(remove & {s.id for s in good})


@given(snapshot_lists, policies, some_evidence, some_holds)
@settings(max_examples=150, deadline=None)
def test_what_is_dated_in_the_future_changes_nothing_for_the_others(
    snapshots: list[Snapshot], rules: dict[str, Any], evidence: dict[str, str], holds: list[dict[str, Any]]
) -> None:
    genuine = [s for s in snapshots if not is_future(s)]
    alone = decide(genuine, rules, NOW, holds, evidence)
    assert decide(snapshots, rules, NOW, holds, evidence).remove == alone.remove


@given(snapshot_lists, st.lists(tags, min_size=1, max_size=6), policies, some_evidence, some_holds)
@settings(max_examples=200, deadline=None)
def test_newer_snapshots_never_bring_back_what_would_go(
    snapshots: list[Snapshot], newer_tags: list[str], rules: dict[str, Any], evidence: dict[str, str],
    holds: list[dict[str, Any]],
) -> None:  # fmt: skip
    """Monotone: whatever is made later, what a plan removes stays removed; so two prunes are never more careful in
    hindsight, and what is kept now is all that any later plan can still keep."""
    older = [s for s in snapshots if not is_future(s)]
    newer = [made(NOW + timedelta(seconds=n), 100 + n, tag) for n, tag in enumerate(newer_tags)]
    before = decide(older, rules, NOW, holds, evidence)
    after = decide(older + newer, rules, NOW, holds, evidence)
    assert set(ids(before.remove)) <= set(ids(after.remove))


@pytest.fixture(scope="module", params=sorted(engines()) or ["none"])
def restic(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Anna:
    if request.param == "none":
        pytest.skip("restic is not installed")
    return Anna(tmp_path_factory.mktemp("policy") / "anna", engines()[request.param]).with_repository()


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_rules_mean_what_they_mean_to_restic(restic: Anna, data: st.DataObject) -> None:
    """Of complete snapshots that are not dated in the future; guards are ours alone."""
    rules = data.draw(policies)
    # restic compares nanoseconds and has no order for equal times: no two here are equal.
    moments = sorted(set(data.draw(st.lists(genuine_times, min_size=1, max_size=40))))
    folder = Path(restic.repository) / "snapshots"
    for old in folder.iterdir():
        old.unlink()
    described = ({"time": stamp(m), "hostname": "anna", "tags": ["complete"]} for m in moments)
    found = add_snapshots(Path(restic.repository), PASSWORD, described)
    argv = [f"--keep-{rule}={value}" for rule, value in rules.items()]
    said = restic.restic("forget", "--dry-run", "--json", "--no-lock", "--no-cache", "--group-by", "host", *argv)
    (group,) = json.loads(said)
    ours = [
        Snapshot(one, one[:8], stamp(m), "anna", ("complete",), (), None) for one, m in zip(found, moments, strict=True)
    ]
    plan = decide(ours, rules, NOW)
    # Before 0.16 restic did not keep the oldest one while a rule had something left.
    version = restic.restic("version").split()[1]
    ignored = ("newest", "oldest") if tuple(map(int, version.split("."))) < (0, 16) else ("newest",)
    by_rule = {line["id"] for line in plan.keep if any(not why.startswith(ignored) for why in line["reasons"])}
    assert by_rule == {s["id"] for s in group["keep"]}


@pytest.mark.parametrize(
    ("have", "removed"),
    [
        ([(1, "complete"), (2, "complete")], [1]),
        ([(1, "complete"), (2, "incomplete")], []),
        ([(1, "incomplete"), (2, "complete")], [1]),
        ([(1, "incomplete"), (2, "incomplete")], []),
        ([], []),
    ],
)
def test_incomplete_ones(have: list[tuple[int, str]], removed: list[int]) -> None:
    snapshots = [made(NOW - timedelta(days=10 - number), number, tag) for number, tag in have]
    assert ids(decide(snapshots, {"last": 1}, NOW).remove) == [name(number) for number in removed]


def test_a_safety_snapshot_stays_a_month_and_counts_for_nothing() -> None:
    safety = made(NOW - timedelta(days=29), 8, "safety")
    old = made(NOW - timedelta(days=31), 9, "safety")
    plan = decide([old, safety, *daily(3)], {"last": 3}, NOW)
    assert ids(plan.remove) == [old.id]
    assert (plan.counted, plan.lost) == (3, 0)


def test_the_unmarked_original_of_an_incomplete_copy_counts_as_incomplete() -> None:
    first = made(NOW - timedelta(days=2), 1)
    copy = made(NOW - timedelta(days=1), 2, "incomplete", original=first.id)
    assert decide([first, copy], {"last": 1}, NOW).remove == []


def test_an_attackers_dates_do_not_displace_what_was_proven() -> None:
    """Backdated ones do push genuine ones out of their days, as with restic; the proven one stays."""
    genuine = daily(7)
    forged = [made(NOW - timedelta(days=n, seconds=-1), 50 + n) for n in range(1, 7)]
    keep = kept([*genuine, *forged], {"daily": 7}, evidence={genuine[3].id: "proven", forged[0].id: "stored"})
    assert genuine[3].id in keep
    assert genuine[2].id not in keep


def test_clocks_may_differ_a_little() -> None:
    assert decide([made(NOW + timedelta(minutes=4), 1)], {"last": 1}, NOW).future == []
    assert len(decide([made(NOW + timedelta(minutes=6), 1)], {"last": 1}, NOW).future) == 1


def test_weeks_are_iso_weeks_in_utc() -> None:
    sunday, monday = datetime(2026, 1, 4, 23, 59, tzinfo=UTC), datetime(2026, 1, 5, 0, 1, tzinfo=UTC)
    last_year = datetime(2025, 12, 29, 12, tzinfo=UTC)
    keep = kept([made(last_year, 1), made(sunday, 2), made(monday, 3)], {"weekly": 2})
    assert keep == {name(2), name(3)}


def test_a_span_longer_than_the_calendar_keeps_all() -> None:
    assert len(kept(daily(5), {"within": "9000y"})) == 5


@pytest.mark.parametrize(
    ("count", "keep_last", "most_percent", "refused"),
    [(4, 1, 50, False), (10, 5, 50, False), (10, 4, 50, True), (10, 4, 60, False), (10, 9, 0, False), (10, 5, 0, True)],
)
def test_too_large_a_share(count: int, keep_last: int, most_percent: int, refused: bool) -> None:
    assert too_many(decide(daily(count), {"last": keep_last}, NOW), most_percent) is refused


def test_what_counts_towards_the_share() -> None:
    """Neither forged future ones nor incomplete ones make a removal look small."""
    filler = [made(NOW + timedelta(days=n), 50 + n) for n in range(1, 20)]
    filler += [made(NOW - timedelta(days=30 + n), 80 + n, "incomplete") for n in range(20)]
    plan: Plan = decide([*filler, *daily(10)], {"last": 4}, NOW)
    assert (plan.counted, plan.lost) == (10, 6)


def test_faults_and_ends_of_holds() -> None:
    hold = {"snapshot": "x", "until": "soon", "why": ""}
    assert len(faults({"last": 0, "within": "soon"}, [hold])) == 4
    assert len(faults({"within": "0d"}, [])) == 1
    good = {"snapshot": name(1), "until": "2026-12-31", "why": ""}
    assert faults({"last": 1, "within": "1y6m"}, [good, {**good, "until": None}]) == []
    assert end_of("2026-12-31") == datetime(2027, 1, 1, tzinfo=UTC)
    assert end_of("2026-12-31T12:00:00+01:00") == end_of("2026-12-31T11:00:00Z")
    assert end_of("2026-12-31T12:00:00") is None
    assert end_of("2026-02-30") is None


def forged(anna: Anna, *moments: str) -> list[str]:
    """Copies of her newest snapshot with other times."""
    newest = json.loads(anna.restic("snapshots", "--json", "--no-lock"))[-1]
    copied = {key: newest[key] for key in ("tree", "hostname", "tags", "paths")}
    described = ({**copied, "time": moment} for moment in moments)
    return add_snapshots(Path(anna.repository), PASSWORD, described)


def test_the_module_plans_removes_and_holds(anna: Anna) -> None:
    made_ids = []
    for number in range(4):
        anna.write("one", str(number))
        made_ids.append(anna.back_up()["backup"]["snapshot"])
    holds = [
        {"snapshot": made_ids[0][:8], "until": "9998-12-31", "why": "audit"},
        {"snapshot": made_ids[1], "until": "2020-01-01"},
    ]
    plan = anna.prune(keep_last=1, holds=holds, _ansible_check_mode=True, _ansible_diff=True)
    assert ids(plan["prune"]["remove"]) == made_ids[1:3], plan
    assert (plan["prune"]["removed"], plan["prune"]["rules"]) == (0, {"last": 1})
    assert made_ids[1][:8] in plan["diff"]["before"]
    assert made_ids[1][:8] not in plan["diff"]["after"]
    assert len(anna.snapshots()) == 4
    evidence = {made_ids[2]: "proven"}
    done = anna.prune(keep_last=1, holds=holds, evidence=evidence)
    assert done["prune"]["removed"] == 1
    assert [s["id"] for s in anna.snapshots()] == [made_ids[0], *made_ids[2:]]
    reasons = {s["id"]: s["reasons"] for s in done["prune"]["keep"]}
    assert reasons[made_ids[0]] == ["on hold until 9998-12-31: audit"]
    assert reasons[made_ids[2]] == ["last one that is proven"]
    assert reasons[made_ids[3]] == ["last", "newest complete snapshot"]
    assert not anna.prune(keep_last=1, holds=holds, evidence=evidence)["changed"]
    assert anna.verify()["verifications"][0]["outcome"] == "ok"


def test_the_module_refuses_faults_and_another_repository(anna: Anna) -> None:
    anna.write("one")
    anna.back_up()
    assert anna.prune()["failed"]
    assert anna.prune(keep_last=0, keep_within="soon", holds=[{"snapshot": "x"}])["msg"].count(";") == 2
    listed = anna.call("backup_info", **anna.arguments())
    assert anna.prune(keep_last=1, repository_id=listed["repository_id"])["prune"]["reason"] is None
    wrong = anna.prune(keep_last=1, repository_id="0" * 64)
    assert wrong["prune"]["reason"] == "repository_changed"
    assert "saves to 00000000" in wrong["msg"]


def test_the_module_reports_the_future_and_prunes_the_rest(anna: Anna) -> None:
    genuine = [anna.back_up()["backup"]["snapshot"] for _ in range(2)]
    ahead_of_time = forged(anna, "2099-01-01T00:00:00Z")
    result = anna.prune(keep_last=1)
    assert ids(result["prune"]["remove"]) == genuine[:1], result
    assert ids(result["prune"]["future"]) == ahead_of_time
    assert "1 dated in the future" in result["msg"]
    assert [s["id"] for s in anna.snapshots()] == [genuine[1], *ahead_of_time]


def test_the_module_refuses_to_remove_too_much(anna: Anna) -> None:
    anna.back_up()
    forged(anna, *(f"2026-01-0{day}T00:00:00Z" for day in range(1, 9)))
    refused = anna.prune(keep_last=2)
    assert refused["failed"]
    assert refused["prune"]["reason"] == "removal_refused"
    assert "7 of 9" in refused["msg"]
    assert len(anna.snapshots()) == 9
    assert anna.prune(keep_last=2, most_percent=80, _ansible_check_mode=True)["changed"]
    assert anna.prune(keep_last=2, force=True)["prune"]["removed"] == 7
