"""Calendars of others: fetched now and then, kept when they cannot be, and never believed when they are none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from roundsman.calendars import Calendars, UnavailableError, fetch

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
URL = "https://calendar.example.org/secret/oncall.ics"
OLD, NEW = (f"BEGIN:VCALENDAR\r\nX-NAME:{name}\r\nEND:VCALENDAR\r\n" for name in ("old", "new"))


class Server:
    """What the other side says, and how often it was asked."""

    def __init__(self) -> None:
        self.says = OLD
        self.asked = 0

    def fetch(self, _source: str) -> str:
        self.asked += 1
        if not self.says:
            raise UnavailableError("HTTP 503 Service UnavailableError")
        return self.says


@pytest.fixture
def server() -> Server:
    return Server()


def read(folder: Path, server: Server, later: timedelta = timedelta()) -> tuple[str | None, list[str]]:
    calendars = Calendars(folder / "calendars", NOW + later, server.fetch)
    return calendars.read(URL), calendars.faults


def test_it_is_fetched_now_and_then(tmp_path: Path, server: Server) -> None:
    assert read(tmp_path, server) == (OLD, [])
    server.says = NEW
    assert read(tmp_path, server, timedelta(minutes=14)) == (OLD, [])
    assert read(tmp_path, server, timedelta(minutes=15)) == (NEW, [])
    assert server.asked == 2


@pytest.mark.parametrize("says", ["", "<html>please log in</html>"])
def test_the_last_good_copy_counts_while_it_cannot_be_had(tmp_path: Path, server: Server, says: str) -> None:
    read(tmp_path, server)
    server.says = says
    assert read(tmp_path, server, timedelta(hours=1)) == (OLD, [])
    text, (fault,) = read(tmp_path, server, timedelta(hours=25))
    assert text == OLD
    assert fault.startswith("a calendar could not be read for 1 d 1 h, and its last copy counts: ")
    assert ("HTTP 503" in fault) is (says == "")
    # Within the minute it is not tried again, and the reason is still known.
    assert read(tmp_path, server, timedelta(hours=25, seconds=30)) == (OLD, [fault])
    assert server.asked == 3
    server.says = NEW
    assert read(tmp_path, server, timedelta(hours=26)) == (NEW, [])


# A broken event made every turn fail, so nobody was told of anything; a rule with INTERVAL=0 never came to an end.
@pytest.mark.parametrize(
    "event",
    [
        "DTSTART:20261120T000000Z\r\nRRULE:FREQ=FOO", "SUMMARY:alice", "DTSTART:20261326T000000Z",
        "DTSTART:20261120T000000Z\r\nRRULE:FREQ=DAILY;INTERVAL=0",
        "DTSTART:20261120T000000Z\r\nRRULE:FREQ=DAILY;INT\r\n ERVAL=0",
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_understood_costs_its_calendar_and_nothing_else(
    tmp_path: Path, server: Server, event: str
) -> None:
    broken = NEW.replace("END:VCALENDAR", f"BEGIN:VEVENT\r\nUID:b\r\n{event}\r\nEND:VEVENT\r\nEND:VCALENDAR")
    assert broken != NEW
    server.says = broken
    text, (fault,) = read(tmp_path, server)
    assert (text, "never read" in fault) == (None, True)
    server.says = OLD
    assert read(tmp_path, server, timedelta(hours=1)) == (OLD, [])
    server.says = broken
    assert read(tmp_path, server, timedelta(hours=2)) == (OLD, [])


def test_one_that_was_never_read_says_so(tmp_path: Path, server: Server) -> None:
    server.says = ""
    text, (fault,) = read(tmp_path, server)
    assert (text, "never read" in fault, "HTTP 503" in fault, "secret" in fault) == (None, True, True, False)


def test_a_copy_of_the_future_is_fetched_again(tmp_path: Path, server: Server) -> None:
    read(tmp_path, server, timedelta(days=365))
    server.says = NEW
    assert read(tmp_path, server) == (NEW, [])


def test_copies_are_for_nobody_else(tmp_path: Path, server: Server) -> None:
    read(tmp_path, server)
    assert (tmp_path / "calendars").stat().st_mode & 0o077 == 0


def test_files_are_read_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "oncall.ics"
    with pytest.raises(UnavailableError, match=r"oncall\.ics: No such file or directory"):
        fetch(str(file))
    for text in (OLD, NEW):
        file.write_bytes(text.encode())
        assert Calendars(tmp_path / "calendars", NOW).read(str(file)) == text
    file.unlink()
    assert Calendars(tmp_path / "calendars", NOW).read(str(file)) == NEW


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/oncall.ics" else 404)
        self.end_headers()
        self.wfile.write(NEW.encode())

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as serving:
        Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_urls_are_asked(address: str) -> None:
    assert fetch(f"{address}/oncall.ics") == NEW
    with pytest.raises(UnavailableError, match="HTTP 404"):
        fetch(f"{address}/s3cret-name.ics")
