"""The never-arrows of DESIGN.md, and the Python 3.8 floor of what runs on hosts."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from tests.pythons import real_python

ROOT = Path(__file__).parents[1]
CLI = ROOT / "cli" / "roundsman"
PLUGINS = ROOT / "plugins"
ON_HOSTS = ("modules", "module_utils")
FLOOR = (3, 8)
HOST_PYTHONS = ("3.8", "3.13")
# sys.stdlib_module_names is this Python's; hosts may have these as well.
STANDARD_LIBRARY = sys.stdlib_module_names | {"distutils", "imp"}


@dataclass(frozen=True)
class Import:
    """One imported name, absolute: `from .store import schema` in roundsman/ledger.py is roundsman.store.schema."""

    file: Path
    line: int
    name: str

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]

    def of(self, *packages: str) -> bool:
        return any(self.name == package or self.name.startswith(f"{package}.") for package in packages)

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.name}"


def package_of(file: Path) -> list[str]:
    """The package whose relative imports a file makes."""
    if file.is_relative_to(CLI):
        return ["roundsman", *file.parent.relative_to(CLI).parts]
    return ["ansible_collections", "roundsman", "fleet", *file.parent.relative_to(ROOT).parts]


def imports(file: Path) -> Iterator[Import]:
    package = package_of(file)
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(file, node.lineno, f"{stem}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"__import__", "import_module"} and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield Import(file, node.lineno, name.value)


def _called(node: ast.Call) -> str:
    """The last word of what is called: `importlib.import_module(…)` is import_module."""
    return ast.unparse(node.func).rpartition(".")[2]


def sources(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*.py"))


def on_hosts() -> list[Path]:
    return sources(*(PLUGINS / part for part in ON_HOSTS))


def found(files: list[Path], *packages: str) -> list[str]:
    return [str(one) for file in files for one in imports(file) if one.of(*packages)]


def outside(*rooms: str) -> list[Path]:
    """Files of the CLI that are in none of these rooms (a package, or a module)."""
    kept = [CLI / room for room in rooms]
    return [file for file in sources(CLI) if not any(file == room or file.is_relative_to(room) for room in kept)]


def test_the_house_is_there() -> None:
    """Every rule below holds trivially for a folder that is not there."""
    assert sources(CLI)
    assert on_hosts()
    for room in ("alerts", "notify", "store"):
        assert sources(CLI / room), room


def test_the_reader_of_imports_sees_every_way_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "CLI", tmp_path)
    file = tmp_path / "alerts" / "decide.py"
    file.parent.mkdir()
    file.write_text(
        "import os.path, click as c\nfrom . import model\nfrom ..store.schema import runs\n"
        "def late():\n    from sqlalchemy import text\n    importlib.import_module('httpx')\n"
    )
    assert [one.name for one in imports(file)] == [
        "os.path", "click", "roundsman.alerts.model", "roundsman.store.schema.runs", "sqlalchemy.text", "httpx",
    ]  # fmt: skip


def test_the_collection_stands_alone() -> None:
    assert found(sources(PLUGINS), "roundsman") == []


def test_what_runs_on_hosts_needs_nothing_that_hosts_lack() -> None:
    ours = "ansible_collections.roundsman.fleet.plugins.module_utils"
    strange = [
        str(one)
        for file in on_hosts()
        for one in imports(file)
        if one.top not in {*STANDARD_LIBRARY, "psutil"} and not one.of("ansible.module_utils", ours)
    ]
    assert strange == []


def test_imports_within_the_collection_are_relative() -> None:
    absolute = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in sources(PLUGINS)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("ansible_collections")
    ]
    assert absolute == []


PURE = ("alerts", "windows", "backups", "insight")
EFFECTS = (
    "sqlalchemy", "alembic", "sqlite3", "click", "rich", "httpx", "apprise", "requests", "urllib.request", "http",
    "socket", "smtplib", "ssl", "subprocess", "os", "shutil", "tempfile", "time", "random", "secrets", "asyncio",
    "threading", "paramiko", "ansible", "ansible_runner", "starlette",
    "roundsman.store", "roundsman.notify", "roundsman.commands", "roundsman.views", "roundsman.runner",
    "roundsman.ledger", "roundsman.doctor", "roundsman.web", "roundsman.dispatch", "roundsman.session",
    "roundsman.config",
)  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}


def test_decisions_are_pure() -> None:
    assert found(sources(*(CLI / room for room in PURE)), *EFFECTS) == []


def test_decisions_read_no_clock() -> None:
    read = [
        f"{file.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}"
        for file in sources(*(CLI / room for room in PURE))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
        if ast.unparse(node.func.value).rpartition(".")[2] in {"datetime", "date", "time", "dt"}
    ]
    assert read == []


@pytest.mark.parametrize(
    ("rooms", "packages"),
    [
        (("store",), ("sqlalchemy", "alembic", "sqlite3", "psycopg")),
        (("runner.py",), ("ansible_runner",)),
        (("notify",), ("httpx", "apprise", "smtplib", "requests", "urllib.request", "pagerduty")),
        (("doctor",), ("paramiko",)),
        (("commands", "views", "__main__.py"), ("click", "rich")),
        (("web",), ("starlette", "uvicorn")),
    ],
)
def test_one_room_only(rooms: tuple[str, ...], packages: tuple[str, ...]) -> None:
    assert found(outside(*rooms), *packages) == []


def test_nobody_downstream_calls_back_up() -> None:
    """The faces know everybody; nobody knows the faces."""
    faces = ("roundsman.commands", "roundsman.web")
    assert found(outside("commands", "web", "__main__.py"), *faces) == []


@pytest.mark.parametrize("file", on_hosts(), ids=lambda file: str(file.relative_to(PLUGINS)))
def test_the_python_floor_in_syntax(file: Path) -> None:
    ast.parse(file.read_text(), str(file), feature_version=FLOOR)


NEWER_THAN_THE_FLOOR = {
    "removeprefix": "str.removeprefix is 3.9", "removesuffix": "str.removesuffix is 3.9",
    "is_relative_to": "Path.is_relative_to is 3.9", "bit_count": "int.bit_count is 3.10",
    "pairwise": "itertools.pairwise is 3.10", "hardlink_to": "Path.hardlink_to is 3.10",
    "randbytes": "random.randbytes is 3.9", "file_digest": "hashlib.file_digest is 3.11",
}  # fmt: skip
GENERIC = {"list", "dict", "set", "frozenset", "tuple", "type"}


def newer_than_the_floor(tree: ast.Module) -> Iterator[str]:
    """What parses as 3.8 and fails there when it runs."""
    postponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    annotations = {id(part) for whole in _annotations(tree) for part in ast.walk(whole)} if postponed else set()
    for node in ast.walk(tree):
        if id(node) in annotations:
            continue
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _is_type_union(node):
            yield f"{node.lineno}: X | Y as a type is 3.10"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _has_dict(node):
            yield f"{node.lineno}: dict | dict is 3.9"
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in GENERIC:
            yield f"{node.lineno}: {node.value.id}[…] at run time is 3.9"
        elif isinstance(node, ast.Attribute) and node.attr in NEWER_THAN_THE_FLOOR:
            yield f"{node.lineno}: {NEWER_THAN_THE_FLOOR[node.attr]}"
        elif isinstance(node, ast.Call) and any(_too_new(node, keyword.arg) for keyword in node.keywords):
            yield f"{node.lineno}: {ast.unparse(node.func)} has no such argument before 3.10"


def _annotations(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if isinstance(part := getattr(node, name, None), ast.expr):
                yield part


def _is_type_union(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    builtin = GENERIC | {"str", "int", "float", "bytes", "bool", "object"}
    return any(
        (isinstance(side, ast.Constant) and side.value is None) or (isinstance(side, ast.Name) and side.id in builtin)
        for side in sides
    )


def _has_dict(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.Dict | ast.DictComp) or (isinstance(side, ast.Call) and _called(side) == "dict")
        for side in (node.left, node.right)
    )


def _too_new(node: ast.Call, argument: str | None) -> bool:
    return (_called(node), argument) in {("zip", "strict"), ("dataclass", "slots"), ("dataclass", "kw_only")}


@pytest.mark.parametrize("file", on_hosts(), ids=lambda file: str(file.relative_to(PLUGINS)))
def test_the_python_floor_at_run_time(file: Path) -> None:
    assert list(newer_than_the_floor(ast.parse(file.read_text()))) == []


@pytest.mark.parametrize(
    ("code", "old_enough"),
    [
        ("x: int | None = None", False),
        ("from __future__ import annotations\nx: int | None = None", True),
        ("from __future__ import annotations\nAlias = int | None", False),
        ("x = {} | {}", False),
        ("x = flags | os.O_EXCL", True),
        ("x = list[int]", False),
        ("'ab'.removeprefix('a')", False),
        ("zip(a, b, strict=True)", False),
    ],
)
def test_the_reader_of_the_floor(code: str, old_enough: bool) -> None:
    assert (list(newer_than_the_floor(ast.parse(code))) == []) is old_enough


COMPILE_AND_IMPORT = """
import importlib, importlib.machinery, os, sys, types
root, ansible, names = sys.argv[1], sys.argv[2], sys.argv[3:]
# As on a host: the zip of a module call holds these packages, and nothing else of Ansible or of ours.
for package, place in (("ansible_collections", None), ("ansible_collections.roundsman", None),
                       ("ansible_collections.roundsman.fleet", root), ("ansible", ansible)):
    module = sys.modules[package] = types.ModuleType(package)
    module.__path__, module.__file__ = ([place], place + "/__init__.py") if place else ([], None)
failed = 0
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed += 1
        print(name, type(error).__name__, error)
print("imported", len(names) - failed, "of", len(names))
sys.exit(failed)
"""


@pytest.mark.parametrize("version", HOST_PYTHONS)
def test_everything_for_hosts_imports_on_a_real_python(version: str, tmp_path: Path) -> None:
    """No site-packages: a host has no psutil either, until it is brought there."""
    core = tuple(int(part) for part in metadata.version("ansible-core").split(".")[:2])
    if core >= (2, 20) and version == "3.8":
        pytest.skip("this ansible-core itself runs on hosts with Python 3.9 and newer only")
    python = real_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine: the floor was checked by syntax only")
    import ansible

    names = [
        ".".join([*package_of(file), file.stem] if file.stem != "__init__" else package_of(file)) for file in on_hosts()
    ]
    arguments = [str(ROOT), str(Path(ansible.__file__).parent), *names]
    environment = {"PYTHONPYCACHEPREFIX": str(tmp_path), "LC_ALL": "C.UTF-8"}
    command = [python, "-S", "-c", COMPILE_AND_IMPORT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
