"""Down-sampling keeps the number, the least, the greatest and the mean; performance data is read as it comes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.perfdata import Item, parse
from roundsman.store.downsample import DAY_S, HOUR_S, Span, downsample, sample

values = st.floats(allow_nan=False, allow_infinity=False)
measured = st.lists(st.builds(sample, st.integers(-(10**6), 10**6), values), max_size=60)
moderate = st.lists(st.builds(sample, st.integers(0, 10**6), st.floats(-1e6, 1e6)), min_size=1, max_size=60)
steps = st.sampled_from([HOUR_S, DAY_S])


@given(measured, steps)
def test_nothing_is_lost_and_every_span_is_a_step_of_its_own(spans: list[Span], step_s: int) -> None:
    found = downsample(spans, step_s)
    assert sum(span.n for span in found) == len(spans)
    assert [span.at for span in found] == sorted({span.at // step_s * step_s for span in spans})
    assert min((span.low for span in found), default=None) == min((span.low for span in spans), default=None)
    assert max((span.high for span in found), default=None) == max((span.high for span in spans), default=None)
    assert all(math.isfinite(span.mean) and span.low <= span.mean <= span.high for span in found)


@given(moderate)
def test_the_mean_is_that_of_all(spans: list[Span]) -> None:
    days = downsample(downsample(spans, HOUR_S), DAY_S)
    total = math.fsum(span.mean * span.n for span in days)
    assert total == pytest.approx(math.fsum(span.mean for span in spans), rel=1e-9, abs=1e-3)


@given(measured, steps)
def test_it_is_idempotent(spans: list[Span], step_s: int) -> None:
    once = downsample(spans, step_s)
    assert downsample(once, step_s) == once


@given(moderate, st.integers(0, 60))
def test_what_comes_late_joins_what_is_there(spans: list[Span], cut: int) -> None:
    late = downsample([*downsample(spans[:cut], HOUR_S), *spans[cut:]], HOUR_S)
    at_once = downsample(spans, HOUR_S)
    assert [(span.at, span.n, span.low, span.high) for span in late] == [
        (span.at, span.n, span.low, span.high) for span in at_once
    ]
    assert [span.mean for span in late] == pytest.approx([span.mean for span in at_once], rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("'cpu'=12.5%;80;90;0;100", [Item("cpu", 12.5, "%", "80", "90", "0", "100")]),
        ("/=2643MB;5948;5958;0;5968", [Item("/", 2643, "MB", "5948", "5958", "0", "5968")]),
        ("load1=0.030;15.000;30.000;0; load5=.5", [Item("load1", 0.03, "", "15.000", "30.000", "0", ""),
                                                  Item("load5", 0.5, "")]),
        ("time=0.0123s;;;0.0;10 'a ''b'' c'=1e3B", [Item("time", 0.0123, "s", "", "", "0.0", "10"),
                                                   Item("a 'b' c", 1000, "B")]),
        ("x=U y=-3 z=nan w=1;2;3;4;5;6 =5 v=12abc34 ok=1c", [Item("y", -3, ""), Item("w", 1, "", "2", "3", "4", "5"),
                                                             Item("ok", 1, "c")]),
        ("a=1 a=2", [Item("a", 1, "")]),
        ("big=1e999", []),
        ("", []),
    ],
)  # fmt: skip
def test_performance_data_is_read_as_plugins_write_it(text: str, items: list[Item]) -> None:
    assert parse(text) == items


@given(st.text(alphabet="'= ;a1.U\n", max_size=300))
def test_garbage_is_never_more_than_passed_over(text: str) -> None:
    assert all(math.isfinite(item.value) and item.label for item in parse(text))


def test_hostile_text_is_read_in_linear_time() -> None:
    assert parse("'" * 20000) == []
    assert parse("a" * 20000) == []
