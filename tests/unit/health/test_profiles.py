"""Layers of checks merge by id, key by key."""

import pytest
from ansible_collections.roundsman.fleet.plugins.plugin_utils.explain import explain
from ansible_collections.roundsman.fleet.plugins.plugin_utils.profiles import (
    Broken,
    Layer,
    Setting,
    by_id,
    checks_of,
    combine,
    faults_of,
    merge,
)
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("default set", "group all", "group db", "host db1")


def layer(name, *entries, faults=()):
    wrapped = [{key: Setting(value, name, f"{name}.yml:1") for key, value in entry.items()} for entry in entries]
    return Layer(name, wrapped, list(faults))


def layers(*said):
    """One layer for each list of entries, from the weakest."""
    return [layer(name, *entries) for name, entries in zip(NAMES, said, strict=False)]


def merged(*said):
    checks, faults = merge(layers(*said))
    assert faults + faults_of(checks, 10) == []
    return checks_of(checks)


def faults(*said):
    checks, found = merge(layers(*said))
    return found + faults_of(checks, 10)


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ([], []),
        ([[{"type": "load"}]], [{"type": "load", "id": "load"}]),
        (
            [[{"type": "load"}], [{"type": "swap"}]],
            [{"type": "load", "id": "load"}, {"type": "swap", "id": "swap"}],
        ),
        (
            [[{"type": "memory", "warn": "80%", "crit": "90%"}], [{"id": "memory", "warn": "70%"}]],
            [{"type": "memory", "id": "memory", "warn": "70%", "crit": "90%"}],
        ),
        (
            [[{"type": "memory", "warn": "80%"}], [{"type": "memory", "warn": None}]],
            [{"type": "memory", "id": "memory", "warn": None}],
        ),
        # By the id that type and target make, whoever writes it out.
        (
            [[{"type": "tcp", "port": 22}], [{"type": "tcp", "port": "22", "warn": 2}], [{"id": "tcp-localhost:22"}]],
            [{"type": "tcp", "port": "22", "warn": 2, "id": "tcp-localhost:22"}],
        ),
        # A default id stays when its target changes.
        (
            [[{"type": "tcp", "port": 22}], [{"id": "tcp-localhost:22", "port": 2222}]],
            [{"type": "tcp", "port": 2222, "id": "tcp-localhost:22"}],
        ),
        # Not whole by itself, yet it names the check that it changes.
        (
            [[{"type": "processes", "name": "sshd", "crit": "1:"}], [{"type": "processes", "name": "sshd", "warn": 9}]],
            [{"type": "processes", "name": "sshd", "crit": "1:", "warn": 9, "id": "processes-sshd"}],
        ),
        ([[{"type": "swap"}, {"type": "load"}], [{"id": "swap", "enabled": False}]], [{"type": "load", "id": "load"}]),
        ([[{"type": "swap"}], [{"type": "swap", "enabled": "no"}]], []),
        # Off stays off while others change it, until somebody switches it on again.
        ([[{"type": "swap"}], [{"id": "swap", "enabled": False}], [{"id": "swap", "warn": "5%"}]], []),
        (
            [
                [{"type": "swap"}],
                [{"id": "swap", "enabled": False}],
                [{"id": "swap", "warn": "5%"}],
                [{"id": "swap", "enabled": True}],
            ],
            [{"type": "swap", "id": "swap", "warn": "5%"}],
        ),
        ([[{"id": 7, "type": "load"}], [{"id": "7", "warn": 3}]], [{"type": "load", "id": "7", "warn": 3}]),
    ],
)
def test_stronger_layers_add_change_and_switch_off(said, result):
    assert merged(*said) == result


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (
            [[{"type": "memory"}], [{"id": "memroy", "enabled": False}]],
            'group all (group all.yml:1): it switches off a check that nobody declares, "memroy" (did you mean "memory',
        ),
        ([[{"type": "tcp", "port": 22}], [{"type": "tcp", "port": 23, "enabled": False}]], ": there are tcp-localhost"),
        ([[{"id": "x", "enabled": False}]], "nobody declares, \"x\": there are none"),
        ([[{"type": "memory"}], [{"id": "memroy", "warn": "1%"}]], 'did you mean "memory"?'),
        ([[{"id": "a", "type": "load"}], [{"id": "a", "type": "swap"}]], "cannot become swap: choose another id"),
        (
            [[{"type": "load"}, {"id": "load", "type": "swap"}]],
            'default set (default set.yml:1), check 2: the id "load" is there twice: give each check its own id',
        ),
        ([[{"type": "load"}], [{"id": "load", "enabled": "maybe"}]], 'enabled in group all.yml:1: "maybe" is not true'),
        ([[{"type": "lod"}]], 'check 1: type "lod" is unknown (did you mean "load"?)'),
        ([[{"warn": 1}]], "check 1: type is missing"),
        ([[{"type": "tcp"}]], "check 1: port is missing: port number"),
        ([[{"id": ["a"], "type": "load"}]], "id: it is a list, not text"),
        (
            [[{"type": "memory"}], [], [{"id": "memory", "warn": "90 pct"}]],
            'check memory (default set, group db): warn in group db.yml:1: "90 pct"',
        ),
        ([[{"type": "memory"}], [{"id": "memory", "wran": 1}]], 'unknown key "wran" in group all.yml:1 (did you mean'),
        ([[{"type": "memory", "warn": Broken("'x' is undefined")}]], "check 1: warn: 'x' is undefined"),
        (
            [[{"id": "m", "type": "memory", "warn": Broken("'x' is undefined")}]],
            "check m (default set): warn in default set.yml:1: 'x' is undefined",
        ),
        ([[{"type": "memory", "id": Broken("'x' is undefined")}]], "check 1: id: 'x' is undefined"),
        ([[{"type": "load"}], [{"id": "load", "enabled": Broken("no")}]], "enabled in group all.yml:1: no"),
        ([[{"type": "load"}], [{"id": "load", "type": Broken("no")}]], "type in group all.yml:1: no"),
        ([[{"id": "run", "type": "load"}]], "reserved"),
    ],
)
def test_a_fault_names_the_layer_the_check_and_what_is_allowed(said, complaint):
    (fault,) = faults(*said)
    assert complaint in fault


