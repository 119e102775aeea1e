"""A restore in place while others write: what they do on the way is neither lost sight of nor taken for restored."""

from __future__ import annotations

from . import test_in_place_interrupted
from .cast import Anna
from .test_in_place import forget_what_moved, put_back
from .test_in_place_interrupted import Shop

shop = test_in_place_interrupted.shop


def when_it_stops(shop: Shop, script: str) -> None:
    """What the service does as its last act."""
    systemctl = shop.anna.bin / "systemctl"
    systemctl.write_text(systemctl.read_text().replace("stop) ", f"stop) {script}; "))


def test_what_a_service_writes_when_it_stops_is_replaced_as_well(shop: Shop) -> None:
    assert shop.restore()["changed"]
    one, two = shop.files
    two.write_text("spoilt")
    when_it_stops(shop, f"echo flushed > {one}")
    done = shop.restore()
    assert done.get("changed"), done
    assert shop.held == ["good", "good"]
    assert done["restore"]["change_count"] == 2, done


def test_what_is_written_right_after_it_was_restored_is_not_called_restored(shop: Shop) -> None:
    one, two = shop.files
    shop.program("cp", f'#!/bin/sh\ncase "$*" in *two*) echo late > {one};; esac\nexec /bin/cp "$@"\n')
    failed = shop.restore()
    assert failed["restore"]["reason"] == "restore_differs", failed
    assert one.name in failed["msg"]
    assert two.read_text() == "good"


def test_what_changed_during_the_backup_is_still_no_difference(anna: Anna) -> None:
    one, two = anna.write("one", "good"), anna.write("two", "good")
    grows = f'case "$1" in backup) echo more >> {one};; esac; exec "$RESTIC" "$@"'
    with anna.engine_behind(grows):
        assert anna.back_up()["changed"]
    forget_what_moved(anna)
    two.unlink()
    one.unlink()
    done = put_back(anna)
    assert done.get("changed"), done
    assert one.read_text() == "goodmore\n"


def test_what_somebody_else_removes_first_is_no_failure(shop: Shop) -> None:
    lock = shop.anna.write("lock", "made since")
    shop.anna.write("other", "made since")
    # The last thing before the removal is that a file is copied to its place.
    shop.program("cp", f'#!/bin/sh\nrm -f {lock}\nexec /bin/cp "$@"\n')
    done = shop.restore(delete=True)
    assert done.get("changed"), done
    assert done["restore"]["deleted"] == 1
    assert (shop.held, sorted(shop.anna.source.iterdir())) == (["good", "good"], sorted(shop.files))
