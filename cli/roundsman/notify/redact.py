"""Keeps secrets out of what is recorded, shown and sent: those of targets, and what looks like one elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import unquote

HIDDEN = "***"
_SHORTEST = 4  # shorter pieces hide nothing and would hide half of every sentence
# The rules by which hosts hide secrets in their own results.
_RULES = "ansible_collections.roundsman.fleet.plugins.module_utils.redaction"


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` on one line, at most 300 characters, without any piece of these URLs, header values and passwords.

    Every piece, because in a URL such as slack:// even the place of the host name holds a token.
    """
    for piece in sorted({piece for secret in secrets for piece in _pieces(secret)}, key=len, reverse=True):
        text = text.replace(piece, HIDDEN)
    return " ".join(text.split())[:300]


def _pieces(secret: str) -> set[str]:
    rest = secret.partition("://")[2] or secret
    pieces = (rest, *re.split(r"[/?&=:@#,\s]+", rest))
    return {form for piece in pieces for form in (piece, unquote(piece)) if len(form) >= _SHORTEST}


def scrub(value: Any) -> Any:
    """A text, or texts inside lists and mappings, without what looks like a secret.

    A check may quote a log line, a connection string, the output of a plugin: all of it goes to chats and mailboxes.
    """
    rules = import_module(_RULES)
    if isinstance(value, str):
        return rules.without_obvious(value)
    if isinstance(value, Mapping):
        hidden = {key for key, entry in value.items() if entry and isinstance(entry, str) and rules.names_secret(key)}
        return {key: HIDDEN if key in hidden else scrub(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(entry) for entry in value]
    return value
