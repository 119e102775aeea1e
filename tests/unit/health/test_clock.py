"""How far two clocks are apart, when all that is known is when messages left and came."""

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import clock
from hypothesis import given
from hypothesis import strategies as st

from .builders import keys_of, result_of

SHORT = st.floats(0, 30, allow_nan=False)


@given(ahead=st.floats(-1e6, 1e6), way=SHORT, work=SHORT, back=SHORT)
def test_the_range_always_holds_the_true_offset(ahead, way, work, back):
    sent = 1e9
    received, answered = sent + way + ahead, sent + way + work + ahead
    least, greatest = clock.offset_range(sent, received, answered, sent + way + work + back)
    assert least - 1e-3 <= ahead <= greatest + 1e-3


@pytest.mark.parametrize(
    ("sides", "status", "value", "words"),
    [
        ((100, 100.2, 100.3, 100.4), "OK", 0, "clock agrees with the controller's within 0.2 s; synchronised"),
        ((100, 105.2, 105.3, 100.4), "WARNING", 4.9, "clock 4.9 s to 5.2 s ahead of the controller's (warn 1s)"),
        ((100, 40.2, 40.3, 100.4), "CRITICAL", 59.8, "clock 60 s to 60 s behind the controller's (crit 30s)"),
        ((100, 103, 103.1, 120), "OK", 0, "agrees with the controller's within 17 s"),
    ],
)
def test_only_what_is_surely_beyond_a_threshold_counts(sides, status, value, words):
    result = {"status": "OK", "message": "synchronised"}
    found = clock.conclude(keys_of({"type": "clock"}), result, sides)
    assert (found["status"], found["value"], words in found["message"]) == (status, value, True), found


def test_a_clock_that_nothing_keeps_is_what_the_spec_says(monkeypatch):
    monkeypatch.setattr(clock, "is_synchronised", lambda: False)
    for unsynchronised, status in (("ignore", "OK"), ("warning", "WARNING"), ("critical", "CRITICAL")):
        assert result_of({"type": "clock", "unsynchronised": unsynchronised})["status"] == status
    agrees = (100, 100.1, 100.1, 100.2)
    result = result_of({"type": "clock"})
    assert clock.conclude(keys_of({"type": "clock"}), result, agrees)["status"] == "WARNING"


def test_the_kernel_is_asked():
    try:
        kept = clock.is_synchronised()
    except PermissionError:
        pytest.skip("the kernel may not be asked here (a container without CAP_SYS_TIME)")
    assert kept in (True, False)
