"""How a command ends. `roundsman --help` lists these; a test keeps the two alike."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    FINE = 0
    WARNINGS = 1
    CRITICAL = 2
    UNKNOWN = 3
    UNREACHABLE = 4
    RUN_FAILED = 5
    STORE_FAILED = 6
    USAGE = 64
    INTERRUPTED = 130
