"""Gaps of a fleet: who was not looked at, what nobody saves, whose evidence is old, and the lines that close them."""

from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from roundsman.backups.coverage import Gap, counts, gaps
from roundsman.views.coverage import draw_coverage

from .facts import NOW, ago, found, looked, snapshot


def of(*findings: dict[str, Any], snapshots: Any = None, **more: Any) -> list[Gap]:
    return gaps(["db1"], {"db1": looked(*findings, **more)}, [snapshot()] if snapshots is None else snapshots, NOW)


def test_a_host_that_nobody_looked_at_is_unknown() -> None:
    (gap,) = gaps(["db1"], {}, [], NOW)
    assert (gap.status, gap.kind, gap.remedy) == ("unknown", "host", "roundsman backup coverage --limit db1")


def test_a_look_of_long_ago_is_none() -> None:
    """What was put on the host since then is in no record."""
    _at, covered = looked(found(status="covered"))
    assert gaps(["db1"], {"db1": (ago(days=29), covered)}, [snapshot()], NOW) == []
    (gap,) = gaps(["db1"], {"db1": (ago(days=31), covered)}, [snapshot()], NOW)
    assert (gap.status, gap.kind, gap.remedy) == ("unknown", "host", "roundsman backup coverage --limit db1")
    assert "for 31 d" in gap.reason


def test_a_host_without_any_source_comes_first() -> None:
    said = of(found(size_bytes=10**12), sources=[], snapshots=[])
    assert [gap.kind for gap in said] == ["host", "directory"]


def test_all_is_covered() -> None:
    assert of(found(status="covered"), found(status="ignored")) == []
    assert counts(["db1", "db2"], {"db1": looked(found(), found(status="covered"))}) == {
        "covered": 1, "gap": 1, "unknown": 0, "ignored": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"complete": False}, "source"),
        ({"failed_level": "read", "level": "stored"}, "source"),
        ({"level": "read"}, "evidence"),
        ({"level": None, "verified_at": None}, "evidence"),
        ({"verified_at": ago(days=31)}, "evidence"),
        ({"host": "db2"}, "source"),
        ({"source": "other"}, "source"),
    ],
)
def test_a_source_without_good_evidence_is_a_gap(more: dict[str, Any], kind: str) -> None:
    assert [gap.kind for gap in of(snapshots=[snapshot(**more)])] == [kind]


def test_the_plan_says_how_old_evidence_may_be() -> None:
    source = {"id": "shop", "type": "files", "plan": {"verify_every_s": 43200}}
    assert [gap.reason for gap in of(sources=[source])] == ["it was last seen restored 1 d ago (at most 12 h)"]
    assert of(sources=[{**source, "plan": {"verify_every_s": 43200, "prove_s": 604800}}]) == []


def test_worst_first() -> None:
    said = of(
        found("directory", "/srv/small", size_bytes=1), found("directory", "/srv/large", size_bytes=10**9),
        found("sqlite", "/srv/a.db"), found("mariadb", "/var/lib/mysql", status="unknown", problem="it is off"),
    )  # fmt: skip
    assert [gap.name for gap in said] == ["/srv/a.db", "/srv/large", "/srv/small", "/var/lib/mysql"]


@pytest.mark.parametrize(
    ("finding", "fix"),
    [
        (found(), "{id: srv-data, type: files, paths: [/srv/data], every: 24h}"),
        (found("sqlite", "/a.db"), "{id: a.db, type: sqlite, path: /a.db, every: 24h}"),
        (found("postgresql", "shop", port=5432), "{id: postgresql-shop, type: postgresql, database: shop, every: 24h}"),
        (
            found("postgresql", "x", port=5433),
            "{id: postgresql-x, type: postgresql, database: x, port: 5433, every: 24h}",
        ),
        (found("mariadb", "shop"), None),
        (found("sqlite", "below /srv", problem="too many", status="unknown"), None),
    ],
)
def test_the_line_that_closes_it(finding: dict[str, Any], fix: str | None) -> None:
    assert [gap.fix for gap in of(finding)] == [fix]


class Inventory(yaml.SafeLoader):
    """Ansible's `!unsafe`: text that is no template."""


Inventory.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@settings(deadline=None)
@example("on", "postgresql")
@example("1e3", "postgresql")
@example("@x", "directory")
@example("/a:", "directory")
@example("{{ x }}", "postgresql")
@given(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1), st.sampled_from(["directory", "postgresql"]))
def test_any_name_becomes_yaml_that_means_this_name(name: str, kind: str) -> None:
    (gap,) = of(found(kind, name))
    assert gap.fix is not None
    assert "\n" not in gap.fix
    read = yaml.load(gap.fix, Inventory)
    assert name == (read["paths"][0] if kind == "directory" else read["database"])
    assert "{{" not in gap.fix or "!unsafe" in gap.fix


def test_the_id_is_not_taken() -> None:
    sources = [{"id": "srv-data", "type": "files"}]
    assert any("{id: srv-data-2," in (gap.fix or "") for gap in of(found(), sources=sources))


def test_the_table_escapes_what_hosts_say() -> None:
    stream = io.StringIO()
    draw_coverage(Console(file=stream, width=200), of(found(name="/srv/[red]x")), {"covered": 3, "ignored": 0}, 1)
    assert "/srv/[red]x" in stream.getvalue()
    assert "1 gap on 1 host · 3 covered" in stream.getvalue()
