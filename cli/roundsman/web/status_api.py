"""What Alertmanager's clients ask before all else."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from roundsman.times import stamp

from . import original
from .asking import Asked, Office


def status(office: Office, _asked: Asked) -> dict[str, Any]:
    """GET /api/v2/status"""
    unknown = dict.fromkeys(("branch", "buildDate", "buildUser", "goVersion", "revision"), "")
    return {
        "cluster": {"status": "disabled", "peers": []},
        "versionInfo": {**unknown, "version": f"roundsman {metadata.version('roundsman')}"},
        "config": {"original": original.original(office.settings.alerts)},
        "uptime": stamp(office.started_at),
    }


def receivers(office: Office, _asked: Asked) -> list[dict[str, str]]:
    """GET /api/v2/receivers"""
    return [{"name": name} for name in original.receivers(office.settings.alerts)]


def healthy(office: Office, _asked: Asked) -> str:
    """GET /-/healthy and /-/ready: the store can be read."""
    with office.store.read():
        return "OK"
