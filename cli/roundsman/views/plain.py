"""Text for a terminal that others wrote: hosts, servers and people."""

from __future__ import annotations

from rich import markup

from ..words import visible


def escape(text: str) -> str:
    """Neither markup of ours nor commands to the terminal."""
    return markup.escape(visible(text))
