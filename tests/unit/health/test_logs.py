"""Logs since the last round, whatever happened to them meanwhile."""

import gzip
import json
import os
import shutil
import time

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import log_reader
from ansible_collections.roundsman.fleet.plugins.module_utils.log_reader import is_rotated
from ansible_collections.roundsman.fleet.plugins.module_utils.log_worker import Reading
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .builders import Context, keys_of, look


class Log:
    """A log, and a check that goes on where it stopped."""

    def __init__(self, folder, **keys):
        self.path = folder / "app.log"
        self.path.touch()
        self.mark = None
        self.check = {"type": "logfile", "path": str(self.path), "regex": "ERROR", **keys}

    def write(self, *lines):
        with self.path.open("ab") as file:
            file.writelines(line if isinstance(line, bytes) else f"{line}\n".encode() for line in lines)

    def look(self):
        result, left = look(self.check, json.loads(json.dumps(self.mark)))
        self.mark = left or self.mark
        return result

    def count(self):
        return self.look()["value"]

    def sibling(self, name):
        return self.path.with_name(name)


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path)


def test_every_line_counts_once(log):
    log.write("ERROR 1", "fine", "ERROR 2")
    first = log.look()
    assert (first["value"], first["status"]) == (2, "WARNING")
    assert "(warn 0); first look, at the last 1.0 MiB; the last: ERROR 2" in first["message"]
    assert (log.count(), log.look()["status"]) == (0, "OK")
    log.write("ERROR 3")
    again = log.look()
    assert (again["value"], "'lines per minute'=" in again["perfdata"]) == (1, True)


def test_a_line_that_is_still_being_written_is_left_for_the_next_look(log):
    log.write("fine")
    log.count()
    log.write(b"ERR")
    assert log.count() == 0
    log.write(b"OR at last\n")
    assert log.count() == 1


def test_the_first_look_reads_only_the_end(tmp_path):
    log = Log(tmp_path, tail="1k")
    log.write(*["ERROR of long ago"] * 1000)
    log.write("ERROR of now")
    result = log.look()
    assert 50 < result["value"] < 62
    assert "first look, at the last 1.0 KiB" in result["message"]

    from_now_on = Log(tmp_path, tail=0)
    assert from_now_on.count() == 0
    from_now_on.write("ERROR")
    assert from_now_on.count() == 1


@pytest.mark.parametrize("name", ["app.log.1", "app.log-20261125", "app-20261125.log", "app.log.2026-11-25"])
def test_what_was_renamed_is_read_to_its_end_and_then_the_new_one(log, name):
    log.write("ERROR 1")
    log.count()
    log.write("ERROR 2")
    log.path.rename(log.sibling(name))
    log.write("ERROR 3", "fine")
    assert (log.count(), log.count()) == (2, 0)
    with log.sibling(name).open("a") as still_open:  # until the service opens its log anew
        still_open.write("ERROR 4\n")
    assert log.count() == 1


def test_what_was_copied_and_truncated_is_read_to_its_end_and_then_the_new_one(log):
    log.write("ERROR 1")
    log.count()
    log.write("ERROR 2")
    shutil.copy(log.path, log.sibling("app.log.1"))
    os.truncate(log.path, 0)
    log.write("ERROR 3", "ERROR 4, and already longer than where the last look ended")
    assert (log.count(), log.count()) == (3, 0)


def test_a_copy_beside_the_log_is_not_counted_again(log):
    log.write("ERROR 1")
    log.count()
    log.write("ERROR 2")
    shutil.copy(log.path, log.sibling("app.log.1"))
    assert (log.count(), log.count()) == (1, 0)


def test_two_rotations_between_two_looks(log):
    log.write("ERROR 1")
    log.count()
    log.path.rename(log.sibling("app.log.2"))
    log.write("ERROR 2")
    log.path.rename(log.sibling("app.log.1"))
    log.write("ERROR 3")
    assert (log.count(), log.count()) == (2, 0)