def test_all_faults_are_named_at_once():
    found = faults(
        [{"type": "memory", "warn": "x"}], [{"id": "no", "enabled": False}], [{"type": "tcp"}, {"type": "load", "a": 1}]
    )
    assert len(found) == 4


def test_what_cannot_be_rendered_does_not_matter_where_it_is_replaced_or_switched_off():
    broken = {"id": "site", "type": "http", "url": Broken("'site' is undefined")}
    assert merged([broken], [{"id": "site", "url": "http://shop/"}])[0]["url"] == "http://shop/"
    assert merged([broken], [{"id": "site", "enabled": False}]) == []


def test_faults_of_reading_a_layer_are_kept():
    assert merge([layer("group db", faults=["group db: it is text, not a list of checks"])])[1] == [
        "group db: it is text, not a list of checks"
    ]


IDS = st.sampled_from(["load", "memory", "swap", "site"])
ENTRIES = st.fixed_dictionaries(
    {"id": IDS}, optional={"warn": st.integers(0, 9), "crit": st.integers(0, 9), "enabled": st.booleans()}
)
LAYERS = st.lists(ENTRIES, max_size=4, unique_by=lambda entry: entry["id"])


@given(LAYERS, LAYERS, LAYERS)
def test_combining_is_associative(first, second, third):
    one, two, three = (by_id(each)[0] for each in layers(first, second, third))
    left, right = combine(combine(one, two), three), combine(one, combine(two, three))
    assert (left, list(left)) == (right, list(right))


BASE = [{"id": each, "type": "load"} for each in ("load", "memory", "swap", "site")]


@given(st.lists(LAYERS, max_size=3))
def test_the_strongest_word_on_each_key_holds_and_the_order_is_that_of_the_base(said):
    expected = {each["id"]: dict(each) for each in BASE}
    for entries in said:
        for entry in entries:
            expected[entry["id"]].update(entry)
    on = [each for each in expected.values() if each.pop("enabled", True)]
    assert merged(BASE, *said) == on


@given(st.lists(LAYERS, max_size=3))
def test_every_word_is_kept_with_where_it_comes_from(said):
    checks, _faults = merge(layers(BASE, *said))
    kept = [setting for keys in checks.values() for settings in keys.values() for setting in settings]
    assert len(kept) == sum(len(entry) for entries in [BASE, *said] for entry in entries)
    for keys in checks.values():
        for settings in keys.values():
            places = [NAMES.index(setting.layer) for setting in settings]
            assert places == sorted(places)


def explained(*said, secrets=()):
    return {check["id"]: check for check in explain(merge(layers(*said))[0], secrets)}


def test_each_key_is_explained_with_what_it_overrode():
    memory = explained([{"type": "memory", "warn": "80%"}], [{"id": "memory", "warn": None, "attempts": 2}])["memory"]
    assert (memory["type"], memory["layer"], memory["enabled"]) == ("memory", "default set", True)
    assert [(row["key"], row["value"], row["layer"]) for row in memory["keys"]] == [
        ("warn", None, "group all"),
        ("crit", "95%", "default of memory"),
        ("attempts", 2, "group all"),
    ]
    assert [(one["value"], one["layer"]) for one in memory["keys"][0]["overrode"]] == [
        ("80%", "default set"),
        ("90%", "default of memory"),
    ]


def test_what_is_switched_off_says_who_did_it():
    swap = explained([{"type": "swap"}], [{"id": "swap", "enabled": False}])["swap"]
    assert not swap["enabled"]
    assert (swap["keys"][-1]["key"], swap["keys"][-1]["place"]) == ("enabled", "group all.yml:1")


def test_secrets_are_not_shown():
    site = {
        "id": "site",
        "type": "http",
        "url": "https://ops:hush-1@shop/?key=hush-2",
        "headers": {"Authorization": "hush-3"},
        "contains": "hush-4",
    }
    said = layers([site])
    said[0].entries[0]["contains"] = said[0].entries[0]["contains"]._replace(secret=True)
    found = explain(merge(said)[0], {"hush-2"})
    assert "hush" not in str(found)
    rows = {row["key"]: row["value"] for row in found[0]["keys"]}
    assert rows["url"] == "https://***@shop/?key=***"
    assert (rows["headers"], rows["contains"]) == ({"Authorization": "***"}, "***")


def test_a_check_of_an_unknown_type_is_explained_all_the_same():
    assert explained([{"id": "x", "type": "lod", "warn": 1}])["x"]["keys"][0]["key"] == "warn"
