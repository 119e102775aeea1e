# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a kind of source must offer, and which kinds there are.

A source is a class with `type`, `KEYS` (the keys that its definition may have), and

- `faults(spec)`: what is wrong with a definition, as a list of str, without touching anything;
- `prepare(state, always_excluded)`: make what is to be saved ready and return a Prepared, or raise BackupError;
- `cleanup()`: remove what `prepare` made; called in any case.
"""

from __future__ import annotations

from collections import namedtuple

# paths (absolute, bytes, none below another), excludes (patterns, bytes), warnings (str)
Prepared = namedtuple("Prepared", "paths excludes warnings")
