# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether texts match an expression. Runs in a process of its own (apart.py), so it imports nothing of ours."""

from __future__ import annotations

import re


def answer(request):
    """For each of `request["texts"]` whether `request["regex"]` is found in it."""
    expression = re.compile(request["regex"])
    return [bool(expression.search(text)) for text in request["texts"]]
