"""Whatever is posted is taken or refused in words; the server never fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .office import Desk

TIMES = st.sampled_from(
    [
        None,
        "",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "0001-01-01T00:00:00+14:00",
        "2026-11-23",
        1e30,
    ]
)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("\ud800"), st.just("\x00"),
    st.just([]), st.just({}),
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(["alertname", "host", "instance", "severity", "check"]), st.text(max_size=3))
LABELS = st.one_of(
    ODD, st.dictionaries(NAMES, ODD, max_size=4), st.dictionaries(NAMES, st.text(max_size=5), max_size=4)
)
ALERT = st.one_of(
    ODD,
    st.fixed_dictionaries(
        {"labels": LABELS},
        optional={
            "annotations": LABELS, "startsAt": TIMES, "endsAt": TIMES, "generatorURL": ODD,
            "status": st.sampled_from(["firing", "resolved", 1]),
        },
    ),
)  # fmt: skip
MATCHER = st.one_of(
    ODD, st.fixed_dictionaries({"name": NAMES, "value": ODD}, optional={"isRegex": ODD, "isEqual": ODD})
)
SILENCE = st.one_of(
    ODD,
    st.fixed_dictionaries(
        {
            "matchers": st.lists(MATCHER, max_size=2),
            "startsAt": TIMES,
            "endsAt": TIMES,
            "createdBy": ODD,
            "comment": ODD,
        },
        optional={"id": ODD},
    ),
)  # fmt: skip
BODIES = st.one_of(
    st.tuples(st.just("/api/v2/alerts"), st.one_of(ODD, st.lists(ALERT, max_size=3))),
    st.tuples(
        st.just("/api/v1/alertmanager-webhook"),
        st.one_of(ODD, st.fixed_dictionaries({"alerts": st.one_of(ODD, st.lists(ALERT, max_size=3))})),
    ),
    st.tuples(st.just("/api/v2/silences"), SILENCE),
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(Path(tmp_path_factory.mktemp("any")))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BODIES)
def test_anything(desk: Desk, posted: tuple[str, Any]) -> None:
    path, document = posted
    answer = desk.post_raw(path, json.dumps(document))
    assert answer.status_code in (200, 400, 404)
    if answer.status_code != 200:
        assert answer.json()
    # What was taken can be told.
    assert all(one["labels"] for one in desk.alerts())
    desk.get("/api/v2/alerts/groups")
    desk.get("/api/v2/silences")
