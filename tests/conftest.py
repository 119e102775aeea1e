"""Fixtures of real hosts, and the promise that their tests run wherever they must.

A host boots in about a second and is thrown away in a fifth of one, so every test that asks for `fleet` gets its own,
and no test sees what another did to its hosts. Tests that only look may share those of their module: `shared_fleet`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.fleet.hosts import Fleet
    from tests.fleet.newcomer import Newcomer
    from tests.fleet.roundsman import Listener

FIXTURES = {"fleet", "shared_fleet", "newcomer"}
FLEET = Path(__file__).parent / "fleet"
PROMISE = pytest.StashKey["FleetPromise"]()
PROBLEM = pytest.StashKey[str]()
# How fast the machine is, which others use as well, is no finding.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def fleet_machine(pytestconfig: pytest.Config) -> None:
    """This machine can have a fleet, and nothing of an earlier one is left on it; otherwise the test is skipped."""
    from tests.fleet import clean, machine_check

    problem = pytestconfig.stash.get(PROBLEM, None)
    if problem is None:
        problem = pytestconfig.stash[PROBLEM] = machine_check.problem() or ""
    if problem:
        pytest.skip(_no_fleet(pytestconfig))
    clean.clean()


@pytest.fixture
def fleet(fleet_machine: None) -> Iterator[Fleet]:
    """Hosts of this test alone: `web1 = fleet.host("web1")`."""
    from tests.fleet.hosts import Fleet

    with Fleet() as hosts:
        yield hosts


@pytest.fixture(scope="module")
def shared_fleet(fleet_machine: None) -> Iterator[Fleet]:
    """Hosts of all tests of a module, which must leave them as they found them."""
    from tests.fleet.hosts import Fleet

    with Fleet() as hosts:
        yield hosts


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A webhook endpoint that keeps every delivery."""
    from tests.fleet.roundsman import Listener

    started = Listener()
    yield started
    started.close()


@pytest.fixture
def newcomer(fleet_machine: None) -> Iterator[Callable[..., Newcomer]]:
    """Machines that have seen nothing of ours: `machine = newcomer("bookworm")`."""
    from contextlib import ExitStack

    from tests.fleet.newcomer import Newcomer

    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(Newcomer(*args, **kwargs))


def pytest_itemcollected(item: pytest.Item) -> None:
    if FLEET in item.path.parents or FIXTURES.intersection(getattr(item, "fixturenames", ())):
        item.add_marker("fleet")


def _no_fleet(config: pytest.Config) -> str:
    return f"no fleet on this machine: {config.stash.get(PROBLEM, '')}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and call.excinfo is not None and call.excinfo.value.args == (_no_fleet(item.config),):
        # One place for all of them, so that pytest shows one line and not one for each test.
        report.longrepr = (str(FLEET), 0, _no_fleet(item.config))
    return report


class FleetPromise:
    """Counts on the process that reports, whether or not others ran the tests for it."""

    def __init__(self) -> None:
        self.asked = 0
        self.ran = 0
        self.reason = "every one of them was skipped"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "fleet" not in report.keywords:
            return
        self.asked += report.when == "setup"
        self.ran += report.when == "call" and not report.skipped
        if report.skipped and isinstance(report.longrepr, tuple):
            self.reason = report.longrepr[2].removeprefix("Skipped: ")

    @property
    def broken(self) -> bool:
        required = os.environ.get("CI") == "true" or os.environ.get("ROUNDSMAN_REQUIRE_FLEET") == "1"
        return bool(required and self.asked and not self.ran)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[PROMISE] = FleetPromise()
        config.pluginmanager.register(config.stash[PROMISE])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    promise = session.config.stash.get(PROMISE, None)
    if exitstatus == pytest.ExitCode.OK and promise and promise.broken:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    promise = terminalreporter.config.stash.get(PROMISE, None)
    if promise and promise.broken:
        terminalreporter.write_line(f"ERROR: fleet tests did not run: {promise.reason}", red=True)
