"""An existing alertmanager.yml: its routes, inhibition rules and time intervals count; its targets do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from . import config_file
from .alerts_config import Fault, Name, Part, Rules

# What says how Alertmanager itself sends and runs.
_IGNORED = ("global", "templates", "tracing")


class Receiver(Part):
    """A name, and which kinds of target it has there; what they are is a secret of another program and not kept."""

    name: Name
    configs: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _without_targets(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        kinds = [str(key) for key, targets in value.items() if str(key).endswith("_configs") and targets]
        rest = {key: one for key, one in value.items() if not str(key).endswith("_configs")}
        return {**rest, "configs": kinds}


class AlertmanagerFile(Rules):
    """The file, and what in it was passed over."""

    receivers: list[Receiver] = Field(default_factory=list)
    ignored: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_ignored(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        ignored = [key for key in _IGNORED if key in value]
        return {**{key: one for key, one in value.items() if key not in _IGNORED}, "ignored": ignored}

    @model_validator(mode="after")
    def _has_a_route(self) -> AlertmanagerFile:
        if self.route is None:
            raise ValueError("there is no route")
        return self

    def in_use(self) -> list[Receiver]:
        """The receivers that routes name."""
        named = {route.receiver for _place, route in self.routes()}
        return [receiver for receiver in self.receivers if receiver.name in named]

    def notes(self) -> list[str]:
        """What a person should know of what was not taken from the file."""
        notes = [f"{key} is not read" for key in self.ignored]
        with_targets = [receiver.name for receiver in self.receivers if receiver.configs]
        if with_targets:
            notes.append(f"targets of {', '.join(with_targets)} are those in roundsman.yml, not those in this file")
        return notes


def load(value: Any) -> Any:
    """What `alerts.alertmanager` names, read. Raises ValueError with all faults, for pydantic."""
    if not isinstance(value, str | Path):
        return value
    path = Path(value)
    try:
        return config_file.parse(AlertmanagerFile, config_file.read(path), path)
    except config_file.ConfigError as error:
        raise ValueError(str(error)) from None


def faults(file: AlertmanagerFile, settings: Rules) -> Iterator[Fault]:
    """What does not go together with the alerts section that names the file."""
    for key in ("route", "inhibit_rules", "time_intervals", "mute_time_intervals"):
        if getattr(settings, key):
            yield (key,), "stands in the file that `alertmanager` names; take it out here or there"
    names = {receiver.name for receiver in settings.receivers}
    for receiver in file.in_use():
        if receiver.configs and receiver.name not in names:
            kinds = ", ".join(receiver.configs)
            text = f"{receiver.name}'s {kinds} are not read from there: add {receiver.name} to alerts.receivers"
            yield ("alertmanager",), text
