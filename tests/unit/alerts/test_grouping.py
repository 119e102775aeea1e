"""One message per host and receiver."""

from __future__ import annotations

from roundsman.alerts.decide import decide
from roundsman.alerts.grouping import Notice, group, group_key, route
from roundsman.alerts.model import Notify, NotifyKind, Status

from .cast import MUCH_LATER, result


def news(*statuses: str, host: str = "web3", check: str = "disk") -> list[Notify]:
    """All that is heard when a check goes through these statuses."""
    state, effects = None, []
    for minute, status in enumerate(statuses):
        decision = decide(state, result(status, minute, host, check), MUCH_LATER)
        state, effects = decision.state, effects + list(decision.effects)
    return effects


def notices(*effects: Notify, to: tuple[str, ...] = ("team",)) -> list[Notice]:
    return [notice for effect in effects for notice in route(effect, to)]


def test_one_message_per_host_and_receiver() -> None:
    three = [*news("CRITICAL"), *news("WARNING", check="load"), *news("CRITICAL", host="db2")]
    groups = group(notices(*three, to=("team", "oncall")))
    assert [(g.receiver, g.host, len(g.notifications)) for g in groups] == [
        ("team", "web3", 2),
        ("oncall", "web3", 2),
        ("team", "db2", 1),
        ("oncall", "db2", 1),
    ]


def test_the_worst_comes_first_and_names_the_group() -> None:
    (one,) = group(notices(*news("WARNING", check="load"), *news("CRITICAL", "OK", check="cpu"), *news("CRITICAL")))
    assert [item.alert.check for item in one.notifications] == ["disk", "load", "cpu"]
    assert (one.severity, one.kind, len(one.firing)) == (Status.CRITICAL, NotifyKind.OPENED, 2)


def test_the_newest_of_an_alert_counts() -> None:
    (one,) = group(notices(*news("WARNING", "CRITICAL", "OK")))
    assert [item.kind for item in one.notifications] == [NotifyKind.RESOLVED]
    assert (one.kind, one.severity) == (NotifyKind.RESOLVED, Status.CRITICAL)


def test_a_row_of_the_outbox_has_its_keys_and_survives_the_store() -> None:
    (notice,) = notices(*news("CRITICAL"))
    assert notice.group_key == group_key("team", "web3")
    assert notice.key == f"{notice.notify.alert.fingerprint}/1/opened/team"
    assert Notice.from_dict(notice.to_dict()) == notice