def test_what_is_lost_is_said(log):
    log.write("ERROR 1")
    log.count()
    os.truncate(log.path, 0)
    log.write("E")
    assert f"{log.path} was truncated, or rotated away: what it got after the last look is missed" in log.look()[
        "message"
    ]
    log.write("ERROR 2")
    with gzip.open(log.sibling("app.log.1.gz"), "wb") as packed:
        packed.write(log.path.read_bytes())
    log.path.unlink()
    log.write("ERROR 3")
    result = log.look()
    assert f"was rotated and compressed as {log.path}.1.gz" in result["message"]
    assert result["value"] == 1


def test_an_inode_that_is_used_again_is_another_log(log):
    log.write("one", "two")
    log.count()
    before = log.path.stat().st_ino
    os.truncate(log.path, 0)
    log.write("ERROR in a log that is longer now")
    assert log.path.stat().st_ino == before
    assert log.count() == 1


def test_a_truncated_log_that_begins_as_before_and_is_shorter(log):
    header = ["# the same at every start"] * 50
    log.write(*header, "a line that is gone afterwards")
    log.count()
    os.truncate(log.path, 0)
    log.write(*header, "ERROR")
    result = log.look()
    assert (result["value"], "was truncated" in result["message"]) == (1, True)


def test_an_old_rotated_log_that_comes_into_view_is_not_counted(log):
    for number in range(1, 6):
        log.sibling(f"app.log.{number}").write_text(f"ERROR {number} of long ago\n")
        os.utime(log.sibling(f"app.log.{number}"), (1e9 - number, 1e9 - number))
    log.count()
    log.sibling("app.log.1").unlink()
    assert log.count() == 0


def test_a_rotation_between_planning_and_reading_loses_nothing(log, monkeypatch):
    apart = log_reader.run_apart

    def rotates_first(*arguments):
        log.path.rename(log.sibling("app.log.1"))
        log.write("ERROR 3")
        return apart(*arguments)

    log.write("ERROR 1")
    assert log.count() == 1
    log.write("ERROR 2")
    monkeypatch.setattr(log_reader, "run_apart", rotates_first)
    assert log.count() == 0
    monkeypatch.undo()
    assert (log.count(), log.count()) == (2, 0)


def test_bytes_that_are_no_text_and_other_encodings(tmp_path):
    log = Log(tmp_path)
    log.write(b"\xff\xfe ERROR \x00\x80\n", b"\xe9chec\n")
    result = log.look()
    assert result["value"] == 1
    assert result["message"].isprintable()
    latin = Log(tmp_path, regex="^échec$", encoding="latin-1")
    assert latin.count() == 1


def test_ignored_lines_and_quotes_without_secrets(tmp_path):
    log = Log(tmp_path, ignore="expected", crit=5)
    log.write("ERROR expected", "ERROR login failed password=hunter2 at https://bob:hunter2@db/ " + "x" * 500)
    message = log.look()["message"]
    assert message.startswith(f"1 line of {log.path} matches ERROR (warn 0)")
    assert "hunter2" not in message
    assert len(message) < 450
    silent = Log(tmp_path, quote=False)
    assert "login" not in silent.look()["message"]


def test_a_pattern_of_logs_leaves_rotated_ones_to_their_own(tmp_path):
    log = Log(tmp_path, path=str(tmp_path / "*.log*"))
    other = tmp_path / "other.log"
    log.write("ERROR 1")
    other.write_text("ERROR 1\n")
    assert log.count() == 2
    log.write("ERROR 2")
    log.path.rename(log.sibling("app.log.1"))
    log.write("ERROR 3")
    (tmp_path / "new.log").write_text("ERROR 4\n")
    assert (log.count(), log.count()) == (3, 0)


@pytest.mark.parametrize("mark", [7, "x", {}, {"path": None}, {"path": "", "at": 1, "files": [[1]]}, {"files": 3}])
def test_a_strange_bookmark_is_like_none(log, mark):
    log.write("ERROR")
    result, _left = look(log.check, mark)
    assert "first look" in result["message"]


def test_a_check_that_now_has_another_path_begins_anew(log):
    log.count()
    other = log.path.with_name("other.log")
    other.write_text("ERROR\n")
    assert "first look" in look({**log.check, "path": str(other)}, log.mark)[0]["message"]


