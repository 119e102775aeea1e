"""Delivery through Apprise: mail, chat, SMS and whatever else it has a URL for."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from roundsman.alerts.model import Status
from roundsman.notify.channel import Outcome, Target
from roundsman.notify.message import Message
from roundsman.notify.quiet import quiet
from roundsman.notify.redact import redact


class AppriseChannel:
    """Sends through one Apprise URL.

    Apprise swallows its plugins' exceptions and does not say whether an error lasts, so every failed attempt counts
    as temporary; only a URL that it does not understand is permanent.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def problem(self) -> str | None:
        return self._load()[1]

    def send(self, message: Message) -> Outcome:
        service, problem = self._load()
        if problem is not None:
            return Outcome(ok=False, permanent=True, detail=problem)
        try:
            result = service.notify(
                body=message.text,
                title=message.title,
                notify_type=_type(message),
                body_format="text",
                timeout=self._target.timeout_s,
            )
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the delivery record must say so
            return Outcome(ok=False, detail=redact(f"{type(error).__name__}: {error}", self._target.secrets))
        said = "; ".join(entry.message for entry in result.logs())
        detail = redact(f"{self._target.scheme}: {result.status.name.lower()} {said}", self._target.secrets)
        return Outcome(ok=bool(result), detail=detail)

    def _load(self) -> tuple[Any, str | None]:
        """The Apprise object, and what is wrong with the URL."""
        if not self._target.scheme:
            return None, "not a URL: it has no scheme://"
        apprise = _apprise()
        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Roundsman", async_mode=False))
        scheme = self._target.scheme
        if not service.add(self._target.url) or len(service) != 1:
            return service, f"Apprise does not take this {scheme}:// URL as one target; see its documentation"
        return service, None


def _apprise() -> Any:
    """The library, imported only when needed: it takes long."""
    quiet("apprise", "urllib3")
    logging.getLogger("apprise").propagate = False  # its warnings are in the result, and from there in the record
    return importlib.import_module("apprise")


def _type(message: Message) -> str:
    if not message.firing:
        return "success"
    return "failure" if message.severity is Status.CRITICAL else "warning"
