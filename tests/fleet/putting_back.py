"""Calls `put_back` of a source on a host, on a copy that was restored there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fleet.source_calls import call, install

if TYPE_CHECKING:
    from tests.fleet.host import Host


def put_back(host: Host, spec: dict[str, Any], copy: str) -> dict[str, Any]:
    """{"done": what was done}, or {"reason", "message"} of the failure."""
    install(host)
    return call(host, spec, "put_back", copy)
