"""Shell words that wait on a host for what another process does there."""

from __future__ import annotations


def until(condition: str, limit_s: int = 50) -> str:
    """Shell words that wait until a command succeeds."""
    return f"for _ in $(seq {limit_s}0); do {condition} && exit; sleep .1; done; exit 1"


def listening(port: int) -> str:
    return until(f"ss -ltn | grep -q :{port}")
