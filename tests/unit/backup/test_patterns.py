"""Our walk leaves out exactly what restic leaves out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils import tree
from ansible_collections.roundsman.fleet.plugins.module_utils.engines.patterns import (
    PatternError,
    compile_patterns,
    literal,
)

from .cast import Anna

NASTY_TREE = (
    b"a/b/c/d.txt", b"a/b/c.txt", b"a/x/c/d.txt", b"logs/app.log", b"log/x", b"deep/er/log/y", b"catalog/z", b"logs2/z",
    b"sp ace/new\nline", b"st*r/file", b"st*r2/file", b"[set]/file", b"back\\slash/file", b"\xe9t\xe9.txt",
    "été.txt".encode(), "日本/語.txt".encode(), b"\xff\xfe/raw", b"node_modules/m/index.js", b"x/node_modules/n",
    b"foo.bak", b"dir.bak/inner", b"!bang", b"-dash", b".hidden/.h", b"~tilde", b"a/b/node/keep.txt",
    b"#hash", b"$HOME",
    b"b/c", b"aa/b/c", b"q/a/b/c", b"{brace}/f", b"]/f", b"a-b/f", b"^caret/f",
)  # fmt: skip

PATTERNS = (
    ["*.txt"], ["?.bak"], ["???.bak"], ["*.bak"], ["log", "logs"], ["a/b"], ["a/*/c"], ["a/**/d.txt"], ["**/c"],
    ["a/**"], ["**"], ["*"], ["/"], ["[a-c]"], ["[^a-z]*"], ["[xyz]"], ["[é]té.txt"], ["*é*"], ["?t?.txt"],
    ["??.txt"], ["*??.txt"], ["日?"], ["日*/*"], ["st\\*r"], ["\\[set\\]"], ["node_modules/"], ["./b/c"], ["a//b"],
    ["a/../b"], ["\\!bang"], ["-dash"], [".*"], ["~*"], ["*.txt", "!d.txt"], ["*.txt", "!d.txt", "a/x"], ["a", "!a/b"],
    ["new\nline"], ["sp ace/*"], ["back\\\\slash"], ["$HOME"], ["#hash"], ["{brace}"], ["a-b"], ["[a\\-]*"],
    ["\\^caret"],
    ["[\\^]caret"], ["SOURCE/a"], ["SOURCE/*/b"], ["SOURCE/**/c"], ["SOURCE"], ["SOURCE/a/", "!SOURCE/a/b"], ["/*/*"],
)  # fmt: skip


def make(source: Path, names: tuple[bytes, ...]) -> None:
    for name in names:
        path = os.path.join(os.fsencode(source), name)  # noqa: PTH118  (bytes)
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as stream:  # noqa: PTH123
            stream.write(name)


def listed(anna: Anna, snapshot: str) -> set[str]:
    """Paths of a snapshot at and below the source."""
    import json

    below = str(anna.source)
    lines = (json.loads(line) for line in anna.restic("ls", "--json", snapshot).splitlines())
    paths = {line["path"] for line in lines if line.get("struct_type") == "node"}
    return {p for p in paths if p == below or p.startswith(below + "/")}


@pytest.fixture
def nasty(anna: Anna) -> Anna:
    make(anna.source, NASTY_TREE)
    return anna


def test_walk_and_engine_agree_on_every_pattern(nasty: Anna) -> None:
    source = os.fsencode(nasty.source)
    for patterns in PATTERNS:
        written = [p.replace("SOURCE", str(nasty.source)) for p in patterns]
        excludes = [os.fsencode(p) for p in written]
        nasty.restic("backup", "--force", *(b"--exclude=" + p for p in excludes), source)
        # restic shows odd bytes as U+FFFD in JSON; the names of the tree stay distinct all the same.
        ours = {f.path.decode(errors="replace") for f in tree.walk([source], b"", compile_patterns(excludes))}
        assert ours == listed(nasty, "latest"), patterns


@pytest.mark.parametrize("pattern", ["[a", "[", "a\\", "", "!", "[]", "[^]", "[b-a]", "[a-]", "[-a]", "[]a]"])
def test_broken_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_patterns([os.fsencode(pattern)])


@pytest.mark.parametrize("name", NASTY_TREE)
def test_a_literal_matches_itself_alone(name: bytes) -> None:
    excluded = compile_patterns([literal(b"/" + name)])
    assert [other for other in NASTY_TREE if excluded(b"/" + other)] == [name]
