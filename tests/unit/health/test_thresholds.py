import contextlib

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.thresholds import BadValueError, Threshold, number
from hypothesis import given
from hypothesis import strategies as st

GIB = 1024**3


@pytest.mark.parametrize(
    ("text", "fine", "alerting"),
    [
        ("10", [0, 5, 10], [-1, 10.1]),
        ("10:", [10, 1e9], [9.9, -1]),
        ("~:10", [-5, 10], [10.1]),
        ("10:20", [10, 20], [9, 21]),
        ("@10:20", [9, 21], [10, 15, 20]),
        ("@10", [11, -1], [0, 10]),
        ("0", [0], [1]),
        ("-5:5", [-5, 5], [-6, 6]),
        (" 10 : 20 ", [15], [5]),
        (7, [7], [8]),
        (1.5, [1.5], [1.6]),
    ],
)
def test_a_nagios_range_says_what_is_fine(text, fine, alerting):
    threshold = Threshold.parse(text, "count")
    assert [value for value in fine if threshold.violated(value)] == []
    assert [value for value in alerting if not threshold.violated(value)] == []


@pytest.mark.parametrize(
    ("text", "dimension", "bound", "unit"),
    [
        ("80%", "percent", 80, "%"),
        ("80", "percent", 80, "%"),
        ("80%", "space", 80, "%"),
        ("10GiB", "space", 10 * GIB, "B"),
        ("10G", "space", 10 * GIB, "B"),
        ("500M", "space", 500 * 1024**2, "B"),
        ("1.5TB", "space", 1.5e12, "B"),
        ("64k", "space", 65536, "B"),
        ("64kB", "space", 64000, "B"),
        ("100B", "space", 100, "B"),
        ("300ms", "duration", 0.3, "s"),
        ("30", "duration", 30, "s"),
        ("30s", "duration", 30, "s"),
        ("5min", "duration", 300, "s"),
        ("5m", "duration", 300, "s"),
        ("2h", "duration", 7200, "s"),
        ("7d", "duration", 604800, "s"),
        ("1w", "duration", 604800, "s"),
        ("0", "space", 0, "%"),
    ],
)
def test_bounds_take_the_units_of_their_dimension(text, dimension, bound, unit):
    threshold = Threshold.parse(text, dimension)
    assert (threshold.high, threshold.unit) == (pytest.approx(bound), unit)


@pytest.mark.parametrize(("text", "perfdata"), [("21d", "1814400:"), ("@21d", "@1814400:"), ("1d:2d", "86400:172800")])
def test_with_a_floor_a_single_number_is_the_least_that_is_fine(text, perfdata):
    assert Threshold.parse(text, "duration", floor=True).perfdata() == perfdata


@pytest.mark.parametrize(
    ("text", "dimension", "complaint"),
    [
        ("80%", "count", 'the unit "%" does not fit here'),
        ("80%", "duration", 'the unit "%" does not fit here'),
        ("10GiB", "percent", 'the unit "GiB" does not fit here'),
        ("80", "space", "the unit is missing"),
        ("80%:10GiB", "space", "mixes percent and sizes"),
        ("20:10", "count", "starts above its end"),
        ("10:20:30", "count", "is not a range"),
        ("ten", "count", "is not a range"),
        ("~", "count", "is not a range"),
        ("10:~", "count", "is not a range"),
        ("", "count", "it is empty"),
        ("@", "count", "it is empty"),
        (True, "count", "is not a threshold"),
        ([1], "count", "is not a threshold"),
        (620, "percent", "put quotes around ranges"),
    ],
)
def test_what_is_no_threshold_is_refused_with_the_reason(text, dimension, complaint):
    with pytest.raises(BadValueError, match=complaint):
        Threshold.parse(text, dimension)


bounds = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False).map(lambda value: round(value, 3))


@given(st.tuples(bounds, bounds).map(sorted), st.booleans(), bounds)
def test_inside_and_outside_are_opposites_and_perfdata_means_the_same(pair, inside, value):
    text = f"{number(pair[0])}:{number(pair[1])}"
    plain, inverted = Threshold.parse(text, "count"), Threshold.parse("@" + text, "count")
    assert plain.violated(value) != inverted.violated(value)
    threshold = inverted if inside else plain
    again = Threshold.parse(threshold.perfdata(), "count")
    assert again.violated(value) == threshold.violated(value)


texts = st.one_of(st.text(max_size=12), st.text("0123456789:@~%.kM", max_size=8))
anything = st.one_of(texts, st.floats(), st.integers(), st.none())


@given(anything, st.sampled_from(["count", "percent", "space", "duration"]))
def test_any_input_is_either_a_threshold_or_refused(text, dimension):
    with contextlib.suppress(BadValueError):
        assert Threshold.parse(text, dimension).violated(50) in (True, False)
