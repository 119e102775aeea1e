"""Matchers in Alertmanager's syntax: `severity="critical"`, `team=~"db|web"`, `{a="b", c!="d"}`.

Like Alertmanager since 0.27, a text is first read as it always was (names of Prometheus, values quoted or bare,
a backslash stands for itself unless it escapes), and only what that cannot read is read as UTF-8 matchers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import re2

Labels = Mapping[str, str]

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BARE = r"[^\s{}!=~,\\\"'`]+"
_OPERATOR = r"(=~|!=|!~|=)"
_CLASSIC = re.compile(rf"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*{_OPERATOR}\s*(.*?)\s*", re.DOTALL)
_CLASSIC_VALUE = re.compile(rf'{_QUOTED}|(?!")(?:[^"\\]|\\.)*\\?', re.DOTALL)
_UTF8 = re.compile(rf"\s*({_QUOTED}|{_BARE})\s*{_OPERATOR}\s*({_QUOTED}|{_BARE})\s*(?:,|\Z)", re.DOTALL)


class MatcherError(ValueError):
    """The text is no matcher; the message names it."""


class Operator(StrEnum):
    """How a label is compared. Regular expressions are RE2 and match the whole value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True)
class Matcher:
    """One condition on one label. A label that is missing counts as empty."""

    name: str
    operator: Operator
    value: str
    _test: Callable[[str], bool] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise MatcherError(f"{self} names no label")
        object.__setattr__(self, "_test", self._compiled())

    def _compiled(self) -> Callable[[str], bool]:
        if self.operator is Operator.EQUAL:
            return self.value.__eq__
        if self.operator is Operator.NOT_EQUAL:
            return self.value.__ne__
        options = re2.Options()
        options.log_errors = False
        try:
            fullmatch = re2.compile(_bytes(self.value), options).fullmatch
        except re2.error as error:
            raise MatcherError(f"{self}: {error.args[0].decode()}") from None
        wanted = self.operator is Operator.REGEX
        return lambda value: (fullmatch(_bytes(value)) is not None) is wanted

    def matches(self, labels: Labels) -> bool:
        return self._test(labels.get(self.name, ""))

    def __str__(self) -> str:
        """Canonical: it parses to the same matcher, in Alertmanager, too."""
        name = self.name if re.fullmatch(_BARE, self.name) else json.dumps(self.name, ensure_ascii=False)
        value = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{name}{self.operator}"{value}"'


def _bytes(text: str) -> bytes:
    # A name from a file system may hold what UTF-8 cannot.
    return text.encode("utf-8", "replace")


Matchers = tuple[Matcher, ...]


def matches_all(matchers: Iterable[Matcher], labels: Labels) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def in_order(matchers: Iterable[Matcher]) -> Matchers:
    """As Alertmanager sorts them, so that equal sets have one text."""
    order = list(Operator)
    return tuple(sorted(matchers, key=lambda one: (one.name, one.value, order.index(one.operator))))


def text_of(matchers: Iterable[Matcher]) -> str:
    return "{" + ",".join(map(str, matchers)) + "}"


def parse(text: str) -> Matchers:
    """The matchers of a text, with or without braces. Raises MatcherError that names the faulty part."""
    try:
        return tuple(_classic(piece) for piece in _split(text.removeprefix("{").removesuffix("}")))
    except MatcherError:
        found = _utf8(text)
        if found is None:
            raise
        return found


def parse_all(texts: Iterable[str]) -> Matchers:
    """The matchers of a list in YAML, each item one or more."""
    return in_order(matcher for text in texts for matcher in parse(text))


def from_maps(match: Mapping[str, str], match_re: Mapping[str, str]) -> Matchers:
    """Alertmanager's deprecated `match` and `match_re`; it anchors the latter in writing, and that is in its keys."""
    equal = [Matcher(name, Operator.EQUAL, value) for name, value in match.items()]
    return in_order([*equal, *(Matcher(name, Operator.REGEX, f"^(?:{value})$") for name, value in match_re.items())])


def labels_from(text: str) -> dict[str, str]:
    """Labels as people write them: `severity=critical,team="db"`. Raises MatcherError."""
    labels = parse(text)
    for label in labels:
        if label.operator is not Operator.EQUAL:
            raise MatcherError(f"{label} is no label; write for example severity=critical")
    return {label.name: label.value for label in labels}


def _split(text: str) -> list[str]:
    """At the commas outside of quotes; one at the end separates nothing."""
    pieces, start, quoted = [], 0, False
    for mark in re.finditer(r'\\[\\"]|"|,', text):
        if mark[0] == '"':
            quoted = not quoted
        elif mark[0] == "," and not quoted:
            pieces.append(text[start : mark.start()])
            start = mark.end()
    return [*pieces, text[start:]] if text[start:].strip() else pieces


def _classic(piece: str) -> Matcher:
    whole = _CLASSIC.fullmatch(piece)
    if whole is None:
        raise MatcherError(f'{piece.strip()!r} is not a matcher; write for example severity="critical"')
    name, operator, value = whole.groups()
    if _CLASSIC_VALUE.fullmatch(value) is None:
        raise MatcherError(f'{piece.strip()!r}: the quotes do not match; within a value write them as \\"')
    if value.startswith('"'):
        value = value[1:-1]
    return Matcher(name, Operator(operator), re.sub(r"\\(.)", _unescaped, value, flags=re.DOTALL))


def _unescaped(escape: re.Match[str]) -> str:
    return {"n": "\n", '"': '"', "\\": "\\"}.get(escape[1], escape[0])


def _utf8(text: str) -> Matchers | None:
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        return None
    inner = inner.removeprefix("{").removesuffix("}")
    found, position = [], 0
    while inner[position:].strip():
        one = _UTF8.match(inner, position)
        if one is None:
            return None
        try:
            name, value = _unquoted(one[1]), _unquoted(one[3])
        except json.JSONDecodeError:
            return None
        found.append(Matcher(name, Operator(one[2]), value))
        position = one.end()
    return tuple(found)


def _unquoted(token: str) -> str:
    """Go's escapes are JSON's, but for some that nobody writes in a label."""
    return str(json.loads(token, strict=False)) if token.startswith('"') else token
