"""Numbers as people say them."""

from __future__ import annotations

from unicodedata import category


def counted(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def size(size_bytes: float) -> str:
    """Bytes in binary units: `512 B`, `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size_bytes < 1024 or unit == "TiB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    raise AssertionError


def visible(text: str) -> str:
    r"""The text with every character that a terminal would obey (escapes, bells, changes of direction) written out."""
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n")
    return "".join(c if c in "\n\t" or category(c)[0] != "C" else ascii(c)[1:-1] for c in lines)
