"""roundsman.yml as typed settings. Errors name file, line and key, all at once."""

from __future__ import annotations

import os
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from .alerts.acknowledgement import ACKNOWLEDGED_FOR
from .config_base import Duration, Section
from .receivers_config import Heartbeat, Receiver, check_fallbacks

ENVIRONMENT_VARIABLE = "ROUNDSMAN_CONFIG"
FILE_NAME = "roundsman.yml"
SQLITE = "sqlite:///"


class ConfigError(Exception):
    """The configuration cannot be used; the text says where and why."""


class Route(Section):
    receiver: str


class Alerts(Section):
    group_wait: Duration = timedelta(seconds=30)
    deliver_for: Duration = timedelta(minutes=2)
    acknowledged_for: Duration = Field(default=ACKNOWLEDGED_FOR, gt=timedelta(0))
    external_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+")
    heartbeat: Heartbeat | None = None
    receivers: list[Receiver] = Field(default_factory=list)
    route: Route | None = None

    @model_validator(mode="after")
    def _route_leads_somewhere(self) -> Alerts:
        names = [receiver.name for receiver in self.receivers]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"receivers: {', '.join(doubled)} is declared twice")
        check_fallbacks(self.receivers)
        if self.route and self.route.receiver not in names:
            there = ", ".join(names) or "none"
            raise ValueError(f"route: there is no receiver {self.route.receiver!r} (there are: {there})")
        return self

    def receiver(self) -> Receiver | None:
        """The receiver of all alerts: the route's, or the only one there is."""
        if self.route:
            return next(receiver for receiver in self.receivers if receiver.name == self.route.receiver)
        return self.receivers[0] if len(self.receivers) == 1 else None


class History(Section):
    """How long measurements are kept: as they came, then by the hour, then by the day."""

    raw: Duration = Field(default=timedelta(days=2), ge=timedelta(hours=1))
    hourly: Duration = timedelta(days=42)
    daily: Duration = timedelta(days=400)

    @model_validator(mode="after")
    def _coarser_is_longer(self) -> History:
        if not self.raw <= self.hourly <= self.daily:
            raise ValueError("what is coarser is kept longer: raw <= hourly <= daily")
        return self


def default_state_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/roundsman")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "roundsman"


class Settings(Section):
    """Everything that roundsman.yml may hold. Relative paths start at the file's directory."""

    inventory: list[str] = Field(default_factory=list)
    state_dir: Path = Field(default_factory=default_state_dir)
    store: str | None = Field(default=None, pattern="^sqlite:///.")
    forks: int = Field(default=20, ge=1, le=500)
    connect_timeout: Duration = timedelta(seconds=10)
    pass_environment: list[str] = Field(default_factory=list)
    alerts: Alerts = Field(default_factory=Alerts)
    history: History = Field(default_factory=History)

    @model_validator(mode="after")
    def _one_way_to_everyone(self) -> Settings:
        if len(self.alerts.receivers) > 1 and self.alerts.route is None:
            raise ValueError("alerts.route: name the receiver that gets the alerts: route: {receiver: NAME}")
        return self

    @property
    def store_url(self) -> str:
        return self.store or f"sqlite:///{self.state_dir / 'store.db'}"

    @property
    def ledger_dir(self) -> Path:
        return self.state_dir / "ledger"

    @property
    def inventories(self) -> list[str]:
        return self.inventory or [str(embedded_inventory())]


def embedded_inventory() -> Path:
    """The inventory that ships: this machine. In a wheel it lies in the package, in a checkout at its root."""
    packaged = Path(str(resources.files("roundsman"))) / "inventory"
    return packaged if packaged.is_dir() else packaged.parents[2] / "inventory"


def find_file(explicit: str | None) -> Path | None:
    """The configuration file: as named, else $ROUNDSMAN_CONFIG, else the first of the usual places."""
    named = explicit or os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(named)
    usual = [Path(FILE_NAME), Path.home() / ".config/roundsman" / FILE_NAME, Path("/etc/roundsman") / FILE_NAME]
    return next((path for path in usual if path.is_file()), None)


def load(explicit: str | None = None) -> Settings:
    """Read the settings; without any file, the embedded defaults.

    Raises ConfigError that lists every fault with file, line and key.
    """
    path = find_file(explicit)
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Settings:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: is not valid YAML: {error.problem}") from error
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}:1: must be a mapping of settings")
    try:
        base = path.absolute().parent
        return Settings.model_validate(_with_paths(raw, base), context=base)
    except ValidationError as error:
        faults = [_fault(path, node, fault) for fault in error.errors(include_input=False, include_url=False)]
        raise ConfigError("\n".join(faults)) from None


def _with_paths(raw: dict[str, Any], base: Path) -> dict[str, Any]:
    settings = dict(raw)
    if isinstance(settings.get("inventory"), str):
        settings["inventory"] = [settings["inventory"]]
    if isinstance(settings.get("inventory"), list):
        # "host," is Ansible's way of naming hosts on the spot.
        settings["inventory"] = [
            item if not isinstance(item, str) or "," in item else str(base / Path(item).expanduser())
            for item in settings["inventory"]
        ]
    if str(settings.get("store", "")).startswith(SQLITE):
        settings["store"] = SQLITE + str(base / Path(settings["store"].removeprefix(SQLITE)).expanduser())
    if isinstance(settings.get("state_dir"), str):
        settings["state_dir"] = base / Path(settings["state_dir"]).expanduser()
    return settings


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
