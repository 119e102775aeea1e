"""Runs the command and the modules in processes of their own that begin where Python has imported what they need.

The imports are most of what they cost where there is little to do, and tests run them thousands of times. A server
process imports once, and forks for each run; no run sees anything of another. What is done to such a process while it
works (signals, power cuts) or to its Python needs a real one.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = "ansible_collections.roundsman.fleet.plugins.modules."


def _imported() -> list[str]:
    modules = [MODULES + path.stem for path in (ROOT / "plugins" / "modules").glob("backup*.py")]
    sources = [path.relative_to(ROOT / "cli") for path in (ROOT / "cli" / "roundsman").rglob("[!_]*.py")]
    command = [".".join(path.with_suffix("").parts) for path in sources if "migrations" not in path.parts]
    return [__name__, *modules, *command, "alembic.command", "ansible_runner"]


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_imported())


def run(
    program: Path | str,
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    text_in: str = "",
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a script of Python, or a module by its name, as `subprocess.run` does with captured text."""
    argv = [str(program), *arguments]
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("in", "out", "err")]
        for path in streams:
            path.write_text(text_in if path.name == "in" else "")
        process = _context.Process(target=_become, args=(program, argv, dict(env), cwd, streams))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(argv, timeout or 0, *(p.read_bytes() for p in streams[1:]))
        out, err = (path.read_text() for path in streams[1:])
    return subprocess.CompletedProcess(argv, process.exitcode, out, err)


def _become(
    program: Path | str, argv: list[str], env: Mapping[str, str], cwd: Path | None, streams: Sequence[Path]
) -> None:
    for descriptor, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), descriptor)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd or ROOT)
    sys.argv = argv
    if isinstance(program, Path):
        runpy.run_path(str(program), run_name="__main__")
    else:
        sys.modules.pop(program, None)
        runpy.run_module(program, run_name="__main__", alter_sys=True)
