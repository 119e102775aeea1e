"""From the text of a YAML file to typed settings, and from a fault back to its file, line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class ConfigError(Exception):
    """The configuration cannot be used; the text says where and why."""


class _Loader(yaml.SafeLoader):
    """As Go's YAML reads what Alertmanager takes: `10:30` and `yes` are text, and so are dates."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 # the name and the kind are PyYAML's


for tag, pattern, first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"0|-?[1-9][0-9]*", list("-0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), first)


def read(path: Path) -> str:
    """The text of a configuration file. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def parse(
    model: type[Model], text: str, path: Path, prepare: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> Model:
    """The settings that the text of the file at `path` holds; `prepare` may change what was written.

    Raises ConfigError that lists every fault with file, line and key.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        doubled = [f"{path}:{line}: {key}: is written twice" for line, key in _doubled(node, set())]
        if doubled:
            raise ConfigError("\n".join(doubled))
        raw = loader.construct_document(node) if node else {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: is not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {error}") from error
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}:1: must be a mapping of settings")
    try:
        return model.model_validate(prepare(raw), context=path.absolute().parent)
    except ValidationError as error:
        faults = [_fault(path, node, fault) for fault in error.errors(include_input=False, include_url=False)]
        raise ConfigError("\n".join(faults)) from None


def _doubled(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[int, str]]:
    """Keys that a mapping has twice, each with its line: YAML would silently take the last."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        before = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in before:
                    yield key.start_mark.line + 1, key.value
                before.add(key.value)
            yield from _doubled(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(value, seen)


def _fault(path: Path, node: yaml.Node | None, fault: Any) -> str:
    location = [part for part in fault["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    key = ".".join(str(part) for part in location)
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "there is no such setting"
    return f"{path}:{_line(node, location)}: {key + ': ' if key else ''}{message}"


def _line(node: yaml.Node | None, location: list[int | str]) -> int:
    """The line (from 1) of the deepest part of the location that the file has."""
    line = node.start_mark.line if node else 0
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1
