"""What is explained by another alert is not told, and nothing explains itself away."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.inhibition import Inhibitor, Rule
from roundsman.alerts.matchers import Labels, matches_all, parse
from roundsman.alerts.topology import Topology, edges

ALONE = Topology({})
WORSE = Rule(parse("severity=critical"), parse("severity=~warning|info"), ("host", "check"), "worst-only")


def labels(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split())


def firing(*alerts: str, rules: tuple[Rule, ...] = (), topology: Topology = ALONE) -> Inhibitor:
    """Alerts are named by their labels."""
    inhibitor = Inhibitor(rules, topology)
    for alert in alerts:
        inhibitor.fires(alert, labels(alert))
    return inhibitor


def cause(inhibitor: Inhibitor, alert: str) -> str | None:
    found = inhibitor.inhibited_by(alert, labels(alert))
    return found.alert if found else None


def test_a_rule_needs_source_target_and_equal_labels() -> None:
    source = "severity=critical host=web1 check=disk"
    inhibitor = firing(source, rules=(WORSE,))
    assert cause(inhibitor, "severity=warning host=web1 check=disk") == source
    assert cause(inhibitor, "severity=warning host=web2 check=disk") is None
    assert cause(inhibitor, "severity=unknown host=web1 check=disk") is None
    assert cause(inhibitor, source) is None


def test_the_reason_is_a_sentence() -> None:
    found = firing("severity=critical host=web1 check=disk", rules=(WORSE,)).inhibited_by(
        "w", labels("severity=warning host=web1 check=disk")
    )
    assert found is not None
    assert found.sentence == (
        'the rule worst-only: web1 disk fires, matches {severity="critical"} and agrees in host, check'
    )


def test_labels_that_both_lack_are_equal() -> None:
    assert cause(firing("severity=critical", rules=(WORSE,)), "severity=warning") == "severity=critical"
    assert cause(firing("severity=critical", rules=(WORSE,)), "severity=warning host=web1") is None


def test_what_ended_inhibits_nothing_and_new_labels_count() -> None:
    inhibitor = firing("severity=critical host=web1", rules=(WORSE,))
    inhibitor.ends("severity=critical host=web1")
    inhibitor.ends("never heard of")
    assert cause(inhibitor, "severity=warning host=web1") is None
    inhibitor.fires("changing", labels("severity=critical host=web1"))
    inhibitor.fires("changing", labels("severity=warning host=web1"))
    assert cause(inhibitor, "severity=warning host=web1") is None


def test_one_that_matches_both_sides_inhibits_only_what_is_no_source() -> None:
    everything = Rule(parse("team=~.+"), parse("host=~.+"), ("team",))
    both = "team=db host=db1"
    inhibitor = firing(both, rules=(everything,))
    assert cause(inhibitor, both) is None
    assert cause(inhibitor, "team=db host=db2") is None  # would be inhibited back
    only_source = "team=db"
    inhibitor.fires(only_source, labels(only_source))
    assert cause(inhibitor, both) == only_source


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))
MATCHERS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["=", "!="]), st.sampled_from(["x", "y", ""])))
RULES = st.builds(
    Rule,
    MATCHERS.map(lambda given: parse(",".join(map("".join, given)))),
    MATCHERS.map(lambda given: parse(",".join(map("".join, given)))),
    st.lists(st.sampled_from("abc"), unique=True).map(tuple),
)


@given(st.lists(RULES, max_size=3), st.lists(LABELS, max_size=5), st.sets(st.integers(0, 4)), LABELS)
def test_the_index_finds_what_alertmanager_finds_by_looking_at_all(
    rules: list[Rule], alerts: list[Labels], ended: set[int], target: Labels
) -> None:
    inhibitor = Inhibitor(rules, ALONE)
    for number, one in enumerate(alerts):
        inhibitor.fires(str(number), one)
    for number in ended:
        inhibitor.ends(str(number))
    still = [one for number, one in enumerate(alerts) if number not in ended]

    def inhibits(rule: Rule, source: Labels) -> bool:
        two_sided = matches_all(rule.source, target) and matches_all(rule.target, source)
        equal = all(source.get(name, "") == target.get(name, "") for name in rule.equal)
        return matches_all(rule.source, source) and matches_all(rule.target, target) and equal and not two_sided

    wanted = any(inhibits(rule, source) for rule in rules for source in still)
    assert (inhibitor.inhibited_by("new", target) is not None) is wanted


CHAIN = Topology({"web": ["gateway"], "gateway": ["bastion"], "db": ["bastion"]})


def test_an_unreachable_host_explains_its_own_alerts_and_those_behind_it() -> None:
    inhibitor = firing("host=bastion check=reachable", topology=CHAIN)
    assert cause(inhibitor, "host=bastion check=reachable") is None
    assert cause(inhibitor, "host=bastion check=disk") == "host=bastion check=reachable"
    assert cause(inhibitor, "host=web check=reachable") == "host=bastion check=reachable"
    assert cause(inhibitor, "host=other check=reachable") is None
    found = inhibitor.inhibited_by("w", labels("host=web check=http"))
    assert found is not None
    assert found.sentence == "web depends on bastion, which cannot be reached (web -> gateway -> bastion)"


def test_only_reachability_goes_through_the_topology() -> None:
    assert cause(firing("host=bastion check=disk", topology=CHAIN), "host=web check=reachable") is None


def test_hosts_that_depend_on_each_other_do_not_hide_each_other() -> None:
    cycle = Topology({"a": ["b"], "b": ["c"], "c": ["a"], "behind": ["a"], "self": ["self"]})
    hosts = ("a", "b", "c", "self")
    inhibitor = firing(*(f"host={host} check=reachable" for host in hosts), topology=cycle)
    assert [cause(inhibitor, f"host={host} check=reachable") for host in hosts] == [None] * 4
    assert cause(inhibitor, "host=behind check=reachable") == "host=a check=reachable"


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)),
    st.sets(st.sampled_from("abcdef"), min_size=1),
)
def test_of_unreachable_hosts_one_is_always_told(depends_on: dict[str, list[str]], down: set[str]) -> None:
    alerts = [f"host={host} check=reachable" for host in sorted(down)]
    inhibitor = firing(*alerts, topology=Topology(depends_on))
    assert None in [cause(inhibitor, alert) for alert in alerts]


def test_the_edges_of_what_hosts_depend_on() -> None:
    known = {
        "bastion": ("198.51.100.1", []),
        "web": ("", ["db", "198.51.100.1"]),
        "db": ("", ["bastion", "db", "not-in-the-inventory"]),
    }
    assert edges(known) == {"bastion": (), "web": ("db", "bastion"), "db": ("bastion",)}


def test_ten_thousand_alerts_are_quick() -> None:
    """Linear: the index is what makes it so, or each question would look at every source."""
    sources = [f"severity=critical host=h{number} check=disk" for number in range(10_000)]
    inhibitor = firing(*sources, rules=(WORSE,))
    started = time.process_time()
    for number in range(10_000):
        assert cause(inhibitor, f"severity=warning host=h{number} check=disk") == sources[number]
    assert time.process_time() - started < 10
