"""Keeps the secrets of a target out of what is recorded and shown about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from roundsman.notify.channel import Target

HIDDEN = "***"
_SHORTEST = 4  # shorter pieces hide nothing and would hide half of every sentence


def redact(text: str, target: Target) -> str:
    """`text` on one line, at most 300 characters, without any piece of the target's URL or headers.

    Every piece, because in a URL such as slack:// even the place of the host name holds a token.
    """
    for secret in sorted(_secrets(target), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return " ".join(text.split())[:300]


def _secrets(target: Target) -> set[str]:
    rest = target.url.partition("://")[2]
    pieces = {rest, *re.split(r"[/?&=:@#,]+", rest), *_words(target.headers.values())}
    return {form for piece in pieces for form in (piece, unquote(piece)) if len(form) >= _SHORTEST}


def _words(values: Iterable[str]) -> set[str]:
    return {word for value in values for word in (value, *value.split())}
