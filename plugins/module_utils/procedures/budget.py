# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which files of a cache are to go: by age, and to keep it within a size. No effects."""

from __future__ import annotations


def expendable(files, now, older_than_s=None, keep_bytes=None):
    """Those of `files` (any iterable of confined.File) that neither age nor size lets stay, a list.

    Old is what was neither read nor written for longer than `older_than_s`. What is left of more than `keep_bytes`
    loses the files that nobody used for longest; those whose removal would free nothing stay.
    """
    chosen, staying = [], {}
    for one in files:
        if older_than_s is not None and now - one.used_at > older_than_s:
            chosen.append(one)
        elif keep_bytes is not None:
            staying.setdefault(one.inode, []).append(one)
    # A file's blocks are there once, however many names it has, and free only with the last of them.
    whole = [names for names in staying.values() if len(names) == names[0].links and names[0].size_bytes]
    total = sum(names[0].size_bytes for names in staying.values())
    for names in sorted(whole, key=lambda names: names[0].used_at):
        if total <= keep_bytes:
            break
        chosen += names
        total -= names[0].size_bytes
    return chosen


def frees_bytes(files):
    """What removing all of `files` frees: of a file with further names, nothing."""
    names = {}
    for one in files:
        names.setdefault(one.inode, []).append(one)
    return sum(same[0].size_bytes for same in names.values() if len(same) == same[0].links)