def test_no_log_and_no_regular_file(tmp_path):
    log = Log(tmp_path)
    log.path.unlink()
    assert (log.look()["status"], log.look()["message"]) == ("UNKNOWN", f"{log.path} is not there")
    assert look({**log.check, "optional": True})[0] is None
    assert look({**log.check, "path": str(tmp_path / "*.log"), "optional": True})[0] is None
    os.mkfifo(log.path)
    assert log.look()["message"] == f"{log.path} is not a regular file"


def test_a_catastrophic_expression_ends_at_the_limit_and_takes_no_other_check_down(log):
    log.write("a" * 40 + "!")
    started = time.monotonic()
    result, left = look({**log.check, "regex": "(a+)+$"}, limit_s=1)
    assert (result["status"], result["message"]) == ("UNKNOWN", "no answer within 1 s")
    assert (left, time.monotonic() - started < 60) == (None, True)


def test_reading_ends_in_time_and_goes_on_where_it_stopped(log, monkeypatch):
    monkeypatch.setattr(log_reader, "SHARE_OF_LIMIT", 0.0)
    log.write("fine")
    log.mark = look(log.check)[1]
    log.write("ERROR")
    behind = log.look()
    assert (behind["value"], "11 B behind, as the time limit ended the reading" in behind["message"]) == (0, True)
    monkeypatch.undo()
    assert log.count() == 1


def test_a_line_without_end_is_read_in_pieces(tmp_path):
    file = tmp_path / "log"
    file.write_bytes(b"x" * (3 * 1024 * 1024 + 5))
    with file.open("rb") as opened:
        reading = Reading(opened, 0, partial=False)
        assert sum(len(line) for line in reading.lines(time.monotonic() + 60)) == reading.position
        assert reading.position == 3 * 1024 * 1024


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"regex": "("}, 'regex "(" is not a regular expression'),
        ({"ignore": "*"}, 'ignore "*" is not a regular expression'),
        ({"encoding": "utf-16"}, "does not end lines with a plain newline"),
        ({"encoding": "klingon"}, "encoding klingon is unknown"),
        ({"encoding": "zlib"}, "encoding zlib"),
        ({"tail": "10%"}, "is not a size such as"),
    ],
)
def test_faults(keys, words):
    from ansible_collections.roundsman.fleet.plugins.module_utils.specs import read

    (fault,) = read([{"type": "logfile", "path": "/x", "regex": "x", **keys}], 10)[1]
    assert words in fault


@pytest.mark.parametrize(
    ("name", "rotated"),
    [
        ("app.log.1", True),
        ("app.log.12.gz", True),
        ("app.log-20261125.xz", True),
        ("app-20261125.log", True),
        ("app.log", False),
        ("app.log.bak", False),
        ("app-error.log", False),
        ("myapp.log.1", False),
    ],
)
def test_names_of_rotated_logs(name, rotated):
    assert is_rotated(name, "app.log") is rotated


STEPS = st.lists(st.sampled_from(["write", "write", "rename", "copy", "look"]), max_size=25)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_rotated_when_every_line_counts_exactly_once(tmp_path, monkeypatch, steps):
    monkeypatch.setattr(log_reader, "run_apart", lambda _context, work, request: work(json.loads(json.dumps(request))))
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    log, written, counted, rotations = Log(tmp_path, tail=0), 0, 0, 0

    def look_here():
        nonlocal log
        context = Context(10, bookmark=log.mark)
        sums = log_reader.look(
            keys_of(log.check), context, {"count": "matches", "regex": "ERROR", "ignore": None, "encoding": "utf-8"}
        )
        log.mark = context.left
        return sums.sums["found"]

    look_here()
    log.write("a beginning of its own")
    look_here()
    for step in [*steps, "look"]:
        if step == "write":
            written += 1
            log.write(f"ERROR {written}")
        elif step == "look":
            counted += look_here()
            rotations = 0
        elif rotations < log_reader.MOST_ROTATED and log.path.stat().st_size:
            rotations += 1
            for number in range(5, 0, -1):
                if log.sibling(f"app.log.{number}").exists():
                    log.sibling(f"app.log.{number}").rename(log.sibling(f"app.log.{number + 1}"))
            if step == "rename":
                log.path.rename(log.sibling("app.log.1"))
                log.path.touch()
            else:
                shutil.copy(log.path, log.sibling("app.log.1"))
                os.truncate(log.path, 0)
    assert counted == written
