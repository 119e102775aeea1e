"""A limit for a whole conversation, which no timeout of a socket is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(limit_s: float, talk: Callable[[], T]) -> T:
    """What comes of `talk`. Raises TimeoutError when it takes longer.

    A resolver that hangs and a server that sends a byte now and then outlast every timeout of a socket. What is given
    up may yet be delivered; its repeat has the same key.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(talk())
        except BaseException as error:  # noqa: BLE001 - raised again where somebody waits for it
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result(limit_s)
