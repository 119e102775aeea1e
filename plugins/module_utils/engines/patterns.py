# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""restic's exclude patterns, so that our own walk leaves out exactly what the engine leaves out.

A pattern is a list of components. An absolute one is matched from the root, any other anywhere in the path; a match on
a directory covers all below it. `*`, `?` and `[a-z]` stay within a component, `**` stands for any number of components,
a leading `!` takes back what an earlier pattern excluded. (Format: restic's manual, "Excluding Files".)
"""

from __future__ import annotations

import os
import re

# One character of a file name: a valid UTF-8 sequence or, in a name that is none, a single byte.
_SEQUENCES = (
    rb"[\x00-\x2e\x30-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_CHARACTER = rb"(?:" + _SEQUENCES + rb"|(?!" + _SEQUENCES + rb")[\x80-\xff])"
_TOKEN = re.compile(
    rb"\\(?P<escaped>.)|(?P<star>\*+)|(?P<any>\?)|\[(?P<not>\^?)(?P<set>(?:\\.|[^\]\\])+)\]|(?P<plain>[^\\*?\[])",
    re.DOTALL,
)
# A member of a set: one character or a range. `-` and `]` stand for themselves only after a backslash.
_ONE = rb"\\(?:" + _SEQUENCES + rb")|(?![-\]\\])(?:" + _SEQUENCES + rb")"
_MEMBER = re.compile(rb"(?P<low>" + _ONE + rb")(?:-(?P<high>" + _ONE + rb"))?", re.DOTALL)


class PatternError(ValueError):
    """A pattern that the engine would refuse or that we cannot follow exactly."""


def _character_set(negated, text):
    members, position = [], 0
    while position < len(text):
        part = _MEMBER.match(text, position)
        if not part or (text[:1] == b"^" and not negated):
            raise PatternError("an unclear set of characters")
        members.append(_range(*(_plain(part.group(name)) for name in ("low", "high"))))
        position = part.end()
    found = b"(?:" + b"|".join(members) + b")"
    return b"(?!" + found + b")" + _CHARACTER if negated else found


def _plain(character):
    return character[1:] if character and character[:1] == b"\\" else character


def _range(low, high):
    if high is None:
        return re.escape(low)
    if len(low) > 1 or len(high) > 1 or low > high:
        raise PatternError("a range that runs backwards or is not ASCII")
    return b"[" + re.escape(low) + b"-" + re.escape(high) + b"]"


def _component(text):
    """One component of a pattern as a regular expression over bytes."""
    result, position = [], 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if not token:
            raise PatternError("an open bracket or a lone backslash")
        if token.group("star"):
            result.append(rb"[^/]*")
        elif token.group("any"):
            result.append(_CHARACTER)
        elif token.group("set") is not None:
            result.append(_character_set(token.group("not"), token.group("set")))
        else:
            result.append(re.escape(token.group("escaped") or token.group("plain")))
        position = token.end()
    return b"".join(result)


def _expression(pattern):
    clean = os.path.normpath(pattern)
    if clean.startswith(b"//"):
        clean = clean[1:]
    start = rb"\A" if clean.startswith(b"/") else b""
    parts = clean.lstrip(b"/").split(b"/")
    body = b"".join(rb"(?:/[^/]+)*" if part in (b"**", b"") else b"/" + _component(part) for part in parts)
    return b"(?:" + start + body + rb"(?:/|\Z))"


def literal(path):
    """A pattern (bytes) that matches exactly this path."""
    return re.sub(rb"([\\*?\[\]])", rb"\\\1", path)


def compile_patterns(patterns):
    """A function (path: bytes) -> bool that says whether the patterns (bytes) exclude an absolute path."""
    rules = []
    for pattern in patterns:
        negated = pattern.startswith(b"!")
        body = pattern[1:] if negated else pattern
        if not body:
            raise PatternError("an empty pattern")
        expression = _expression(body)
        if rules and rules[-1][0] == negated:
            rules[-1][1].append(expression)
        else:
            rules.append((negated, [expression]))
    compiled = [(negated, re.compile(b"|".join(parts), re.DOTALL)) for negated, parts in rules]

    def excluded(path):
        verdict = False
        for negated, expression in compiled:
            if verdict == negated and expression.search(path):
                verdict = not negated
        return verdict

    return excluded
