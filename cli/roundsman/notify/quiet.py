"""Keeps libraries from logging what they send, and where to."""

from __future__ import annotations

import logging


def quiet(*loggers: str) -> None:
    """Let nothing below WARNING out of these loggers: httpx at INFO, and urllib3 and Apprise at DEBUG, log the whole
    URL, so that `-v` of somebody's logging set-up would write secrets down.
    """
    for name in loggers:
        logging.getLogger(name).setLevel(logging.WARNING)
