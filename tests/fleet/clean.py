"""Remove what killed test runs left on this machine: `python -m tests.fleet.clean`.

What a living process holds is never touched, nor anything that is not called `rmf…`.
"""

from __future__ import annotations

import sys

from tests.fleet import claim


def clean() -> list[str]:
    """Remove all leftovers; return the names of what was removed."""
    removed = []
    for abandoned in claim.abandoned():
        abandoned.release()
        removed.append(abandoned.name)
    return removed


if __name__ == "__main__":
    names = clean()
    sys.stdout.write(f"removed {', '.join(names)}\n" if names else "nothing to remove\n")
